package feed

import (
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
