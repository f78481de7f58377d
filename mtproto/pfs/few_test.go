package pfs

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

// crowd is a machine and the temp keys that its server has bound.
type crowd struct {
	*play
	t     *rapid.T
	alive []crypt.KeyID // bound at the server
	made  int
	open  []Output    // asked for, and not answered
	old   crypt.KeyID // owes Retired, 0 for none
}

func (w *crowd) drain() {
	for out, ok := w.m.Next(); ok; out, ok = w.m.Next() {
		switch out.Kind {
		case OutSave:
			w.commit(out.Changes)
		case OutPermit, OutMake, OutHold, OutBind, OutDrop:
			if out.Kind == OutDrop { // the one before is taken back
				w.open = slices.DeleteFunc(w.open, func(o Output) bool { return o.Kind == OutDrop })
			}
			w.open = append(w.open, out)
		case OutUse:
			if out.Listen > 0 && w.m.retired != nil {
				w.old = w.m.retired.ID()
			}
		case OutStop:
			if out.Drain && w.m.retired != nil {
				w.old = w.m.retired.ID()
			}
		case OutEnd:
			w.m.Retired(w.now, out.ID)
		}
	}
}

// answer does the first thing that is owed; lost says that it goes wrong.
func (w *crowd) answer(arrives, lost bool) {
	if len(w.open) == 0 {
		return
	}
	out := w.open[0]
	w.open = w.open[1:]
	switch out.Kind {
	case OutPermit:
		w.m.Permitted(w.now, out.Key)
	case OutMake:
		w.made++
		w.m.Made(w.now, Temp, NewKey{Key: w.key(fmt.Sprint("t", w.made)), ExpiresAt: w.now.Add(24 * time.Hour)})
	case OutHold:
		w.m.Held(w.now)
	case OutBind:
		id := out.Temp.ID()
		if arrives || !lost {
			if !slices.Contains(w.alive, id) {
				w.alive = append(w.alive, id)
			}
			if serving, ok := w.m.Serving(); ok && len(w.alive) > 2 {
				w.t.Fatalf("%d keys live beside %v, which serves", len(w.alive)-1, serving)
			}
		}
		if lost {
			w.m.BindFailed(w.now, id, tgerr.New(-503, "Timeout"))
		} else {
			w.m.Bound(w.now, id)
		}
	case OutDrop:
		if arrives || !lost {
			w.alive = slices.DeleteFunc(w.alive, func(id crypt.KeyID) bool { return !slices.Contains(out.Except, id) })
		}
		if lost {
			w.m.NotDropped(w.now)
		} else {
			w.m.Dropped(w.now)
		}
	}
}

// TestFewTempKeysLive: whatever answers are lost, whatever keys are refused for a
// moment, and wherever the process is killed, no key is bound while the one that
// serves is not alone; and when all is well again, one lives.
func TestFewTempKeysLive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &play{now: epoch, cfg: Config{PFS: true}, keys: make(map[string]*crypt.AuthKey)}
		p.disk.Perm = &PermKey{Key: p.key("perm"), Created: epoch.Add(-48 * time.Hour), LastBound: epoch}
		w := &crowd{play: p, t: t}
		start := func() {
			w.m, w.open, w.old = New(w.cfg, w.disk), nil, 0
			w.m.Start(w.now)
		}
		stops := func() {
			id := w.old
			w.old = 0
			w.m.Retired(w.now, id)
		}
		start()
		for range rapid.IntRange(1, 80).Draw(t, "length") {
			w.drain()
			switch rapid.IntRange(0, 19).Draw(t, "what") {
			case 0:
				start()
			case 1, 2:
				id, _ := w.m.Serving()
				w.m.Unknown(w.now, id)
			case 3:
				id, _ := w.m.Serving()
				w.m.Unbound(w.now, id)
			case 4:
				w.m.Rotate(w.now)
			case 5, 6:
				w.answer(rapid.Bool().Draw(t, "arrives"), true)
			case 7, 8:
				stops()
			case 9, 10, 11:
				if d := w.m.Deadline(); d.Sub(w.now) < time.Hour {
					w.now = d
				}
				w.m.Advance(w.now)
			default:
				w.answer(true, false)
			}
		}
		for range 40 {
			w.drain()
			if w.answer(true, false); len(w.open) == 0 {
				stops()
				if d := w.m.Deadline(); d.Sub(w.now) < time.Hour {
					w.now = d
				}
				w.m.Advance(w.now)
			}
		}
		if id, ok := w.m.Serving(); !ok || len(w.alive) != 1 || w.alive[0] != id {
			t.Fatalf("%v serves, and %v live: stage %v", id, w.alive, w.m.Stage())
		}
	})
}
