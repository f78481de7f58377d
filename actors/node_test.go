package actors_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/lease"
	"github.com/mtfleet/mtfleet/actors/placement"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/storetest"
)

// several is a fleet on several nodes, in one bubble.
type several struct {
	t     *testing.T
	s     *serve.Cluster
	store *persistence.MemoryCluster
	bots  int
}

func openSeveral(t *testing.T, bots int) *several {
	t.Helper()
	return &several{
		t: t, s: cluster(t, serve.Config{Core: dctest.Config{DCs: 2}, Bots: bots}), bots: bots,
		store: persistence.NewMemoryCluster(time.Now),
	}
}

// on is one node.
type on struct {
	*actors.Manager
	name string
	cut  *storetest.Cut
}

func (k *several) options(name string, cut *storetest.Cut) actors.Options {
	o := options(k.s, cut)
	o.Node, o.Cluster = name, &actors.ClusterOptions{}
	return o
}

func (k *several) node(name string) *on {
	k.t.Helper()
	cut := &storetest.Cut{Cluster: k.store.Node()}
	return &on{open(k.t, k.options(name, cut)), name, cut}
}

// fill signs all bots in, on one node.
func (k *several) fill(n *on) {
	k.t.Helper()
	for i, b := range k.s.Descriptor().Bots {
		wait(k.t, signInBot(k.t, n.Manager, id(i), b, actors.AccountOptions{}), actors.Online)
	}
}

func id(i int) string { return fmt.Sprintf("robot-%02d", i) }

// settle waits until every account is online on exactly one of the nodes, and
// returns which have how many.
func (k *several) settle(nodes ...*on) map[string]int {
	k.t.Helper()
	var has map[string]int
	for range 1200 {
		online := 0
		has = map[string]int{}
		for _, n := range nodes {
			for _, a := range n.Accounts() {
				has[n.name]++
				if a.Status().State == actors.Online {
					online++
				}
			}
		}
		if sum := total(has); online == k.bots && sum == k.bots {
			return has
		}
		time.Sleep(100 * time.Millisecond)
	}
	k.t.Fatalf("not settled after two minutes: %v", has)
	return nil
}

func total(has map[string]int) (sum int) {
	for _, n := range has {
		sum += n
	}
	return sum
}

// home waits until every account is where it belongs.
func (k *several) home(nodes ...*on) {
	k.t.Helper()
	var all []placement.Weighted
	for _, n := range nodes {
		all = append(all, placement.Weighted{Name: n.name, Weight: 100})
	}
	astray := ""
	for range 1200 {
		k.settle(nodes...)
		astray = ""
		for _, n := range nodes {
			for _, a := range n.Accounts() {
				if home := placement.Home(persistence.AccountID(a.ID()), all); home != n.name {
					astray = a.ID() + " is on " + n.name + ", its home is " + home
				}
			}
		}
		if astray == "" {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	k.t.Fatal(astray)
}

// keys is what the server has seen made; a hand-over makes none.
func (k *several) keys() dctest.Counts {
	c := k.s.Ledger().Counts
	return dctest.Counts{PermKeys: c.PermKeys, TempKeys: c.TempKeys, Logins: c.Logins}
}

func (k *several) same(before dctest.Counts) {
	k.t.Helper()
	if now := k.keys(); now != before {
		k.t.Errorf("the server saw %+v, and %+v before", now, before)
	}
}

func TestANodeThatComesTakesItsShareAndMakesNoKey(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k := openSeveral(t, 12)
		a := k.node("a")
		k.fill(a)
		before := k.keys()
		b := k.node("b")
		k.home(a, b)
		c := k.node("c")
		k.home(a, b, c)
		for _, n := range []*on{a, b, c} {
			for _, acc := range n.Accounts() {
				call(t, acc)
			}
		}
		k.same(before)
		nodes, err := b.Nodes(soon(t))
		if err != nil || len(nodes) != 3 || nodes[0].Accounts+nodes[1].Accounts+nodes[2].Accounts != 12 {
			t.Errorf("the nodes are %+v, %v", nodes, err)
		}
		verdict(t, k.s, k.store.Node())
	})
}

