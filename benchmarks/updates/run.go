package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
)

// result is what came of a run.
type result struct {
	c                               config
	sent, lost, unknown             int
	again, disorder, holes, streams int
	kills, stops, restarts, cuts    int
	pushLost, pushTwice             int
	drained                         time.Duration // from the last message to the last told
	governor                        governor.Budget
}

// held reports whether every promise was kept.
func (r *result) held() bool {
	return r.lost == 0 && r.unknown == 0 && r.disorder == 0 && r.holes == 0
}

func (r *result) String() string {
	return fmt.Sprintf(`%d updates to %d accounts, in a private chat and %d channels of each
%6d lost
%6d out of order in their box
%6d holes told
%6d told again, over %d streams
went wrong: %d SIGKILL and %d stops of the manager, %d restarts of a DC, %d cuts, %d pushes lost, %d sent twice
the last was told %v after it was sent
governor, %s
`, r.sent, r.c.accounts, r.c.channels, r.lost, r.disorder, r.holes, r.again, r.streams,
		r.kills, r.stops, r.restarts, r.cuts, r.pushLost, r.pushTwice, r.drained.Round(time.Millisecond), r.governor)
}

const consumer = "benchmark"

// world is a run under way.
type world struct {
	config
	dir      string
	cluster  *serve.Cluster
	person   int64
	bots     map[string]int64
	boxes    []box
	channels map[box]int64
	tally    *tally
	result   *result

	mu      sync.Mutex
	manager *process
}

func (c config) run(ctx context.Context) (_ *result, err error) {
	dir, err := os.MkdirTemp("", "updates")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	w := &world{config: c, dir: dir, tally: newTally(), result: &result{c: c}, bots: map[string]int64{}, channels: map[box]int64{}}
	cfg := serve.Config{Core: dctest.Config{DCs: 2}, Persons: 1, Bots: c.accounts, RSAKey: actorstest.RSAKey()}
	if w.cluster, err = serve.Start(cfg); err != nil {
		return nil, err
	}
	defer w.cluster.Close()
	text, err := json.Marshal(w.cluster.Descriptor())
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(descriptorIn(dir), text, 0o600); err != nil {
		return nil, err
	}
	if w.manager, err = start(ctx, dir); err != nil {
		return nil, err
	}
	defer func() { w.manager.kill() }()
	paced, err := control.Governor.Call(ctx, w.manager.service, control.Empty{})
	if err != nil {
		return nil, err
	}
	w.result.governor = paced.Budget
	reading, stop := context.WithCancel(ctx)
	var reader sync.WaitGroup
	reader.Go(func() { w.consume(reading) })
	ended := func() { stop(); reader.Wait() }
	defer ended()
	if err := w.people(ctx); err != nil {
		return nil, err
	}
	if err := w.greet(ctx); err != nil {
		return nil, err
	}
	if err := w.storm(ctx); err != nil {
		return nil, err
	}
	if err := w.drain(ctx); err != nil {
		return nil, err
	}
	ended() // what it noted is read
	r, t := w.result, w.tally
	r.sent, r.lost, r.unknown = t.total(), t.missing(), t.unknown()
	r.again, r.disorder, r.holes = t.again, t.disorder, t.holes
	return r, nil
}

