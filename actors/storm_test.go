package actors_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/wire"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

var stormAccounts = flag.Int("storm.accounts", 200, "how many accounts TestAllDCsAreCutOffForAMinute has")

// cable leads to all DCs until it is cut. It notes when each of them is dialled.
type cable struct {
	wire.Dialer
	cut atomic.Bool

	mu    sync.Mutex
	dials map[string][]time.Time // by address
	back  time.Time              // the first dial that went through after a cut
}

func (c *cable) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c.mu.Lock()
	c.dials[address] = append(c.dials[address], time.Now())
	if c.back.IsZero() && !c.cut.Load() {
		c.back = time.Now()
	}
	c.mu.Unlock()
	if c.cut.Load() {
		return nil, errors.New("the cable is cut")
	}
	return c.Dialer.DialContext(ctx, network, address)
}

// begin forgets what was.
func (c *cable) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dials, c.back = map[string][]time.Time{}, time.Time{}
}

// busiest returns the most dials of one address within a second.
func (c *cable) busiest() (most, all int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, at := range c.dials {
		first := 0
		for i := range at {
			for at[i].Sub(at[first]) >= time.Second {
				first++
			}
			most = max(most, i-first+1)
		}
		all += len(at)
	}
	return most, all
}

// TestAllDCsAreCutOffForAMinute: meanwhile each is only probed, and afterwards
// everybody comes back at the pace of the budget, with the keys there were. Give
// -storm.accounts=2000 -v for figures of more.
func TestAllDCsAreCutOffForAMinute(t *testing.T) {
	const dcs, cut = 2, time.Minute
	accounts := *stormAccounts
	if raced {
		accounts = min(accounts, 60)
	}
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, serve.Config{Core: dctest.Config{DCs: dcs}, Bots: accounts}), persistence.NewMemory()
		m, err := actors.Open(options(s, store))
		if err != nil {
			t.Fatal(err)
		}
		for i, b := range s.Descriptor().Bots { // every tenth with PFS: keys are what a run costs
			signInBot(t, m, fmt.Sprint("robot-", i), b, actors.AccountOptions{NoPFS: i%10 != 0})
		}
		closeManager(t, m)
		for _, budget := range []governor.Budget{governor.Production(), governor.Loopback()} {
			time.Sleep(time.Second)
			store = store.Reopen()
			o, line := options(s, store), &cable{Dialer: s.Dialer(), dials: map[string][]time.Time{}}
			o.Limits, o.Wire.Dialer = budget.Limits(2), line
			if m, err = actors.Open(o); err != nil {
				t.Fatal(err)
			}
			optimum := time.Duration(float64(accounts) / float64(dcs*budget.ConnectsPerSecond) * float64(time.Second))
			time.Sleep(2*optimum + time.Minute)
			if n := away(m); n > 0 {
				t.Fatalf("%d accounts did not start", n)
			}
			before := s.Counts()

			line.begin()
			line.cut.Store(true)
			inject(t, s, dctest.Fault{Kind: dctest.FaultCloseConns})
			time.Sleep(cut)
			if n := away(m); n != accounts {
				t.Errorf("%d of %d accounts are without their DC", n, accounts)
			}
			_, probes := line.busiest()
			line.cut.Store(false)
			back := make([]time.Time, 0, accounts) // when so many were
			for over := time.Now(); len(back) < accounts && time.Since(over) < 2*optimum+time.Minute; {
				time.Sleep(10 * time.Millisecond)
				for n := accounts - away(m); len(back) < n; {
					back = append(back, time.Now())
				}
			}
			if len(back) < accounts {
				t.Fatalf("%s: %d of %d accounts are back", budget, len(back), accounts)
			}
			most, all := line.busiest()
			half, nearly := back[accounts/2].Sub(line.back), back[(accounts*99+99)/100-1].Sub(line.back)
			after := s.Counts()
			t.Logf("%s", budget)
			t.Logf("%d accounts on %d DCs: %d dials in the cut, %d in all, %d of a DC within a second at most; %d perm and %d temp keys made; "+
				"half online after %v, 99 %% after %v; optimum %v, ratio %.2f", accounts, dcs, probes, all, most,
				after.PermKeys-before.PermKeys, after.TempKeys-before.TempKeys, half, nearly, optimum, nearly.Seconds()/optimum.Seconds())
			if most > budget.ConnectsPerSecond+1 { // the permit that a bucket has when the window begins
				t.Errorf("%d dials of a DC within a second, of %d permitted", most, budget.ConnectsPerSecond)
			}
			if after.PermKeys != before.PermKeys || after.TempKeys != before.TempKeys || after.Logins != before.Logins {
				t.Errorf("before %+v, after %+v", before, after)
			}
			// Where all fit into one second there is nothing to pace.
			if limit := max(optimum*12/10, time.Second); nearly > limit {
				t.Errorf("99 %% are online after %v, %v is allowed", nearly, limit)
			}
			closeManager(t, m)
		}
		verdict(t, s, store)
	})
}
