package control

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/persistence"
)

// manage opens a manager without connections behind a socket.
func manage(t *testing.T, store persistence.Store) (*actors.Manager, *Remote) {
	t.Helper()
	m, err := actors.Open(actors.Options{
		Store: store, App: actors.App{APIID: 1, APIHash: "h", DeviceModel: "test", SystemVersion: "1", AppVersion: "1"},
		DCs: dc.Table{Options: []dc.Option{{DC: 2, Addr: netip.MustParseAddrPort("127.0.0.1:1")}}, Keys: dc.Production().Keys},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := serve(t, &Local{Manager: m})
	t.Cleanup(func() { // before the server is shut down
		ctx, cancel := actors.CloseGrace()
		defer cancel()
		if err := m.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return m, r
}

// read takes the first n events of a stream.
func read(t *testing.T, r *Remote, q EventsRequest, n int) (got []Event) {
	t.Helper()
	events, err := Events.Call(t.Context(), r, q)
	if err != nil {
		t.Fatal(err)
	}
	for ev, err := range events {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, ev); len(got) == n {
			break
		}
	}
	return got
}

// Labels are changes that need no server: each is an event.
func relabel(t *testing.T, r *Remote, id string, n int) {
	t.Helper()
	for i := range n {
		if _, err := Label.Call(t.Context(), r, LabelRequest{ID: id, Put: map[string]string{"n": fmt.Sprint(i)}}); err != nil {
			t.Fatal(err)
		}
	}
}

func label(ev Event) string {
	if ev.Status == nil {
		return ev.Kind.String()
	}
	value, _ := ev.Status.Labels.Get("n")
	return value
}

func TestALateReaderOfTheJournalMissesNothing(t *testing.T) {
	m, r := manage(t, persistence.NewMemory())
	for _, id := range []string{"a", "b"} {
		if _, err := Add.Call(t.Context(), r, AddRequest{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	relabel(t, r, "a", 3)
	relabel(t, r, "b", 3)

	all := read(t, r, EventsRequest{}, 8) // each account begins with its state
	for i, ev := range all {
		if ev.Cursor.N != uint64(i+1) || ev.Cursor.Run == 0 {
			t.Errorf("event %d has cursor %v", i, ev.Cursor)
		}
	}
	rest := read(t, r, EventsRequest{After: Cursors{all[4].Cursor}}, 3)
	if rest[0].Cursor != all[5].Cursor || label(rest[2]) != "2" || rest[2].Account != "b" {
		t.Errorf("after %v comes %+v", all[4].Cursor, rest)
	}
	of := read(t, r, EventsRequest{Filter: actors.Filter{Labels: []string{"n=2"}, Accounts: []string{"a"}, Kinds: []actors.EventKind{actors.EventState}}}, 4)
	if of[0].Account != "a" || of[3].Account != "a" || label(of[3]) != "2" {
		t.Errorf("of a alone come %+v", of)
	}

	// A cursor of another manager of this store is told as such.
	old := actors.Cursor{Run: all[0].Cursor.Run + 1, N: 7}
	if got := read(t, r, EventsRequest{After: Cursors{old}}, 2); got[0].Kind != actors.EventRestarted || got[0].Cursor.N != 0 || got[1].Cursor != all[0].Cursor {
		t.Errorf("after a cursor of another run come %+v", got)
	}

	// What comes while somebody reads from now on.
	events, err := Events.Call(t.Context(), r, EventsRequest{Now: true})
	if err != nil {
		t.Fatal(err)
	}
	relabel(t, r, "a", 1)
	for ev, err := range events {
		if err != nil || label(ev) != "0" || ev.Cursor.N != 9 {
			t.Errorf("from now on comes %+v, %v", ev, err)
		}
		break
	}
	if err := m.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestAStreamIsRefusedThatMakesNoSense(t *testing.T) {
	_, r := manage(t, persistence.NewMemory())
	for _, q := range []EventsRequest{
		{Now: true, After: Cursors{{Run: 1, N: 1}}},
		{Filter: actors.Filter{Labels: []string{"A="}}},
		{Filter: actors.Filter{Accounts: []string{"no name"}}},
	} {
		if _, err := Events.Call(t.Context(), r, q); KindOf(err) != KindInvalid || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v gives %v", q, err)
		}
	}
	d := NewDirect(actors.Options{Store: persistence.NewMemory()}, About{}, 0)
	if _, err := Events.Call(t.Context(), d, EventsRequest{}); KindOf(err) != KindState {
		t.Error(err)
	}
}

func TestLabelsAreKeptAndShown(t *testing.T) {
	store := persistence.NewMemory()
	m, r := manage(t, store)
	first, err := persistence.NewLabels(map[string]string{"env": "prod"})
	if err != nil {
		t.Fatal(err)
	}
	if acc, err := Add.Call(t.Context(), r, AddRequest{ID: "a", Labels: first}); err != nil || acc.Labels != first {
		t.Fatalf("%+v, %v", acc, err)
	}
	acc, err := Label.Call(t.Context(), r, LabelRequest{ID: "a", Put: map[string]string{"team": "x", "env": "test"}})
	if err != nil || acc.Labels.String() != "env=test,team=x" {
		t.Fatalf("%+v, %v", acc, err)
	}
	if _, err := Label.Call(t.Context(), r, LabelRequest{ID: "a", Put: map[string]string{"Team": "x"}}); KindOf(err) != KindInvalid {
		t.Error(err)
	}
	if acc, err = Label.Call(t.Context(), r, LabelRequest{ID: "a", Remove: []string{"team", "nothing"}}); err != nil || acc.Labels.String() != "env=test" {
		t.Fatalf("%+v, %v", acc, err)
	}
	list, err := List.Call(t.Context(), r, ListRequest{})
	if err != nil || len(list.Accounts) != 1 || list.Accounts[0].Labels.String() != "env=test" {
		t.Fatalf("%+v, %v", list, err)
	}
	if text, err := json.Marshal(acc); err != nil || !strings.Contains(string(text), `"labels":{"env":"test"}`) {
		t.Errorf("%s, %v", text, err)
	}
	if err := m.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	d := NewDirect(actors.Options{Store: store.Reopen()}, About{}, 0)
	if acc, err := Show.Call(t.Context(), d, AccountRequest{"a"}); err != nil || acc.Labels.String() != "env=test" {
		t.Errorf("where no manager runs: %+v, %v", acc, err)
	}
}
