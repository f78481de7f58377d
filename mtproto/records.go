package mtproto

import (
	"slices"
	"sort"
	"time"
)

// sentKind says what a message of ours was.
type sentKind uint8

const (
	// sentDone: it was answered, rejected or given up. The record stays a while so that the container it was in is still
	// understood.
	sentDone sentKind = iota
	// sentQuery: an API query; the record has it.
	sentQuery
	// sentCanceled: an API query whose caller has left. Its answer will be acknowledged and dropped.
	sentCanceled
	// sentContainer: a container; the record has its first member. Its members are the records between.
	sentContainer
	// sentPing, sentSalts, sentStateReq, sentDrop: requests with an answer of their own kind.
	sentPing
	sentSalts
	sentStateReq
	sentDrop
	// sentBind: the binding of the temp key.
	sentBind
	// sentNotice: something no answer is expected to: acks, state infos, resend requests, destroy_session.
	sentNotice
)

const (
	// recordAge is how long a container's members are known, as tdesktop does.
	recordAge = 10 * time.Minute
	// noticeAge is how long messages without an answer, and containers all of whose members are settled, are known.
	noticeAge = time.Minute
	// maxNotices bounds the records that are not of queries: at 32 bytes each, 32 KiB in the busiest session.
	maxNotices = 1024
	// minRecords is the number of records below which nobody looks for old ones.
	minRecords = 8
)

// sentRecord remembers one message of ours: what a later notification about its msg_id refers to.
type sentRecord struct {
	id    msgID
	first msgID  // sentContainer: the first member
	q     *query // sentQuery
	seqNo uint32
	kind  sentKind
	// copies: a container that also carried copies of older messages. They are the queries whose carrier it is.
	copies bool
}

// recordState answers the question "what was this msg_id?". Records are in the order of their ids because ids rise.
type recordState struct {
	list    []sentRecord
	pruneAt int // length of list at which old records are looked for
}

// add remembers a message; its id is higher than all before.
func (s *recordState) add(r sentRecord) { s.list = append(s.list, r) }

// find returns the record of id, nil if id is not one of ours or too long ago. It is valid until the next add.
func (s *recordState) find(id msgID) *sentRecord {
	i := s.index(id)
	if i == len(s.list) || s.list[i].id != id {
		return nil
	}
	return &s.list[i]
}

// ours reports whether id is that of a message we remember having sent.
func (s *recordState) ours(id msgID) bool { return s.find(id) != nil }

// index is the position of the first record with an id not below id.
func (s *recordState) index(id msgID) int {
	return sort.Search(len(s.list), func(i int) bool { return s.list[i].id >= id })
}

// members returns the records of the messages that travelled in container c.
func (s *recordState) members(c *sentRecord) []sentRecord {
	return s.list[s.index(c.first):s.index(c.id)]
}

// packetStart is the lowest msg_id that travelled in the same packet as id, whether id is that of a container, of a
// member, or of a message alone.
func (s *recordState) packetStart(id msgID) msgID {
	for i := s.index(id); i < len(s.list); i++ {
		if r := &s.list[i]; r.kind == sentContainer {
			if r.first <= id {
				return r.first
			}
			break
		}
	}
	return id
}

// settle marks the record of id as done.
func (s *recordState) settle(id msgID) {
	if r := s.find(id); r != nil && r.kind != sentContainer {
		r.kind, r.q = sentDone, nil
	}
}

// prune forgets what no notification can refer to any more. It is cheap to call often.
func (s *recordState) prune(serverNanos int64, force bool) {
	if len(s.list) == 0 || len(s.list) < max(s.pruneAt, minRecords) && !force {
		return
	}
	old, older := idAt(serverNanos-int64(noticeAge)), idAt(serverNanos-int64(recordAge))
	notices := 0
	kept := s.list[:0]
	live := false // whether an unsettled member was kept since the last container
	for _, r := range s.list {
		keep := true
		switch r.kind {
		case sentQuery, sentBind:
			live = true
		case sentContainer:
			keep = live && r.id > older || r.id > old
			live = false
		case sentDone, sentNotice:
			keep = r.id > old
		default:
			keep = r.id > older
			live = live || keep
		}
		if !keep {
			continue
		}
		if r.kind != sentQuery {
			notices++
		}
		kept = append(kept, r)
	}
	if notices > maxNotices {
		kept = slices.DeleteFunc(kept, func(r sentRecord) bool {
			if r.kind == sentQuery || r.kind == sentBind || notices <= maxNotices/2 {
				return false
			}
			notices--
			return true
		})
	}
	clear(s.list[len(kept):])
	s.list = kept
	s.pruneAt = 2 * len(s.list)
}

// reset forgets everything: the session that knew these ids is gone.
func (s *recordState) reset() { *s = recordState{} }
