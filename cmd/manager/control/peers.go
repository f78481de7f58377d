package control

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/feed"
	"github.com/mtfleet/mtfleet/mtproto/peers"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
	"github.com/mtfleet/mtfleet/tl/tljson"
)

// PeersRequest names an account, and whom it asks for: nothing for everybody.
type PeersRequest struct {
	ID       string     `json:"id"`
	Type     peers.Kind `json:"type,omitzero"`
	PeerID   int64      `json:"peer_id,omitempty,string"`
	Username string     `json:"username,omitempty"`
}

// PeerList is whom an account has met, by type and id.
type PeerList struct {
	Peers []Peer `json:"peers"`
}

// Peer is one of them. Its access_hash is this account's own.
type Peer struct {
	peers.Peer
	// Input is what a call by JSON takes that wants an InputPeer; absent for one that was seen in passing (min).
	Input json.RawMessage `json:"input,omitempty"`
}

func listPeers(list []peers.Peer, r PeersRequest) (PeerList, error) {
	if len(list) == 0 && (r.PeerID != 0 || r.Username != "") {
		return PeerList{}, Wrap(&actors.NoPeerError{Account: r.ID, Who: r.query().String()})
	}
	codec := tljson.New(tg.Schema, tg.Names)
	out := PeerList{Peers: make([]Peer, 0, len(list))}
	for _, p := range list {
		shown := Peer{Peer: p}
		if input, err := p.Input(); err == nil {
			if shown.Input, err = codec.Append(nil, tl.Raw(input.Append(nil))); err != nil {
				return PeerList{}, Wrap(err)
			}
		}
		out.Peers = append(out.Peers, shown)
	}
	return out, nil
}

func (r PeersRequest) query() peers.Query {
	return peers.Query{Kind: r.Type, ID: r.PeerID, Username: r.Username}
}

// Peers carries out [Peers].
func (l *Local) Peers(ctx context.Context, r PeersRequest) (PeerList, error) {
	a, err := l.account(ctx, r.ID)
	if err != nil {
		return PeerList{}, err
	}
	list, err := a.FindPeers(ctx, r.query())
	if err != nil {
		return PeerList{}, l.fail(ctx, a, err)
	}
	return listPeers(list, r)
}

// Peers carries out [Peers]: it reads what the store has, and connects nobody.
func (d *Direct) Peers(_ context.Context, r PeersRequest) (PeerList, error) {
	ok, _, err := d.has(r.ID)
	switch {
	case err != nil:
		return PeerList{}, err
	case !ok:
		return PeerList{}, Wrap(&actors.NoAccountError{ID: r.ID})
	}
	records, err := d.options.Store.Load(persistence.AccountID(r.ID))
	state, decodeErr := persistence.DecodeState(records)
	if err = errors.Join(err, decodeErr); persistence.Vital(err) {
		return PeerList{}, Wrap(err)
	}
	return listPeers(feed.PeersOf(state.Peers).Find(r.query()), r)
}
