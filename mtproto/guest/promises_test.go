package guest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
)

// An auditor watches what a machine asks for and holds the promises against
// it, over restarts.
type auditor struct {
	t       *rapid.T
	m       *Machine
	now     time.Time
	disk    Snapshot
	wait    time.Time // end of the wait the server imposed last
	told    time.Time // the same, as far as this machine knows
	dropped time.Time // when a key was given up last
	held    bool      // a call waits for the DC
}

func (a *auditor) drain() {
	for out, ok := a.m.Next(); ok; out, ok = a.m.Next() {
		switch out.Kind {
		case OutSave:
			a.disk = out.Snapshot
		case OutExport:
			if a.now.Before(a.told) {
				a.t.Fatalf("home is asked %v before the server's wait is over", a.told.Sub(a.now))
			}
			if a.now.Before(a.m.snap.Refused.Until) {
				a.t.Fatal("home is asked while callers are told that it is not")
			}
		case OutReady:
			if !a.disk.Authorized {
				a.t.Fatal("calls go before the disk says authorized")
			}
			a.held = false
		case OutRefused, OutWaiting, OutFailed:
			if out.Err == nil || out.Kind != OutFailed && a.m.Refusal(a.now) == nil && a.now.Before(out.Until) {
				a.t.Fatalf("%v does not agree with what later calls are told", out)
			}
			a.held = false
		case OutDropKey:
			if !a.dropped.IsZero() && a.now.Sub(a.dropped) < 24*time.Hour {
				a.t.Fatalf("another key is made after %v", a.now.Sub(a.dropped))
			}
			a.dropped = a.now
		}
	}
	if a.disk != a.m.Snapshot() {
		a.t.Fatalf("the disk says %+v, the machine %+v", a.disk, a.m.Snapshot())
	}
	if s := a.m.State(); a.held && (s == StateRefused || s == StateWaiting || s == StateFailed) {
		a.t.Fatalf("a call waits in %v for ever", s)
	}
}

// TestAnyInputInAnyState feeds random inputs and restarts: nothing panics, one
// flight is under way, calls go only while the disk says authorized, no wait is
// cut short, refusals cost a key a day at most, and no call waits for ever.
func TestAnyInputInAnyState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := &auditor{t: t, now: epoch}
		a.disk = Snapshot{Authorized: rapid.Bool().Draw(t, "authorized")}
		a.m = New(Config{DC: 4}, a.disk)
		anyError := func(id CallID) error {
			if a.now.Before(a.wait) { // nothing is sent: so say the account's waits
				if id == a.m.id {
					a.told = a.wait
				}
				return &WaitError{DC: 2, Until: a.wait, Err: flood}
			}
			err := rapid.SampledFrom([]error{
				errLost, badBytes, badBytes, badBytes, badBytes, revoked, timeout, flood, tgerr.New(420, "FLOOD_WAIT_2"), tgerr.New(400, "DC_ID_INVALID"),
				tgerr.New(401, "AUTH_KEY_PERM_EMPTY"), tgerr.New(401, "SESSION_PASSWORD_NEEDED"), tgerr.New(303, "USER_MIGRATE_2"),
				tgerr.New(420, "FLOOD_WAIT_86400"), tgerr.New(420, "FROZEN_METHOD_INVALID"), tgerr.New(406, "AUTH_KEY_DUPLICATED"),
			}).Draw(t, "error")
			if until, ok := tgerr.Until(err, a.now); ok {
				a.wait = until
				if id == a.m.id {
					a.told = until
				}
			}
			return err
		}
		body := func() []byte {
			return rapid.SampledFrom([][]byte{exported, imported, signUp, nil, []byte("rubbish!"), tl.AppendBool(nil, true)}).Draw(t, "body")
		}
		want := func() {
			if a.m.State() != StateNew && a.m.Refusal(a.now) == nil {
				a.held = a.m.State() != StateReady
				a.m.Wanted(a.now)
			}
		}
		for range rapid.IntRange(1, 80).Draw(t, "length") {
			id := a.m.id - CallID(rapid.IntRange(0, 9).Draw(t, "late")/9)
			m, now := a.m, a.now
			switch rapid.IntRange(0, 15).Draw(t, "input") {
			case 0:
				m.Start(now)
			case 1, 2:
				m.Start(now)
				m.KeyReady(now)
			case 3:
				m.KeyLost(now)
			case 4, 5:
				m.Exported(now, id, exported)
			case 6:
				m.Exported(now, id, body())
			case 7:
				if m.State() == StateExporting {
					m.ExportFailed(now, id, anyError(id))
				}
			case 8:
				m.Imported(now, id, body())
			case 9, 10:
				if m.State() == StateImporting {
					m.ImportFailed(now, id, anyError(id))
				}
			case 11:
				m.HomeAlive(now)
			case 12:
				m.Unauthorized(now, revoked)
			case 13:
				want()
			case 14:
				a.now = now.Add(time.Duration(rapid.IntRange(0, 7200).Draw(t, "seconds")) * time.Second)
				m.Advance(a.now)
				if d := m.Deadline(); !d.IsZero() && !d.After(a.now) {
					t.Fatalf("Advance does not get past the deadline in %v", m.State())
				}
			case 15:
				a.m = New(Config{DC: 4}, a.disk)
				if diff := cmp.Diff(a.disk, a.m.Snapshot()); diff != "" {
					t.Fatalf("a restart changes the snapshot (-disk +snapshot):\n%s", diff)
				}
				a.m.Start(a.now)
				a.held, a.told = false, time.Time{}
			}
			a.drain()
		}
	})
}

// TestNoServerCostsMoreThanAKeyADay plays a month against a server that says
// no, in one way after another, with a caller every few seconds.
func TestNoServerCostsMoreThanAKeyADay(t *testing.T) {
	for _, tc := range []struct {
		name string
		no   func(r *rig)
	}{
		{"it refuses the bytes", func(r *rig) { r.importFailed(badBytes) }},
		{"it wants us to sign up", func(r *rig) { r.m.Imported(r.now, r.m.id, signUp) }},
		{"it says that the key is revoked", func(r *rig) { r.importFailed(revoked) }},
		{"it takes the import and refuses the calls", func(r *rig) { r.imported(); r.m.Unauthorized(r.now, revoked) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, Snapshot{})
			keys, imports := 0, 0
			for end := epoch.AddDate(0, 0, 30); r.now.Before(end); {
				for out, ok := r.m.Next(); ok; out, ok = r.m.Next() {
					if out.Kind == OutDropKey {
						keys++
					}
				}
				switch r.m.State() {
				case StateKeying:
					r.m.KeyReady(r.now)
				case StateExporting:
					r.exported()
				case StateImporting:
					imports++
					tc.no(r)
				case StatePausing:
					r.now = r.m.Deadline()
					r.m.Advance(r.now)
				default:
					r.wantedAfter(7 * time.Second)
				}
			}
			// A round an hour, one more under each new key, and the first ones,
			// which come sooner: 1, 2, 4 ... 32 minutes apart.
			if keys > 30 || imports > (30*24+30+6)*importsMost {
				t.Errorf("%d keys were given up and %d imports made in 30 days", keys, imports)
			}
		})
	}
}
