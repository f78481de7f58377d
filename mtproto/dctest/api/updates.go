package api

import (
	"fmt"
	"math"
	"time"
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
	b.pushHome(b.dir.byID[userID], nil, updatesOf(now, e.appendUpdate(nil, b.dir.byID[userID], 0)))
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
	return u.log.remove(now, append([]int32(nil), ids...))
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
	e, err := u.log.write(message{from: serviceUserID, peer: serviceUserID, at: now, text: text})
	if err != nil {
		return 0, err
	}
	u.dialogWith(serviceUserID).top = e.ids[0]
	b.pushHome(u, nil, b.updatesFor(now, u, &e))
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

// Updates returns what was logged for a user, oldest first: what the log keeps, and up to 10,000 updates more.
func (b *Backend) Updates(userID int64) []UpdateRecord {
	u := b.dir.byID[userID]
	if u == nil {
		return nil
	}
	return u.log.records(u.id, 0)
}

// DeletedIDs returns the message ids in a user's log, as far as it is kept, oldest first.
func (b *Backend) DeletedIDs(userID int64) []int32 {
	var out []int32
	if u := b.dir.byID[userID]; u != nil {
		for _, e := range u.log.entries {
			if e.kind == entryDelete {
				out = append(out, e.ids...)
			}
		}
	}
	return out
}

// push queues a payload for every subscribed session of a key.
//
// Bound: the queue holds what one input made: a payload or two per live authorization of one user, or of the members of one
// channel; see maxMembers for what that comes to.
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
