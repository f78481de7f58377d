package feed

import (
	"github.com/mtfleet/mtfleet/mtproto/peers"
	"github.com/mtfleet/mtfleet/mtproto/updates"
	"github.com/mtfleet/mtfleet/persistence"
)

// This file copies what the engine knows into records and back.

func placeRecord(s updates.State) persistence.Updates {
	return persistence.Updates{Pts: s.Pts, Qts: s.Qts, Date: s.Date, Seq: s.Seq}
}

func placeOf(rec persistence.Updates) updates.State {
	return updates.State{Pts: rec.Pts, Qts: rec.Qts, Date: rec.Date, Seq: rec.Seq}
}

func pageRecord(p updates.Page) persistence.Channels {
	rec := persistence.Channels{Page: p.Number}
	for _, c := range p.Channels {
		rec.List = append(rec.List, persistence.Channel(c))
	}
	return rec
}

func channelsOf(rec persistence.Channels) (list []updates.Channel) {
	for _, c := range rec.List {
		list = append(list, updates.Channel(c))
	}
	return list
}

func peersRecord(page int, list []peers.Peer) persistence.Peers {
	rec := persistence.Peers{Page: page, List: make([]persistence.Peer, 0, len(list))}
	for _, p := range list {
		rec.List = append(rec.List, persistence.Peer{
			Kind: uint8(p.Kind), Min: p.Min, Bot: p.Bot, Seen: p.Seen, ID: p.ID, AccessHash: p.AccessHash, Username: p.Username,
		})
	}
	return rec
}

func peersOf(rec persistence.Peers) []peers.Peer {
	list := make([]peers.Peer, 0, len(rec.List))
	for _, p := range rec.List {
		list = append(list, peers.Peer{
			Kind: peers.Kind(p.Kind), Min: p.Min, Bot: p.Bot, Seen: p.Seen, ID: p.ID, AccessHash: p.AccessHash, Username: p.Username,
		})
	}
	return list
}
