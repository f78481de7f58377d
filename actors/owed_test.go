package actors_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/storetest"
)

// This file is about what an account owes the store: a state that stops it for
// its safety is written as soon as the store takes commits, whoever was told
// what meanwhile, and nobody uses a key that is not to be used.

// stops are the ways an account is stopped for its safety, and what says so on
// disk.
var stops = []struct {
	name  string
	cause func(t *testing.T, s *serve.Cluster, a *actors.Account)
	want  actors.State // of the account
	disk  string       // of its record
}{
	{"duplicated", refusedBy(406, "AUTH_KEY_DUPLICATED"), actors.Duplicated, "duplicated"},
	{"deactivated", refusedBy(401, "USER_DEACTIVATED"), actors.Revoked, "revoked"},
	{"revoked", func(t *testing.T, s *serve.Cluster, a *actors.Account) {
		inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, Method: "users.getUsers", Code: 401, Text: "SESSION_REVOKED"})
		refusedBy(401, "SESSION_REVOKED")(t, s, a)
	}, actors.Revoked, "revoked"},
	{"frozen", func(t *testing.T, s *serve.Cluster, a *actors.Account) {
		freezes(t, s, a.Status().UserID, 0)
		refusedBy(420, "FROZEN_METHOD_INVALID")(t, s, a)
	}, actors.Frozen, "frozen"},
	{"paused", func(t *testing.T, _ *serve.Cluster, a *actors.Account) {
		if err := a.Pause(soon(t)); !errors.Is(err, storetest.ErrInjected) {
			t.Errorf("the pause that is not on disk ended with %v", err)
		}
	}, actors.Paused, "paused"},
	{"told to wait", refusedBy(420, "FLOOD_WAIT_7200"), actors.Online, "wait testdc.echo"},
}

// refusedBy has the server refuse one call.
func refusedBy(code int, text string) func(*testing.T, *serve.Cluster, *actors.Account) {
	return func(t *testing.T, s *serve.Cluster, a *actors.Account) {
		refuse(t, s, "testdc.echo", code, text)
		if err := echoed(t, a); err == nil {
			t.Error("the refused call succeeded")
		}
	}
}

// said is what the store says of the account: its state, and whether one of its
// waits is there.
func said(t *testing.T, store persistence.Store, disk string) bool {
	state := stored(t, store, "alice")
	for _, w := range state.Waits {
		if "wait "+w.Method == disk {
			return true
		}
	}
	return state.Account != nil && state.Account.State == disk
}

// TestWhatStopsAnAccountIsOwedUntilItIsWritten refuses commits from the moment of
// the cause on, while this and that happens, then takes them.
func TestWhatStopsAnAccountIsOwedUntilItIsWritten(t *testing.T) {
	for _, stop := range stops {
		for _, x := range []struct {
			name    string
			refused int // commits
			then    func(t *testing.T, a *actors.Account)
		}{
			{"one commit", 1, nil},
			{"seven commits", 7, nil},
			{"an hour of them", 1 << 30, func(*testing.T, *actors.Account) { time.Sleep(time.Hour) }},
			{"and a removal", 1 << 30, func(t *testing.T, a *actors.Account) {
				// What must be written first (a key moved aside) is waited for.
				if err := a.Remove(soon(t), true); !errors.Is(err, storetest.ErrInjected) && a.Status().State != actors.Revoked {
					t.Errorf("the removal ended with %v", err)
				}
				time.Sleep(time.Minute)
			}},
			{"and the manager is closed when it takes them again", 0, nil},
		} {
			t.Run(stop.name+"/"+x.name, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					s, memory := cluster(t, small), persistence.NewMemory()
					store := storetest.NewFailing(memory, nil)
					m, err := actors.Open(options(s, store))
					if err != nil {
						t.Fatal(err)
					}
					a := signInPhone(t, m, "alice", s.Descriptor().Phones[0], actors.AccountOptions{})
					wait(t, a, actors.Online)
					time.Sleep(time.Minute)
					left := x.refused
					if left == 0 {
						left = 1 << 30
					}
					store.SetFail(func(int, persistence.Commit) error {
						if left == 0 {
							return nil
						}
						left--
						return storetest.ErrInjected
					})
					stop.cause(t, s, a)
					wait(t, a, stop.want)
					if x.then != nil {
						x.then(t, a)
					}
					if st := a.Status(); st.State != stop.want && stop.want != actors.Frozen {
						t.Errorf("while the store refuses it became %+v", st)
					}
					if x.refused > 7 || x.refused == 0 {
						if said(t, memory, stop.disk) {
							t.Fatal("the store did not refuse anything")
						}
						store.SetFail(nil)
					}
					if x.refused > 0 {
						time.Sleep(time.Minute)
						if ids, _ := memory.Accounts(); len(ids) == 0 && strings.HasSuffix(t.Name(), "revoked/and_a_removal") {
							closeManager(t, m)
							return // it is done when it can be
						}
						if !said(t, memory, stop.disk) {
							t.Errorf("on disk it is %+v", stored(t, memory, "alice").Account)
						}
					}
					closeManager(t, m)
					if !said(t, memory, stop.disk) {
						t.Errorf("after the end it is %+v on disk", stored(t, memory, "alice").Account)
					}
					queries := s.Counts().Queries
					m = open(t, options(s, memory.Reopen()))
					a, _ = m.Account("alice")
					time.Sleep(time.Minute)
					if st := a.Status(); st.State != stop.want && stop.want != actors.Frozen {
						t.Errorf("after a restart it is %+v", st)
					}
					if n := s.Counts().Queries - queries; n > 0 && (stop.want == actors.Duplicated || stop.want == actors.Revoked || stop.want == actors.Paused) {
						t.Errorf("%d queries after a restart", n)
					}
				})
			})
		}
	}
}

