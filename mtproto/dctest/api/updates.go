package api

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// updateLog is the common pts sequence of one user: updateDeleteMessages, the texts that the user
// sent to itself, and those of the service account.
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
	// message is the boxed Message of updateNewMessage; nil for updateDeleteMessages. service says who it is from.
	message []byte
	service bool
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
	e, err := b.appendDelete(now, userID, ids)
	if err != nil {
		return 0, err
	}
	b.pushHome(b.dir.byID[userID], nil, updatesOf(now, e.appendUpdate(nil, 0)))
	return e.pts, nil
}

// AppendDelete is PushDelete without the push: the fault of a lost update, which only updates.getDifference recovers.
func (b *Backend) AppendDelete(now time.Time, userID int64, ids ...int32) (pts int32, err error) {
	e, err := b.appendDelete(now, userID, ids)
	return e.pts, err
}

func (b *Backend) appendDelete(now time.Time, userID int64, ids []int32) (logEntry, error) {
	u, err := b.user(userID)
	if err != nil {
		return logEntry{}, err
	}
	if len(ids) == 0 || len(ids) > maxDeletedIDs {
		return logEntry{}, fmt.Errorf("%w, not %d", ErrTooManyIDs, len(ids))
	}
	return u.log.add(b.cfg.LogMax, logEntry{at: now, ids: append([]int32(nil), ids...)})
}

// add gives an entry its pts and keeps it; the oldest go beyond keep.
func (l *updateLog) add(keep int, e logEntry) (logEntry, error) {
	if l.pts > math.MaxInt32-int32(len(e.ids)) {
		return logEntry{}, ErrLogFull
	}
	l.pts += int32(len(e.ids))
	e.pts = l.pts
	l.entries = append(l.entries, e)
	if over := len(l.entries) - keep; over > 0 {
		l.floor = l.entries[over-1].pts
		l.entries = l.entries[over:]
	}
	return e, nil
}

// serviceUserID is the account from which Telegram writes to its users.
const serviceUserID = 777000

// Tell writes a text to a user from the service account, as it does with login codes: a message in the user's log, pushed
// to the home sessions. It returns the pts after it.
func (b *Backend) Tell(now time.Time, userID int64, text string) (pts int32, err error) {
	u, err := b.user(userID)
	if err != nil {
		return 0, err
	}
	return b.tell(now, u, text)
}

func (b *Backend) tell(now time.Time, u *user, text string) (pts int32, err error) {
	if u.log.nextMsg == math.MaxInt32 {
		return 0, ErrLogFull
	}
	id := u.log.nextMsg
	e, err := u.log.add(b.cfg.LogMax, logEntry{
		at: now, ids: []int32{id}, service: true,
		message: value(messageID, 0, 0, int(id), value(peerUserID, int64(serviceUserID)), int(now.Unix()), text),
	})
	if err != nil {
		return 0, err
	}
	u.log.nextMsg++
	b.pushHome(u, nil, updatesFrom(now, serviceUser(), e.appendUpdate(nil, 0)))
	return e.pts, nil
}

// Notify shows a service notification (updateServiceNotification) of a type to a user's home sessions, as a popup. It is in
// no log: a session that is not connected gets it when it comes back.
func (b *Backend) Notify(now time.Time, userID int64, kind, text string) error {
	u, err := b.user(userID)
	if err != nil {
		return err
	}
	b.pushHome(u, nil, updateShort(now, appendServiceNotification(nil, kind, text)))
	return nil
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
