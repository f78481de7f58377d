package control

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/peers"
	"github.com/mtfleet/mtfleet/persistence"
)

// TestPeersAreShownWithWhatACallTakes asks a manager over its socket, and a store that none runs on.
func TestPeersAreShownWithWhatACallTakes(t *testing.T) {
	store := persistence.NewMemory()
	m, r := manage(t, store)
	if _, err := Add.Call(t.Context(), r, AddRequest{ID: "a"}); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	store = store.Reopen()
	owner, err := store.Claim("test")
	if err != nil {
		t.Fatal(err)
	}
	commit := persistence.Commit{Owner: owner}
	for _, p := range []persistence.Peer{
		{Kind: 1, ID: 7, AccessHash: -1 << 63, Username: "Ada", Bot: true, Seen: 9},
		{Kind: 1, ID: 8, AccessHash: 80, Min: true},
		{Kind: 3, ID: 7, AccessHash: 70},
	} {
		page := persistence.Peers{Page: peers.Page(peers.Kind(p.Kind), p.ID), List: []persistence.Peer{p}}
		commit.Put = append(commit.Put, page.Record("a"))
	}
	if err := store.Commit(commit); err != nil {
		t.Fatal(err)
	}
	store = store.Reopen()
	direct := NewDirect(actors.Options{Store: store}, About{}, 0)
	ask(t, direct)
	_, r = manage(t, store.Reopen())
	ask(t, r)
}

func ask(t *testing.T, s Service) {
	t.Helper()
	const ada = `{"type":"user","bot":true,"seen":9,"id":"7","access_hash":"-9223372036854775808","username":"Ada",` +
		`"input":{"_":"inputPeerUser","user_id":"7","access_hash":"-9223372036854775808"}}`
	const least = `{"type":"user","min":true,"id":"8","access_hash":"80"}`
	const news = `{"type":"channel","id":"7","access_hash":"70","input":{"_":"inputPeerChannel","channel_id":"7","access_hash":"70"}}`
	for _, c := range []struct {
		ask  PeersRequest
		want string
		kind Kind
	}{
		{PeersRequest{ID: "a"}, ada + "," + least + "," + news, ""},
		{PeersRequest{ID: "a", PeerID: 7}, ada + "," + news, ""},
		{PeersRequest{ID: "a", Type: peers.Channel, PeerID: 7}, news, ""},
		{PeersRequest{ID: "a", Username: "ada"}, ada, ""},
		{PeersRequest{ID: "a", Username: "bob"}, "", KindNoPeer},
		{PeersRequest{ID: "a", Type: peers.Chat, PeerID: 7}, "", KindNoPeer},
		{PeersRequest{ID: "b"}, "", KindNoAccount},
	} {
		list, err := Peers.Call(t.Context(), s, c.ask)
		if KindOf(err) != c.kind && (err != nil || c.kind != "") {
			t.Errorf("%T %+v: %v, want %q", s, c.ask, err, c.kind)
			continue
		}
		if err != nil {
			continue
		}
		text, err := json.Marshal(list)
		if want := `{"peers":[` + c.want + `]}`; err != nil || !sameJSON(t, string(text), want) {
			t.Errorf("%T %+v:\n got %s, %v\nwant %s", s, c.ask, text, err, want)
		}
	}
}

// sameJSON tells whether two texts are of one value: fields have no order.
func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if err := errors.Join(json.Unmarshal([]byte(a), &x), json.Unmarshal([]byte(b), &y)); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(x, y)
}
