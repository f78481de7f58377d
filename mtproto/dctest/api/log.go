package api

import (
	"errors"
	"math"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/tl"
)

// updateLog is one box: a pts sequence and the messages in it. A user has one for private messages, a channel one for all
// its members.
//
// Bound: Config.LogMax entries; older ones are dropped and floor rises. As many messages are kept, the newest. The 10,000
// of the default take 3 MB with texts of 100 bytes, and 160 MB with the longest. That there was an entry the ledger remembers
// of 10,000 more (maxGone), 80 bytes each.
type updateLog struct {
	pts      int32 // state after the newest entry; 1 before any, as 0 stands for "no state"
	floor    int32 // state before the oldest entry kept
	entries  []logEntry
	nextMsg  int32 // next message id
	messages map[int32]*message
	oldest   int32          // no message below is kept
	moved    time.Time      // of the newest entry
	keep     int            // Config.LogMax
	gone     []UpdateRecord // of entries that were dropped, for the ledger
	changes  *int           // of the whole Backend
}

// entryKind is what an entry of a log tells.
type entryKind uint8

const (
	// entryDelete: messages are gone. One pts for each.
	entryDelete entryKind = iota
	// entryMessage: there is a new message.
	entryMessage
	// entryEdit: a message has another text; its entry of before keeps the old one.
	entryEdit
	// entryReadInbox: the user has read up to a message, on whatever session.
	entryReadInbox
	// entryReadOutbox: the other side has read up to a message.
	entryReadOutbox
)

// String is the kind in the words of the ledger.
func (k entryKind) String() string {
	return [...]string{"delete", "message", "edit", "read", "read_by_peer"}[k]
}

// logEntry is one update, as it was then.
type logEntry struct {
	at      time.Time
	pts     int32 // state after it
	kind    entryKind
	ids     []int32  // one pts each: deleted, or the one message that the rest of it is about
	message *message // of entryMessage and entryEdit
	peer    int64    // of a read dialog
}

// message is one as the owner of its box has it. What is in a log is not changed: an edit makes another.
type message struct {
	id      int32
	from    int64    // its author; 0 for a post in the channel's own name
	peer    int64    // of a private message: the other side
	channel *channel // of a channel's
	out     bool     // of a private message: the owner of the box wrote it
	at      time.Time
	edited  time.Time // zero if never
	text    string
	replyTo int32   // 0 for none
	service service // what it says in place of a text
	about   []int64 // whom a service message is about
	twin    int32   // of a private message: its id in the other side's box, 0 for none
}

// service is what a service message says.
type service uint8

const (
	// serviceNone: the message is a text.
	serviceNone service = iota
	// serviceCreated: the channel was made.
	serviceCreated
	// serviceAdded: users came, by themselves or because the author invited them.
	serviceAdded
	// serviceGone: a user left.
	serviceGone
)

func (b *Backend) newLog() updateLog {
	return updateLog{pts: 1, floor: 1, nextMsg: 1, oldest: 1, messages: map[int32]*message{}, keep: b.cfg.LogMax, changes: &b.changes}
}

// maxDeletedIDs bounds one update, as Telegram's clients send at most 100 ids at a time.
const maxDeletedIDs = 100

// Errors of what is put into a log.
var (
	ErrTooManyIDs = errors.New("api: one update carries 1 to 100 message ids")
	ErrLogFull    = errors.New("api: pts would leave 31 bits")
)

// add gives an entry its pts and keeps it, in place of the oldest where there are too many.
func (l *updateLog) add(e logEntry) (logEntry, error) {
	if l.pts > math.MaxInt32-int32(len(e.ids)) {
		return logEntry{}, ErrLogFull
	}
	l.pts += int32(len(e.ids))
	e.pts = l.pts
	l.moved = e.at
	*l.changes++
	l.entries = append(l.entries, e)
	for len(l.entries) > l.keep {
		l.floor = l.entries[0].pts
		l.gone = appendGone(l.gone, l.entries[0].record())
		l.entries[0] = logEntry{}
		l.entries = l.entries[1:]
	}
	return e, nil
}

