package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

// TestASignInGoesOnAfterAKillAtEveryStep: whatever holds the sign-in, the command
// itself or a manager that runs, is killed when a step is shown for the first
// time, and when it was answered for the first time: at once, or when the answer
// may be at the DC, or back.
func TestASignInGoesOnAfterAKillAtEveryStep(t *testing.T) {
	for _, way := range []string{"phone", "qr"} {
		for _, holder := range []string{"command", "manager"} {
			for _, after := range []time.Duration{0, 40 * time.Millisecond} {
				t.Run(fmt.Sprintf("%s held by a %s, killed after %v", way, holder, after), func(t *testing.T) {
					s := newScene(t)
					w := &walk{scene: s, through: holder == "manager", after: after, kills: map[actors.StepKind]int{}}
					w.begin = []string{"--add", "--qr"}
					if way == "phone" {
						w.begin = []string{"--add", "--phone", "+" + s.phone.Number}
					}
					for !w.life() {
						if w.lives > 12 {
							t.Fatal("it never came to an end")
						}
					}
					if w.through = false; !w.life() {
						t.Error("it is not signed in after the last kill")
					}
					if w.lives < 5 {
						t.Errorf("it was killed %v times", w.kills)
					}
					w.verdict()
				})
			}
		}
	}
}

type walk struct {
	*scene
	through bool          // a manager that runs
	after   time.Duration // from an answer to the kill
	begin   []string
	id      string // of the sign-in
	lives   int
	kills   map[actors.StepKind]int // and then those it was let go on
	done    bool
}

// life goes on with the sign-in, and kills who holds it at the next event that
// nobody died of yet. It reports whether the account is signed in.
func (w *walk) life() bool {
	w.t.Helper()
	w.lives++
	var manager *process
	if w.through {
		manager = w.start("run")
		w.listens()
	}
	args := []string{"account", "login", "alice", "--json", "--stdin"}
	switch {
	case w.done: // it has no id any more
	case w.id == "":
		args = append(args, w.begin...)
	case w.lives%2 == 0: // by its id, every other time
		args = []string{"account", "login", "--resume", w.id, "--json", "--stdin"}
	}
	p := w.start(args...)
	held := p
	if manager != nil {
		held = manager
	}
	for {
		got, ok := p.step()
		switch {
		case !ok:
			w.t.Fatalf("life %d: it ended: %s", w.lives, p.said.String())
		case got.Step == nil:
			held.kill()
			w.done = got.Account.SignedIn
			return w.done
		case w.id != "" && got.Account.SignIn != w.id:
			w.t.Errorf("life %d: the sign-in was %s and is %s", w.lives, w.id, got.Account.SignIn)
		}
		w.id = got.Account.SignIn
		w.kills[got.Step.Kind]++
		n := w.kills[got.Step.Kind]
		if n > 1 {
			w.respond(p, *got.Step)
		}
		if n == 2 {
			time.Sleep(w.after)
		}
		if n <= 2 {
			held.kill()
			w.farewell(p)
			return false
		}
	}
}

// listens waits for the manager's socket.
func (w *walk) listens() {
	w.t.Helper()
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		service, err := control.Dial(w.t.Context(), filepath.Join(w.dir, "data", "control.sock"))
		if err == nil {
			_ = service.Close()
			return
		}
		if time.Since(begun) > eventually {
			w.t.Fatal(err)
		}
	}
}

// farewell is what a command says whose manager was killed.
func (w *walk) farewell(p *process) {
	w.t.Helper()
	if !w.through {
		return
	}
	_ = p.in.Close()
	select {
	case <-p.gone:
	case <-time.After(eventually):
		w.t.Fatal("the command does not notice that the manager is gone")
	}
	if code := p.cmd.ProcessState.ExitCode(); code != exitUnreachable && code != exitOK || code != exitOK && !strings.Contains(p.said.String(), "go on with `manager account login alice`") {
		w.t.Errorf("exit code %d: %s", code, p.said.String())
	}
}

// verdict asks the DCs: every key that they know as authorized is in the store.
func (w *walk) verdict() {
	w.t.Helper()
	a := &app{env: []string{"MTFLEET_CONFIG=" + w.config()}, err: io.Discard}
	cfg, err := a.load(false)
	if err != nil {
		w.t.Fatal(err)
	}
	store, err := a.openStore(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		w.t.Fatal(err)
	}
	keys, err := actorstest.StoreKeys(store)
	if err = errors.Join(err, store.Close()); err != nil {
		w.t.Fatal(err)
	}
	v := w.cluster.Ledger().Verdict(keys, nil, w.cluster.Descriptor().ServerTime)
	if len(v.Orphans) > 0 || len(v.Overlaps) > 0 {
		w.t.Errorf("%+v", v)
	}
}
