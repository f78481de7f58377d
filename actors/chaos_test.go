package actors_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
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
	users map[string]int64 // account -> user id

	unknown struct { // the last -404
		id uint64
		at time.Time
	}

	mu sync.RWMutex // guards m; held for writing while the manager is away
	m  *actors.Manager

	echoes  atomic.Int64
	pending sync.WaitGroup // callers
	done    chan struct{}  // closed when callers should end

	got sync.Mutex // guards the following fields
	// ends of calls by echo id, and what the stream brought by account.
	ends      map[int64]end
	delivered map[string]map[int32]bool
	// pts seen by the present process; an update comes once in it.
	thisLife map[string]map[int32]bool
}

// end is how one call ended.
type end struct {
	once bool
	err  error
	n    int
}

const chaosDCs = 3

func newChaos(t *testing.T, seed uint64) *chaos {
	return &chaos{
		t: t, seed: seed, rand: rand.New(rand.NewPCG(seed, 0)), users: map[string]int64{}, done: make(chan struct{}),
		s: cluster(t, serve.Config{
			Core: dctest.Config{DCs: chaosDCs, BindStrict: seed/2%2 == 0}, Persons: 5, Bots: 5,
		}),
		store: persistence.NewMemory(),
		ends:  map[int64]end{}, delivered: map[string]map[int32]bool{}, thisLife: map[string]map[int32]bool{},
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
	x.latency()
	x.openManager()
	x.signIn()
	for _, a := range x.m.Accounts() {
		wait(x.t, a, actors.Online)
		x.pending.Add(1)
		go x.caller(a.ID(), rand.New(rand.NewPCG(x.seed, uint64(x.users[a.ID()]))))
	}
	x.storm(25*time.Minute + time.Duration(x.rand.IntN(20))*time.Minute)
	close(x.done)
	x.settle()
	x.closeManager()
	x.pending.Wait()
	x.audit()
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
		x.users[id] = p.UserID
	}
	for i, b := range d.Bots {
		id := fmt.Sprintf("robot-%d", i)
		signInBot(x.t, x.m, id, b, actors.AccountOptions{NoPFS: i%3 == 2})
		x.users[id] = b.UserID
	}
}

