package mtproto

import "slices"

const (
	// inboxSize is how many received msg_ids are remembered, as TDLib does.
	inboxSize = 1000
	// inboxAge is how far behind the newest received id a remembered one may lie, in msg_id units. An older one would be
	// refused by its time anyway (check 8), so a quiet session remembers a handful of ids and not a thousand.
	inboxAge = 300 << 32
)

// verdict is what the inbox says of a received msg_id.
type verdict uint8

const (
	// seenNever: process it.
	seenNever verdict = iota
	// seenBefore: do not process it, but acknowledge it.
	seenBefore
	// seenTooOld: it is older than everything remembered; nobody can tell whether it is a repetition.
	seenTooOld
)

// inboxState remembers which messages of the server have been received, so that none is processed twice. The ids are
// sorted; memory is 8 bytes an id, at most 8 KiB in a busy session, about a hundred bytes in a quiet one.
type inboxState struct {
	ids   []msgID
	floor msgID // ids up to here are not remembered any more
}

// check says what is known of id, without remembering it.
func (s *inboxState) check(id msgID) verdict {
	if id <= s.floor {
		return seenTooOld
	}
	if _, found := slices.BinarySearch(s.ids, id); found {
		return seenBefore
	}
	return seenNever
}

// add remembers id, which check has called seenNever.
func (s *inboxState) add(id msgID) {
	if n := len(s.ids); n == 0 || id > s.ids[n-1] {
		s.makeRoom(id)
		s.ids = append(s.ids, id)
	} else {
		i, _ := slices.BinarySearch(s.ids, id)
		s.ids = slices.Insert(s.ids, i, id)
	}
	if len(s.ids) > inboxSize {
		s.forget(len(s.ids) - inboxSize)
	}
}

// makeRoom forgets what is too far behind the newest id.
func (s *inboxState) makeRoom(newest msgID) {
	if newest < inboxAge {
		return
	}
	limit := newest - inboxAge
	n := 0
	for n < len(s.ids) && s.ids[n] <= limit {
		n++
	}
	if n > 0 {
		s.forget(n)
	}
	s.floor = max(s.floor, limit)
}

// forget drops the n oldest ids.
func (s *inboxState) forget(n int) {
	s.floor = max(s.floor, s.ids[n-1])
	rest := copy(s.ids, s.ids[n:])
	s.ids = s.ids[:rest]
}

// newest is the highest id received, 0 if none is remembered.
func (s *inboxState) newest() msgID {
	if len(s.ids) == 0 {
		return 0
	}
	return s.ids[len(s.ids)-1]
}