// people waits for the consumer, signs the bots in and makes their channels.
func (w *world) people(ctx context.Context) error {
	for {
		if list, err := control.Consumers.Call(ctx, w.manager.service, control.Empty{}); err != nil {
			return err
		} else if len(list.Consumers) > 0 {
			break
		}
		if err := sleep(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	d := w.cluster.Descriptor()
	w.person = d.Phones[0].UserID
	for i, b := range d.Bots {
		id := fmt.Sprint("bot", i)
		w.bots[id] = b.UserID
		if err := w.manager.signIn(ctx, id, b); err != nil {
			return fmt.Errorf("signing %s in: %w", id, err)
		}
	}
	if err := w.online(ctx); err != nil {
		return err
	}
	for i, b := range d.Bots {
		id := fmt.Sprint("bot", i)
		w.boxes = append(w.boxes, box{id, "common"})
		for n := range w.config.channels {
			at := box{id, fmt.Sprint("channel", n)}
			channel, err := w.cluster.AddChannel(api.NewChannel{Title: id + " " + at.name, Creator: w.person, Members: []int64{b.UserID}})
			if err != nil {
				return err
			}
			w.boxes, w.channels[at] = append(w.boxes, at), channel
		}
	}
	return nil
}

// online waits until every account is, and a moment more: what is new to an account
// while it asks for its first difference is told as a hole.
func (w *world) online(ctx context.Context) error {
	for {
		list, err := control.List.Call(ctx, w.manager.service, control.ListRequest{})
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(list.Accounts, func(a control.Account) bool { return a.State != actors.Online.String() }) {
			return sleep(ctx, 2*time.Second)
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

// say sends the next message of a box.
func (w *world) say(b box, how api.Delivery) error {
	text := fmt.Sprint(b.name, " ", w.tally.next(b))
	var err error
	if channel := w.channels[b]; channel != 0 {
		_, err = w.cluster.Post(channel, w.person, text, how)
	} else {
		_, err = w.cluster.Say(w.person, w.bots[b.account], text, how)
	}
	if err != nil {
		w.tally.unsend(b)
	}
	return err
}

// greet sends one message to each box before anything goes wrong, and waits until it
// was told and the places are on disk: a channel is known from its first update.
func (w *world) greet(ctx context.Context) error {
	for _, b := range w.boxes {
		if err := w.say(b, api.Delivery{}); err != nil {
			return err
		}
	}
	if !w.await(ctx, time.Minute) {
		return fmt.Errorf("%d of %d first messages were not told within a minute", w.tally.missing(), len(w.boxes))
	}
	return sleep(ctx, 5*time.Second)
}

// storm sends the rest while things go wrong.
func (w *world) storm(ctx context.Context) error {
	rng := rand.New(rand.NewPCG(w.seed, 1))
	harm := make(chan error, 1)
	stormy, calm := context.WithCancel(ctx)
	go func() { harm <- w.harm(stormy, rand.New(rand.NewPCG(w.seed, 2))) }()
	begun := time.Now()
	for i := range max(w.updates-2*len(w.boxes), 0) {
		if d := time.Until(begun.Add(time.Duration(i) * time.Second / time.Duration(w.rate))); d > 0 {
			if err := sleep(ctx, d); err != nil {
				calm()
				return errors.Join(err, <-harm)
			}
		}
		how := api.Delivery{Lost: rng.IntN(20) == 0, Twice: rng.IntN(20) == 0}
		if how.Lost {
			w.result.pushLost++
		} else if how.Twice {
			w.result.pushTwice++
		}
		if err := w.say(w.boxes[rng.IntN(len(w.boxes))], how); err != nil {
			calm()
			return errors.Join(err, <-harm)
		}
	}
	calm()
	return <-harm
}

// harms are what goes wrong, each cycle in another order.
var harms = [...]string{"kill", "kill", "stop", "restart", "cut", "cut", "cut"}

// harm does one thing after the other that goes wrong, until ctx ends.
func (w *world) harm(ctx context.Context, rng *rand.Rand) error {
	var order []int
	for sleep(ctx, w.every/2+time.Duration(rng.Int64N(int64(w.every)))) == nil {
		if len(order) == 0 {
			order = rng.Perm(len(harms))
		}
		what, dc := harms[order[0]], 1+rng.IntN(2)
		order = order[1:]
		w.tell(fmt.Sprint(what, ", DC ", dc))
		var err error
		switch what {
		case "kill":
			w.result.kills++
			err = w.again(ctx, true)
		case "stop":
			w.result.stops++
			err = w.again(ctx, false)
		case "restart":
			w.result.restarts++
			err = w.cluster.RestartDC(dc, rng.IntN(2) == 0, time.Duration(rng.IntN(1500))*time.Millisecond)
		case "cut":
			w.result.cuts++
			_, err = w.cluster.Fault(dctest.Fault{Kind: dctest.FaultCloseConns, DC: dc})
		}
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	return nil
}

func (w *world) tell(what string) {
	if w.verbose {
		fmt.Fprintln(os.Stderr, time.Now().Format("15:04:05.000"), what)
	}
}

// again ends the manager's process and starts another.
func (w *world) again(ctx context.Context, kill bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if kill {
		w.manager.kill()
	} else if err := w.manager.stop(); err != nil {
		return err
	}
	p, err := start(context.WithoutCancel(ctx), w.dir)
	if err == nil {
		w.manager = p
	}
	return err
}

// service is that of the manager that runs.
func (w *world) service() *control.Remote {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.manager.service
}

// consume reads as the durable consumer until ctx ends, in one stream after the
// other, and acknowledges what it has noted.
func (w *world) consume(ctx context.Context) {
	filter := &actors.Filter{Kinds: []actors.EventKind{actors.EventUpdate}}
	for ctx.Err() == nil {
		s := w.service()
		events, err := control.Consume.Call(ctx, s, control.ConsumeRequest{Name: consumer, Filter: filter})
		if err != nil {
			_ = sleep(ctx, 20*time.Millisecond)
			continue
		}
		w.tally.attach()
		w.result.streams++
		var upTo actors.Cursor
		acked := time.Now()
		for ev, err := range events {
			if err != nil {
				break
			}
			w.tally.note(&ev)
			if !ev.Cursor.IsZero() {
				upTo = ev.Cursor
			}
			// Some of it is not acknowledged when something goes wrong.
			if since := time.Since(acked); since > 200*time.Millisecond || since > 5*time.Millisecond && w.tally.missing() == 0 {
				_, _ = control.Ack.Call(ctx, s, control.AckRequest{Name: consumer, Cursor: upTo})
				acked = time.Now()
			}
		}
	}
}

// await waits until every message was told.
func (w *world) await(ctx context.Context, limit time.Duration) bool {
	for begun := time.Now(); time.Since(begun) < limit && ctx.Err() == nil; _ = sleep(ctx, 50*time.Millisecond) {
		if w.tally.missing() == 0 {
			return true
		}
	}
	return false
}

// drain sends a last message to each box, for the server never tells that a push was
// lost until it sends another or is asked after 15 minutes of silence, and waits for
// the rest.
func (w *world) drain(ctx context.Context) error {
	for _, b := range w.boxes {
		if err := w.say(b, api.Delivery{}); err != nil {
			return err
		}
	}
	begun := time.Now()
	w.await(ctx, w.limit)
	w.result.drained = time.Since(begun)
	return ctx.Err()
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
