package pfs

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

// sameKeys compares auth keys by id.
var sameKeys = cmp.Comparer(func(a, b *crypt.AuthKey) bool {
	return a == b || a != nil && b != nil && a.ID() == b.ID()
})

// auditor watches what a machine asks for and holds the promises against it.
type auditor struct {
	*play
	t        *rapid.T
	unknowns int // -404 under the perm key since it last answered
	now      time.Time
}

func (a *auditor) onDisk(id crypt.KeyID) *TempKey {
	for i := range a.disk.Temps {
		if a.disk.Temps[i].ID() == id {
			return &a.disk.Temps[i]
		}
	}
	return nil
}

func (a *auditor) drain() {
	for out, ok := a.m.Next(); ok; out, ok = a.m.Next() {
		switch out.Kind {
		case OutSave:
			a.commit(out.Changes)
		case OutBind, OutProve, OutUse:
			if out.Perm != nil && (a.disk.Perm == nil || a.disk.Perm.ID() != out.Perm.ID()) {
				a.t.Fatalf("%v before its perm key is on disk", out)
			}
			if out.Temp != nil && !a.cfg.TempInMemory {
				saved := a.onDisk(out.Temp.ID())
				if saved == nil {
					a.t.Fatalf("%v before its temp key is on disk", out)
				}
				if out.Kind == OutUse && !saved.Bound {
					a.t.Fatalf("%v before the disk says it is bound", out)
				}
			}
			if out.Kind == OutUse && out.Temp != nil && !a.m.server(a.now).Before(out.Temp.ExpiresAt) {
				a.t.Fatalf("%v after its end", out)
			}
		case OutGone:
			if a.unknowns < 2 {
				a.t.Fatalf("the perm key was given up after %d proofs", a.unknowns)
			}
		case OutDrop:
			id, _ := a.m.Serving()
			if !strings.Contains(fmt.Sprint(out.Except), id.String()) {
				a.t.Fatalf("%v would drop the key that serves", out)
			}
		}
	}
}

// anyError is what a bind may end with.
func anyError(t *rapid.T) error {
	return rapid.SampledFrom([]error{
		nil,
		errors.New("lost"),
		tgerr.New(400, "ENCRYPTED_MESSAGE_INVALID"),
		tgerr.New(400, "TEMP_AUTH_KEY_ALREADY_BOUND"),
		tgerr.New(401, "AUTH_KEY_UNREGISTERED"),
		tgerr.New(420, "FLOOD_WAIT_17"),
		tgerr.New(-503, "Timeout"),
	}).Draw(t, "error")
}

