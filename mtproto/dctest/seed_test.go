package dctest_test

import (
	"errors"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/internal/raw"
)

// seeded connects with what a client has by a seed.
func (w *world) seeded(s dctest.Seed, dc int) *peer {
	w.t.Helper()
	if err := w.c.Seed(w.now, s, dc, 7); err != nil {
		w.t.Fatal(err)
	}
	k := s.Of(dc, 7)
	p := w.connect(dc)
	p.Client = &raw.Client{Key: k.Perm, Rand: w.rand, Salt: k.Salts[0].Value, Session: random64()}
	if k.Temp != nil {
		p.Key = k.Temp
	}
	p.perm = k.Perm
	return p
}

func TestAClientWithSeededKeysCallsWithoutAHandshakeABindOrALogin(t *testing.T) {
	for name, temp := range map[string]bool{"with a temp key": true, "with the perm key alone": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			s := w.c.NewSeed(w.now, 5, temp)
			p := w.seeded(s, 2).inited()
			if !p.echoed(1) {
				t.Error("the call was not answered")
			}
			keys := 1
			if temp {
				keys = 2
			}
			l := w.c.Ledger()
			if n := l.Counts; n.PermKeys+n.TempKeys+n.Binds+n.BindErrors+n.Logins != 0 || n.SeededKeys != keys || n.Echoes != 1 {
				t.Errorf("the ledger counts %+v", n)
			}
			if len(l.Keys) != keys || !l.Keys[0].Seeded || l.Keys[keys-1].Perm != int64(p.perm.ID())*int64(keys-1) {
				t.Errorf("its keys are %+v", l.Keys)
			}
			// Hours later each of the salts is as good as the first was.
			w.sleep(3*time.Hour + time.Minute)
			p.reconnect()
			p.Salt = s.Of(2, 7).Salts[6].Value
			if !p.echoed(2) {
				t.Error("the salt of later was not taken")
			}
			w.noViolations()
		})
	}
}

func TestASeededTempKeyEndsAndIsReplacedAsAnyOther(t *testing.T) {
	w := newWorld(t, nil)
	s := w.c.NewSeed(w.now, 5, true)
	p, k := w.seeded(s, 1), s.Of(1, 7)
	if life := k.Expires.Sub(s.At); life < 23*time.Hour || life > 24*time.Hour {
		t.Errorf("it lives for %v", life)
	}
	p.inited().rotate(time.Hour)
	if p.inited(); !p.echoed(1) {
		t.Error("the call under the next key was not answered")
	}
	w.sleep(k.Expires.Sub(w.now) - time.Second)
	if !w.c.KeyAlive(w.now, 1, int64(k.Temp.ID())) {
		t.Error("it ended early")
	}
	w.sleep(time.Second)
	if w.c.KeyAlive(w.now, 1, int64(k.Temp.ID())) || !w.c.KeyAlive(w.now, 1, int64(k.Perm.ID())) {
		t.Error("it is known after its end, or its perm key is not")
	}
	w.noViolations()
}

func TestASeedIsTheSameOnBothSidesAndForOneUserAlone(t *testing.T) {
	s := dctest.Seed{Number: 5, At: time.Unix(1_800_000_000, 0), TempLife: dctest.Duration(time.Hour), SaltPeriod: dctest.Duration(time.Minute)}
	k := s.Of(2, 7)
	// What a client in another language has to come to.
	if perm, temp, salt := k.Perm.ID().String(), k.Temp.ID().String(), k.Salts[7].Value; perm != wantPerm || temp != wantTemp || salt != wantSalt {
		t.Errorf("keys %s and %s, last salt %d", perm, temp, salt)
	}
	other := s
	other.Number++
	for name, o := range map[string]dctest.Seeded{"another user": s.Of(2, 8), "another DC": s.Of(1, 7), "another number": other.Of(2, 7)} {
		if o.Perm.ID() == k.Perm.ID() || o.Temp.ID() == k.Temp.ID() || o.Salts[0].Value == k.Salts[0].Value {
			t.Errorf("%s has the same", name)
		}
	}
}

const (
	wantPerm = "cd47ae0871392da7"
	wantTemp = "bd61ff113ce54665"
	wantSalt = 1614984984584284509
)

func TestASeedThatCannotBeIsRefusedAndChangesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*dctest.Seed)
		dc    int
		user  int64
		want  error
	}{
		"no such DC":              {func(*dctest.Seed) {}, 9, 7, nil},
		"no such user":            {func(*dctest.Seed) {}, 1, 8, api.ErrUserUnknown},
		"made nowhere":            {func(s *dctest.Seed) { *s = dctest.Seed{} }, 1, 7, dctest.ErrSeed},
		"salts of another period": {func(s *dctest.Seed) { s.SaltPeriod++ }, 1, 7, dctest.ErrSeed},
		"keys that live too long": {func(s *dctest.Seed) { s.TempLife++ }, 1, 7, dctest.ErrSeed},
		"a life below nothing":    {func(s *dctest.Seed) { s.TempLife = -1 }, 1, 7, dctest.ErrSeed},
		"twice":                   {func(*dctest.Seed) {}, 2, 7, dctest.ErrSeedTwice},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			s := w.c.NewSeed(w.now, 5, true)
			w.seeded(s, 2)
			before := w.c.Counts()
			c.spoil(&s)
			err := w.c.Seed(w.now, s, c.dc, c.user)
			var e *dctest.SeedError
			if !errors.As(err, &e) || e.DC != c.dc || e.User != c.user || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%v", err)
			}
			if got := w.c.Counts(); got != before {
				t.Errorf("it counts %+v", got)
			}
		})
	}
}
