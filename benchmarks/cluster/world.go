//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence/pgstore/pgtest"
)

// dcs is how many test DCs there are.
const dcs = 2

// world is a run under way.
type world struct {
	config
	host    host
	server  *pgtest.Server
	cluster *serve.Cluster
	nodes   []*node
	people  []*person
	byName  map[string]*person
	result  *result
	signed  dctest.Counts // when everybody was signed in
	played  bool          // there are logs of nodes

	mu    sync.Mutex // guards the following fields
	found []finding
	calls []call // of echo id i+1
	gaps  [causes][]time.Duration
	mixed bool
}

// host is for pgtest what a test is otherwise: what fails there is an error here.
type host struct{ ends []func() }

type hostError struct{ text string }

func (e *hostError) Error() string { return e.text }

func (h *host) Helper()                        {}
func (h *host) Cleanup(f func())               { h.ends = append(h.ends, f) }
func (h *host) Fatal(a ...any)                 { panic(&hostError{fmt.Sprint(a...)}) }
func (h *host) Skip(a ...any)                  { h.Fatal(a...) }
func (h *host) Fatalf(format string, a ...any) { panic(&hostError{fmt.Sprintf(format, a...)}) }

func (h *host) close() {
	for i := len(h.ends) - 1; i >= 0; i-- {
		h.ends[i]()
	}
}

// try does f, which asks pgtest for something.
func try(f func()) (err error) {
	defer func() {
		if p := recover(); p != nil {
			failed, ok := p.(*hostError)
			if !ok {
				panic(p)
			}
			err = failed
		}
	}()
	f()
	return nil
}

func rng(seed uint64, n int) *rand.Rand { return rand.New(rand.NewPCG(seed, uint64(n))) }

func (c config) run(ctx context.Context) (_ *result, err error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	w := &world{config: c, byName: map[string]*person{}, result: newResult(c)}
	if w.dir == "" {
		if w.dir, err = os.MkdirTemp("", "cl-"); err != nil { // a short name: sockets are in it
			return nil, err
		}
		defer func() {
			if !w.played || err == nil && w.result.held() {
				_ = os.RemoveAll(w.dir)
			}
		}()
	}
	defer w.close()
	if err := w.open(); err != nil {
		return nil, err
	}
	w.played = true
	if err := w.play(ctx); err != nil {
		return nil, fmt.Errorf("%w (the logs of the nodes are in %s)", err, w.dir)
	}
	return w.result, nil
}

// open starts the database, the test DCs, and the ways to both.
func (w *world) open() error {
	if err := try(func() { w.server = pgtest.Start(&w.host) }); err != nil {
		return err
	}
	var err error
	none := api.RateLimit{Calls: -1}
	w.cluster, err = serve.Start(serve.Config{
		Core: dctest.Config{DCs: dcs, EchoRecords: 8 << 20}, Bots: w.accounts,
		API: api.Config{Seed: w.seed, LoginsPerDay: -1, Limits: api.Limits{ImportBot: none, ExportAuthorization: none}},
	})
	if err != nil {
		return err
	}
	d := w.cluster.Descriptor()
	for i, b := range d.Bots {
		p := &person{name: fmt.Sprintf("robot-%04d", i), user: b.UserID, token: b.Token, told: map[int32]bool{}}
		w.people = append(w.people, p)
		w.byName[p.name] = p
	}
	d.Bots, d.Phones = nil, nil
	for i := range w.config.nodes {
		n := &node{w: w, db: newGate(), dcs: newGate()}
		w.nodes = append(w.nodes, n)
		dir := filepath.Join(w.dir, "db-"+strconv.Itoa(i))
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		if _, err := n.db.listen("unix", filepath.Join(dir, ".s.PGSQL.5432"), w.server.Socket()); err != nil {
			return err
		}
		doors := map[string]string{}
		for _, dc := range d.DCs {
			addr := net.JoinHostPort(dc.IP, strconv.Itoa(dc.Port))
			if doors[addr], err = n.dcs.listen("tcp", "127.0.0.1:0", addr); err != nil {
				return err
			}
		}
		n.conf = nodeConfig{
			Name: "node-" + string(rune('a'+i)), DSN: "host=" + dir + " user=fleet dbname=postgres",
			Doors: doors, DCs: d, Lease: w.lease, Plant: w.plant,
		}
	}
	return nil
}

func (w *world) close() {
	for _, n := range w.nodes {
		if l := n.life(); l != nil && !closed(l.gone) {
			if l.frozen.Load() {
				l.thaw()
			}
			l.kill()
		}
		n.db.close()
		n.dcs.close()
	}
	if w.cluster != nil {
		_ = w.cluster.Close()
	}
	w.host.close()
}

// play goes through a run: everybody signs in on the first node, the others come, then
// things go wrong, and in the end nothing does.
func (w *world) play(ctx context.Context) error {
	begun := time.Now()
	if err := w.signInAll(ctx); err != nil {
		return err
	}
	for _, n := range w.nodes[1:] {
		if err := n.start(); err != nil {
			return err
		}
	}
	for _, n := range w.nodes {
		n.life().joined(ctx)
	}
	if err := w.greet(ctx); err != nil {
		return err
	}
	w.signed = w.cluster.Counts()
	w.say("%d accounts are signed in after %v", w.accounts, time.Since(begun).Round(time.Second))

	busy, rest := context.WithCancel(ctx)
	defer rest()
	var all sync.WaitGroup
	defer all.Wait()
	defer rest()
	for i := range w.people {
		all.Go(func() { w.drive(busy, i, rng(w.seed, 1000+i)) })
	}
	all.Go(func() { w.push(busy, rng(w.seed, 1)) })
	if !w.calm(ctx, time.Minute) {
		return errors.New("not every account answers before anything goes wrong")
	}
	storm := time.Now()
	if err := w.storm(ctx, rng(w.seed, 2)); err != nil {
		return err
	}
	w.result.Seconds = time.Since(storm).Round(100 * time.Millisecond).Seconds()
	if err := w.settle(ctx); err != nil {
		return err
	}
	rest()
	all.Wait()
	return w.judgeAll(ctx)
}

// settle waits until every account answers and every update was told; the judge says
// what is missing otherwise.
func (w *world) settle(ctx context.Context) error {
	for _, n := range w.nodes {
		n.life().joined(ctx)
	}
	if !w.calm(ctx, time.Minute) {
		for _, p := range w.people {
			if !p.answeredSince(time.Now().Add(-20 * time.Second)) {
				w.find(foundLost, p.name, "it does not answer within a minute of peace: %s", p.lastWords())
			}
		}
	}
	w.pushAll(ctx)
	return ctx.Err()
}

func (w *world) say(format string, a ...any) {
	if w.verbose {
		fmt.Fprintf(os.Stderr, "%s "+format+"\n", append([]any{time.Now().UTC().Format("15:04:05.000")}, a...)...)
	}
}