// TestWhatStoppedAnAccountOutlivesItsActor: the account's actor fails while the
// store refuses, and the next one begins with what is owed.
func TestWhatStoppedAnAccountOutlivesItsActor(t *testing.T) {
	for _, stop := range stops {
		t.Run(stop.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, memory := cluster(t, small), persistence.NewMemory()
				store := storetest.NewFailing(memory, nil)
				o, b := options(s, store), &bomb{}
				o.MeterProvider = b
				m := open(t, o)
				a := signInPhone(t, m, "alice", s.Descriptor().Phones[0], actors.AccountOptions{})
				wait(t, a, actors.Online)
				time.Sleep(time.Minute)
				store.SetFail(storetest.FailFrom(0))
				stop.cause(t, s, a)
				wait(t, a, stop.want)
				b.armed.Store(true)
				time.Sleep(time.Minute)
				if b.armed.Load() {
					t.Error("the actor did not fail")
				}
				if st := a.Status(); st.State != stop.want && stop.want != actors.Frozen {
					t.Errorf("its next actor made it %+v", st)
				}
				store.SetFail(nil)
				time.Sleep(time.Minute)
				if !said(t, memory, stop.disk) {
					t.Errorf("on disk it is %+v", stored(t, memory, "alice").Account)
				}
			})
		})
	}
}

// bomb is a meter that fails whoever counts, once, that the store refused: that
// is the account's actor.
type bomb struct {
	metricnoop.MeterProvider
	armed atomic.Bool
}

func (b *bomb) Meter(string, ...metric.MeterOption) metric.Meter { return bombMeter{b: b} }

type bombMeter struct {
	metricnoop.Meter
	b *bomb
}

func (m bombMeter) Int64Counter(name string, _ ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	if name != "mtfleet.store.failures" {
		return metricnoop.Int64Counter{}, nil
	}
	return bombCounter{b: m.b}, nil
}

type bombCounter struct {
	metricnoop.Int64Counter
	b *bomb
}

func (c bombCounter) Add(context.Context, int64, ...metric.AddOption) {
	if c.b.armed.CompareAndSwap(true, false) {
		panic("the meter is broken")
	}
}

// TestAProcessThatDiesOwesNothingItPromised: the store refuses, and the process
// dies before it takes commits again. Nobody was told that anything is on disk,
// and what was said of waits is the server's to repeat.
func TestAProcessThatDiesOwesNothingItPromised(t *testing.T) {
	for _, stop := range stops {
		t.Run(stop.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, memory := cluster(t, small), persistence.NewMemory()
				store := storetest.NewFailing(memory, nil)
				m := open(t, options(s, store))
				a := signInPhone(t, m, "alice", s.Descriptor().Phones[0], actors.AccountOptions{})
				wait(t, a, actors.Online)
				time.Sleep(time.Minute)
				store.SetFail(storetest.FailFrom(0))
				stop.cause(t, s, a) // which sees what is promised to whom asked
				wait(t, a, stop.want)
				if _, err := m.Add(context.Background(), "bob", actors.AccountOptions{}); err == nil {
					t.Error("an account was added while the store refuses")
				}
				if said(t, memory, stop.disk) {
					t.Error("the store took something")
				}
				disk := memory.Reopen() // the process is dead from here on
				if stored(t, disk, "alice").Account.State == fmt.Sprint(stop.want) && stop.want != actors.Online {
					t.Error("the next process would find what was refused")
				}
			})
		})
	}
}