func (x *chaos) openManager() {
	m, err := actors.Open(x.options())
	if err != nil {
		x.t.Fatal(err)
	}
	events := m.Events(context.Background(), actors.Replay)
	x.got.Lock()
	x.thisLife = map[string]map[int32]bool{}
	x.got.Unlock()
	x.pending.Add(1)
	go func() {
		defer x.pending.Done()
		for ev := range events {
			x.hear(ev)
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

func (x *chaos) hear(ev actors.Event) {
	x.got.Lock()
	defer x.got.Unlock()
	switch ev.Kind {
	case actors.EventMissed:
		x.t.Errorf("%s: %d events were missed", ev.Account, ev.Missed)
	case actors.EventState:
		switch ev.Status.State {
		case actors.Revoked, actors.Duplicated, actors.Quarantined, actors.SignedOut:
			x.t.Errorf("%s became %+v", ev.Account, *ev.Status)
		}
	case actors.EventUpdate:
		if ev.Pts == 0 {
			return
		}
		mark := func(all map[string]map[int32]bool) (again bool) {
			if all[ev.Account] == nil {
				all[ev.Account] = map[int32]bool{}
			}
			again = all[ev.Account][ev.Pts]
			all[ev.Account][ev.Pts] = true
			return again
		}
		if mark(x.thisLife) {
			x.t.Errorf("%s: the update with pts %d came twice in one process", ev.Account, ev.Pts)
		}
		mark(x.delivered)
	}
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
	x.begun(n, once)
	got, err := actors.Invoke(ctx, a, q, opts...)
	if err == nil && (got.ID != n || len(got.Payload) != len(q.Payload)) {
		x.t.Errorf("call %d was answered with %d and %d bytes", n, got.ID, len(got.Payload))
	}
	x.got.Lock()
	defer x.got.Unlock()
	x.ends[n] = end{once: once, err: err, n: x.ends[n].n + 1}
}

func (x *chaos) begun(n int64, once bool) {
	x.got.Lock()
	defer x.got.Unlock()
	x.ends[n] = end{once: once}
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
	for _, user := range x.users {
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
	ms := func(most int) dctest.Duration { return dctest.Duration(time.Duration(r.IntN(most)) * time.Millisecond) }
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
		x.begun(n, false)
		_, err := actors.Invoke(soon(x.t), a, &echo.EchoRequest{ID: n})
		if err != nil {
			x.t.Errorf("%s is online and a call ended with %v", a.ID(), err)
		}
		x.got.Lock()
		x.ends[n] = end{err: err, n: 1}
		x.got.Unlock()
	}
	x.push(1)
	time.Sleep(12 * time.Minute) // and the longest calls, and 10 s for the updates
	x.got.Lock()
	defer x.got.Unlock()
	for n, e := range x.ends {
		if e.n == 0 {
			x.t.Errorf("call %d (once %v) has not ended; it ran %d times", n, e.once, x.s.EchoCount(n))
		}
	}
}

func (x *chaos) audit() {
	delivered := x.auditUpdates()
	x.auditCalls()
	l := x.s.Ledger()
	v := l.Verdict(storeKeys(x.t, x.store), delivered, time.Now().Add(-10*time.Second))
	for _, o := range v.Overlaps {
		if !x.skewed() { // a clock set back makes later msg_ids smaller
			x.t.Errorf("overlap of %.6f s: %+v", float64(o.OlderMax-o.NewerMin)/(1<<32), o)
		}
	}
	if len(v.Orphans) > 0 || len(v.LostUpdates) > 0 {
		x.t.Errorf("orphans %+v\nlost updates %+v", v.Orphans, v.LostUpdates)
	}
	if c := x.s.Counts(); c.Logins-x.imports(l) != len(x.users) {
		x.t.Errorf("%d logins and %d imports for %d accounts", c.Logins, x.imports(l), len(x.users))
	}
}

func (x *chaos) imports(l dctest.Ledger) (n int) {
	for _, login := range l.Logins {
		if login.Method == "auth.importAuthorization" {
			n++
		}
	}
	return n
}

func (x *chaos) auditUpdates() (out []dctest.Delivered) {
	x.got.Lock()
	defer x.got.Unlock()
	for id, user := range x.users {
		d := dctest.Delivered{UserID: user}
		for pts := range x.delivered[id] {
			d.Pts = append(d.Pts, pts)
		}
		out = append(out, d)
	}
	return out
}

// auditCalls holds the end of every call against what the server did.
func (x *chaos) auditCalls() {
	x.got.Lock()
	defer x.got.Unlock()
	sorts := map[string]int{}
	for n, e := range x.ends {
		sorts[x.sort(e)]++
		ran := x.s.EchoCount(n)
		_, refused := tgerr.As(e.err)
		notSent, mayHaveRun := errors.Is(e.err, actors.ErrNotSent), errors.Is(e.err, actors.ErrMayHaveRun)
		switch {
		case e.n != 1:
			x.t.Errorf("call %d ended %d times", n, e.n)
		case e.once && ran > 1:
			x.t.Errorf("call %d must not run twice and ran %d times: %v", n, ran, e.err)
		case e.err == nil && ran == 0:
			x.t.Errorf("call %d has a result and never ran", n)
		case e.err != nil && !refused && notSent == mayHaveRun:
			x.t.Errorf("call %d ended with %q: not sent %v, may have run %v", n, e.err, notSent, mayHaveRun)
		case e.once && notSent && ran > 0:
			x.t.Errorf("call %d was not sent, it says, and ran %d times: %v", n, ran, e.err)
		}
	}
	x.t.Logf("calls: %v; %+v", sorts, x.s.Counts())
	if sorts["ok"] < len(x.ends)/2 {
		x.t.Errorf("of %d calls only %d have a result", len(x.ends), sorts["ok"])
	}
}

// sort names the end of a call for the log.
func (x *chaos) sort(e end) string {
	switch {
	case e.err == nil:
		return "ok"
	case errors.Is(e.err, actors.ErrNotSent):
		return "not sent"
	case errors.Is(e.err, actors.ErrMayHaveRun):
		return "may have run"
	}
	return "refused"
}
