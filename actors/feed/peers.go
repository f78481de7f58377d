package feed

import (
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/peers"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
)

// peersIdle is how long an account's peers stay in memory when nobody comes and nobody asks: an account of thousands
// that is idle has none of them there, and one with something to do reads its records once.
const peersIdle = 5 * time.Minute

// peersDelay gathers who is new, so that an account that meets many has its pages written once a second and not with each
// of them. It is that of places: who came along with an update is written no later than that the update came.
const peersDelay = time.Second

// acquaintance is whom the account has met, in memory: for as long as that is of use.
type acquaintance struct {
	set  *peers.Set                // nil while it is read
	came []peers.Peer              // meanwhile, at most peers.Limit
	asks []func(*peers.Set, error) // of those who wait, each of whom can do nothing else meanwhile
	used time.Time
	due  time.Time // when what is new is written, zero for nothing new
}

// Peers answers a query, when whom the account has met has been read. err says why it cannot be.
func (f *Feed) Peers(now time.Time, q peers.Query, answer func(list []peers.Peer, err error)) {
	a := f.recall(now)
	if a.set != nil {
		answer(a.set.Find(q), nil)
		return
	}
	a.asks = append(a.asks, func(s *peers.Set, err error) {
		if err != nil {
			answer(nil, err)
			return
		}
		answer(s.Find(q), nil)
	})
}

// Release ends what waits: the account stops.
func (f *Feed) Release(err error) {
	if f.met != nil {
		f.met.end(nil, err)
		f.met = nil
	}
}

func (a *acquaintance) end(s *peers.Set, err error) {
	for _, ask := range a.asks {
		ask(s, err)
	}
	a.asks = nil
}

// recall has whom the account has met in memory, or on its way there.
func (f *Feed) recall(now time.Time) *acquaintance {
	if f.met == nil {
		a := &acquaintance{}
		f.met = a
		f.host.Read(func(now time.Time, records []persistence.Record, err error) { f.recalled(now, a, records, err) })
	}
	f.met.used = now
	return f.met
}

// recalled takes what was read. A page that cannot be is told, and written anew when a peer of it comes; peers come again.
func (f *Feed) recalled(now time.Time, a *acquaintance, records []persistence.Record, err error) {
	if f.met != a {
		return // forgotten meanwhile
	}
	if err != nil && len(persistence.BadKeys(err)) == 0 {
		f.logger.Warn("whom the account has met cannot be read", "account", f.id, "err", err)
		f.met = nil
		a.end(nil, err)
		return
	}
	var pages []persistence.Peers
	for _, rec := range records {
		if rec.Kind != persistence.KindPeers {
			continue
		}
		page, err := persistence.DecodePeers(rec)
		if err != nil {
			f.logger.Warn("some of whom the account has met cannot be read", "account", f.id, "err", err)
			continue
		}
		pages = append(pages, page)
	}
	a.set = PeersOf(pages)
	for _, p := range a.came {
		a.set.See(now, p)
	}
	a.came = nil
	f.news(now)
	a.end(a.set, nil)
}

// PeersOf makes a set of what a store has.
func PeersOf(pages []persistence.Peers) *peers.Set {
	set := new(peers.Set)
	for _, page := range pages {
		set.Load(page.Page, peersOf(page))
	}
	return set
}

// another reports whether these are another envelope's than those of the delivery before, which share them: one of a hundred
// updates has its people read once.
func (f *Feed) another(lists ...[]tl.Raw) bool {
	for _, list := range lists {
		if len(list) > 0 {
			was := f.read
			f.read = &list[0]
			return f.read != was
		}
	}
	return false
}

// meet remembers the users and chats that came along with updates.
func (f *Feed) meet(now time.Time, lists ...[]tl.Raw) {
	met := false
	for _, list := range lists {
		for _, raw := range list {
			if p, ok := peers.Read(raw); ok {
				f.recall(now).see(now, p)
				met = true
			}
		}
	}
	if met {
		f.news(now)
	}
}

// Met remembers whom the result of a call named. It was asked in an era; what was asked in another one was told to another
// login.
func (f *Feed) Met(now time.Time, era uint64, list []peers.Peer) {
	if era != f.era || len(list) == 0 {
		return
	}
	a := f.recall(now)
	for _, p := range list {
		a.see(now, p)
	}
	f.news(now)
}

// Era numbers the logins whose peers were forgotten: see Met.
func (f *Feed) Era() uint64 { return f.era }

// see takes one who came; past the bound while the rest is read, he is not remembered.
func (a *acquaintance) see(now time.Time, p peers.Peer) {
	if a.set != nil {
		a.set.See(now, p)
	} else if len(a.came) < peers.Limit {
		a.came = append(a.came, p)
	}
}

// news has what is new written, soon.
func (f *Feed) news(now time.Time) {
	if a := f.met; a.set != nil && a.set.Dirty() && a.due.IsZero() {
		a.due = now.Add(peersDelay)
	}
}

// writePeers has what is new written now.
func (f *Feed) writePeers() {
	if f.met == nil || f.met.due.IsZero() {
		return
	}
	f.met.due = time.Time{}
	for page, list := range f.met.set.Changed() {
		f.peerPages |= 1 << page
		f.host.Keep(peersRecord(page, list).Record(f.id), false)
	}
}

// knows reports whether a message of a user can be handed on without the user: an answer will find the access_hash. What
// is not in memory counts as not known: then the difference is asked for, and brings it.
func (f *Feed) knows(now time.Time, user int64) bool {
	a := f.recall(now)
	if a.set == nil {
		return slices.ContainsFunc(a.came, func(p peers.Peer) bool { return p.Kind == peers.User && p.ID == user && !p.Min })
	}
	p, ok := a.set.Get(peers.User, user)
	return ok && !p.Min
}

// advancePeers writes what is due, and lets whom the account has met go from memory when it was of no use for a while.
func (f *Feed) advancePeers(now time.Time) {
	if due := f.peersDeadline(); due.IsZero() || now.Before(due) {
		return
	}
	f.writePeers()
	if !now.Before(f.met.used.Add(peersIdle)) {
		f.met = nil
	}
}

// peersDeadline is when advancePeers is wanted.
func (f *Feed) peersDeadline() time.Time {
	switch {
	case f.met == nil || f.met.set == nil:
		return time.Time{}
	case !f.met.due.IsZero():
		return f.met.due
	}
	return f.met.used.Add(peersIdle)
}

// forgetPeers: another login meets others, and its access_hashes are others.
func (f *Feed) forgetPeers() {
	f.era++
	if f.met != nil {
		f.met.end(new(peers.Set), nil)
		f.met = nil
	}
}
