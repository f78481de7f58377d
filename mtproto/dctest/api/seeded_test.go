package api

import (
	"errors"
	"testing"

	"github.com/mtfleet/mtfleet/tl/tg"
)

func TestASeededAuthorizationIsLikeOneOfASignIn(t *testing.T) {
	w := newWorld(t, Config{})
	bot := w.bot(2)
	if err := w.b.SeedAuthorization(w.now, 2, 5, bot.ID); err != nil {
		t.Fatal(err)
	}
	self := &tg.UsersGetUsersRequest{ID: []tg.AnyInputUser{&tg.InputUserSelf{}}}
	if got, err := ask(w, 2, 5, self); err != nil || len(got) != 1 {
		t.Errorf("users.getUsers: %v, %v", got, err)
	}
	if rows := w.b.Authorizations(); len(rows) != 1 || !rows[0].Home || rows[0].Perm != 5 || rows[0].UserID != bot.ID || !rows[0].Bot {
		t.Errorf("its authorizations are %+v", rows)
	}
	if n := len(w.b.Logins()); n != 0 {
		t.Errorf("%d logins", n)
	}
	if err := w.b.Revoke(w.now, bot.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := ask(w, 2, 5, self); err == nil || err.Code != 401 {
		t.Errorf("after it was revoked: %v", err)
	}
}

func TestWhoCannotSignInIsNotSeeded(t *testing.T) {
	w := newWorld(t, Config{})
	bot, banned := w.bot(2), w.bot(1)
	for _, err := range []error{w.b.SeedAuthorization(w.now, 2, 5, bot.ID), w.b.Ban(w.now, banned.ID)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		dc         int
		perm, user int64
		want       error
	}{
		"nobody":              {2, 6, 5, ErrUserUnknown},
		"at another DC":       {1, 6, bot.ID, ErrNotHome},
		"on somebody's key":   {2, 5, bot.ID, ErrKeyTaken},
		"who has been banned": {1, 6, banned.ID, ErrNoEntry},
	} {
		if err := w.b.SeedAuthorization(w.now, c.dc, c.perm, c.user); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
