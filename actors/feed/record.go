package feed

import (
	"github.com/mtfleet/mtfleet/mtproto/updates"
	"github.com/mtfleet/mtfleet/persistence"
)

// This file copies what the engine knows into records and back.

func placeRecord(s updates.State) persistence.Updates {
	return persistence.Updates{Pts: s.Pts, Qts: s.Qts, Date: s.Date, Seq: s.Seq}
}

func placeOf(rec *persistence.Updates) *updates.State {
	if rec == nil {
		return nil
	}
	return &updates.State{Pts: rec.Pts, Qts: rec.Qts, Date: rec.Date, Seq: rec.Seq}
}
