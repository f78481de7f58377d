package api

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
	"pgregory.net/rapid"
)

func difference(pts int32) *tg.UpdatesGetDifferenceRequest {
	return &tg.UpdatesGetDifferenceRequest{Pts: pts, Date: int32(noon.Unix())}
}

func TestAPushReachesEveryHomeKeyAndTheLog(t *testing.T) {
	w := newWorld(t, Config{CodeChain: []CodeType{CodeSMS}})
	u := w.person(1)
	w.login(u, 1)
	w.login(u, 2)
	w.guest(u, 1, 2, 20)
	w.login(w.bot(1), 3)
	w.pushes()

	before := must(w, 1, 1, &tg.UpdatesGetStateRequest{})
	if before.Pts != 1 || before.Date == 0 || before.Seq == 0 {
		t.Errorf("the state before any update is %+v", before)
	}
	pts, err := w.b.PushDelete(w.now, u.ID, 7, 8, 9)
	if err != nil || pts != 4 {
		t.Fatalf("PushDelete = %d, %v", pts, err)
	}
	p := w.pushes()
	if len(p) != 2 || p[0].Perm != 1 || p[1].Perm != 2 || p[0].DC != 1 {
		t.Fatalf("pushed to %+v, want the two home keys", p)
	}
	if got := deletedIn(t, pushedUpdate(t, p[0].Body)); !slices.Equal(got, []int32{7, 8, 9}) {
		t.Errorf("pushed ids %v", got)
	}
	if pts, count, ok := tg.UpdatePts(pushedUpdate(t, p[0].Body)); !ok || pts != 4 || count != 3 {
		t.Errorf("the pushed update has pts %d, count %d, %v", pts, count, ok)
	}
	if pts, err = w.b.PushUpdate(w.now, u.ID); err != nil || pts != 5 {
		t.Errorf("PushUpdate = %d, %v", pts, err)
	}
	d := must(w, 1, 1, difference(before.Pts)).(*tg.UpdatesDifference)
	if len(d.OtherUpdates) != 2 || d.State.Pts != 5 {
		t.Errorf("difference is %+v", d)
	}
	rec := w.b.Updates(u.ID)
	if len(rec) != 2 || rec[0].Pts != 4 || rec[0].PtsCount != 3 || rec[1].Pts != 5 || rec[1].PtsCount != 1 {
		t.Errorf("Updates = %+v", rec)
	}
	if ids := w.b.DeletedIDs(u.ID); !slices.Equal(ids, []int32{7, 8, 9, 1}) {
		t.Errorf("DeletedIDs = %v", ids)
	}
}

// pushedUpdate cuts the update out of updates#74ae4240.
func pushedUpdate(t testing.TB, body []byte) tl.Raw {
	t.Helper()
	r := tl.NewReader(body)
	if id := r.ID(); id != updatesID {
		t.Fatalf("push is %08x", id)
	}
	if id, n := r.ID(), r.Int32(); id != tl.VectorID || n != 1 {
		t.Fatalf("push holds %d updates", n)
	}
	rest := body[r.Offset():]
	n, err := tl.Skip(tg.Schema, rest)
	if err != nil {
		t.Fatal(err)
	}
	return tl.Raw(rest[:n])
}

// deletedIn reads the ids of an updateDeleteMessages.
func deletedIn(t testing.TB, raw tl.Raw) []int32 {
	t.Helper()
	var u tg.UpdateDeleteMessages
	if err := tl.Unmarshal(raw, &u); err != nil {
		t.Fatal(err)
	}
	if int(u.PtsCount) != len(u.Messages) {
		t.Fatalf("pts_count %d for %d ids", u.PtsCount, len(u.Messages))
	}
	return u.Messages
}

func TestDifferenceRefusesImpossibleStates(t *testing.T) {
	w := newWorld(t, Config{})
	w.login(w.person(1), 1)
	refused(w, "pts 0", 1, 1, difference(0), 400, "PERSISTENT_TIMESTAMP_EMPTY")
	refused(w, "pts of the future", 1, 1, difference(2), 400, "PERSISTENT_TIMESTAMP_INVALID")
	refused(w, "negative pts", 1, 1, difference(-1), 400, "PERSISTENT_TIMESTAMP_INVALID")
	refused(w, "no date", 1, 1, &tg.UpdatesGetDifferenceRequest{Pts: 1}, 400, "DATE_EMPTY")
	if _, ok := must(w, 1, 1, difference(1)).(*tg.UpdatesDifferenceEmpty); !ok {
		t.Error("nothing new should be empty")
	}
}

