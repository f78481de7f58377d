package control

import (
	"context"
	"time"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/mtproto/dc"
)

// Pacing is what paces the process: its budget, and each DC by each route.
type Pacing struct {
	Budget governor.Budget `json:"budget"`
	// DCs are those that somebody has asked for since the manager started; none
	// where none runs.
	DCs []GovernedDC `json:"dcs"`
}

// GovernedDC is one DC by one route.
type GovernedDC struct {
	DC int `json:"dc"`
	// Media: of its addresses for media alone.
	Media bool   `json:"media,omitempty"`
	Via   string `json:"via,omitempty"` // the proxy; empty: directly
	Up    bool   `json:"up"`
	// Flood: it is not up because it wants fewer connections.
	Flood bool `json:"flood,omitempty"`
	// Since is when Up changed last, ProbeEvery what lies between two probes now.
	Since      time.Time `json:"since,omitzero"`
	ProbeEvery float64   `json:"probe_every_seconds,omitempty"`
	// Waiting are those in the queue, Granted the permits given since the start.
	Waiting Permits `json:"waiting"`
	Granted Permits `json:"granted"`
	// IPv4 and IPv6 are how the last dial by each family of addresses ended: "reached", "missed", or empty where it was
	// not tried.
	IPv4 string `json:"ipv4,omitempty"`
	IPv6 string `json:"ipv6,omitempty"`
	// IPv4Trips and IPv6Trips are round trips and losses by each; zero behind an MTProxy, which chooses.
	IPv4Trips RoundTrips `json:"ipv4_trips,omitzero"`
	IPv6Trips RoundTrips `json:"ipv6_trips,omitzero"`
}

// RoundTrips is how the way to a DC is by a family of addresses, of all connections.
type RoundTrips struct {
	// Latest is how long the last ping was out, Smoothed the same of all of them, each new one counting for an eighth.
	Latest   float64 `json:"latest_seconds,omitempty"`
	Smoothed float64 `json:"smoothed_seconds,omitempty"`
	// At is when the last was answered; zero: none was.
	At time.Time `json:"at,omitzero"`
	// Lost are connections that ended since the start of the manager, and not by it.
	Lost uint64 `json:"lost,omitempty"`
}

func roundTrips(t governor.Trips) RoundTrips {
	return RoundTrips{t.Latest.Seconds(), t.Smoothed.Seconds(), t.At, t.Lost}
}

// tried says how the last dial by a family ended.
func tried(t governor.Tried, family dc.Families) string {
	switch f := governor.Families(family); {
	case t.Reached&f != 0:
		return "reached"
	case t.Missed&f != 0:
		return "missed"
	}
	return ""
}

// Permits are numbers of permits by what they are for.
type Permits struct {
	Connects     uint64 `json:"connects"`
	KeyCreations uint64 `json:"key_creations"`
	SignIns      uint64 `json:"sign_ins"`
}

// Governor carries out [Governor].
func (l *Local) Governor(ctx context.Context, _ Empty) (Pacing, error) {
	census, err := l.Manager.Governor(ctx)
	if err != nil {
		return Pacing{}, Wrap(err)
	}
	g := Pacing{Budget: l.allowed().budget, DCs: make([]GovernedDC, len(census))}
	for i, s := range census {
		g.DCs[i] = GovernedDC{
			DC: max(s.DC, -s.DC), Media: s.DC < 0, Via: s.Via, Up: s.Up, Flood: s.Flood, Since: s.Since, ProbeEvery: s.Delay.Seconds(),
			Waiting: Permits{
				Connects: uint64(s.Waiting[governor.Connect]), KeyCreations: uint64(s.Waiting[governor.MakeKey]), SignIns: uint64(s.Waiting[governor.SignIn]),
			},
			Granted: Permits{
				Connects: s.Granted[governor.Connect], KeyCreations: s.Granted[governor.MakeKey], SignIns: s.Granted[governor.SignIn],
			},
			IPv4: tried(s.Tried, dc.IPv4), IPv6: tried(s.Tried, dc.IPv6),
			IPv4Trips: roundTrips(s.Trips[0]), IPv6Trips: roundTrips(s.Trips[1]),
		}
	}
	return g, nil
}

// Governor carries out [Governor]: nothing is paced where no manager runs.
func (d *Direct) Governor(context.Context, Empty) (Pacing, error) {
	return Pacing{Budget: d.Budget, DCs: []GovernedDC{}}, nil
}
