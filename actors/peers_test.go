package actors_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/peers"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// met waits until an account has met a peer.
func met(t *testing.T, a *actors.Account, kind peers.Kind, id int64) peers.Peer {
	t.Helper()
	for {
		p, err := a.Peer(soon(t), kind, id)
		var none *actors.NoPeerError
		switch {
		case err == nil:
			return p
		case !errors.As(err, &none):
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		if soon(t).Err() != nil {
			t.Fatal(err)
		}
	}
}

// TestWhoWroteCanBeAddressed is why peers are kept: who wrote is addressed by what came with the message, also by another
// process later, and by nobody after the account was logged out.
func TestWhoWroteCanBeAddressed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		o := options(s, store)
		d := s.Descriptor()
		bot, person := d.Bots[0], d.Phones[0]
		m := open(t, o)
		robot := signInBot(t, m, "robot", bot, actors.AccountOptions{})
		wait(t, robot, actors.Online)
		if _, err := robot.Peer(soon(t), peers.User, person.UserID); err == nil || err.Error() == "" {
			t.Errorf("it has met %d before anything came: %v", person.UserID, err)
		}
		if _, err := s.Say(person.UserID, bot.UserID, "hello", api.Delivery{}); err != nil {
			t.Fatal(err)
		}
		p := met(t, robot, peers.User, person.UserID)
		if p.AccessHash == 0 || p.Min || p.Bot {
			t.Errorf("met %+v", p)
		}
		input, err := p.InputUser()
		if err != nil {
			t.Fatal(err)
		}
		users, err := actors.Invoke(soon(t), robot, &tg.UsersGetUsersRequest{ID: []tg.AnyInputUser{input}})
		if err != nil || len(users) != 1 || users[0].(*tg.User).ID != person.UserID {
			t.Errorf("asked by its hash: %v, %v", users, err)
		}

		// It goes to disk within seconds, and from memory when nothing comes for minutes.
		time.Sleep(time.Hour)
		var list []persistence.Peer
		for _, page := range stored(t, store, "robot").Peers {
			list = append(list, page.List...)
		}
		if len(list) == 0 {
			t.Error("no peer is on disk")
		}
		if again := met(t, robot, peers.User, person.UserID); again.AccessHash != p.AccessHash {
			t.Errorf("read again it is %+v", again)
		}
		if err := m.Close(soon(t)); err != nil {
			t.Fatal(err)
		}
		m = open(t, o)
		if robot, err = m.Account("robot"); err != nil {
			t.Fatal(err)
		}
		all, err := robot.Peers(soon(t))
		if err != nil || len(all) != len(list) {
			t.Errorf("after a restart it knows %v, %v, and %d are on disk", all, err, len(list))
		}
		if p.Username != "" {
			if named, err := robot.PeerNamed(soon(t), "@"+p.Username); err != nil || named.ID != p.ID {
				t.Errorf("@%s is %v, %v", p.Username, named, err)
			}
		}
		_, err = robot.PeerNamed(soon(t), "nobody_at_all")
		var none *actors.NoPeerError
		if !errors.As(err, &none) || none.Who != "@nobody_at_all" || none.Account != "robot" {
			t.Errorf("nobody is %v", err)
		}
		if err := robot.LogOut(soon(t)); err != nil {
			t.Fatal(err)
		}
		if left := stored(t, store, "robot").Peers; len(left) > 0 {
			t.Errorf("%d pages outlive the login", len(left))
		}
		if all, err := robot.Peers(soon(t)); err != nil || len(all) > 0 {
			t.Errorf("logged out it knows %v, %v", all, err)
		}
	})
}

// TestWhomAResultNamesIsMetWhenItReturns: who was resolved, listed or asked about can be addressed by what came with the
// answer, at once, and also by another process later.
func TestWhomAResultNamesIsMetWhenItReturns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		o := options(s, store)
		d := s.Descriptor()
		bot, person := d.Bots[0], d.Phones[0]
		m := open(t, o)
		alice := signInPhone(t, m, "alice", person, actors.AccountOptions{})
		wait(t, alice, actors.Online)
		none := func(kind peers.Kind, id int64) {
			t.Helper()
			var none *actors.NoPeerError
			if _, err := alice.Peer(soon(t), kind, id); !errors.As(err, &none) {
				t.Errorf("%v %d is met before anybody named it: %v", kind, id, err)
			}
		}
		none(peers.User, bot.UserID)
		params := fmt.Sprintf(`{"username":%q}`, bot.Username)
		if _, err := alice.InvokeJSON(soon(t), "contacts.resolveUsername", json.RawMessage(params)); err != nil {
			t.Fatal(err)
		}
		p, err := alice.PeerNamed(soon(t), bot.Username)
		if err != nil || p.ID != bot.UserID || p.AccessHash == 0 {
			t.Fatalf("@%s is %+v, %v", bot.Username, p, err)
		}
		input, err := p.InputUser()
		if err != nil {
			t.Fatal(err)
		}

		none(peers.User, person.UserID)
		self := &tg.UsersGetUsersRequest{ID: []tg.AnyInputUser{&tg.InputUserSelf{}, input}}
		done := make(chan error)
		alice.Start(self, func(_ tl.Raw, err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if me, err := alice.Peer(soon(t), peers.User, person.UserID); err != nil || me.AccessHash == 0 {
			t.Errorf("who it is itself is %+v, %v", me, err)
		}

		channel, err := s.AddChannel(api.NewChannel{Title: "news", Username: "news_of_today", Creator: bot.UserID})
		if err != nil {
			t.Fatal(err)
		}
		none(peers.Channel, channel)
		if _, err := alice.InvokeJSON(soon(t), "contacts.resolveUsername", json.RawMessage(`{"username":"news_of_today"}`)); err != nil {
			t.Fatal(err)
		}
		news, err := alice.Peer(soon(t), peers.Channel, channel)
		if err != nil || news.AccessHash == 0 {
			t.Fatalf("the channel is %+v, %v", news, err)
		}
		if err := m.Close(soon(t)); err != nil {
			t.Fatal(err)
		}
		m = open(t, o)
		if alice, err = m.Account("alice"); err != nil {
			t.Fatal(err)
		}
		if again, err := alice.Peer(soon(t), peers.Channel, channel); err != nil || again.AccessHash != news.AccessHash {
			t.Errorf("after a restart the channel is %+v, %v", again, err)
		}
	})
}
