package actors_test

import (
	"fmt"
	goruntime "runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

// mine is a clock at which actors fail when they look at it in certain methods.
type mine struct {
	runtime.Clock
	mu   sync.Mutex
	left map[string]int // failures to come, by the end of the method's name
	how  func()         // each fails
}

func (m *mine) Now() time.Time {
	pcs := make([]uintptr, 32)
	frames := goruntime.CallersFrames(pcs[:goruntime.Callers(2, pcs)])
	for {
		f, more := frames.Next()
		m.step(f.Function)
		if !more {
			return m.Clock.Now()
		}
	}
}

func (m *mine) step(function string) {
	m.mu.Lock()
	hit := false
	for method, n := range m.left {
		if n > 0 && strings.HasSuffix(function, method) {
			m.left[method]--
			hit = true
			break
		}
	}
	how := m.how
	m.mu.Unlock()
	if hit {
		how()
	}
}

// arm lets the next n readings in each of the methods panic.
func (m *mine) arm(methods []string, n int) {
	m.set(methods, n, func() { panic("the clock is broken") })
}

// plant lets the next reading in each of the methods fail in a way.
func (m *mine) plant(methods []string, how func()) { m.set(methods, 1, how) }

func (m *mine) set(methods []string, n int, how func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left, m.how = map[string]int{}, how
	for _, method := range methods {
		m.left[method] = n
	}
}

func (m *mine) armed() (left int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range m.left {
		left += n
	}
	return left
}

// TestAfterAPanicEverybodyIsBack: whichever actor panics, and where it does, all
// accounts are online again soon, and nothing was lost by it.
func TestAfterAPanicEverybodyIsBack(t *testing.T) {
	const accounts = 6
	for _, tc := range []struct {
		kind    string
		methods []string
	}{
		{"a connection, at its new socket", []string{"dcconn.(*conn).onDialed"}},
		{"a connection, at anything", []string{"dcconn.(*conn).Receive"}},
		{"a binding", []string{"binding.(*binding).Receive"}},
		{"an account", []string{"account.(*account).Receive"}},
		{"the governor", []string{"governor.(*Governor).Receive"}},
		{"the governor, when it begins again", []string{"governor.(*Governor).Receive", "governor.(*Governor).Started"}},
		{"the fleet, at an account that failed", []string{"account.(*account).Receive", "actors.(*fleet).onEnded"}},
		{"the fleet, at an account that is due", []string{"account.(*account).Receive", "actors.(*fleet).onRespawnDue"}},
		{"all of them", []string{
			"dcconn.(*conn).onDialed", "binding.(*binding).Receive", "account.(*account).Receive",
			"governor.(*Governor).Receive", "actors.(*fleet).onEnded",
		}},
	} {
		for _, panics := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s, times %d", tc.kind, panics), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					s := cluster(t, serve.Config{Core: dctest.Config{DCs: 2}, Bots: accounts})
					store := persistence.NewMemory()
					o := options(s, store)
					clock := &mine{Clock: runtime.RealClock()}
					o.Clock = clock
					m := open(t, o)
					var all []*actors.Account
					for i, b := range s.Descriptor().Bots {
						a := signInBot(t, m, fmt.Sprintf("robot-%d", i), b, actors.AccountOptions{})
						wait(t, a, actors.Online)
						all = append(all, a)
					}
					before := s.Counts()
					clock.arm(tc.methods, panics)
					inject(t, s, dctest.Fault{Kind: dctest.FaultCloseConns})
					for range 20 { // an actor may have to begin again to fail again
						time.Sleep(time.Minute)
						if clock.armed() == 0 {
							break
						}
						inject(t, s, dctest.Fault{Kind: dctest.FaultCloseConns})
					}
					if n := clock.armed(); n > 0 {
						t.Fatalf("%d panics did not happen: %v", n, clock.left)
					}
					time.Sleep(5 * time.Minute) // the longest delay
					for _, a := range all {
						if st := a.Status(); st.State != actors.Online || !st.Bound {
							t.Errorf("%s is %v: %s", a.ID(), st.State, st.Why)
							continue
						}
						call(t, a)
					}
					after := s.Counts()
					if after.Logins != before.Logins || after.PermKeys != before.PermKeys {
						t.Errorf("it cost logins or keys: before %+v, after %+v", before, after)
					}
					verdict(t, s, store)
				})
			})
		}
	}
}
