//go:build unix

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
)

// person has an account.
type person struct {
	name  string
	user  int64
	token string

	mu    sync.Mutex // guards the following fields
	on    *life      // that answered last
	at    time.Time  // when it did
	words string     // of the last call that failed
	sent  []int32    // updates that were pushed
	told  map[int32]bool
}

// call is one call that must not run twice.
type call struct {
	person int32
	end    end
	words  string // where it is neither ok nor what a kill leaves
}

// patience is how long a caller waits before looking for the account elsewhere.
const patience = 1500 * time.Millisecond

// retry is how soon a caller asks again when nobody had the account.
const retry = 50 * time.Millisecond

func (w *world) beginCall(i int) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, call{person: int32(i)})
	return int64(len(w.calls))
}

func (w *world) endCall(id int64, as word) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls[id-1].end, w.calls[id-1].words = as.End, as.Words
}

// drive calls an account until ctx ends, wherever it is. A call that was not sent is
// made again under its id, so that one that was in truth runs twice.
func (w *world) drive(ctx context.Context, i int, r *rand.Rand) {
	p, at, nobody := w.people[i], r.IntN(len(w.nodes)), 0
	var id int64
	for ctx.Err() == nil {
		if id == 0 {
			id = w.beginCall(i)
		}
		l := w.nodes[at].life()
		got := l.ask(ctx, order{Do: "call", ID: p.name, Echo: id}, patience)
		if got.End != endNone {
			w.endCall(id, got)
		}
		switch got.End {
		case endOK:
			w.answered(p, l)
			id, nobody = 0, 0
			_ = sleep(ctx, time.Duration(200+r.IntN(400))*time.Millisecond)
			continue
		case endNone:
		case endNotSent:
			p.fail(got)
		default:
			p.fail(got)
			id = 0
		}
		at = (at + 1) % len(w.nodes)
		if nobody++; nobody%len(w.nodes) == 0 {
			_ = sleep(ctx, retry)
		}
	}
}

// answered notes who answered, and how long nobody had when it is another than before.
func (w *world) answered(p *person, l *life) {
	now := time.Now()
	p.mu.Lock()
	before, at := p.on, p.at
	p.on, p.at = l, now
	p.mu.Unlock()
	if before == nil || before == l {
		return
	}
	why, gap := cause(before.cause.Load()), now.Sub(at)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mixed {
		why = causeMixed
	}
	w.gaps[why] = append(w.gaps[why], gap)
	if gap > w.lease/2 {
		w.say("%s went from %s (%s) to %s in %v", p.name, before.node.conf.Name, causeNames[why], l.node.conf.Name, gap.Round(time.Millisecond))
	}
	if gap > longGap(why, w.lease) {
		w.result.tell("%s %s went from %s (%s) to %s in %v", now.UTC().Format("15:04:05.000"), p.name, before.node.conf.Name, causeNames[why], l.node.conf.Name, gap.Round(time.Millisecond))
	}
}

func (p *person) fail(got word) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.words = fmt.Sprintf("%s: %s", got.End, got.Words)
}

func (p *person) lastWords() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.words
}

func (p *person) answeredSince(t time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at.After(t)
}

// calm waits until every account has answered since now.
func (w *world) calm(ctx context.Context, most time.Duration) bool {
	begun := time.Now()
	for _, p := range w.people {
		for !p.answeredSince(begun) {
			if time.Since(begun) > most || sleep(ctx, 20*time.Millisecond) != nil {
				return false
			}
		}
	}
	return true
}

// signInAll signs everybody in on the first node.
func (w *world) signInAll(ctx context.Context) error {
	if err := w.nodes[0].start(); err != nil {
		return err
	}
	l := w.nodes[0].life()
	l.joined(ctx)
	next := make(chan *person)
	errs := make(chan error, 8)
	var all sync.WaitGroup
	for range cap(errs) {
		all.Go(func() {
			for p := range next {
				o, begun := order{Do: "sign in", ID: p.name, Token: p.token}, time.Now()
				got := l.ask(ctx, o, callTime)
				for got.End != endOK && time.Since(begun) < time.Minute && sleep(ctx, retry) == nil {
					got = l.ask(ctx, o, callTime) // on a slow machine the node may have been without a lease
				}
				if got.End != endOK {
					select {
					case errs <- fmt.Errorf("signing %s in: %s %s", p.name, got.End, got.Words):
					default:
					}
				}
			}
		})
	}
	for _, p := range w.people {
		next <- p
	}
	close(next)
	all.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return ctx.Err()
	}
}

// told notes an update that a durable consumer was told.
func (w *world) told(account string, pts int32) {
	if p := w.byName[account]; p != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.told[pts] = true
	}
}

func (w *world) pushTo(p *person) {
	if pts, err := w.cluster.PushUpdate(p.user); err == nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.sent = append(p.sent, pts)
	}
}

// push pushes updates until ctx ends: to each account about every ten seconds.
func (w *world) push(ctx context.Context, r *rand.Rand) {
	every := 10 * time.Second / time.Duration(w.accounts)
	for sleep(ctx, time.Duration(r.Int64N(int64(2*every)))) == nil {
		w.pushTo(w.people[r.IntN(len(w.people))])
	}
}

// missing counts what was pushed and not told.
func (w *world) missing() (n int) {
	for _, p := range w.people {
		p.mu.Lock()
		for _, pts := range p.sent {
			if !p.told[pts] {
				n++
			}
		}
		p.mu.Unlock()
	}
	return n
}

// pushAll pushes one to each account, for a server does not tell that one was lost until
// it sends another, and waits until all were told, a minute at most.
func (w *world) pushAll(ctx context.Context) (missing int) {
	for _, p := range w.people {
		w.pushTo(p)
	}
	for begun := time.Now(); ; {
		missing = w.missing()
		if missing == 0 || time.Since(begun) > time.Minute || sleep(ctx, 50*time.Millisecond) != nil {
			return missing
		}
	}
}

// greet has everybody told a first update: updates have a beginning then.
func (w *world) greet(ctx context.Context) error {
	if err := sleep(ctx, time.Second); err != nil {
		return err
	}
	if n := w.pushAll(ctx); n > 0 {
		return fmt.Errorf("%d first updates were not told", n)
	}
	return nil
}

// delivered is what was told, as the ledger judges it.
func (w *world) delivered() (list []dctest.Delivered) {
	for _, p := range w.people {
		d := dctest.Delivered{UserID: p.user}
		p.mu.Lock()
		for pts := range p.told {
			d.Pts = append(d.Pts, pts)
		}
		p.mu.Unlock()
		list = append(list, d)
	}
	return list
}
