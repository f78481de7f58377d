package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/cmd/manager/tabular"
	"github.com/mtfleet/mtfleet/config"
	"github.com/mtfleet/mtfleet/persistence"
)

func TestANodeWaitsForTheOneThatHadItsName(t *testing.T) {
	for _, c := range []struct {
		name   string
		renews bool
		want   []string
	}{
		{"it was killed", false, []string{"another process has the name of this node: it is waited for"}},
		{"it runs", true, []string{"another process has the name of this node: it is waited for", "renews its lease: it runs"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			actorstest.Bubble(t, func(t *testing.T) {
				store := persistence.NewMemoryCluster(time.Now)
				other := store.Node()
				before, err := other.Join(t.Context(), persistence.NodeInfo{Name: "a", Address: "192.0.2.7:9466", Capacity: 1, Term: 15 * time.Second, Grace: time.Second})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				var renewals sync.WaitGroup
				defer renewals.Wait()
				if c.renews {
					renewals.Go(func() {
						for ctx.Err() == nil && other.Renew(ctx, before) == nil {
							time.Sleep(7 * time.Second)
						}
					})
				}
				o := actorstest.Options(actorstest.Cluster(t, actorstest.Small()), store)
				if err := asNode(&o, config.Cluster{Node: "a", Address: "192.0.2.8:9466", Capacity: 1, Lease: 15 * time.Second}); err != nil {
					t.Fatal(err)
				}
				var log bytes.Buffer
				var said []string
				begun := time.Now()
				m, err := openManager(ctx, o, slog.New(slog.NewTextHandler(&log, nil)), func(text string) { said = append(said, text) })
				took := time.Since(begun)
				if err == nil {
					defer func() {
						if err := m.Close(context.WithoutCancel(ctx)); err != nil {
							t.Error(err)
						}
					}()
				}
				if c.renews != errors.Is(err, context.DeadlineExceeded) || !c.renews && (err != nil || took != 16*time.Second) {
					t.Errorf("it ended after %v with %v", took, err)
				}
				if len(said) < 4 || said[0] != "another process has the name of this node, a, for 16s yet" {
					t.Errorf("it said %q", said)
				}
				lines := strings.Split(strings.TrimSpace(log.String()), "\n")
				if len(lines) != len(c.want) {
					t.Fatalf("the log has\n%s", &log)
				}
				for i, want := range c.want {
					if !strings.Contains(lines[i], want) || !strings.Contains(lines[i], "192.0.2.7:9466") {
						t.Errorf("the log has %s, want %q", lines[i], want)
					}
				}
			})
		})
	}
}

// After a failover that lost who owns what the process of each node ends, to be started
// again.
func TestANodeThatIsNoneEndsItsProcess(t *testing.T) {
	actorstest.Bubble(t, func(t *testing.T) {
		store := persistence.NewMemoryCluster(time.Now)
		before := store.Standby()
		o := actorstest.Options(actorstest.Cluster(t, actorstest.Small()), store)
		c := config.Cluster{Node: "a", Address: "192.0.2.8:9466", Capacity: 1, Lease: 15 * time.Second}
		if err := asNode(&o, c); err != nil {
			t.Fatal(err)
		}
		m, err := actors.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := m.Close(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		}()
		serving, done := whileNode(t.Context(), m, c)
		defer done()
		time.Sleep(time.Minute)
		if serving.Err() != nil {
			t.Fatal(context.Cause(serving))
		}
		store.TakeOver(before)
		begun := time.Now()
		<-serving.Done()
		if err := context.Cause(serving); exitCode(err) != exitFailed || !strings.Contains(describe(err), "the node a is none any more") {
			t.Errorf("it ends with %v", err)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("it knows after %v", took)
		}
	})
}