// TestAnyInputInAnyState feeds random inputs, sensible ones and others, and
// restarts from the disk, and holds the promises after each.
func TestAnyInputInAnyState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &play{now: epoch, keys: make(map[string]*crypt.AuthKey)}
		p.cfg = Config{
			PFS:          rapid.IntRange(0, 9).Draw(t, "pfs") > 0,
			TempInMemory: rapid.IntRange(0, 9).Draw(t, "in memory") == 0,
			TempLife:     rapid.SampledFrom([]time.Duration{0, time.Minute, time.Hour}).Draw(t, "life"),
		}
		a := &auditor{play: p, t: t}
		p.m = New(p.cfg, p.disk)
		made := 0
		id := func() crypt.KeyID {
			ids := []crypt.KeyID{0}
			s := p.m.Snapshot()
			if s.Perm != nil {
				ids = append(ids, s.Perm.ID())
			}
			for i := range s.Temps {
				ids = append(ids, s.Temps[i].ID())
			}
			return rapid.SampledFrom(ids).Draw(t, "id")
		}
		kind := func() KeyKind { return KeyKind(rapid.IntRange(0, 1).Draw(t, "kind")) }
		inputs := map[string]func(){
			"start":     func() { p.m.Start(p.now) },
			"permitted": func() { p.m.Permitted(p.now, kind()) },
			"made": func() {
				made++
				k := NewKey{Key: p.key(fmt.Sprint("k", made)), TimeOffset: time.Duration(rapid.IntRange(-3, 3).Draw(t, "offset")) * time.Second}
				k.ExpiresAt = p.now.Add(time.Duration(rapid.IntRange(-1, 1500).Draw(t, "life")) * time.Minute)
				p.m.Made(p.now, kind(), k)
			},
			"made nothing": func() { p.m.Made(p.now, kind(), NewKey{}) },
			"make failed":  func() { p.m.MakeFailed(p.now, kind(), nil) },
			"held":         func() { p.m.Held(p.now) },
			"bound":        func() { p.m.Bound(p.now, id()) },
			"bind failed":  func() { p.m.BindFailed(p.now, id(), anyError(t)) },
			"unknown": func() {
				which := id()
				if s, ok := p.m.Serving(); ok && p.m.permServes && s == which {
					a.unknowns++
				}
				p.m.Unknown(p.now, which)
			},
			"unbound":        func() { p.m.Unbound(p.now, id()) },
			"retired":        func() { p.m.Retired(p.now, id()) },
			"proof answered": func() { a.unknowns = 0; p.m.ProofAnswered(p.now) },
			"proof unknown": func() {
				if p.m.Stage() == StageProving {
					a.unknowns++
				}
				p.m.ProofUnknown(p.now)
			},
			"proof failed": func() { p.m.ProofFailed(p.now, nil) },
			"clock": func() {
				p.m.Clock(p.now, time.Duration(rapid.IntRange(-5, 5).Draw(t, "offset"))*time.Second, rapid.Bool().Draw(t, "synced"))
			},
			"forget": func() { a.unknowns = 0; p.m.Forget(p.now) },
			"crash": func() {
				p.m, a.unknowns = New(p.cfg, p.disk), 0
				p.m.Start(p.now)
			},
			"advance": func() {
				p.now = p.now.Add(time.Duration(rapid.IntRange(0, 7200).Draw(t, "seconds")) * time.Second)
				p.m.Advance(p.now)
			},
			"advance to the deadline": func() {
				if d := p.m.Deadline(); d.After(p.now) {
					p.now = d
				}
				p.m.Advance(p.now)
				if d := p.m.Deadline(); !d.IsZero() && !d.After(p.now) {
					t.Fatalf("in stage %v Advance does not get past the deadline", p.m.Stage())
				}
			},
		}
		// The next sensible answer, so that deep states are reached often.
		inputs["the right answer"] = func() {
			name := map[Stage]string{
				StageNew: "start", StageResting: "advance to the deadline", StagePausing: "advance to the deadline",
				StageAsking: "permitted", StageMaking: "made", StageHolding: "held", StageBinding: "bound",
				StageProving: "proof unknown", StageGone: "forget",
			}[p.m.Stage()]
			inputs[name]()
		}
		names := []string{"the right answer", "the right answer", "the right answer"}
		for name := range inputs {
			names = append(names, name)
		}
		// Maps have no order; the draw must not depend on it.
		slices.Sort(names)
		for range rapid.IntRange(1, 60).Draw(t, "length") {
			name := rapid.SampledFrom(names).Draw(t, "input")
			inputs[name]()
			a.now = p.now
			a.drain()
			if p.cfg.TempInMemory {
				continue
			}
			got := p.m.Snapshot()
			if diff := cmp.Diff(p.disk, got, sameKeys, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(Snapshot{}, "TimeOffset"),
				cmpopts.SortSlices(func(a, b TempKey) bool { return a.ID() < b.ID() })); diff != "" {
				t.Fatalf("after %q the disk differs from the snapshot (-disk +snapshot):\n%s", name, diff)
			}
			if len(got.Temps) > 3 {
				t.Fatalf("%d temp keys are kept", len(got.Temps))
			}
		}
	})
}

