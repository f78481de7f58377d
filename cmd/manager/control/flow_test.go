package control

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
)

// next reads one event of a stream that is wanted.
func next(t *testing.T, events <-chan Event, what string, ok func(Event) bool) Event {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case ev, open := <-events:
			if !open {
				t.Fatalf("the stream ended before %s", what)
			}
			if ok(ev) {
				return ev
			}
		case <-late:
			t.Fatalf("in vain: %s", what)
		}
	}
}

// told puts a stream into a channel.
func told(t *testing.T, ctx context.Context, f *Fleet, r EventsRequest) <-chan Event {
	t.Helper()
	got, err := Events.Call(ctx, f, r)
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan Event)
	go func() {
		defer close(events)
		for ev, err := range got {
			if err != nil {
				if ctx.Err() == nil {
					t.Error(err)
				}
				return
			}
			select {
			case events <- ev:
			case <-ctx.Done():
				return
			}
		}
	}()
	return events
}

func of(id string) func(Event) bool { return func(ev Event) bool { return ev.Account == id } }

func TestAStreamHasTheEventsOfEveryNodeAndFollowsAnAccount(t *testing.T) {
	k := openSeveral(t, "a", "b")
	ctx, stop := context.WithCancel(as(t, "ops", "operate"))
	defer stop()
	events := told(t, ctx, k.nodes["a"].Fleet, EventsRequest{Now: true})
	k.add("a", "alice")
	k.add("b", "bob")
	seen := map[string]uint64{}
	for len(seen) < 2 {
		ev := next(t, events, "what happens to both", func(ev Event) bool { return ev.Account != "" })
		seen[ev.Account] = ev.Cursor.Run
	}
	if seen["alice"] != k.nodes["a"].self.Epoch || seen["bob"] != k.nodes["b"].self.Epoch {
		t.Errorf("the events are of the runs %v", seen)
	}
	// One that moves is told of by its new node, and so is what a node does that came later.
	k.join("c")
	k.add("c", "carol")
	if ev := next(t, events, "an account of a node that came later", of("carol")); ev.Cursor.Run != k.nodes["c"].self.Epoch {
		t.Errorf("it comes from %v", ev.Cursor)
	}
	if err := k.nodes["b"].local.Manager.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	if ev := next(t, events, "bob on its new node", of("bob")); ev.Cursor.Run == k.nodes["b"].self.Epoch {
		ev = next(t, events, "bob on its new node", func(ev Event) bool { return ev.Account == "bob" && ev.Cursor.Run != k.nodes["b"].self.Epoch })
		t.Log(ev.Cursor)
	}
	stop()
	for range events { // until it has ended
	}
}

func TestWhatIsKeptComesFromEveryNodeAndEnds(t *testing.T) {
	k := openSeveral(t, "a", "b")
	k.add("a", "alice")
	k.add("b", "bob")
	var first actors.Cursor
	got := map[string]int{}
	for ev := range told(t, as(t, "ops", "operate"), k.nodes["b"].Fleet, EventsRequest{Kept: true}) {
		if got[ev.Account]++; ev.Account == "alice" && first.IsZero() {
			first = ev.Cursor
		}
	}
	if got["alice"] == 0 || got["bob"] == 0 {
		t.Errorf("kept is %v", got)
	}
	// A cursor of one node counts there, and the other has all again.
	after := map[string]int{}
	for ev := range told(t, as(t, "ops", "operate"), k.nodes["b"].Fleet, EventsRequest{Kept: true, After: Cursors{first}}) {
		if after[ev.Account]++; ev.Kind == actors.EventRestarted {
			t.Error("a cursor of a node that runs was taken for one of an earlier run")
		}
	}
	if after["alice"] != got["alice"]-1 || after["bob"] != got["bob"] {
		t.Errorf("after the first of alice: %v, and before %v", after, got)
	}
	// With the last cursor of each nothing comes again; a run that is over is told once, by its cursor.
	last := map[uint64]actors.Cursor{999: {Run: 999, N: 1}}
	for ev := range told(t, as(t, "ops", "operate"), k.nodes["b"].Fleet, EventsRequest{Kept: true}) {
		last[ev.Cursor.Run] = ev.Cursor
	}
	all := Cursors(slices.Collect(maps.Values(last)))
	again := slices.Collect(func(yield func(Event) bool) {
		for ev := range told(t, as(t, "ops", "operate"), k.nodes["b"].Fleet, EventsRequest{Kept: true, After: all}) {
			yield(ev)
		}
	})
	if len(all) != 3 || len(again) != 1 || again[0].Kind != actors.EventRestarted || again[0].Cursor != last[999] {
		t.Errorf("after %v comes %+v", all, again)
	}
}

func TestCursorsAreWrittenWithCommas(t *testing.T) {
	for text, want := range map[string]string{"": "", "0": "", "5-5": "5-5", "5-5,8-3": "5-5,8-3", "5-5, 8-3,": "5-5,8-3"} {
		var c Cursors
		if err := c.UnmarshalText([]byte(text)); err != nil || c.String() != want {
			t.Errorf("%q is read as %q, %v", text, c, err)
		}
	}
	for text, want := range map[string]string{"5-5 8-3": "is no cursor", "5-5,x": "is no cursor", "5-5,5-6": "two cursors of the run 5: give the last of each"} {
		if err := new(Cursors).UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("of %q it is said %v", text, err)
		}
	}
}

func TestAConsumerIsOneOfAllNodes(t *testing.T) {
	k := openSeveral(t, "a", "b")
	ctx, stop := context.WithCancel(as(t, "ops", "operate"))
	defer stop()
	k.add("b", "bob")
	got, err := Consume.Call(ctx, k.nodes["a"], ConsumeRequest{Name: "bridge"})
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan Event)
	go func() {
		defer close(events)
		for ev, err := range got {
			if err != nil {
				return
			}
			select {
			case events <- ev:
			case <-ctx.Done():
				return
			}
		}
	}()
	k.add("b", "carol")
	ev := next(t, events, "an event to acknowledge", func(ev Event) bool { return ev.Account == "carol" && !ev.Cursor.IsZero() })
	if _, err := Ack.Call(as(t, "ops", "operate"), k.nodes["a"], AckRequest{"bridge", ev.Cursor}); err != nil {
		t.Errorf("an acknowledgement through another node: %v", err)
	}
	for _, n := range k.nodes {
		list, err := Consumers.Call(as(t, "reader", "read"), n, Empty{})
		if err != nil || len(list.Consumers) != 1 || list.Consumers[0].Accounts != 2 || !list.Consumers[0].Attached {
			t.Errorf("the consumers: %+v, %v", list, err)
		}
	}
	stop()
	for range events {
	}
	if _, err := RemoveConsumer.Call(as(t, "uid 1000", "admin"), k.nodes["b"], ConsumerRequest{"bridge"}); err != nil {
		t.Error(err)
	}
	for name, n := range k.nodes {
		if all := n.local.Manager.Consumers(); len(all) != 0 {
			t.Errorf("%s has %+v still", name, all)
		}
	}
	if _, err := RemoveConsumer.Call(as(t, "uid 1000", "admin"), k.nodes["b"], ConsumerRequest{"bridge"}); KindOf(err) != KindNoConsumer {
		t.Errorf("once more: %v", err)
	}
}
