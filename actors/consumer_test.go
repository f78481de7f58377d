package actors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	gort "runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
)

// systemClock is the real clock, or that of a bubble.
type systemClock struct{ runtime.Clock }

func (systemClock) Now() time.Time { return time.Now() }

// bench is a hub with accounts and consumers, without a manager.
type bench struct {
	h        *hub
	accounts map[string]*Account
	acked    map[string]account.Mark // what each account was told
	done     chan struct{}
}

func newBench(ids ...string) *bench {
	b := &bench{h: newHub(3, nil), accounts: map[string]*Account{}, acked: map[string]account.Mark{}, done: make(chan struct{})}
	m := &Manager{hub: b.h, opts: Options{MaxCallsPerAccount: 1}}
	for _, id := range ids {
		b.accounts[id] = m.newAccount(persistence.AccountID(id), persistence.Labels{})
	}
	b.h.inform = func(a *Account, m account.Message) {
		acked, is := m.(account.Acked)
		if !is {
			return
		}
		mark := acked.Mark
		if old := b.acked[a.ID()]; old.Life == mark.Life && mark.N <= old.N {
			panic(fmt.Sprintf("%s is told that %v is acknowledged after %v", a.ID(), mark, old))
		}
		b.acked[a.ID()] = mark
	}
	return b
}

func (b *bench) consumer(name string, f Filter) *Consumer {
	c := &Consumer{h: b.h, clock: systemClock{}, done: b.done, name: name, relieve: func() {}, present: func(*Filter) []Event { return nil }}
	b.h.register(c, f)
	for _, a := range b.accounts {
		b.h.redecide(a)
	}
	return c
}

// deliver publishes a delivery of n updates.
func (b *bench) deliver(id string, mark account.Mark, n int) {
	var all []*told
	for i := range n {
		all = append(all, &told{mark: mark, Event: Event{Account: id, Kind: EventUpdate, Update: tl.Raw(fmt.Sprintf("%s %d.%d", id, mark.N, i))}})
	}
	b.h.publish(b.accounts[id], all...)
}

func (b *bench) state(id string, s State) {
	b.h.publish(b.accounts[id], &told{Event: Event{Account: id, Kind: EventState, Status: &Status{State: s}}})
}

