package actors_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

var (
	chaosSeeds = flag.Int("chaos.seeds", 2, "how many seeds of TestChaos to run")
	chaosSeed  = flag.Uint64("chaos.seed", 0, "run TestChaos with this seed alone")
)

// TestChaos lets everything that the test DC can do wrong happen to ten
// accounts for most of a virtual hour, and holds what came of it against the
// promises. The seed decides faults, calls, pushes and restarts; goroutines
// still run as they like, so a failure may need its seed more than once.
func TestChaos(t *testing.T) {
	seeds := []uint64{*chaosSeed}
	if *chaosSeed == 0 {
		seeds = nil
		for i := range *chaosSeeds {
			seeds = append(seeds, uint64(i+1))
		}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				t.Cleanup(func() {
					if t.Failed() {
						t.Logf("seed %d: run it again with -chaos.seed=%d", seed, seed)
					}
				})
				newChaos(t, seed).run()
			})
		})
	}
}

// chaos is one run.
type chaos struct {
	t     *testing.T
	rand  *rand.Rand // the storm's own; callers have others
	seed  uint64
	s     *serve.Cluster
	store *persistence.Memory
	audit *actorstest.Auditor

	unknown struct { // the last -404
		id uint64
		at time.Time
	}

	mu sync.RWMutex // guards m; held for writing while the manager is away
	m  *actors.Manager

	echoes  atomic.Int64
	pending sync.WaitGroup // callers
	done    chan struct{}  // closed when callers should end
}

const chaosDCs = 3

func newChaos(t *testing.T, seed uint64) *chaos {
	return &chaos{
		t: t, seed: seed, rand: rand.New(rand.NewPCG(seed, 0)), audit: actorstest.NewAuditor(), done: make(chan struct{}),
		s: cluster(t, serve.Config{
			Core: dctest.Config{DCs: chaosDCs, BindStrict: seed/2%2 == 0}, Persons: 5, Bots: 5,
		}),
		store: persistence.NewMemory(),
	}
}

func (x *chaos) options() actors.Options {
	o := options(x.s, x.store)
	if x.seed%3 != 0 {
		o.TempKeyLife = 12 * time.Minute // rotations in the storm
	}
	return o
}

func (x *chaos) run() {
	x.audit.Skewed = x.skewed()
	x.latency()
	x.openManager()
	x.signIn()
	users := x.audit.Users()
	for _, a := range x.m.Accounts() {
		wait(x.t, a, actors.Online)
		x.pending.Add(1)
		go x.caller(a.ID(), rand.New(rand.NewPCG(x.seed, uint64(users[a.ID()]))))
	}
	x.storm(25*time.Minute + time.Duration(x.rand.IntN(20))*time.Minute)
	close(x.done)
	x.settle()
	x.closeManager()
	x.pending.Wait()
	x.judge()
}

// latency lets packets travel for a while: without it a whole rotation
// happens at one virtual instant, and msg_ids are made of time.
func (x *chaos) latency() {
	f := dctest.Fault{Kind: dctest.FaultDelay, Delay: dctest.Duration(5 * time.Millisecond)}
	if _, err := x.s.Fault(f); err != nil {
		x.t.Fatal(err)
	}
}

func (x *chaos) signIn() {
	d := x.s.Descriptor()
	for i, p := range d.Phones {
		id := fmt.Sprintf("person-%d", i)
		signInPhone(x.t, x.m, id, p, actors.AccountOptions{NoPFS: i%3 == 2})
		x.audit.SignedIn(id, p.UserID)
	}
	for i, b := range d.Bots {
		id := fmt.Sprintf("robot-%d", i)
		signInBot(x.t, x.m, id, b, actors.AccountOptions{NoPFS: i%3 == 2})
		x.audit.SignedIn(id, b.UserID)
	}
}

func (x *chaos) openManager() {
	m, err := actors.Open(x.options())
	if err != nil {
		x.t.Fatal(err)
	}
	events := m.Events(context.Background(), actors.Replay)
	x.audit.Opened()
	x.pending.Add(1)
	go func() {
		defer x.pending.Done()
		for ev := range events {
			x.audit.Hear(ev)
		}
	}()
	x.mu.Lock()
	x.m = m
	x.mu.Unlock()
}

func (x *chaos) closeManager() {
	x.mu.RLock()
	m := x.m
	x.mu.RUnlock()
	closeManager(x.t, m)
}

// caller calls all the time, once and repeatable, at home and elsewhere.
func (x *chaos) caller(id string, r *rand.Rand) {
	defer x.pending.Done()
	for {
		select {
		case <-x.done:
			return
		case <-time.After(time.Duration(r.IntN(8000)) * time.Millisecond):
		}
		x.mu.RLock()
		a, err := x.m.Account(id)
		x.mu.RUnlock()
		if err != nil {
			x.t.Error(err)
			return
		}
		x.call(a, r)
	}
}

