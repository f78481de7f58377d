package actors

import (
	"context"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/tl"
)

// say publishes n events of an account, numbered on.
func say(h *hub, id string, from, n int) {
	for i := range n {
		h.publish(nil, &told{Event: Event{Account: id, Seq: uint64(from + i), Kind: EventUpdate}})
	}
}

// listen reads what a stream has until it has been quiet for a moment.
func listen(t *testing.T, h *hub, id string, opts ...StreamOption) func() []Event {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	events := h.subscribe(ctx, id, nil, opts)
	return func() (got []Event) {
		timer := time.AfterFunc(50*time.Millisecond, cancel)
		defer timer.Stop()
		for ev := range events {
			got = append(got, ev)
			timer.Reset(50 * time.Millisecond)
		}
		return got
	}
}

// gapless checks that every event of the accounts comes once and in order, or is
// counted as missed.
func gapless(t *testing.T, got []Event, last map[string]uint64) {
	t.Helper()
	var sum, want uint64
	next := map[string]uint64{}
	for i, ev := range got {
		switch {
		case ev.Kind == EventMissed:
			sum += ev.Missed
		case ev.Seq <= next[ev.Account]:
			t.Fatalf("%s: event %d after %d", ev.Account, ev.Seq, next[ev.Account])
		default:
			sum++
			next[ev.Account] = ev.Seq
		}
		if i > 0 && ev.Cursor.N <= got[i-1].Cursor.N {
			t.Fatalf("cursor %v after %v", ev.Cursor, got[i-1].Cursor)
		}
	}
	for id, n := range last {
		if want += n; next[id] != n {
			t.Errorf("%s: the stream ends at event %d, want %d", id, next[id], n)
		}
	}
	if sum != want {
		t.Errorf("%d events came or were counted, want %d", sum, want)
	}
}

func TestASlowReaderIsToldHowMuchItMissed(t *testing.T) {
	h := newHub(7, nil)
	all, one := listen(t, h, ""), listen(t, h, "b")
	say(h, "a", 1, 10)
	say(h, "b", 1, backlogMost+100)
	say(h, "a", 11, 5)
	gapless(t, all(), map[string]uint64{"a": 15, "b": backlogMost + 100})
	gapless(t, one(), map[string]uint64{"b": backlogMost + 100})
}

// Large updates fill a stream, and a replay, long before their number does.
func TestAStreamIsBoundedByBytesAndSaysWhatIsMissing(t *testing.T) {
	const n, size = 4000, 128 << 10
	h := newHub(7, nil)
	slow := listen(t, h, "a")
	update := make(tl.Raw, size)
	for i := range n {
		h.publish(nil, &told{Event: Event{Account: "a", Seq: uint64(i + 1), Kind: EventUpdate, Update: update}})
	}
	for name, read := range map[string]func() []Event{"a slow reader": slow, "a replay": listen(t, h, "a", Replay)} {
		got := read()
		gapless(t, got, map[string]uint64{"a": n})
		bytes := 0
		for _, ev := range got {
			bytes += len(ev.Update)
		}
		if got[0].Kind != EventMissed || bytes > backlogBytesMost || bytes < backlogBytesMost-2*size {
			t.Errorf("%s has %d bytes, after an event of kind %v", name, bytes, got[0].Kind)
		}
	}
}

func TestAReplayCountsWhatIsOlderThanTheBacklog(t *testing.T) {
	h := newHub(7, nil)
	say(h, "quiet", 1, 7)
	say(h, "a", 1, backlogMost+10)
	all, quiet := listen(t, h, "", Replay), listen(t, h, "quiet", Replay)
	say(h, "quiet", 8, 1)
	gapless(t, all(), map[string]uint64{"quiet": 8, "a": backlogMost + 10})
	gapless(t, quiet(), map[string]uint64{"quiet": 8})
	if got := listen(t, h, "")(); len(got) > 0 {
		t.Errorf("a stream without a replay began with %d events", len(got))
	}
}

func TestStreamsEndAndLeaveNothing(t *testing.T) {
	h, done := newHub(7, nil), make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	h.subscribe(ctx, "", done, nil) // never read
	h.subscribe(ctx, "a", done, nil)
	for range h.subscribe(context.Background(), "", closed(), nil) {
		t.Error("an event of nobody")
	}
	read := make(chan int)
	events := h.subscribe(context.Background(), "", done, nil)
	go func() {
		n := 0
		for range events {
			n++
		}
		read <- n
	}()
	say(h, "a", 1, 3)
	close(done)
	if n := <-read; n != 3 {
		t.Errorf("the stream that ended with its manager brought %d events, want 3", n)
	}
	for range h.subscribe(context.Background(), "", nil, []StreamOption{Replay}) {
		break
	}
	cancel()
	for range 100 {
		h.mu.Lock()
		n := len(h.streams) + len(h.of)
		h.mu.Unlock()
		if n == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("streams that ended are still fed")
}

func closed() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// named is a query of which only the name is known.
type named struct{ name string }

func (named) TypeID() uint32         { return 0 }
func (n named) TypeName() string     { return n.name }
func (named) Append(b []byte) []byte { return b }
func (named) Parse(*tl.Reader)       {}

// telling is a query that judges itself.
type telling struct {
	named
	repeatable bool
}

func (q telling) Repeatable() bool { return q.repeatable }

func TestThePolicyOfAQuery(t *testing.T) {
	for _, c := range []struct {
		name  string
		query tl.Object
		want  account.Policy
	}{
		{"a method that only reads", named{"help.getConfig"}, account.Repeatable},
		{"another that only reads", named{"users.getUsers"}, account.Repeatable},
		{"a setting, though it is of help", named{"help.acceptTermsOfService"}, account.Once},
		{"a message", named{"messages.sendMessage"}, account.Once},
		{"the end of a login", named{"auth.logOut"}, account.Once},
		{"a button that is pressed, though the name says get", named{"messages.getBotCallbackAnswer"}, account.Once},
		{"a method nobody knows, though the name says get", named{"getSomething"}, account.Once},
		{"the test DC's call says that it may be repeated", &echo.EchoRequest{}, account.Repeatable},
		{"a query that says it may not", telling{named{"users.getUsers"}, false}, account.Once},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := policyFor(c.query.TypeName(), c.query, ByMethod); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
			if got := policyFor(c.query.TypeName(), c.query, Once); got != account.Once {
				t.Errorf("%v though asked for once", got)
			}
			if got := policyFor(c.query.TypeName(), c.query, Repeatable); got != account.Repeatable {
				t.Errorf("%v though asked to repeat", got)
			}
		})
	}
}