func TestSnapshotRoundTrip(t *testing.T) {
	p := newPlay(t)
	p.m = New(p.cfg, Snapshot{})
	for _, cmd := range []string{
		"start", "permitted perm", "made perm p1", "permitted temp", "made temp t1 24h", "bound t1",
		"advance-to-deadline", "permitted temp", "made temp t2 24h", "held",
	} {
		if err := p.run(cmd); err != nil {
			t.Fatal(err)
		}
		s := p.m.Snapshot()
		if diff := cmp.Diff(s, New(p.cfg, s).Snapshot(), sameKeys); diff != "" {
			t.Errorf("after %q (-snapshot +restored):\n%s", cmd, diff)
		}
	}
}

func TestSnapshotsOfHostileDisks(t *testing.T) {
	p := newPlay(t)
	for _, s := range []Snapshot{
		{Perm: &PermKey{}, Temps: []TempKey{{}}},
		{Temps: []TempKey{{Key: p.key("t"), Bound: true, ExpiresAt: epoch.Add(time.Hour)}}},
		{Perm: &PermKey{Key: p.key("p")}, Temps: make([]TempKey, 1000)},
	} {
		m := New(p.cfg, s)
		m.Start(epoch)
		for out, ok := m.Next(); ok; out, ok = m.Next() {
			if out.Kind == OutUse || out.Kind == OutBind {
				t.Errorf("%v came out of a broken snapshot", out)
			}
		}
	}
}

func TestTempKeysOfAFleetEndAtDifferentTimes(t *testing.T) {
	life := func(seed byte) time.Duration {
		random := sha256.Sum256([]byte{seed})
		m := New(Config{PFS: true, Rand: bytes.NewReader(random[:])}, Snapshot{Perm: &PermKey{Key: newPlay(t).key("p")}})
		m.Start(epoch)
		m.Permitted(epoch, Temp)
		for {
			out, ok := m.Next()
			if !ok {
				t.Fatal("no key is made")
			}
			if out.Kind == OutMake {
				return out.ExpiresIn
			}
		}
	}
	seen := make(map[time.Duration]bool)
	for seed := range byte(20) {
		d := life(seed)
		if d > 24*time.Hour || d < 23*time.Hour || d%time.Second != 0 {
			t.Errorf("a temp key is to live %v", d)
		}
		seen[d] = true
	}
	if len(seen) < 15 {
		t.Errorf("20 keys have only %d different lives", len(seen))
	}
}

func TestNothingSecretIsPrinted(t *testing.T) {
	value := bytes.Repeat([]byte("SECRET! "), 32)
	k, err := crypt.NewAuthKey(value)
	if err != nil {
		t.Fatal(err)
	}
	perm, temp := &PermKey{Key: k}, &TempKey{Key: k}
	for _, out := range []Output{
		{Kind: OutBind, Perm: perm, Temp: temp},
		{Kind: OutSave, Changes: Changes{PutPerm: perm, PutTemps: []TempKey{*temp}}},
		{Kind: OutUse, Perm: perm},
	} {
		if s := fmt.Sprintf("%v %+v %#v", out, out, out); strings.Contains(s, "SECRET") || strings.Contains(s, "534543524554") {
			t.Errorf("a key shows in %s", s)
		}
	}
	if OutputKind(99).String() == "" || Stage(99).String() == "" {
		t.Error("unknown values have no name")
	}
}

func TestErrGoneIsRecognisable(t *testing.T) {
	p := newPlay(t)
	p.cfg.PFS = false
	p.m = New(p.cfg, Snapshot{Perm: &PermKey{Key: p.key("p")}})
	p.m.Start(epoch)
	p.m.Unknown(epoch, p.key("p").ID())
	p.m.ProofUnknown(epoch)
	for out, ok := p.m.Next(); ok; out, ok = p.m.Next() {
		if out.Kind == OutGone && !errors.Is(out.Err, ErrGone) {
			t.Errorf("%v is no ErrGone", out.Err)
		}
	}
}
