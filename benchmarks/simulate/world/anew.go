package world

import (
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
)

// This file is where channels begin. A login knows of none: each begins with the
// first that is heard of it (mtproto/updates), and what was before that is the past
// nobody can ask for, also where it was pushed and lost. So it is with each login.

// login is one of an account's logins, as far as its channels go.
type login struct {
	from   time.Time       // when the one before was over
	begins map[int64]int32 // the pts that was heard first of each channel
}

// lastLogin is the present login of an account, or the one that comes next.
func (j *judge) lastLogin(account string) *login {
	if len(j.logins[account]) == 0 {
		j.loginOver(account, time.Time{})
	}
	list := j.logins[account]
	return &list[len(list)-1]
}

// loginOver notes that what is heard from now on is another login's.
func (j *judge) loginOver(account string, now time.Time) {
	j.logins[account] = append(j.logins[account], login{now, map[int64]int32{}})
}

// begins notes where a channel begins.
func (j *judge) begins(ev actors.Event) {
	if ev.Box.Kind != actors.BoxChannel {
		return
	}
	pts := ev.Pts
	if ev.Kind == actors.EventHole {
		pts = ev.To.Pts + 1
	}
	l := j.lastLogin(ev.Account)
	if _, known := l.begins[ev.Box.Channel]; !known && pts > 0 {
		l.begins[ev.Box.Channel] = pts
	}
}

// SignedIn tells which user an account is signed in as.
func (j *judge) SignedIn(account string, user int64) {
	j.accounts[user] = account
	j.Auditor.SignedIn(account, user)
}

// past tells whether an update was logged before the login that was there then, or
// came next, began with its channel.
func (j *judge) past(u api.UpdateRecord) bool {
	list := j.logins[j.accounts[u.UserID]]
	for i, l := range list {
		if last := i == len(list)-1; u.At.After(l.from) && (last || !u.At.After(list[i+1].from)) {
			return u.Pts < l.begins[u.Channel]
		}
	}
	return false
}