// write puts a new message into the box.
func (l *updateLog) write(m message) (logEntry, error) {
	if l.nextMsg == math.MaxInt32 {
		return logEntry{}, ErrLogFull
	}
	m.id = l.nextMsg
	e, err := l.add(logEntry{at: m.at, kind: entryMessage, ids: []int32{m.id}, message: &m})
	if err != nil {
		return e, err
	}
	l.nextMsg++
	l.messages[m.id] = &m
	for ; len(l.messages) > l.keep; l.oldest++ {
		delete(l.messages, l.oldest)
	}
	return e, nil
}

// edit gives a message another text.
func (l *updateLog) edit(now time.Time, id int32, text string) (logEntry, error) {
	m := *l.messages[id]
	m.text, m.edited = text, now
	e, err := l.add(logEntry{at: now, kind: entryEdit, ids: []int32{id}, message: &m})
	if err == nil {
		l.messages[id] = &m
	}
	return e, err
}

// present keeps of a list of ids those of messages that are there, each once.
func (l *updateLog) present(ids []int32) []int32 {
	var out []int32
	for _, id := range ids {
		if l.messages[id] != nil && !contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// remove deletes messages that are there.
func (l *updateLog) remove(now time.Time, ids []int32) (logEntry, error) {
	e, err := l.add(logEntry{at: now, kind: entryDelete, ids: ids})
	if err == nil {
		for _, id := range ids {
			delete(l.messages, id)
		}
	}
	return e, err
}

// history lists messages that fit, newest first, those below the id offset (0: all of them), at most limit.
func (l *updateLog) history(offset int32, limit int, fits func(*message) bool) (out []*message) {
	if offset <= 0 || offset > l.nextMsg {
		offset = l.nextMsg
	}
	for id := offset - 1; id >= l.oldest && len(out) < limit; id-- {
		if m := l.messages[id]; m != nil && fits(m) {
			out = append(out, m)
		}
	}
	return out
}

// maxDifference bounds the entries of one difference, in bytes: 4 MiB, one longest text more at most, and the people and
// channels named in them, 150 bytes each. A packet carries 16 MiB; 1,000 longest texts, let alone the 100,000 updates that
// a bot may ask for, would not fit.
const maxDifference = 4 << 20

// size is about what an entry takes in a difference.
func (e *logEntry) size() int {
	n := 128 + 4*len(e.ids)
	if e.message != nil {
		n += len(e.message.text) + 160*len(e.message.about)
	}
	return n
}

// slice returns the entries after pts, at most limit pts of them and maxDifference bytes, but at least one entry, and
// whether that is all. skip is how many ids of the first entry lie at or before pts.
func (l *updateLog) slice(pts int32, limit int) (entries []logEntry, skip int, all bool) {
	lo, hi := 0, len(l.entries)
	for lo < hi {
		if mid := (lo + hi) / 2; l.entries[mid].pts > pts {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	if lo == len(l.entries) {
		return nil, 0, true
	}
	before := l.entries[lo].pts - int32(len(l.entries[lo].ids))
	skip = int(max(0, pts-before))
	end, bytes := lo+1, l.entries[lo].size()
	for ; end < len(l.entries) && int(l.entries[end].pts-pts) <= limit; end++ {
		if bytes += l.entries[end].size(); bytes > maxDifference {
			break
		}
	}
	return l.entries[lo:end], skip, end == len(l.entries)
}

// maxGone is how many dropped entries of a box the ledger tells of; an eighth of them, the oldest, make way.
const maxGone = 10_000

func appendGone(list []UpdateRecord, r UpdateRecord) []UpdateRecord {
	if len(list) >= maxGone {
		list = slices.Delete(list, 0, maxGone/8)
	}
	return append(list, r)
}

// record is an entry as the ledger shows it.
func (e *logEntry) record() UpdateRecord {
	r := UpdateRecord{At: e.at, Pts: e.pts, PtsCount: int32(len(e.ids)), Kind: e.kind.String()}
	if e.kind != entryDelete {
		r.Message = e.ids[0]
	}
	return r
}

// records are the entries as the ledger shows them, also those that were dropped.
func (l *updateLog) records(user, channel int64) []UpdateRecord {
	out := slices.Clone(l.gone)
	for i := range l.entries {
		out = append(out, l.entries[i].record())
	}
	for i := range out {
		out[i].UserID, out[i].Channel = user, channel
	}
	return out
}

// appendCounted appends the end of an update with a pts.
func (e *logEntry) appendCounted(b []byte, skip int) []byte {
	b = tl.AppendInt32(b, e.pts)
	return tl.AppendInt32(b, int32(len(e.ids)-skip))
}
