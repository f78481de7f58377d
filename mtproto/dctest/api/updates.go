package api

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// updateLog is the common pts sequence of one user: updateDeleteMessages, and the texts that the user sent to itself.
//
// Bound: Config.LogMax entries; older ones are dropped and floor rises.
type updateLog struct {
	pts     int32 // state after the newest entry; 1 before any, as 0 stands for "no state"
	floor   int32 // state before the oldest entry kept
	entries []logEntry
	nextMsg int32 // next message id for PushUpdate
}

type logEntry struct {
	at  time.Time
	pts int32   // state after it
	ids []int32 // one pts each
	// message is the boxed Message of updateNewMessage; nil for updateDeleteMessages.
	message []byte
}

// add puts an entry at the end and forgets the oldest beyond limit.
func (l *updateLog) add(e logEntry, limit int) {
	l.entries = append(l.entries, e)
	if over := len(l.entries) - limit; over > 0 {
		l.floor = l.entries[over-1].pts
		l.entries = l.entries[over:]
	}
}

func newUpdateLog() updateLog { return updateLog{pts: 1, floor: 1, nextMsg: 1} }

// maxDeletedIDs bounds one update, as Telegram's clients send at most 100 ids at a time.
const maxDeletedIDs = 100

// Errors of PushDelete.
var (
	ErrTooManyIDs = errors.New("api: one update carries 1 to 100 message ids")
	ErrLogFull    = errors.New("api: pts would leave 31 bits")
)

// PushUpdate appends one updateDeleteMessages with one fresh message id and pushes it to the user's home sessions.
func (b *Backend) PushUpdate(now time.Time, userID int64) (pts int32, err error) {
	u, err := b.user(userID)
	if err != nil {
		return 0, err
	}
	if u.log.nextMsg == math.MaxInt32 {
		return 0, ErrLogFull
	}
	u.log.nextMsg++
	return b.PushDelete(now, userID, u.log.nextMsg-1)
}

// PushDelete appends one updateDeleteMessages to the user's log and pushes it to every home key of the user. It
// returns the pts after it.
func (b *Backend) PushDelete(now time.Time, userID int64, ids ...int32) (pts int32, err error) {
	pts, body, err := b.appendDelete(now, userID, ids)
	if err != nil {
		return 0, err
	}
	b.pushHome(b.dir.byID[userID], nil, body)
	return pts, nil
}

// AppendDelete is PushDelete without the push: the fault of a lost update, which only updates.getDifference recovers.
func (b *Backend) AppendDelete(now time.Time, userID int64, ids ...int32) (pts int32, err error) {
	pts, _, err = b.appendDelete(now, userID, ids)
	return pts, err
}

func (b *Backend) appendDelete(now time.Time, userID int64, ids []int32) (pts int32, body []byte, err error) {
	u, err := b.user(userID)
	if err != nil {
		return 0, nil, err
	}
	if len(ids) == 0 || len(ids) > maxDeletedIDs {
		return 0, nil, fmt.Errorf("%w, not %d", ErrTooManyIDs, len(ids))
	}
	l := &u.log
	if l.pts > math.MaxInt32-int32(len(ids)) {
		return 0, nil, ErrLogFull
	}
	l.pts += int32(len(ids))
	e := logEntry{at: now, pts: l.pts, ids: append([]int32(nil), ids...)}
	l.add(e, b.cfg.LogMax)
	return l.pts, updatesOf(now, e.appendUpdate(nil, 0)), nil
}

// slice returns the entries after pts, at most limit pts of them but at least one entry, and whether that is all. skip
// is how many ids of the first entry lie at or before pts.
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
	end := lo + 1
	for end < len(l.entries) && int(l.entries[end].pts-pts) <= limit {
		end++
	}
	return l.entries[lo:end], skip, end == len(l.entries)
}

// Updates returns the log of a user as far as it is kept, oldest first.
func (b *Backend) Updates(userID int64) []UpdateRecord {
	u := b.dir.byID[userID]
	if u == nil {
		return nil
	}
	out := make([]UpdateRecord, len(u.log.entries))
	for i, e := range u.log.entries {
		out[i] = UpdateRecord{At: e.at, UserID: u.id, Pts: e.pts, PtsCount: int32(len(e.ids))}
	}
	return out
}

// DeletedIDs returns the message ids in a user's log, as far as it is kept, oldest first.
func (b *Backend) DeletedIDs(userID int64) []int32 {
	var out []int32
	if u := b.dir.byID[userID]; u != nil {
		for _, e := range u.log.entries {
			if e.message == nil {
				out = append(out, e.ids...)
			}
		}
	}
	return out
}

// push queues a payload for every subscribed session of a key.
//
// Bound: the queue holds what one input made: at most one payload per live authorization of one user.
func (b *Backend) push(k *key, body []byte) {
	b.pushes = append(b.pushes, Push{DC: k.ref.dc, Perm: k.ref.perm, Body: body})
}

// pushHome queues a payload for every home key of a user but one. A home key on a DC the user has moved away from gets
// nothing.
func (b *Backend) pushHome(u *user, but *key, body []byte) {
	for _, row := range u.rows {
		if row.kind == kindHome && row.key != but && row.key.ref.dc == u.home {
			b.push(row.key, body)
		}
	}
}

// NextPush takes the next payload to push.
func (b *Backend) NextPush() (Push, bool) {
	if len(b.pushes) == 0 {
		b.pushes = nil
		return Push{}, false
	}
	p := b.pushes[0]
	b.pushes[0] = Push{}
	b.pushes = b.pushes[1:]
	return p, true
}
