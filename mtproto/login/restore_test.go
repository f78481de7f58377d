package login

import (
	"fmt"
	"maps"
	"testing"

	"github.com/mtfleet/mtfleet/mtproto/dc"
)

// journeys are sign-ins that between them pass through every room.
func journeys() map[string]func(t *testing.T) *world {
	all := map[string]func(t *testing.T) *world{}
	add := func(name string, f Flow, d dumb, change func(*Config)) {
		d.home, d.scans = max(d.home, 2), 1
		all[name] = func(t *testing.T) *world { return newWorld(t, f, d, change) }
	}
	for _, f := range allFlows {
		add(string(f), f, dumb{}, nil)
		if f != FlowPNV {
			add(string(f)+" on another DC", f, dumb{home: 4}, nil)
		}
		if f != FlowBot {
			add(string(f)+" with a password", f, dumb{password: true}, nil)
			name, forgot := string(f)+" with a forgotten password", f
			all[name] = func(t *testing.T) *world {
				w := newWorld(t, forgot, dumb{home: 2, scans: 1, password: true}, nil)
				w.forgets = true
				return w
			}
		}
		if f == FlowPhone || f == FlowPNV {
			add(string(f)+" of a stranger", f, dumb{stranger: true}, func(cfg *Config) { cfg.AllowSignUp = true })
		}
	}
	add("QR on another DC with a password", FlowQR, dumb{home: 4, password: true}, nil)
	add("passkey on another DC with a password", FlowPasskey, dumb{home: 4, password: true}, nil)
	for _, how := range codeKinds {
		add("phone, a code by "+how, FlowPhone, dumb{codes: []string{how}}, nil)
	}
	add("phone, with a token", FlowPhone, dumb{}, func(cfg *Config) { cfg.FutureTokens = tokensOf("token") })
	return all
}

// copyOf is the server as it was.
func copyOf(d dumb) dumb {
	d.auth = maps.Clone(d.auth)
	return d
}

// The process dies after any commit of any flow, before or after the server has
// run what was sent then; another one goes on and ends signed in.
func TestEverySavedSnapshotFinishes(t *testing.T) {
	snapshots := 0
	for name, start := range journeys() {
		first := start(t)
		first.finish()
		if first.done == nil {
			t.Errorf("%s failed: %v", name, first.failed)
			continue
		}
		for i, saved := range first.saved {
			for _, executed := range []bool{false, true} {
				if executed && saved.query == nil {
					continue
				}
				snapshots++
				w := start(t)
				w.forgets = false
				w.server, w.at, w.now, w.disk = copyOf(saved.server), saved.at, saved.now, &saved.snapshot
				if executed {
					_, _ = w.server.reply(w.at, saved.query)
				}
				w.note("%s: snapshot %d, %v (executed: %v)", name, i, saved.snapshot, executed)
				w.crash()
				w.finish()
				if w.done == nil {
					w.failf("%s: after a crash at snapshot %d (%v, executed: %v) it failed: %v", name, i, saved.snapshot, executed, w.failed)
				}
			}
		}
	}
	if snapshots < 250 {
		t.Errorf("%d snapshots were tried", snapshots)
	}
}

// The server moves the sign-in at any call. One that may move goes on there; any
// other ends with a name, and leaves nobody signed in.
func TestAMigrationAtEveryCall(t *testing.T) {
	moved, ended := 0, 0
	for name, start := range journeys() {
		first := start(t)
		first.finish()
		for n := 1; n <= first.calls; n++ {
			w, moves := start(t), false
			w.refuseAt = func(w *world) error {
				if w.calls != n {
					return nil
				}
				moves = w.m.pending().moves
				w.refuseAt = nil
				return refusal(303, fmt.Sprintf("USER_MIGRATE_%d", dc.ID(3)))
			}
			w.finish()
			switch {
			case moves && w.done == nil:
				w.failf("%s: moved at call %d, it failed: %v", name, n, w.failed)
			case moves:
				moved++
			case w.failed == nil || w.failed.Reason != ReasonMigrate && w.failed.Reason != ReasonCanceled:
				w.failf("%s: moved at call %d, which may not move, it ended with %v, %v", name, n, w.done, w.failed)
			default:
				ended++
			}
		}
	}
	if moved < 20 || ended < 20 {
		t.Errorf("%d were moved and %d ended", moved, ended)
	}
}
