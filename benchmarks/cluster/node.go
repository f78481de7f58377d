//go:build unix

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// drainTime is how long a node may take to hand over what it has.
	drainTime = 30 * time.Second
	// startTime is how long one may take to join, its own lease from before included.
	startTime = 60 * time.Second
)

// cause is why an account left a node.
type cause int32

const (
	causeMoved   cause = iota // for no fault of anybody's
	causeDrain                // its node was drained
	causeKill                 // its node was killed
	causeTrouble              // its node was frozen, or cut off
	causeMixed                // more than one thing went on
	causes
)

var causeNames = [causes]string{"moved", "drained", "killed", "frozen or cut off", "two faults at once"}

// node is one of the cluster, with its ways to the database and the DCs.
type node struct {
	w       *world
	conf    nodeConfig
	db, dcs *gate

	mu  sync.Mutex
	now *life // guarded by mu
}

// life is one process of a node.
type life struct {
	node   *node
	cmd    *exec.Cmd
	in     io.Closer
	orders chan order
	ready  chan struct{} // closed when it has joined
	gone   chan struct{} // closed when it has ended and was heard out
	frozen atomic.Bool
	ending atomic.Bool // by us
	cause  atomic.Int32

	mu      sync.Mutex // guards the following fields
	n       int
	waiting map[int]chan word
	deaf    bool // nobody answers any more
}

func (n *node) life() *life {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.now
}

// start starts the node's next process.
func (n *node) start() error {
	text, err := json.Marshal(n.conf)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(n.w.dir, n.conf.Name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	l := &life{node: n, orders: make(chan order, 4096), ready: make(chan struct{}), gone: make(chan struct{}), waiting: map[int]chan word{}}
	l.cmd = exec.Command(n.w.self)
	l.cmd.Env = append(os.Environ(), nodeEnv+"="+string(text))
	l.cmd.Stderr = log
	in, err := l.cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := l.cmd.Start(); err != nil {
		return err
	}
	l.in = in
	go l.tell(in)
	go l.hear(out)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.now = l
	return nil
}

func (l *life) tell(in io.Writer) {
	w := json.NewEncoder(in)
	for {
		select {
		case o := <-l.orders:
			_ = w.Encode(o)
		case <-l.gone:
			return
		}
	}
}

func (l *life) hear(out io.Reader) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var w word
		switch {
		case json.Unmarshal(lines.Bytes(), &w) != nil:
		case w.Ready:
			close(l.ready)
		case w.Pts != 0:
			l.node.w.told(w.ID, w.Pts)
		default:
			l.answer(w)
		}
	}
	err := l.cmd.Wait()
	if !l.ending.Load() {
		l.node.w.find(foundDied, "", "node %s ended by itself: %v", l.node.conf.Name, err)
	}
	l.mu.Lock()
	l.deaf = true
	for _, c := range l.waiting {
		c <- word{End: endGone}
	}
	l.mu.Unlock()
	close(l.gone)
}

func (l *life) answer(w word) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.waiting[w.N]; c != nil {
		delete(l.waiting, w.N)
		c <- w
	}
}

// ask gives an order and waits for its end, patience at most. Who is not there, or is
// frozen, is not asked.
func (l *life) ask(ctx context.Context, o order, patience time.Duration) word {
	if !closed(l.ready) || l.frozen.Load() {
		return word{End: endNone}
	}
	l.mu.Lock()
	if l.deaf {
		l.mu.Unlock()
		return word{End: endNone}
	}
	l.n++
	o.N = l.n
	c := make(chan word, 1)
	l.waiting[o.N] = c
	l.mu.Unlock()
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case l.orders <- o:
	default:
		l.mu.Lock()
		delete(l.waiting, o.N)
		l.mu.Unlock()
		return word{End: endNone} // it reads nothing
	}
	select {
	case w := <-c:
		return w
	case <-t.C:
	case <-ctx.Done():
	}
	return word{End: endLate} // what comes yet goes into c, which nobody reads
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (l *life) kill() {
	l.ending.Store(true)
	_ = l.cmd.Process.Kill()
	<-l.gone
}

// stop ends the node in order.
func (l *life) stop() {
	l.ending.Store(true)
	_ = l.in.Close()
	select {
	case <-l.gone:
	case <-time.After(drainTime):
		l.node.w.find(foundDied, "", "node %s does not end within %v", l.node.conf.Name, drainTime)
		l.kill()
	}
}

// joined waits until the node has joined.
func (l *life) joined(ctx context.Context) {
	select {
	case <-l.ready:
	case <-l.gone:
	case <-ctx.Done():
	case <-time.After(startTime):
		l.node.w.find(foundDied, "", "node %s does not join within %v", l.node.conf.Name, startTime)
	}
}