func TestDifferenceIsTooLongForWhatTheLogLost(t *testing.T) {
	w := newWorld(t, Config{LogMax: 2})
	u := w.person(1)
	w.login(u, 1)
	for range 3 {
		if _, err := w.b.PushUpdate(w.now, u.ID); err != nil {
			t.Fatal(err)
		}
	}
	if d, ok := must(w, 1, 1, difference(1)).(*tg.UpdatesDifferenceTooLong); !ok || d.Pts != 4 {
		t.Errorf("got %+v", d)
	}
	if d, ok := must(w, 1, 1, difference(2)).(*tg.UpdatesDifference); !ok || len(d.OtherUpdates) != 2 {
		t.Errorf("got %+v", d)
	}
	limited := difference(2)
	limited.PtsTotalLimit = tl.Some(int32(1))
	if d, ok := must(w, 1, 1, limited).(*tg.UpdatesDifferenceTooLong); !ok || d.Pts != 4 {
		t.Errorf("with pts_total_limit 1 got %+v", d)
	}
}

func TestASliceIsFilledToItsLimit(t *testing.T) {
	w := newWorld(t, Config{DifferenceSlice: 2})
	u := w.person(1)
	w.login(u, 1)
	for range 3 {
		_, _ = w.b.PushUpdate(w.now, u.ID)
	}
	if d, ok := must(w, 1, 1, difference(1)).(*tg.UpdatesDifferenceSlice); !ok || len(d.OtherUpdates) != 2 || d.IntermediateState.Pts != 3 {
		t.Errorf("got %+v", d)
	}
	if d, ok := must(w, 1, 1, difference(2)).(*tg.UpdatesDifference); !ok || len(d.OtherUpdates) != 2 {
		t.Errorf("got %+v", d)
	}
}

func TestPushesThatCannotBe(t *testing.T) {
	w := newWorld(t, Config{})
	if _, err := w.b.PushUpdate(w.now, 1); !errors.Is(err, ErrUserUnknown) {
		t.Errorf("unknown user: %v", err)
	}
	id := w.person(1).ID
	if _, err := w.b.PushDelete(w.now, id); !errors.Is(err, ErrTooManyIDs) {
		t.Errorf("no ids: %v", err)
	}
	if _, err := w.b.PushDelete(w.now, id, make([]int32, 101)...); !errors.Is(err, ErrTooManyIDs) {
		t.Errorf("101 ids: %v", err)
	}
	w.b.dir.byID[id].log.pts = 1<<31 - 1
	if _, err := w.b.PushUpdate(w.now, id); !errors.Is(err, ErrLogFull) {
		t.Errorf("pts at the end: %v", err)
	}
}

func TestALostPushIsInTheDifference(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	w.login(u, 1)
	if _, err := w.b.AppendDelete(w.now, u.ID, 3); err != nil {
		t.Fatal(err)
	}
	if p := w.pushes(); len(p) != 0 {
		t.Errorf("pushed %+v", p)
	}
	if d := must(w, 1, 1, difference(1)).(*tg.UpdatesDifference); len(d.OtherUpdates) != 1 {
		t.Errorf("got %+v", d)
	}
}

// Whatever was logged, following the slices from any pts gives exactly the ids behind it, in order.
func TestSlicesAddUpToTheLog(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, Config{DifferenceSlice: rapid.IntRange(1, 30).Draw(rt, "slice")})
		u := w.person(1)
		w.login(u, 1)
		var logged []int32
		for range rapid.IntRange(0, 40).Draw(rt, "updates") {
			ids := make([]int32, rapid.IntRange(1, 12).Draw(rt, "ids"))
			for i := range ids {
				ids[i] = int32(len(logged) + i)
			}
			if _, err := w.b.PushDelete(w.now, u.ID, ids...); err != nil {
				rt.Fatal(err)
			}
			logged = append(logged, ids...)
			w.now = w.now.Add(time.Second)
		}
		pts := int32(rapid.IntRange(1, len(logged)+1).Draw(rt, "from"))
		want := logged[pts-1:]
		q := difference(pts)
		if rapid.Bool().Draw(rt, "own limit") {
			q.PtsLimit = tl.Some(int32(rapid.IntRange(1, 50).Draw(rt, "pts_limit")))
		}
		var got []int32
		for steps := 0; ; steps++ {
			if steps > len(logged)+1 {
				rt.Fatal("the slices do not end")
			}
			take := func(raws []tl.Raw, state tg.UpdatesState) {
				at := q.Pts
				for _, raw := range raws {
					ids := deletedIn(t, raw)
					after, count, _ := tg.UpdatePts(raw)
					if after != at+count {
						rt.Fatalf("an update from %d to %d follows pts %d", after-count, after, at)
					}
					at, got = after, append(got, ids...)
				}
				if state.Pts != at {
					rt.Fatalf("state says %d after updates up to %d", state.Pts, at)
				}
				q.Pts = at
			}
			switch d := must(w, 1, 1, q).(type) {
			case *tg.UpdatesDifferenceSlice:
				take(d.OtherUpdates, d.IntermediateState)
				continue
			case *tg.UpdatesDifference:
				take(d.OtherUpdates, d.State)
			case *tg.UpdatesDifferenceEmpty:
			default:
				rt.Fatalf("answered %T", d)
			}
			break
		}
		if !slices.Equal(got, want) {
			rt.Fatalf("got ids %v, logged %v", got, want)
		}
	})
}
