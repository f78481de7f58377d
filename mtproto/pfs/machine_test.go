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
	t          *rapid.T
	proofs     []time.Time // -404 that count, since the perm key last answered
	bindAfter  time.Time   // end of the waits on binds
	reading    Reading     // as last said
	keep       bool        // the last OutHold keeps what is pending
	diskBefore Snapshot    // as it was before the last input
	dropping   *Output     // under way, until dropEnds
	dropEnds   time.Time
	owed       bool        // Rotate was not answered yet
	before     crypt.KeyID // the key that served when it was asked
}

// proved reports whether two -404 that count lie minutes apart.
func (a *auditor) proved() bool {
	n := len(a.proofs)
	return n >= 2 && a.proofs[n-1].Sub(a.proofs[0]) >= proofPause
}

func (a *auditor) onDisk(id crypt.KeyID) *TempKey {
	for i := range a.disk.Temps {
		if a.disk.Temps[i].ID() == id {
			return &a.disk.Temps[i]
		}
	}
	return nil
}

func (a *auditor) rotate() {
	if !a.owed {
		a.before, _ = a.m.Serving()
	}
	a.owed = true
	a.m.Rotate(a.now)
}

// rotated takes the answer to Rotate.
func (a *auditor) rotated(out Output) {
	id, _ := a.m.Serving()
	switch {
	case !a.owed:
		a.t.Fatalf("%v, and nobody asked", out)
	case out.Err == nil && (id == a.before || a.onDisk(id) == nil && !a.cfg.TempInMemory):
		a.t.Fatalf("%v, and %v still serves", out, id)
	}
	a.owed = false
}

func (a *auditor) drain() {
	var saved, used, ended bool
	for out, ok := a.m.Next(); ok; out, ok = a.m.Next() {
		a.checkKeys(out)
		switch out.Kind {
		case OutSave:
			saved = true
			a.commit(out.Changes)
		case OutHold:
			if out.Wait != (a.m.reading != ReadingBoth) || out.Keep != (a.m.reading != ReadingCut) {
				a.t.Fatalf("%v while the reading is %v", out, a.m.reading)
			}
			a.keep = out.Keep
		case OutBind:
			if a.now.Before(a.bindAfter) {
				a.t.Fatalf("%v %v before the server's wait is over", out, a.bindAfter.Sub(a.now))
			}
			if d := a.dropping; d != nil && a.now.Before(a.dropEnds) && a.m.serving != nil && !slices.Contains(d.Except, out.Temp.ID()) {
				a.t.Fatalf("%v while %v, which drops it, is under way", out, d)
			}
		case OutProbe:
			if a.m.reading != ReadingUnknown || !saved || used {
				a.t.Fatalf("%v is out of place", out)
			}
		case OutUse:
			used = used || out.Listen > 0
			if out.Listen > min(time.Minute, a.m.cfg.TempLife/10) {
				a.t.Fatalf("%v: for too long", out)
			}
		case OutReading:
			if out.Reading == ReadingUnknown || a.reading == ReadingBoth {
				a.t.Fatalf("%v after %v", out, a.reading)
			}
		case OutEnd:
			ended = true
			if id, ok := a.m.Serving(); ok && id == out.ID {
				a.t.Fatalf("%v ends the key that serves", out)
			}
		case OutGone:
			if !a.proved() {
				a.t.Fatalf("the perm key was given up after -404 at %v", a.proofs)
			}
		case OutRotated:
			a.rotated(out)
		case OutForeign:
			if diff := cmp.Diff(a.diskBefore, a.disk, sameKeys); diff != "" {
				a.t.Fatalf("a foreign key cost something (-before +after):\n%s", diff)
			}
		case OutDrop:
			a.dropping, a.dropEnds = &out, a.now.Add(DropLimit)
			id, _ := a.m.Serving()
			if !strings.Contains(fmt.Sprint(out.Except), id.String()) {
				a.t.Fatalf("%v would drop the key that serves", out)
			}
		}
	}
	if used && a.keep && a.m.reading == ReadingCut && !ended {
		a.t.Fatal("calls were kept over a bind that cut them off, and nobody ends them")
	}
	if a.reading == ReadingBoth && a.m.reading != ReadingBoth {
		a.t.Fatalf("a proof was taken back for %v", a.m.reading)
	}
	switch s := a.m.Stage(); {
	case a.owed && (s == StageGone || s == StageForeign), a.owed && s == StageResting && a.m.retired == nil && !a.m.owes(a.now):
		a.t.Fatalf("a rotation was asked for in vain: the machine is %v", s)
	}
	a.reading = a.m.reading
	a.diskBefore = a.disk
}

