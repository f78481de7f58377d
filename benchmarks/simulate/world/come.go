package world

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
)

// This file is how people come to channels and leave them in the course of a run.

type (
	comeDue struct{}
	came    struct{ u *user }
)

func (comeDue) message() {}
func (came) message()    {}

// comeMost is how long it takes at most until the next comes or leaves.
const comeMost = 20 * time.Second

// onComeDue lets somebody come to a channel, or leave it where it is a member, and
// sometimes come back at once: by a call of its account, or by what it does on a
// phone that is no client here. Whoever made the channels stays.
func (k *workload) onComeDue(c *workCtx) {
	if k.resting {
		return
	}
	r := k.coming
	c.After(timerCome, k.w.due(time.Duration(r.Int64N(int64(comeMost)))), comeDue{})
	w := k.w
	if len(w.users) < 2 {
		return
	}
	u, n, byPhone, andBack := w.users[1+r.IntN(len(w.users)-1)], r.IntN(channels), r.IntN(3) == 0, r.IntN(4) == 0
	if !w.allIn() || u.busy || u.comes {
		return
	}
	_, last := w.dcs.stays(w.dcs.channels[n], u.ID)
	join := !last.Until.IsZero()
	// Into a private channel, and a bot into any, only somebody else can let in.
	if byPhone || !public(n) || join && u.BotToken != "" {
		w.rec.line("%s is in channel %d by another's doing: %v", u.name, n, join)
		w.dcs.moves(w.dcs.channels[n], u.ID, join)
		if !join && andBack {
			w.rec.line("%s is back there at once", u.name)
			w.dcs.moves(w.dcs.channels[n], u.ID, true)
		}
		return
	}
	u.comes = true
	c.GoIO(func() message {
		err := w.come(u, n, join)
		w.rec.line("%s calls to be in channel %d (%v): %v", u.name, n, join, err)
		if err == nil && !join && andBack && u.BotToken == "" {
			w.rec.line("%s comes back to it at once: %v", u.name, w.come(u, n, true))
		}
		return came{u}
	})
}

// come has an account join or leave a public channel as clients do: by its name.
func (w *world) come(u *user, n int, join bool) error {
	ctx, cancel := w.within(patience)
	defer cancel()
	a, err := w.account(u)
	if err != nil {
		return err
	}
	text, err := a.InvokeJSON(ctx, "contacts.resolveUsername", json.RawMessage(fmt.Sprintf(`{"username":%q}`, channelName(n))))
	if err != nil {
		return err
	}
	var found struct {
		Chats []struct {
			ID   string `json:"id"`
			Hash string `json:"access_hash"`
		} `json:"chats"`
	}
	if err := json.Unmarshal(text, &found); err != nil || len(found.Chats) != 1 {
		return errors.Join(err, fmt.Errorf("%d channels have the name %s", len(found.Chats), channelName(n)))
	}
	method := "channels.leaveChannel"
	if join {
		method = "channels.joinChannel"
	}
	_, err = a.InvokeJSON(ctx, method, json.RawMessage(fmt.Sprintf(
		`{"channel":{"_":"inputChannel","channel_id":%q,"access_hash":%q}}`, found.Chats[0].ID, found.Chats[0].Hash)))
	return err
}

// public tells whether a channel has a name, by which everybody may look into it
// and join it.
func public(n int) bool { return n >= channels/2 }

func channelName(n int) string { return fmt.Sprint("channel_", n) }

// stays counts the times that a user was in a channel, and returns the last.
func (s *cluster) stays(channel, user int64) (n int, last api.Membership) {
	for _, m := range s.api.Memberships() {
		if m.Channel == channel && m.UserID == user {
			n, last = n+1, m
		}
	}
	return n, last
}

// left is where a channel stood when a user left it last.
func (s *cluster) left(user, channel int64) (pts int32) {
	for _, m := range s.api.Memberships() {
		if m.Channel == channel && m.UserID == user {
			pts = max(pts, m.UntilPts)
		}
	}
	return pts
}

// moves makes a user a member, or ends that.
func (s *cluster) moves(channel, user int64, join bool) {
	s.script(func(b *api.Backend, now time.Time) error {
		if join {
			return b.Join(now, channel, user)
		}
		return b.Leave(now, channel, user)
	})
}

// returns counts how often somebody came back to a channel.
func (s *cluster) returns() (n int) {
	seen := map[[2]int64]bool{}
	for _, m := range s.api.Memberships() {
		id := [2]int64{m.Channel, m.UserID}
		if seen[id] {
			n++
		}
		seen[id] = true
	}
	return n
}