// TestConsumersAgainstATwin: whatever is delivered, read, read anew, acknowledged
// and begun anew by an engine, each consumer is handed exactly what it has not
// acknowledged, in order, and an account is told a mark when all consumers that
// hold it have acknowledged everything up to it, and not before.
func TestConsumersAgainstATwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBench("a", "b")
		consumers := []*Consumer{b.consumer("all", Filter{}), b.consumer("of a", Filter{Accounts: []string{"a"}, Kinds: []EventKind{EventUpdate}})}
		readers := make([]*consumerReader, 2)
		type sent struct {
			id     string
			mark   account.Mark
			cursor uint64
		}
		owed := make([][]sent, 2) // what each consumer has not acknowledged
		handed := make([]int, 2)  // how many of those its present reader was given
		highest := make([]uint64, 2)
		life := map[string]uint64{"a": 1, "b": 1}
		mark := map[string]uint64{}
		cursor := uint64(0)
		id, which := rapid.SampledFrom([]string{"a", "b"}), rapid.IntRange(0, 1)
		wants := func(i int, id string) bool { return i == 0 || id == "a" }
		t.Repeat(map[string]func(*rapid.T){
			"deliver": func(t *rapid.T) {
				of, n := id.Draw(t, "account"), rapid.IntRange(1, 3).Draw(t, "updates")
				mark[of]++
				m := account.Mark{Life: life[of], N: mark[of]}
				b.deliver(of, m, n)
				for range n {
					cursor++
					for i := range owed {
						if wants(i, of) {
							owed[i] = append(owed[i], sent{of, m, cursor})
						}
					}
				}
			},
			"begin anew": func(t *rapid.T) {
				of := id.Draw(t, "account")
				life[of]++
				mark[of]++
				b.deliver(of, account.Mark{Life: life[of], N: mark[of]}, 1)
				cursor++
				for i := range owed {
					kept := owed[i][:0:0]
					n := 0
					for j, s := range owed[i] {
						if s.id != of {
							kept = append(kept, s)
							if j < handed[i] {
								n++
							}
						}
					}
					owed[i], handed[i] = kept, n
					if wants(i, of) {
						owed[i] = append(owed[i], sent{of, account.Mark{Life: life[of], N: mark[of]}, cursor})
					}
				}
			},
			"state": func(t *rapid.T) {
				b.state(id.Draw(t, "account"), Online)
				cursor++
			},
			"read anew": func(t *rapid.T) {
				i := which.Draw(t, "consumer")
				readers[i], _ = consumers[i].attach()
				handed[i] = 0
			},
			"read": func(t *rapid.T) {
				i := which.Draw(t, "consumer")
				if readers[i] == nil {
					return
				}
				for _, ev := range consumers[i].next(readers[i]) {
					if ev.Kind != EventUpdate {
						continue
					}
					if want := owed[i][handed[i]]; ev.Cursor.N != want.cursor || ev.Account != want.id {
						t.Fatalf("consumer %d is handed %v of %s, want %v", i, ev.Cursor, ev.Account, want)
					}
					highest[i] = max(highest[i], ev.Cursor.N)
					handed[i]++
				}
			},
			"ack": func(t *rapid.T) {
				i := which.Draw(t, "consumer")
				upTo := rapid.Uint64Range(0, cursor+1).Draw(t, "cursor")
				err := consumers[i].Ack(Cursor{Run: 3, N: upTo})
				if upTo > highest[i] {
					var refused *CursorError
					if consumers[i].handedTo < upTo && (!errors.As(err, &refused) || refused.Restarted) {
						t.Fatalf("what was not handed out is acknowledged: %v", err)
					}
					if err != nil {
						return
					}
				}
				if err != nil {
					t.Fatal(err)
				}
				for len(owed[i]) > 0 && owed[i][0].cursor <= upTo {
					owed[i] = owed[i][1:]
					handed[i] = max(handed[i]-1, 0)
				}
			},
			"": func(t *rapid.T) {
				for _, of := range []string{"a", "b"} {
					want := mark[of]
					for i := range owed {
						for _, s := range owed[i] {
							if s.id == of {
								want = min(want, s.mark.N-1)
							}
						}
					}
					if got := b.acked[of]; got.N > want || got.Life == life[of] && got.N < want {
						t.Fatalf("%s is told of %v, all have acknowledged up to %d", of, got, want)
					}
				}
				for i, c := range consumers {
					if s := c.status(nil); s.Lag != len(owed[i]) {
						t.Fatalf("consumer %d lags by %d events, want %d", i, s.Lag, len(owed[i]))
					}
				}
			},
		})
		for i, c := range consumers {
			r, _ := c.attach()
			var got []uint64
			for batch := c.next(r); len(batch) > 0; batch = c.next(r) {
				for _, ev := range batch {
					got = append(got, ev.Cursor.N)
				}
			}
			var want []uint64
			for _, s := range owed[i] {
				want = append(want, s.cursor)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("who reads at the end is handed %v, want %v", got, want)
			}
			c.close()
		}
		if n := b.h.owed.Load(); n != 0 {
			t.Errorf("%d bytes are counted when nobody owes anything", n)
		}
	})
}

func TestAConsumerHasOneReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench("a")
		c := b.consumer("c", Filter{})
		ends := make(chan error, 2)
		read := func(ctx context.Context) {
			var last error
			for _, err := range c.Events(ctx) {
				last = err
			}
			ends <- last
		}
		go read(t.Context())
		synctest.Wait()
		b.deliver("a", account.Mark{Life: 1, N: 1}, 2)
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		go read(ctx)
		if err := <-ends; !errors.Is(err, ErrConsumerTaken) {
			t.Errorf("the first reader ends with %v", err)
		}
		synctest.Wait()
		cancel()
		if err := <-ends; err != nil {
			t.Errorf("a reader whose time is over ends with %v", err)
		}
		if s := c.status(nil); s.Attached || s.Lag != 2 {
			t.Errorf("nobody reads: %+v", s)
		}
		go read(t.Context())
		synctest.Wait()
		b.h.unregister(c)
		c.close()
		if err := <-ends; !errors.Is(err, ErrConsumerRemoved) {
			t.Errorf("the reader of a removed consumer ends with %v", err)
		}
		if got := b.acked["a"]; got.N != 1 {
			t.Errorf("what a removed consumer owed holds the account at %v", got)
		}
		if err := c.Ack(Cursor{Run: 3, N: 1}); !errors.Is(err, ErrConsumerRemoved) {
			t.Error(err)
		}
		go read(t.Context())
		if err := <-ends; !errors.Is(err, ErrConsumerRemoved) {
			t.Error(err)
		}
	})
}

