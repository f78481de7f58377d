package main

import (
	"context"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/persistence"
)

// TestASeededAccountIsAsOneThatSignedIn compares what the store has of both when their
// manager has been closed, and what the DCs say of them.
func TestASeededAccountIsAsOneThatSignedIn(t *testing.T) {
	for _, noPFS := range []bool{false, true} {
		t.Run(fmt.Sprintf("without temp keys: %v", noPFS), func(t *testing.T) {
			a := &app{in: strings.NewReader(""), out: io.Discard, err: io.Discard}
			plan := benchPlan{accounts: 2, bots: 3, dcs: 1, inMemory: true, seeded: true, options: actors.AccountOptions{NoPFS: noPFS}}
			err := a.playBench(t.Context(), benchOutput{}, plan, func(ctx context.Context, w *benchWorld) error {
				if _, err := w.signIn(ctx, 0, 1, 1, w.plan.options); err != nil {
					return err
				}
				before, err := w.dc.counts(ctx)
				if err != nil {
					return err
				}
				// As many as sign in here, and the one who did.
				w.plan.accounts = 2
				if err := w.stop(); err != nil {
					return err
				}
				if err := w.seed(ctx, 1); err != nil {
					return err
				}
				if err := w.open(); err != nil {
					return err
				}
				w.plan.accounts = 3
				if err := w.allOnline(ctx); err != nil {
					return err
				}
				acc, err := w.manager.Account(botName(2))
				if err != nil {
					return err
				}
				if err := echoCall(ctx, acc, w.dc.Bots[2].UserID, 1); err != nil {
					t.Errorf("a call of a seeded account: %v", err)
				}
				after, err := w.dc.counts(ctx)
				if err != nil {
					return err
				}
				if after.PermKeys != before.PermKeys || after.TempKeys != before.TempKeys || after.Binds != before.Binds || after.Logins != 1 || after.Refused != 0 {
					t.Errorf("the ledger says %+v, and %+v before", after, before)
				}
				if err := w.stop(); err != nil {
					return err
				}
				signed, seeded := shape(t, w.memory, botName(0)), shape(t, w.memory, botName(1))
				if !reflect.DeepEqual(signed, seeded) {
					t.Errorf("who signed in has\n%+v\n%+v, %+v\nand who did not\n%+v\n%+v, %+v",
						signed, *signed.Account, *signed.Updates, seeded, *seeded.Account, *seeded.Updates)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// shape is what the store has of an account without what differs between any two.
func shape(t *testing.T, store persistence.Store, id string) persistence.State {
	t.Helper()
	records, err := store.Load(persistence.AccountID(id))
	if err != nil {
		t.Fatal(err)
	}
	s, err := persistence.DecodeState(records)
	if err != nil {
		t.Fatal(err)
	}
	if a := s.Account; a != nil {
		a.ID, a.UserID, a.Created, a.StateSince = "", 0, time.Time{}, time.Time{}
	}
	for i := range s.PermKeys {
		p := &s.PermKeys[i]
		if p.Created.IsZero() || p.LastGoodBind.IsZero() == s.Account.PFS {
			t.Errorf("%s: its perm key was made at %v and bound at %v", id, p.Created, p.LastGoodBind)
		}
		p.Key, p.KeyID, p.Created, p.LastGoodBind = persistence.AuthKey{}, 0, time.Time{}, time.Time{}
	}
	for i := range s.TempKeys {
		k := &s.TempKeys[i]
		if life := k.ExpiresAt.Sub(k.Created); life < 22*time.Hour || life > 24*time.Hour {
			t.Errorf("%s: its temp key lives for %v", id, life)
		}
		*k = persistence.TempKey{DC: k.DC, Bound: k.Bound}
	}
	for i := range s.Sessions {
		n := len(s.Sessions[i].Salts)
		if n < 7 || n > 9 {
			t.Errorf("%s: it has %d salts", id, n)
		}
		s.Sessions[i] = persistence.Session{DC: s.Sessions[i].DC}
	}
	s.Meta = nil // the timelines: what each has been through
	if s.Updates != nil {
		s.Updates.Date = 0
	}
	return s
}