// checkKeys holds the keys of an output against the disk and the clock.
func (a *auditor) checkKeys(out Output) {
	if out.Kind != OutBind && out.Kind != OutProve && out.Kind != OutUse {
		return
	}
	if out.Perm != nil && (a.disk.Perm == nil || a.disk.Perm.ID() != out.Perm.ID()) {
		a.t.Fatalf("%v before its perm key is on disk", out)
	}
	if out.Temp == nil {
		return
	}
	if out.Kind == OutUse && !a.m.server(a.now).Before(out.Temp.ExpiresAt) {
		a.t.Fatalf("%v after its end", out)
	}
	if a.cfg.TempInMemory {
		return
	}
	saved := a.onDisk(out.Temp.ID())
	if saved == nil {
		a.t.Fatalf("%v before its temp key is on disk", out)
	}
	if out.Kind == OutUse && !saved.Bound {
		a.t.Fatalf("%v before the disk says it is bound", out)
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
			Reading:      Reading(rapid.IntRange(0, 2).Draw(t, "reading")),
			Known:        func(fingerprint int64) bool { return fingerprint != 2 },
		}
		if wait := rapid.IntRange(-300, 100).Draw(t, "wait on binds"); wait > 0 {
			p.cfg.BindAfter = epoch.Add(time.Duration(wait) * time.Minute)
		}
		a := &auditor{play: p, t: t, bindAfter: p.cfg.BindAfter, reading: p.cfg.Reading}
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
				if rapid.IntRange(0, 9).Draw(t, "elsewhere") == 0 {
					k.Fingerprint = 2
				}
				k.ExpiresAt = p.now.Add(time.Duration(rapid.IntRange(-1, 1500).Draw(t, "life")) * time.Minute)
				p.m.Made(p.now, kind(), k)
			},
			"made nothing": func() { p.m.Made(p.now, kind(), NewKey{}) },
			"make failed":  func() { p.m.MakeFailed(p.now, kind(), nil) },
			"held":         func() { p.m.Held(p.now) },
			"bound":        func() { p.m.Bound(p.now, id()) },
			"bind failed": func() {
				err, which := anyError(t), id()
				if until, ok := tgerr.Until(err, p.now); ok && p.m.Stage() == StageBinding && p.m.successor.ID() == which {
					a.bindAfter = until
				}
				p.m.BindFailed(p.now, which, err)
			},
			"unknown":     func() { p.m.Unknown(p.now, id()) },
			"dropped":     func() { a.dropping = nil; p.m.Dropped(p.now) },
			"not dropped": func() { a.dropping = nil; p.m.NotDropped(p.now) },
			"drop later": func() {
				a.dropping = nil
				p.m.DropLater(p.now, p.now.Add(time.Duration(rapid.IntRange(0, 7200).Draw(t, "drop wait"))*time.Second))
			},
			"connected": func() { p.m.Connected(p.now) },
			"unbound":   func() { p.m.Unbound(p.now, id()) },
			"retired":   func() { p.m.Retired(p.now, id()) },
			"learned":   func() { p.m.Learned(p.now, Reading(rapid.IntRange(0, 2).Draw(t, "reading"))) },
			"probed":    func() { p.m.Probed(p.now, id(), rapid.Bool().Draw(t, "answered")) },
			"probed, the right key": func() {
				if p.m.retired != nil {
					p.m.Probed(p.now, p.m.retired.ID(), rapid.Bool().Draw(t, "answered"))
				}
			},
			"proof answered": func() { a.proofs = nil; p.m.ProofAnswered(p.now) },
			"proof unknown": func() {
				others := rapid.IntRange(0, 3).Draw(t, "others") == 0
				if p.m.Stage() == StageProving && !others {
					a.proofs = append(a.proofs, p.now)
				}
				p.m.ProofUnknown(p.now, others)
			},
			"ordered": func() {
				w := Waits{Bind: p.now.Add(time.Duration(rapid.IntRange(-10, 3600).Draw(t, "bind wait")) * time.Second)}
				if w.Bind.After(p.now) && w.Bind.After(a.bindAfter) {
					a.bindAfter = w.Bind
				}
				w.Drop = p.now.Add(time.Duration(rapid.IntRange(-10, 3600).Draw(t, "drop wait")) * time.Second)
				p.m.Ordered(p.now, w)
			},
			"rotate":       func() { a.rotate() },
			"wait cleared": func() { a.bindAfter = time.Time{}; p.m.WaitCleared(p.now, Waits{}) },
			"proof failed": func() { p.m.ProofFailed(p.now, nil) },
			"clock": func() {
				p.m.Clock(p.now, time.Duration(rapid.IntRange(-5, 5).Draw(t, "offset"))*time.Second, rapid.Bool().Draw(t, "synced"))
			},
			"forget": func() { a.proofs = nil; p.m.Forget(p.now) },
			"crash": func() {
				p.cfg.BindAfter = a.bindAfter // kept with the account's waits
				p.m, a.proofs, a.reading, a.owed = New(p.cfg, p.disk), nil, p.cfg.Reading, false
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
				StageProving: "proof unknown", StageGone: "forget", StageForeign: "forget",
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
			a.drain()
			if p.cfg.TempInMemory {
				continue
			}
			got := p.m.Snapshot()
			if diff := cmp.Diff(p.disk, got, sameKeys, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(Snapshot{}, "TimeOffset"),
				cmpopts.SortSlices(func(a, b TempKey) bool { return a.ID() < b.ID() })); diff != "" {
				t.Fatalf("after %q the disk differs from the snapshot (-disk +snapshot):\n%s", name, diff)
			}
			if len(got.Temps) > 3+partingMost {
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
	p.m.ProofUnknown(epoch, false)
	p.m.Advance(epoch.Add(proofPause))
	p.m.ProofUnknown(epoch.Add(proofPause), false)
	gone := false
	for out, ok := p.m.Next(); ok; out, ok = p.m.Next() {
		if out.Kind == OutGone {
			gone = true
			if !errors.Is(out.Err, ErrGone) {
				t.Errorf("%v is no ErrGone", out.Err)
			}
		}
	}
	if !gone {
		t.Error("the perm key is not given up")
	}
}

func TestAForeignKeyIsNamed(t *testing.T) {
	p := newPlay(t)
	p.cfg.Known = func(int64) bool { return false }
	p.m = New(p.cfg, Snapshot{Perm: &PermKey{Key: p.key("p"), Fingerprint: -2}})
	p.m.Start(epoch)
	out, _ := p.m.Next()
	var foreign *ForeignKeyError
	if !errors.As(out.Err, &foreign) || foreign.Fingerprint != -2 {
		t.Errorf("%v does not name the RSA key", out)
	}
	p.m = New(p.cfg, Snapshot{Perm: &PermKey{Key: p.key("p")}})
	p.m.Start(epoch)
	if out, _ := p.m.Next(); out.Kind == OutForeign {
		t.Error("an imported key, of which nobody knows where it was made, is refused")
	}
}

// TestCallsOutliveKeysThatAreRefused: the DC refuses 25 keys in a row as
// unbound, some calls at a time. Every refusal is told, and no call waits for ten
// minutes. One key is made for all refusals of the one before it; while that of the
// first listens, each is bound once more before.
func TestCallsOutliveKeysThatAreRefused(t *testing.T) {
	for _, calls := range []int{1, 20} {
		p := newPlay(t)
		p.m = New(p.cfg, Snapshot{Perm: &PermKey{Key: p.key("perm")}})
		p.m.Start(epoch)
		made, refusals, pending := 0, 25, calls
		for pending > 0 && made < 100 {
			out, ok := p.m.Next()
			if !ok {
				p.now = p.m.Deadline()
				p.m.Advance(p.now)
				continue
			}
			switch out.Kind {
			case OutDrop:
				p.m.Dropped(p.now)
			case OutPermit:
				p.m.Permitted(p.now, out.Key)
			case OutMake:
				made++
				p.m.Made(p.now, Temp, NewKey{Key: p.key(fmt.Sprint("t", made)), ExpiresAt: p.now.Add(24 * time.Hour)})
			case OutBind:
				p.m.Bound(p.now, out.Temp.ID())
			case OutStop:
				if !out.Drain || out.Listen != time.Minute {
					t.Errorf("%v: the calls under the key are still answered", out)
				}
			case OutUse:
				refused := min(pending, refusals)
				refusals -= refused
				pending = refused
				for range refused {
					p.m.Unbound(p.now, out.Temp.ID())
				}
			}
		}
		rounds := (25 + calls - 1) / calls
		if want := 2 + (rounds-1)/2; made != want {
			t.Errorf("%d calls: %d keys were made, want %d", calls, made, want)
		}
		if d := p.now.Sub(epoch); d > 6*time.Minute {
			t.Errorf("%d calls: they waited for %v", calls, d)
		}
	}
}

// TestADayOfRefusedBindsCostsFewKeys: a perm key that has worked for a day is
// not doubted for the next one, however often the DC refuses to bind under it;
// then it is.
func TestADayOfRefusedBindsCostsFewKeys(t *testing.T) {
	p := newPlay(t)
	born := epoch.Add(-48 * time.Hour)
	p.m = New(p.cfg, Snapshot{Perm: &PermKey{Key: p.key("perm"), Created: born, LastBound: epoch}})
	p.m.Start(epoch)
	made, longest, asked := 0, time.Duration(0), time.Time{}
	for asked.IsZero() && made < 2000 {
		out, ok := p.m.Next()
		if !ok {
			longest = max(longest, p.m.Deadline().Sub(p.now))
			p.now = p.m.Deadline()
			p.m.Advance(p.now)
			continue
		}
		switch out.Kind {
		case OutPermit:
			p.m.Permitted(p.now, out.Key)
		case OutMake:
			made++
			p.m.Made(p.now, Temp, NewKey{Key: p.key(fmt.Sprint("t", made)), ExpiresAt: p.now.Add(24 * time.Hour)})
		case OutBind:
			p.m.BindFailed(p.now, out.Temp.ID(), tgerr.New(400, "ENCRYPTED_MESSAGE_INVALID"))
		case OutProve:
			asked = p.now
		}
	}
	if d := asked.Sub(epoch); d < 24*time.Hour || d > 24*time.Hour+paceExcused {
		t.Errorf("the perm key was doubted after %v", d)
	}
	if made > 110 || longest > paceExcused {
		t.Errorf("%d keys were made, the longest pause was %v", made, longest)
	}
}

// TestASuccessorComesAfterTheKeyItReplaces: handshakes tell the server's time in
// whole seconds, so that of two keys made within one the later may seem the earlier.
// After a kill it is bound all the same.
func TestASuccessorComesAfterTheKeyItReplaces(t *testing.T) {
	p := newPlay(t)
	p.now = time.Unix(1_800_000_000, 0)
	p.cfg.PFS = true
	p.m = New(p.cfg, Snapshot{Perm: &PermKey{Key: p.key("perm")}})
	p.m.Start(p.now)
	madeKey := func(name string, offset time.Duration) {
		p.drain()
		p.m.Permitted(p.now, Temp)
		p.m.Made(p.now, Temp, NewKey{Key: p.key(name), TimeOffset: offset, ExpiresAt: p.now.Add(offset + 24*time.Hour)})
		p.drain()
	}
	madeKey("first", 0)
	p.m.Bound(p.now, p.key("first").ID())
	p.m.Rotate(p.now)
	madeKey("second", -900*time.Millisecond)
	next := New(p.cfg, p.m.Snapshot())
	next.Start(p.now)
	for out, ok := next.Next(); ok; out, ok = next.Next() {
		if out.Kind == OutHold && out.Temp.ID() == p.key("second").ID() {
			return
		}
	}
	t.Error("the next process does not bind the second key")
}