// A consumer is read from the call on, not from when its reader begins to range: whoever is told that its stream is open has
// it, and what happens then is told to it.
func TestAConsumerIsReadFromTheCallOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench("a")
		c := b.consumer("c", Filter{})
		first := c.Events(t.Context())
		b.state("a", Online)
		over, end := context.WithCancel(t.Context())
		end()
		for ev, err := range c.Events(over) {
			t.Errorf("whose time is over before is told %v, %v", ev, err)
		}
		for ev, err := range first {
			if err != nil || ev.Kind != EventState || ev.Cursor.IsZero() {
				t.Errorf("what came before the first was read: %+v, %v", ev, err)
			}
			break
		}
		if c.status(nil).Attached {
			t.Error("who has gone is attached still")
		}
		first = c.Events(t.Context())
		second := c.Events(t.Context())
		for _, err := range first {
			if !errors.Is(err, ErrConsumerTaken) {
				t.Errorf("the first reader ends with %v", err)
			}
		}
		c.close()
		for _, err := range second {
			if !errors.Is(err, ErrConsumerRemoved) {
				t.Errorf("the second reader ends with %v", err)
			}
		}
		never, cancel := context.WithCancel(t.Context())
		c = b.consumer("d", Filter{})
		c.Events(never)
		cancel()
		synctest.Wait()
		if c.status(nil).Attached {
			t.Error("who never read is attached when its time is over")
		}
	})
}

// States are not durable: who reads slowly is told the last of an account, who is
// away none, and nothing grows.
func TestStatesDoNotPileUp(t *testing.T) {
	b := newBench("a", "b")
	c := b.consumer("c", Filter{})
	b.state("a", Online)
	r, err := c.attach()
	if err != nil {
		t.Fatal(err)
	}
	for range 3 * passingMost {
		b.state("a", Connecting)
		b.state("a", Online)
	}
	b.state("b", Paused)
	if got := c.next(r); len(got) != 2 || got[0].Status.State != Online || got[1].Status.State != Paused {
		t.Errorf("%d states are handed out: %+v", len(got), got)
	}
	if c.bytes != 0 || len(c.passing) != 0 || b.h.owed.Load() != 0 {
		t.Errorf("%d bytes, %v passing, %d owed are left", c.bytes, c.passing, b.h.owed.Load())
	}
	if err := c.Ack(Cursor{Run: 3, N: b.h.last}); err != nil {
		t.Errorf("acknowledging a state: %v", err)
	}
}

// What no mark is asked for is bounded, and what went is counted.
func TestWhatIsNotDurableIsBounded(t *testing.T) {
	b := newBench("a")
	c := b.consumer("c", Filter{Kinds: []EventKind{EventNotice, EventHole}})
	if b.accounts["a"].durable.Load() {
		t.Error("who wants no updates holds them")
	}
	r, _ := c.attach()
	for range passingMost + 10 {
		b.h.publish(b.accounts["a"], &told{Event: Event{Account: "a", Kind: EventNotice}})
	}
	var n, missed uint64
	for batch := c.next(r); len(batch) > 0; batch = c.next(r) {
		for _, ev := range batch {
			n++
			missed += ev.Missed
		}
	}
	if n != passingMost+1 || missed != 10 {
		t.Errorf("%d events come, %d are said to be missed", n, missed)
	}
}

