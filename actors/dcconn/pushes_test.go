package dcconn

import (
	"testing"

	"github.com/mtfleet/mtfleet/actors/runtime"
)

// Updates that nobody takes are dropped beyond a number of bytes, and a gap is
// told in their place.
func TestUpdatesThatNobodyTakesAreBoundedByBytes(t *testing.T) {
	var got []Event
	n := &conn{backoff: runtime.Backoff{}, cfg: Config{Notify: func(e Event) { got = append(got, e) }}}
	const size = 128 << 10
	for range 4000 {
		n.onPush(make([]byte, size))
	}
	held, gaps := 0, 0
	for _, ev := range got {
		switch ev.Kind {
		case EventUpdates:
			held += len(ev.Updates)
			if gaps > 0 {
				t.Fatal("an update goes on after one that was dropped, and nobody took any")
			}
		case EventGap:
			gaps++
		}
	}
	if held > pushesMost || held < pushesMost-size || gaps != 1 {
		t.Errorf("%d bytes are on their way, and %d gaps were told", held, gaps)
	}

	first := got[0]
	got = nil
	first.Pushes.Taken(len(first.Updates))
	n.onPush(make([]byte, size))
	if len(got) != 2 || got[0].Kind != EventUpdates || got[1].Kind != EventGap {
		t.Errorf("with room again, after others were dropped: %v", got)
	}
	n.onPush(make([]byte, size))
	if len(got) != 3 || got[2].Kind != EventGap {
		t.Errorf("and when it is full again: %v", got[2:])
	}

	n, got = &conn{cfg: n.cfg}, nil
	n.onPush(make([]byte, 2*pushesMost))
	if len(got) != 1 || got[0].Kind != EventUpdates {
		t.Errorf("a single one goes on, however large: %v", got)
	}
}