func (x *chaos) call(a *actors.Account, r *rand.Rand) {
	n, once := x.echoes.Add(1), r.IntN(2) == 0
	opts := []actors.CallOption{actors.WithPolicy(actors.Repeatable)}
	if once {
		opts[0] = actors.WithPolicy(actors.Once)
	}
	if r.IntN(10) == 0 {
		opts = append(opts, actors.OnDC(dcID(1+r.IntN(chaosDCs))))
	}
	q := &echo.EchoRequest{ID: n, Payload: make([]byte, r.IntN(2000))}
	if r.IntN(4) == 0 {
		q.DelayMs = int32(r.IntN(15_000))
	}
	ctx := context.Background()
	if r.IntN(4) > 0 {
		limited, cancel := context.WithTimeout(ctx, time.Duration(1+r.IntN(600))*time.Second)
		defer cancel()
		ctx = limited
	}
	x.audit.Begun(n, once)
	got, err := actors.Invoke(ctx, a, q, opts...)
	if err == nil && (got.ID != n || len(got.Payload) != len(q.Payload)) {
		x.audit.Complain("call %d was answered with %d and %d bytes", n, got.ID, len(got.Payload))
	}
	x.audit.Ended(n, err)
}

// storm makes things go wrong for so long.
func (x *chaos) storm(d time.Duration) {
	last := time.Now().Add(d)
	for time.Now().Before(last) {
		time.Sleep(time.Duration(x.rand.IntN(20_000)) * time.Millisecond)
		switch n := x.rand.IntN(100); {
		case n < 4:
			x.restartManager()
		case n < 35:
			x.push(1 + x.rand.IntN(4))
		default:
			x.fault()
		}
	}
}

// restartManager ends the process, as far as a test can, and starts another.
func (x *chaos) restartManager() {
	x.closeManager()
	time.Sleep(time.Second)
	x.store = x.store.Reopen()
	x.openManager()
}

func (x *chaos) push(n int) {
	users := x.audit.Users()
	for _, account := range slices.Sorted(maps.Keys(users)) { // the seed decides who gets one
		user := users[account]
		if x.rand.IntN(3) > 0 {
			continue
		}
		for range n {
			if _, err := x.s.PushUpdate(user); err != nil {
				x.t.Error(err)
			}
		}
	}
}

