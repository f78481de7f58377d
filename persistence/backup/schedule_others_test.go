package backup

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// nodes are several schedules of one store.
type nodes struct {
	t    *testing.T
	last atomic.Pointer[time.Time]
	from time.Time

	mu   sync.Mutex
	made []string // who made a backup, and when
}

// node is one of them: so many come before it.
type node struct {
	before  atomic.Int32
	fails   atomic.Bool
	unasked atomic.Bool // the store does not say
	end     func()
}

func (k *nodes) start(name string, before int32) *node {
	n := &node{}
	n.before.Store(before)
	s := Schedule{
		Dir: k.t.TempDir(), Every: time.Hour, Keep: 2, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Make: func(_ context.Context, path string) (bool, error) {
			if n.fails.Load() {
				return false, errors.New("as planned")
			}
			now := time.Now()
			k.last.Store(&now)
			k.mu.Lock()
			defer k.mu.Unlock()
			k.made = append(k.made, name+"@"+now.Sub(k.from).Round(time.Minute).String())
			return true, os.WriteFile(path, nil, 0o600)
		},
		Others: func(context.Context) (last time.Time, before int, err error) {
			if n.unasked.Load() {
				return last, 0, errors.New("the store is away")
			}
			if at := k.last.Load(); at != nil {
				last = *at
			}
			return last, int(n.before.Load()), nil
		},
	}
	ctx, cancel := context.WithCancel(k.t.Context())
	done := make(chan struct{})
	go func() { s.Run(ctx); close(done) }()
	n.end = func() { cancel(); <-done }
	return n
}

// after lets time pass, and wants that these were made meanwhile.
func (k *nodes) after(d time.Duration, want string) {
	k.t.Helper()
	time.Sleep(d)
	synctest.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	if got := strings.Join(k.made, " "); got != want {
		k.t.Errorf("after %v these were made: %q, want %q", time.Since(k.from), got, want)
	}
	k.made = nil
}

func TestOfSeveralOneMakesTheBackups(t *testing.T) {
	play := func(t *testing.T, f func(k *nodes, a, b *node)) {
		synctest.Test(t, func(t *testing.T) {
			k := &nodes{t: t, from: time.Now()}
			a, b := k.start("a", 0), k.start("b", 1)
			k.after(30*time.Minute, "a@0s")
			f(k, a, b)
			a.end()
			b.end()
		})
	}
	t.Run("the first does, as long as it is there", func(t *testing.T) {
		play(t, func(k *nodes, _, _ *node) { k.after(4*time.Hour, "a@1h0m0s a@2h0m0s a@3h0m0s a@4h0m0s") })
	})
	t.Run("when it is gone the next does, when one is due", func(t *testing.T) {
		play(t, func(k *nodes, a, b *node) {
			a.end()
			k.after(10*time.Minute, "")
			b.before.Store(0)
			k.after(2*time.Hour, "b@1h0m0s b@2h0m0s")
		})
	})
	t.Run("one that cannot keeps nobody else from it", func(t *testing.T) {
		play(t, func(k *nodes, a, b *node) {
			a.fails.Store(true)
			k.after(2*time.Hour+10*time.Minute, "b@1h20m0s b@2h40m0s")
			a.fails.Store(false)
			k.after(time.Hour+30*time.Minute, "a@3h40m0s")
		})
	})
	t.Run("nobody does while the store does not say", func(t *testing.T) {
		play(t, func(k *nodes, a, b *node) {
			a.unasked.Store(true)
			b.unasked.Store(true)
			k.after(3*time.Hour, "")
			a.unasked.Store(false)
			k.after(2*time.Minute, "a@3h31m0s")
		})
	})
	t.Run("a clock that is ahead puts it off by one turn at most", func(t *testing.T) {
		play(t, func(k *nodes, a, b *node) {
			ahead := time.Now().Add(1000 * time.Hour)
			k.last.Store(&ahead)
			k.after(time.Hour, "a@1h0m0s")
		})
	})
}