func TestANodeWaitsForACommandThatHasTheStore(t *testing.T) {
	actorstest.Bubble(t, func(t *testing.T) {
		store := persistence.NewMemoryCluster(time.Now)
		command := store.Node()
		if _, err := command.Claim("account-login"); err != nil {
			t.Fatal(err)
		}
		var ended sync.WaitGroup
		defer ended.Wait()
		ended.Go(func() {
			time.Sleep(20500 * time.Millisecond)
			_ = command.Close()
		})
		o := actorstest.Options(actorstest.Cluster(t, actorstest.Small()), store)
		if err := asNode(&o, config.Cluster{Node: "a", Address: "192.0.2.8:9466", Capacity: 1, Lease: 15 * time.Second}); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		said, begun := "", time.Now()
		m, err := openManager(t.Context(), o, slog.New(slog.NewTextHandler(&log, nil)), func(text string) { said = text })
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took != 21*time.Second || said != "a command has the store for itself: account-login" {
			t.Errorf("it ran after %v, and said %q", took, said)
		}
		if n := strings.Count(log.String(), "a command has the store for itself: it is waited for"); n != 1 {
			t.Errorf("the log has\n%s", &log)
		}
		if err := m.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestAStoreOfOneManagerMakesNoNode(t *testing.T) {
	o := actors.Options{Store: persistence.NewMemory()}
	if err := asNode(&o, config.Cluster{Node: "a"}); exitCode(err) != exitUsage || !strings.Contains(describe(err), "cluster.node is set, and the store is one that a manager has for itself alone") {
		t.Errorf("%v", err)
	}
	if err := asNode(&o, config.Cluster{}); err != nil || o.Cluster != nil {
		t.Errorf("without a node: %v", err)
	}
}

func TestABalanceIsShownAsItIs(t *testing.T) {
	var out bytes.Buffer
	list := control.BalanceList{Free: 2, ToMove: 9, Nodes: []control.NodeBalance{
		{Name: "a", Accounts: 40, Belong: 33, ToMove: 7},
		{Name: "b", Accounts: 20, Belong: 0, Stay: 20, Why: "it is cordoned: it keeps what it has, and takes nothing"},
	}}
	if err := balanceTable(list).Write(&out, tabular.Options{}); err != nil {
		t.Fatal(err)
	}
	const want = `NODE   ACCOUNTS   BELONG   TO MOVE   STAY   WHY
a      40         33       7         0      -
b      20         0        0         20     it is cordoned: it keeps what it has, and takes nothing
-      2          -        2         0      nobody owns them yet: the nodes that they belong to take them
`
	if out.String() != want {
		t.Errorf("it shows\n%s", &out)
	}
}

func TestNodesAreShownAsTheyAre(t *testing.T) {
	nodes := []control.Node{
		{Name: "a", Address: "192.0.2.7:9466", Version: "1.0", Capacity: 100, Accounts: 40, Wish: "serve", Live: true, Lease: 11.6, Self: true},
		{Name: "b", Address: "192.0.2.8:9466", Version: "1.0", Capacity: 100, Accounts: 39, Wish: "drain", Live: true, Lease: 12},
		{Name: "c", Address: "192.0.2.9:9466", Version: "1.0", Capacity: 200, Accounts: 80, Wish: "serve", Lease: -3},
		{Name: "d", Capacity: 100, Wish: "drain", Live: true, Lease: 12},
		{Name: "e", Capacity: 100, Wish: "cordon", Live: true, Lease: 12},
		{Name: "f", Capacity: 100, Wish: "serve", Live: true, Lease: 12, Departs: true},
		{Name: "g", Capacity: 100, Wish: "serve", Live: true, Lease: 12, CutOff: true},
	}
	var out bytes.Buffer
	a := &app{out: &out}
	if err := a.tellNodes(&outputFlags{}, control.NodeList{Nodes: nodes}); err != nil {
		t.Fatal(err)
	}
	const want = `NODE   ACCOUNTS   STATE      LEASE         CAPACITY   ADDRESS          VERSION
a      40         serves     12s           100        192.0.2.7:9466   1.0
b      39         drains     12s           100        192.0.2.8:9466   1.0
c      80         dead       over for 3s   200        192.0.2.9:9466   1.0
d      0          drained    12s           100        -                -
e      0          cordoned   12s           100        -                -
f      0          leaves     12s           100        -                -
g      0          cut off    12s           100        -                -
`
	if out.String() != want {
		t.Errorf("it shows\n%s", &out)
	}
	out.Reset()
	status := control.FleetStatus{About: control.About{Running: true}, Nodes: nodes[:2], Needs: []control.Need{{Urgency: "now", What: "alice is revoked.", Node: "b"}}}
	if err := a.tellStatus(&out, &outputFlags{}, status); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"b      39         drains", "now    On node b: alice is revoked."} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("the status lacks %q:\n%s", line, &out)
		}
	}
	out.Reset()
	status.Nodes = nodes[:1]
	if err := a.tellStatus(&out, &outputFlags{}, status); err != nil || strings.Contains(out.String(), "CAPACITY") {
		t.Errorf("of one node, %v:\n%s", err, &out)
	}
}
