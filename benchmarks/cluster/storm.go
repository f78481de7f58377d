//go:build unix

package main

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"time"
)

// act is something that goes wrong, or an operator's deed.
type act int

const (
	actKill   act = iota // SIGKILL of a node, which is started again soon
	actFreeze            // SIGSTOP for longer than a lease
	actBlink             // a node is cut off from the database for less than its lease
	actCut               // for longer
	actDark              // a node is cut off from the DCs
	actCrash             // SIGKILL of the database, which is started again
	actDeploy            // each node drains, ends and is started again, one after the other
	acts
)

var actNames = [acts]string{"kill", "freeze", "blink", "cut", "dark", "crash", "deploy"}

func actOf(name string) act { return act(slices.Index(actNames[:], name)) }

// peace is how long everybody is given to answer after something went wrong.
const peace = 30 * time.Second

// storm does one thing after the other, each as often as the others, and one time in
// four two at once.
func (w *world) storm(ctx context.Context, r *rand.Rand) error {
	end := time.Now().Add(w.last)
	var bag []act
	draw := func() (a act) {
		if len(bag) == 0 {
			for _, i := range r.Perm(int(acts)) {
				bag = append(bag, act(i))
			}
		}
		a, bag = bag[0], bag[1:]
		if w.only != "" {
			return actOf(w.only)
		}
		return a
	}
	for time.Now().Before(end) && ctx.Err() == nil {
		todo := []act{draw()}
		// A deploy goes from node to node, and would wait for the other one.
		if other := r.IntN(4) == 0; other && w.only == "" && todo[0] != actDeploy && len(bag) > 0 && bag[0] != actDeploy {
			todo = append(todo, draw())
		}
		w.setMixed(len(todo) > 1)
		var all sync.WaitGroup
		victims := r.Perm(len(w.nodes))
		for i, a := range todo {
			w.result.Did[actNames[a]]++
			own := rng(r.Uint64(), i)
			all.Go(func() { w.do(ctx, a, w.nodes[victims[i]], own) })
		}
		all.Wait()
		if !w.calm(ctx, peace) {
			w.say("not everybody answers within %v", peace)
			w.result.Uneasy++
		}
		for _, n := range w.nodes {
			n.life().cause.Store(int32(causeMoved))
		}
		_ = sleep(ctx, time.Duration(r.IntN(2000))*time.Millisecond)
	}
	return ctx.Err()
}

func (w *world) setMixed(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mixed = on
}

// do does one thing, and returns when it is over.
func (w *world) do(ctx context.Context, a act, n *node, r *rand.Rand) {
	between := func(from, to time.Duration) time.Duration { return from + time.Duration(r.Int64N(int64(to-from))) }
	wait := func(from, to time.Duration) { _ = sleep(ctx, between(from, to)) }
	cut := []way{refused, black}[r.IntN(2)]
	w.say("%s of %s", actNames[a], n.conf.Name)
	l := n.life()
	switch a {
	case actKill:
		l.cause.Store(int32(causeKill))
		l.kill()
		wait(min(time.Second, w.lease/4), w.lease)
		w.startAgain(ctx, n)
	case actFreeze:
		l.cause.Store(int32(causeTrouble))
		l.freeze()
		wait(w.lease+w.lease/4, 2*w.lease)
		l.thaw()
	case actBlink, actCut:
		l.cause.Store(int32(causeTrouble))
		n.db.set(cut)
		if a == actBlink {
			wait(w.lease/10, w.lease/2)
		} else {
			wait(w.lease+w.lease/4, 2*w.lease)
		}
		n.db.set(whole)
	case actDark:
		l.cause.Store(int32(causeTrouble))
		n.dcs.set(cut)
		wait(w.lease/2, 2*w.lease)
		n.dcs.set(whole)
	case actCrash:
		for _, n := range w.nodes {
			n.life().cause.Store(int32(causeTrouble))
		}
		w.server.Kill()
		wait(w.lease/10, w.lease/2)
		if err := try(w.server.Start); err != nil {
			w.find(foundDied, "", "the database does not start again: %v", err)
		}
	case actDeploy:
		w.deploy(ctx)
	}
}

// deploy drains one node after the other, and starts it anew. No key is made by it.
func (w *world) deploy(ctx context.Context) {
	before := w.cluster.Counts().TempKeys
	for _, n := range w.nodes {
		l := n.life()
		l.cause.Store(int32(causeDrain))
		if got := l.ask(ctx, order{Do: "drain"}, drainTime+5*time.Second); got.End != endOK {
			w.find(foundDrain, "", "the drain of %s: %s %s", n.conf.Name, got.End, got.Words)
		}
		l.stop()
		w.startAgain(ctx, n)
		w.calm(ctx, peace)
	}
	made := w.cluster.Counts().TempKeys - before
	w.result.DrainKeys += made
}

func (w *world) startAgain(ctx context.Context, n *node) {
	if err := n.start(); err != nil {
		w.find(foundDied, "", "node %s is not started again: %v", n.conf.Name, err)
		return
	}
	n.life().joined(ctx)
}

func (l *life) freeze() {
	l.frozen.Store(true)
	_ = syscall.Kill(l.cmd.Process.Pid, syscall.SIGSTOP)
}

func (l *life) thaw() {
	_ = syscall.Kill(l.cmd.Process.Pid, syscall.SIGCONT)
	l.frozen.Store(false)
}
