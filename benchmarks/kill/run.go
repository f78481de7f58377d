package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
)

// dcs is how many test DCs there are.
const dcs = 3

// op is something that is done with an account.
type op int

const (
	opCall op = iota
	opGuest
	opMedia
	opMediaKey // a call that opens the account's connection for media, with a key of its own
	opRotate
	opMediaRotate // of a temp key for media too
	opSignIn
	opLogOut
	opRemove
	opAdd
	ops
)

var opNames = [ops]string{"call", "guest call", "media call", "opening for media", "rotation", "rotation with media", "sign-in", "logout", "removal", "addition"}

// world is a run under way.
type world struct {
	config
	binary  string
	cluster *serve.Cluster
	people  []*person
	calls   calls
	waits   waits
	updates updates
	result  *result

	doing   [ops]atomic.Int64  // under way at this moment
	started [ops]chan struct{} // capacity 1: one was begun
	did     [ops]atomic.Int64  // begun in all

	settling  atomic.Bool // nothing new: everybody signs in and stays
	mu        sync.Mutex  // guards the following fields
	manager   *process
	found     []finding
	timelines map[string]string
}

// begin notes that something begins; the function that it returns, that it has ended.
func (w *world) begin(what op) (end func()) {
	w.doing[what].Add(1)
	w.did[what].Add(1)
	select {
	case w.started[what] <- struct{}{}:
	default:
	}
	return func() { w.doing[what].Add(-1) }
}

// current is the manager of the moment, which may have ended.
func (w *world) current() *process {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.manager
}

// service is that of a manager that answers; it waits for one.
func (w *world) service(ctx context.Context) (*control.Remote, error) {
	for {
		m := w.current()
		select {
		case <-m.ready:
			if !m.isGone() {
				return m.service, nil
			}
		case <-m.gone:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if err := sleep(ctx, 5*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// next starts the next manager.
func (w *world) next() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 1
	if w.manager != nil {
		n = w.manager.n + 1
	}
	m, err := start(w.binary, w.dir, n)
	if err == nil {
		w.manager = m
	}
	return err
}

func (c config) run(ctx context.Context) (_ *result, err error) {
	if c.kills < 1 || c.accounts < 6 || c.accounts > 200 {
		return nil, errors.New("--kills is 1 or more, --accounts 6 to 200")
	}
	w := &world{config: c, binary: c.manager, timelines: map[string]string{}, result: &result{Kills: 0, Accounts: c.accounts, Seed: c.seed, Hit: map[string]int{}, Did: map[string]int64{}}}
	for i := range w.started {
		w.started[i] = make(chan struct{}, 1)
	}
	if w.dir == "" {
		if w.dir, err = os.MkdirTemp("", "kill-"); err != nil {
			return nil, err
		}
		defer func() {
			if err == nil && w.result.held() || !c.keep {
				_ = os.RemoveAll(w.dir)
			}
		}()
	}
	if w.binary == "" {
		if w.binary, err = build(ctx, w.dir); err != nil {
			return nil, err
		}
	}
	begun := time.Now()
	if err := w.open(); err != nil {
		return nil, err
	}
	defer w.cluster.Close()
	if err := w.next(); err != nil {
		return nil, err
	}
	defer func() {
		m := w.current()
		_ = m.cmd.Process.Kill()
		m.close()
	}()
	if err := w.play(ctx); err != nil {
		return nil, fmt.Errorf("%w (%s)", err, w.dir)
	}
	w.result.Seconds = time.Since(begun).Round(100 * time.Millisecond).Seconds()
	w.result.Go, w.result.System = runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH
	w.report()
	return w.result, nil
}

// open starts the test DCs and makes the people up.
func (w *world) open() (err error) {
	none := api.RateLimit{Calls: -1}
	cfg := serve.Config{
		Core: dctest.Config{DCs: dcs}, Media: true, Persons: w.accounts / 2, Bots: w.accounts - w.accounts/2, RSAKey: actorstest.RSAKey(),
		API: api.Config{
			Seed: w.seed, LoginsPerDay: -1, ResendTimeout: -1,
			Passkeys: actorstest.AnyPasskey{}, PNV: true,
			Limits: api.Limits{SendCodeNumber: none, SendCodeAddress: none, ImportBot: none, ExportAuthorization: none, ExportLoginToken: none, AcceptLoginToken: none, CheckPassword: none, Mail: none},
		},
	}
	if w.cluster, err = serve.Start(cfg); err != nil {
		return err
	}
	d := w.cluster.Descriptor()
	if err := configure(w.dir, d, w.accounts); err != nil {
		return err
	}
	if err := w.invite(d); err != nil {
		return err
	}
	return w.waits.serve(w.cluster)
}

// play goes through a run: everybody signs in, the storm, and the calm after it.
func (w *world) play(ctx context.Context) error {
	living, end := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer end()
	all.Go(func() { w.consume(living) })
	if err := w.settleIn(ctx); err != nil {
		return err
	}
	busy, rest := context.WithCancel(ctx)
	defer rest()
	var callers sync.WaitGroup
	for i, p := range w.people {
		if p.resident {
			callers.Go(func() { w.reside(busy, p, rng(w.seed, 100+i)) })
			callers.Go(func() { w.reside(busy, p, rng(w.seed, 400+i)) })
		} else {
			all.Go(func() { w.move(living, p, rng(w.seed, 700+i)) })
		}
	}
	callers.Go(func() { w.push(busy, rng(w.seed, 2)) })
	err := w.storm(ctx)
	rest()
	callers.Wait()
	if err != nil {
		return err
	}
	w.settling.Store(true)
	if err := w.calm(ctx); err != nil {
		return err
	}
	end()
	all.Wait()
	return w.judgeAll(ctx)
}

func rng(seed uint64, n int) *rand.Rand { return rand.New(rand.NewPCG(seed, uint64(n))) }