func TestAnAckOfAnotherRunIsToldAsSuch(t *testing.T) {
	b := newBench("a")
	c := b.consumer("c", Filter{})
	var refused *CursorError
	if err := c.Ack(Cursor{Run: 2, N: 1}); !errors.As(err, &refused) || !refused.Restarted {
		t.Error(err)
	}
	if err := c.Ack(Cursor{}); err != nil {
		t.Errorf("acknowledging a present state: %v", err)
	}
	b.deliver("a", account.Mark{Life: 1, N: 1}, 1)
	if err := c.Ack(Cursor{Run: 3, N: 1}); !errors.As(err, &refused) || refused.Restarted {
		t.Error(err)
	}
}

// An event of a delivery cannot be acknowledged before all of it was told: an
// acknowledgement of the first would pass the second.
func TestADeliveryIsAcknowledgedAsAWhole(t *testing.T) {
	b := newBench("a")
	c := b.consumer("c", Filter{})
	r, _ := c.attach()
	b.deliver("a", account.Mark{Life: 1, N: 1}, 3)
	all := c.next(r)
	for i, ev := range all {
		if err := c.Ack(ev.Cursor); err != nil {
			t.Fatal(err)
		}
		if got := b.acked["a"].N == 1; got != (i == 2) {
			t.Errorf("after event %d of 3 the delivery is acknowledged: %v", i+1, got)
		}
	}
}

// What an account was told last is what was decided last, whoever decides at once.
func TestAnAccountHearsDecisionsInTheirOrder(t *testing.T) {
	b := newBench("a")
	a := b.accounts["a"]
	var mu sync.Mutex
	told := false
	b.h.inform = func(_ *Account, m account.Message) {
		for range rand.IntN(3) {
			gort.Gosched()
		}
		mu.Lock()
		defer mu.Unlock()
		told = m.(account.Durable).On
	}
	c := b.consumer("c", Filter{})
	for range 2000 {
		var all sync.WaitGroup
		for _, f := range []Filter{{}, {Accounts: []string{"b"}}, {}} {
			all.Go(func() {
				b.h.register(c, f)
				b.h.redecide(a)
			})
		}
		all.Wait()
		if told != a.durable.Load() {
			t.Fatalf("the account was told %v, it was decided %v", told, a.durable.Load())
		}
	}
}

// Beyond 256 MiB that all consumers owe together no account takes more, until half of
// it is acknowledged.
func TestWhatAllConsumersOweIsBounded(t *testing.T) {
	b := newBench("a", "b")
	b.consumer("c", Filter{Accounts: []string{"a"}})
	var told []string
	b.h.inform = func(a *Account, m account.Message) { told = append(told, fmt.Sprint(a.ID(), m)) }
	m := b.accounts["a"].m
	m.log = slog.New(slog.DiscardHandler)
	m.accounts = map[persistence.AccountID]*Account{"a": b.accounts["a"], "b": b.accounts["b"]}
	for _, step := range []struct {
		owed int64
		want []string
	}{
		{owedMost, nil}, {owedMost + 1, []string{"a{true}"}}, {owedMost, nil}, {owedMost / 2, nil}, {owedMost/2 - 1, []string{"a{false}"}}, {owedMost, nil},
	} {
		told = nil
		b.h.owed.Store(step.owed)
		m.weigh()
		m.weigh() // says it once
		if !slices.Equal(told, step.want) {
			t.Errorf("at %d bytes the accounts are told %v, want %v", step.owed, told, step.want)
		}
	}
}

// A reader that stands still while an account's state changes: what that costs must
// not grow with what waits, for it is the account that pays.
func BenchmarkAStateBesideWhatWaits(b *testing.B) {
	for _, waiting := range []int{0, 200_000} {
		b.Run(fmt.Sprint(waiting), func(b *testing.B) {
			w := newBench("a", "b")
			c := w.consumer("c", Filter{})
			if _, err := c.attach(); err != nil {
				b.Fatal(err)
			}
			for i := range waiting {
				w.deliver("a", account.Mark{Life: 1, N: uint64(i + 1)}, 1)
			}
			for b.Loop() {
				w.state("b", Online)
			}
		})
	}
}