func TestANodeThatDrainsHandsItsAccountsOverWithoutAKeyOrALostCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k := openSeveral(t, 12)
		a, b := k.node("a"), k.node("b")
		k.fill(a)
		k.home(a, b)
		before := k.keys()

		// Somebody calls every account all the time, wherever it is.
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		var mu sync.Mutex
		var longest time.Duration
		for i := range k.bots {
			wg.Go(func() {
				last, n := time.Now(), int64(i+1)*1_000_000
				for ctx.Err() == nil {
					acc, err := a.Account(id(i))
					if err != nil {
						acc, err = b.Account(id(i))
					}
					if err == nil {
						n++
						_, err = actors.Invoke(ctx, acc, &echo.EchoRequest{ID: n, DelayMs: 50})
					}
					switch {
					case err == nil:
						mu.Lock()
						longest = max(longest, time.Since(last))
						mu.Unlock()
						last = time.Now()
					case ctx.Err() == nil && errors.Is(err, actors.ErrMayHaveRun):
						t.Errorf("a call of %s: %v", id(i), err)
					}
					time.Sleep(10 * time.Millisecond)
				}
			})
		}
		time.Sleep(time.Second)
		if err := a.Drain(soon(t)); err != nil {
			t.Fatal(err)
		}
		if n := len(a.Accounts()); n != 0 {
			t.Errorf("%d accounts are left", n)
		}
		if has := k.settle(b); has["b"] != k.bots {
			t.Errorf("after the drain: %v", has)
		}
		time.Sleep(time.Second)
		stop()
		wg.Wait()
		if longest > 2*time.Second {
			t.Errorf("an account was away for %v", longest)
		}
		k.same(before)
		closeManager(t, a.Manager)
		if nodes, err := b.Nodes(soon(t)); err != nil || len(nodes) != 1 {
			t.Errorf("after it left: %+v, %v", nodes, err)
		}
		verdict(t, k.s, k.store.Node())
	})
}

func TestADrainedNodeIsGivenBackWhatIsItsOwn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k := openSeveral(t, 12)
		a, b := k.node("a"), k.node("b")
		k.fill(a)
		k.home(a, b)
		before := k.keys()
		tool := k.store.Node()
		if err := tool.Wish(t.Context(), "b", persistence.WishDrain); err != nil {
			t.Fatal(err)
		}
		for range 600 {
			if len(b.Accounts()) == 0 {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if has := k.settle(a, b); has["a"] != k.bots {
			t.Errorf("drained: %v", has)
		}
		if err := tool.Wish(t.Context(), "b", persistence.WishServe); err != nil {
			t.Fatal(err)
		}
		k.home(a, b)
		k.same(before)
		verdict(t, k.s, tool)
	})
}

// A node that is cut off from the store is silent before another may take its
// accounts, and when it is back it goes on with what nobody took.
func TestANodeThatDoesNotReachTheStoreIsSilentBeforeItsLeaseIsOver(t *testing.T) {
	for _, c := range []struct {
		name string
		way  storetest.Way
		away time.Duration
		kept bool // nobody took its accounts
	}{
		{"for less than the lease", storetest.Unasked, 8 * time.Second, true},
		{"for longer", storetest.Unasked, time.Minute, false},
		{"for a moment after its lease", storetest.Unasked, 14 * time.Second, true},
		{"only the answers are lost", storetest.Unanswered, time.Minute, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				k := openSeveral(t, 8)
				a, b := k.node("a"), k.node("b")
				k.fill(a)
				k.home(a, b)
				before := k.keys()
				mine := len(a.Accounts())
				a.cut.Set(c.way)
				time.Sleep(c.away)
				a.cut.Set(storetest.Whole)
				if got := len(b.Accounts()); c.kept != (got == k.bots-mine) {
					t.Errorf("the other node has %d of %d accounts", got, k.bots)
				}
				k.home(a, b)
				for _, n := range []*on{a, b} {
					for _, acc := range n.Accounts() {
						call(t, acc)
					}
				}
				k.same(before)
				verdict(t, k.s, k.store.Node())
			})
		})
	}
}

func TestNobodyIsTakenWhileTheStoreIsAwayFromEverybody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k := openSeveral(t, 6)
		a, b := k.node("a"), k.node("b")
		k.fill(a)
		k.home(a, b)
		before := k.keys()
		for _, n := range []*on{a, b} {
			n.cut.Set(storetest.Unasked)
		}
		time.Sleep(5 * time.Second)
		for _, n := range []*on{a, b} { // connections are kept within the lease
			for _, acc := range n.Accounts() {
				call(t, acc)
			}
		}
		time.Sleep(time.Minute)
		for _, n := range []*on{a, b} {
			for _, acc := range n.Accounts() {
				if st := acc.Status(); st.State == actors.Online {
					t.Errorf("%s of %s is %v without a lease", acc.ID(), n.name, st.State)
				}
				if _, err := actors.Invoke(soon(t), acc, &echo.EchoRequest{ID: 1}); !errors.Is(err, actors.ErrNotSent) {
					t.Errorf("a call of a silent node: %v", err)
				}
				if err := acc.Resume(soon(t)); err == nil {
					t.Error("an account of a silent node is resumed, it says")
				}
			}
			n.cut.Set(storetest.Whole)
		}
		k.home(a, b)
		k.same(before)
		verdict(t, k.s, k.store.Node())
	})
}