// fault lets one thing go wrong. What proves a perm key gone is not among
// them: nothing here may cost a login.
func (x *chaos) fault() {
	r := x.rand
	// At least one millisecond: a delay of none is no fault, and is refused.
	ms := func(most int) dctest.Duration {
		return dctest.Duration(time.Duration(1+r.IntN(most)) * time.Millisecond)
	}
	dir := []dctest.Direction{dctest.In, dctest.Out, ""}[r.IntN(3)]
	id := r.IntN(chaosDCs + 1) // 0: all
	codes := []struct {
		code int
		text string
	}{{500, "RPC_CALL_FAIL"}, {-503, "Timeout"}, {400, "PEER_ID_INVALID"}, {401, "SESSION_REVOKED"}, {401, "AUTH_KEY_PERM_EMPTY"}}
	rpc := codes[r.IntN(len(codes))]
	faults := []dctest.Fault{
		{Kind: dctest.FaultDrop, Direction: dir, Count: 1 + r.IntN(8), Every: 1 + r.IntN(3)},
		{Kind: dctest.FaultDrop, For: ms(60_000)},
		{Kind: dctest.FaultDelay, Direction: dir, Delay: ms(8_000), For: ms(60_000)},
		{Kind: dctest.FaultStall, Direction: dir, For: ms(90_000)},
		{Kind: dctest.FaultPause, For: ms(30_000)},
		{Kind: dctest.FaultCut, Bytes: r.IntN(100), Count: 1 + r.IntN(5)},
		{Kind: dctest.FaultDuplicate, Direction: dir, Count: 1 + r.IntN(20)},
		{Kind: dctest.FaultReorder, Direction: dir, Count: 1 + r.IntN(20)},
		{Kind: dctest.FaultCloseConns},
		{Kind: dctest.FaultRefuse, For: ms(60_000)},
		{Kind: dctest.FaultTransport, Code: -429, Count: 1 + r.IntN(3)},
		{Kind: dctest.FaultTransport, Code: -404, Count: 1},
		{Kind: dctest.FaultForgetTemp},
		{Kind: dctest.FaultForgetSessions},
		{Kind: dctest.FaultNewSalts},
		{Kind: dctest.FaultSkew, Delay: dctest.Duration(time.Duration(r.IntN(240)-120) * time.Second)},
		{Kind: dctest.FaultSkew},
		{Kind: dctest.FaultRestart, KeepTempKeys: r.IntN(2) == 0},
		{Kind: dctest.FaultRPC, Method: "testdc.echo", Code: rpc.code, Text: rpc.text, Count: 1 + r.IntN(2)},
		{Kind: dctest.FaultRPC, Method: "testdc.echo", Wait: ms(40_000) + dctest.Duration(time.Second), Count: 1},
		{Kind: dctest.FaultRPC, Method: "updates.getDifference", Code: 500, Text: "RPC_CALL_FAIL", Count: 1 + r.IntN(3)},
		{Kind: dctest.FaultBindInvalid, Count: 1 + r.IntN(2)},
		{Kind: dctest.FaultBindSalt, Count: 1 + r.IntN(2)},
		{Kind: dctest.FaultBadMsg, Code: []int{16, 17, 18, 20, 32, 33, 48}[r.IntN(7)], Count: 1 + r.IntN(3)},
		{Kind: dctest.FaultDHRetry, Count: 1},
		{Kind: dctest.FaultNoReply, Method: "testdc.echo", Count: 1 + r.IntN(3)},
		{Kind: dctest.FaultSlow, Method: "testdc.echo", Delay: ms(30_000), Count: 1 + r.IntN(5)},
	}
	if !x.skewed() {
		faults = slices.DeleteFunc(faults, func(f dctest.Fault) bool { return f.Kind == dctest.FaultSkew })
	}
	n := r.IntN(len(faults) + 1)
	if n == len(faults) {
		if id == 0 {
			id = 1
		}
		if err := x.s.RestartDC(id, r.IntN(2) == 0, time.Duration(r.IntN(90))*time.Second); err != nil {
			x.t.Error(err)
		}
		return
	}
	f := faults[n]
	f.DC = id
	if f.Code == -404 {
		// Two of them within one proof would prove a key gone that is not.
		if time.Since(x.unknown.at) < 5*time.Minute {
			return
		}
		if x.unknown.id != 0 {
			if err := x.s.ClearFaults(x.unknown.id); err != nil {
				x.t.Error(err)
			}
		}
	}
	made, err := x.s.Fault(f)
	if err != nil {
		x.t.Errorf("fault %+v: %v", f, err)
	}
	if f.Code == -404 {
		x.unknown.id, x.unknown.at = made, time.Now()
	}
}

// skewed tells whether the clocks of the DCs are wrong in this run.
func (x *chaos) skewed() bool { return x.seed%2 == 1 }

// settle ends the storm and waits for what was promised: everybody online.
func (x *chaos) settle() {
	if err := x.s.ClearFaults(); err != nil {
		x.t.Error(err)
	}
	x.latency()
	// An answer that the server has lost for good never comes, and it says so
	// only when the session is begun anew.
	for _, kind := range []dctest.FaultKind{dctest.FaultSkew, dctest.FaultForgetSessions} {
		if _, err := x.s.Fault(dctest.Fault{Kind: kind}); err != nil {
			x.t.Error(err)
		}
	}
	time.Sleep(15 * time.Minute) // the longest pauses are over
	for _, a := range x.m.Accounts() {
		st := a.Status()
		if st.State != actors.Online {
			x.t.Errorf("%s is not online: %+v", a.ID(), st)
			continue
		}
		if st.Bound != st.PFS {
			x.t.Errorf("%s is online with pfs %v and bound %v", a.ID(), st.PFS, st.Bound)
		}
		n := x.echoes.Add(1)
		x.audit.Begun(n, false)
		_, err := actors.Invoke(soon(x.t), a, &echo.EchoRequest{ID: n})
		if err != nil {
			x.t.Errorf("%s is online and a call ended with %v", a.ID(), err)
		}
		x.audit.Ended(n, err)
	}
	x.push(1)
	time.Sleep(12 * time.Minute) // and the longest calls, and 10 s for the updates
	x.audit.Unended(x.s.EchoCount)
}

// judge holds the run that is over against the promises.
func (x *chaos) judge() {
	tally := x.audit.Audit(actorstest.Evidence{
		Ledger: x.s.Ledger(), Store: storeKeys(x.t, x.store), Ran: x.s.EchoCount, Before: time.Now().Add(-10 * time.Second),
	})
	x.t.Logf("calls: %+v; %+v", tally, x.s.Counts())
	for _, complaint := range x.audit.Complaints() {
		x.t.Error(complaint)
	}
}
