package control

import (
	"context"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/persistence"
)

// FleetStatus is how a fleet is, at one look.
type FleetStatus struct {
	About    About     `json:"about"`
	At       time.Time `json:"at"` // when this was so
	Accounts int       `json:"accounts"`
	// States are those that there are accounts in, in the order of [States].
	States []StateCount `json:"states"`
	// Homes are the DCs that accounts are at home on; Outages those that many of all accounts are without.
	Homes   []HomeDC        `json:"homes"`
	Outages []actors.Outage `json:"outages,omitempty"`
	// Waits are those that the server ordered and that are in force. Only a manager that runs knows them.
	Waits    []WaitCount `json:"waits"`
	Governor Pacing      `json:"governor"`
	Store    StoreStatus `json:"store"`
	// Needs are what needs somebody, the most urgent first.
	Needs []Need `json:"needs"`
	// Nodes are those of the cluster; Silent those that did not answer: their accounts are not counted.
	Nodes  []Node   `json:"nodes,omitempty"`
	Silent []string `json:"silent,omitempty"`
}

// StateCount is how many accounts are in a state.
type StateCount struct {
	State    string `json:"state"`
	Accounts int    `json:"accounts"`
}

// HomeDC is a DC, how many accounts that are signed in are at home there, and how many of them are online.
type HomeDC struct {
	DC       int `json:"dc"`
	Accounts int `json:"accounts"`
	Online   int `json:"online"`
}

// WaitCount is how many waits of a scope there are ("method", "account" or "subject"), and when the last of them ends.
type WaitCount struct {
	Scope string    `json:"scope"`
	Count int       `json:"count"`
	Last  time.Time `json:"last"`
}

// StoreStatus is how the store is.
type StoreStatus struct {
	// Taken: another manager has claimed it, and every account here is stopped.
	Taken bool `json:"taken,omitempty"`
	// Refuses: it takes no commits, since Since, of which Refused were refused.
	Refuses bool      `json:"refuses,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	Refused int       `json:"refused,omitempty"`
	Why     string    `json:"why,omitempty"`
	// Free and Needed are bytes: below Needed it refuses commits. Both are 0 where it is not known.
	Free   int64 `json:"free,omitempty"`
	Needed int64 `json:"needed,omitempty"`
	// LastBackup is the last good one, zero where none is known.
	LastBackup time.Time `json:"last_backup,omitzero"`
}

// room takes in what a store has on its disk.
func (s *StoreStatus) room(r persistence.Room) {
	if r.Free >= 0 {
		s.Free, s.Needed = r.Free, r.Needed
	}
}

// governorPatience is how long the governor is waited for, which answers in microseconds, or not while it is started again;
// and the database of a cluster.
const governorPatience = time.Second

// Status carries out [Status].
func (l *Local) Status(ctx context.Context, _ Empty) (FleetStatus, error) {
	f := FleetStatus{About: l.About, At: time.Now(), Outages: l.Manager.Outages(), Waits: []WaitCount{}}
	asked, cancel := context.WithTimeout(ctx, governorPatience)
	defer cancel()
	pacing, err := l.Governor(asked, Empty{})
	if err != nil {
		if ctx.Err() != nil {
			return FleetStatus{}, err
		}
		pacing = Pacing{Budget: l.Budget, DCs: []GovernedDC{}}
	}
	f.Governor = pacing
	for _, w := range l.Manager.Waits() {
		f.Waits = append(f.Waits, WaitCount(w))
	}
	health := l.Manager.StoreHealth()
	f.Store = StoreStatus{Taken: health.Taken, Refuses: health.Refuses, Since: health.Since, Refused: health.Refused, LastBackup: l.Manager.BackedUpAt()}
	if health.Why != nil {
		f.Store.Why = actors.Words(health.Why)
	}
	f.Store.room(health.Room)
	var c census
	for _, a := range l.Manager.Accounts() {
		acc := show(a)
		c.add(&acc, f.At)
	}
	c.fill(&f)
	if l.Cluster != nil {
		// A database that is away is told, as a disk that is full: that is when somebody looks.
		if f.Nodes, err = nodesOf(asked, l.Cluster, l.Manager.Owner()); err != nil && !f.Store.Refuses {
			f.Store.Refuses, f.Store.Why = true, actors.Words(err)
		}
	}
	f.Needs = c.needs(&f, l.Manager.Consumers())
	return f, nil
}

// Status carries out [Status]: what the store tells.
func (d *Direct) Status(ctx context.Context, _ Empty) (FleetStatus, error) {
	about, _ := d.Info(ctx, Empty{})
	pacing, _ := d.Governor(ctx, Empty{})
	f := FleetStatus{About: about, At: time.Now(), Waits: []WaitCount{}, Governor: pacing}
	list, err := d.List(ctx, ListRequest{})
	if err != nil {
		return FleetStatus{}, err
	}
	if p, ok := d.options.Store.(persistence.Prober); ok {
		room, err := p.Probe()
		if f.Store.room(room); err != nil {
			f.Store.Refuses, f.Store.Why = true, actors.Words(err)
		}
	}
	var c census
	for _, acc := range list.Accounts {
		c.add(&acc, f.At)
	}
	c.fill(&f)
	f.Needs = c.needs(&f, nil)
	return f, nil
}