func TestANodeTellsOfItsLeaseAndOfWhatMoves(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k := openSeveral(t, 6)
		a := k.node("a")
		k.fill(a)
		reader := metric.NewManualReader()
		cut := &storetest.Cut{Cluster: k.store.Node()}
		o := k.options("b", cut)
		o.MeterProvider = metric.NewMeterProvider(metric.WithReader(reader))
		b := &on{open(t, o), "b", cut}
		k.home(a, b)
		had := int64(len(b.Accounts()))
		got := series(t, reader)
		if left := sumOf(got, "mtfleet.node.lease"); left < 6 || left > 12 { // of 15 s less the margin, renewed every 5 s
			t.Errorf("the lease lasts %d s", left)
		}
		if taken := sumOf(got, "mtfleet.node.moves", "taken"); taken != had || had == 0 {
			t.Errorf("%d accounts were taken, and it has %d", taken, had)
		}
		if err := b.Ready(); err != nil {
			t.Errorf("with a lease: %v", err)
		}
		for _, part := range b.Parts() {
			if part.Name == "store" {
				t.Error("a database that is away would be a reason to start this process again")
			}
		}

		cut.Set(storetest.Unasked)
		time.Sleep(20 * time.Second)
		if err := b.Ready(); !errors.As(err, new(*lease.EndedError)) {
			t.Errorf("without a lease: %v", err)
		}
		got = series(t, reader)
		if left, silences := sumOf(got, "mtfleet.node.lease"), sumOf(got, "mtfleet.node.silences"); left != 0 || silences != 1 {
			t.Errorf("without a lease: %d s are left after %d silences", left, silences)
		}
		cut.Set(storetest.Whole)
		k.home(a, b)
		if err := b.Drain(soon(t)); err != nil {
			t.Fatal(err)
		}
		if given := sumOf(series(t, reader), "mtfleet.node.moves", "given"); given != had {
			t.Errorf("%d accounts were given, and it had %d", given, had)
		}
	})
}

func TestTwoNodesOfOneName(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k := openSeveral(t, 2)
		a := k.node("a")
		k.fill(a)
		_, err := actors.Open(k.options("a", &storetest.Cut{Cluster: k.store.Node()}))
		var taken *persistence.NodeTakenError
		if !errors.As(err, &taken) || taken.Left <= 0 {
			t.Fatalf("the second: %v", err)
		}
		for _, acc := range a.Accounts() {
			call(t, acc)
		}
		// One that was replaced, while it was cut off, ends.
		a.cut.Set(storetest.Unasked)
		time.Sleep(time.Minute)
		second := k.node("a")
		a.cut.Set(storetest.Whole)
		k.settle(second)
		time.Sleep(10 * time.Second)
		for _, acc := range a.Accounts() {
			if st := acc.Status().State; st != actors.Quarantined {
				t.Errorf("%s of the first is %v", acc.ID(), st)
			}
		}
		verdict(t, k.s, k.store.Node())
	})
}

// The nodes write one audit log, each after what the others wrote.
func TestNodesWriteOneAuditLog(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k := openSeveral(t, 0)
		a, b, c := k.node("a"), k.node("b"), k.node("c")
		const each = 3 * persistence.AuditPageSize
		var wg sync.WaitGroup
		for _, n := range []*on{a, b, c} {
			wg.Go(func() {
				for i := range each {
					if err := n.Audit(t.Context(), actors.AuditEntry{Who: "uid 0", What: "AccountService/Pause", Account: fmt.Sprint(n.name, i), Outcome: "ok"}); err != nil {
						t.Error(err)
					}
					if i%7 == 0 {
						time.Sleep(time.Second)
					}
				}
			})
		}
		wg.Wait()
		time.Sleep(time.Minute) // what each knows is old
		for _, n := range []*on{a, b, c} {
			audit(t, n.Manager, n.name)
		}
		had := map[string]bool{}
		for _, e := range logged(t, b.Manager) {
			had[e.Account] = true
		}
		if len(had) != 3*each+3 {
			t.Errorf("%d of %d entries are in the log", len(had), 3*each+3)
		}
	})
}

func TestWhatAClusterNeeds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := cluster(t, small)
		for name, change := range map[string]func(*actors.Options){
			"a store of several nodes": func(o *actors.Options) { o.Store = persistence.NewMemory() },
			"all accounts":             func(o *actors.Options) { o.Only = "alice" },
			"a margin within the term": func(o *actors.Options) { o.Cluster.Margin = time.Hour },
			"a sensible term":          func(o *actors.Options) { o.Cluster.Term = time.Millisecond },
			"a name":                   func(o *actors.Options) { o.Node = "two words" },
		} {
			o := options(s, persistence.NewMemoryCluster(time.Now))
			o.Cluster = &actors.ClusterOptions{}
			change(&o)
			if m, err := actors.Open(o); err == nil {
				t.Errorf("%s: opened", name)
				closeManager(t, m)
			}
		}
	})
}
