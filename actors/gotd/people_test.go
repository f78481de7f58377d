package gotd

import (
	"testing"

	"github.com/gotd/td/tg"

	"github.com/mtfleet/mtfleet/actors"
)

func message(from int64) *tg.Updates {
	m := &tg.Message{PeerID: &tg.PeerUser{UserID: from}}
	return &tg.Updates{Updates: []tg.UpdateClass{&tg.UpdateNewMessage{Message: m}}}
}

func TestWhoIsRememberedIsBoundedAndAnAccountsOwn(t *testing.T) {
	var p people
	for id := range int64(peopleMost + 10) {
		p.remember("alice", []tg.UserClass{&tg.User{ID: id + 1, AccessHash: id}})
	}
	p.remember("alice", []tg.UserClass{&tg.User{ID: 20, AccessHash: 5}, &tg.User{ID: 21, Min: true, AccessHash: 6}, &tg.UserEmpty{ID: 22}})
	if len(p.known) != peopleMost || len(p.order) != peopleMost {
		t.Errorf("%d users are remembered, %d in order", len(p.known), len(p.order))
	}
	for _, c := range []struct {
		name    string
		account string
		id      int64
		bot     bool
		hash    int64 // -1: not there
	}{
		{"the newest", "alice", peopleMost + 10, false, peopleMost + 9},
		{"the oldest that is kept", "alice", 11, false, 10},
		{"one that went", "alice", 10, false, -1},
		{"one that was heard of again", "alice", 20, false, 5},
		{"one that came in part later", "alice", 21, false, 20},
		{"another account's", "bob", 20, false, -1},
		{"a stranger, to a bot", "bob", 20, true, 0},
	} {
		p.heard(c.account, &actors.Status{Bot: c.bot})
		u := message(c.id)
		p.complete(c.account, u)
		hash := int64(-1)
		if len(u.Users) == 1 {
			hash = u.Users[0].(*tg.User).AccessHash
		}
		if hash != c.hash {
			t.Errorf("%s: access hash %d, want %d", c.name, hash, c.hash)
		}
	}
}

func TestWhatAnUpdateHasIsNotAddedAndListsAreNotShared(t *testing.T) {
	var p people
	p.remember("a", []tg.UserClass{&tg.User{ID: 1}, &tg.User{ID: 2}})
	shared := append(make([]tg.UserClass, 0, 4), &tg.User{ID: 1})
	u := message(1)
	u.Users = shared
	if p.complete("a", u); len(u.Users) != 1 {
		t.Errorf("an author who is there is added: %v", u.Users)
	}
	u = message(2)
	u.Users = shared
	if p.complete("a", u); len(u.Users) != 2 || shared[:2][1] != nil {
		t.Errorf("the list of the envelope was written to: %v", shared[:2])
	}
	u.Updates[0].(*tg.UpdateNewMessage).Message.(*tg.Message).PeerID = &tg.PeerChat{ChatID: 7}
	if p.complete("a", u); len(u.Chats) != 1 || u.Chats[0].GetID() != 7 {
		t.Errorf("a basic chat has no access hash, and needs to be there: %v", u.Chats)
	}
	u = &tg.Updates{Updates: []tg.UpdateClass{&tg.UpdateConfig{}}}
	if p.complete("a", u); u.Users != nil || u.Chats != nil {
		t.Errorf("an update of nobody: %+v", u)
	}
}
