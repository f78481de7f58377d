package actors

import (
	"cmp"
	"slices"
	"sync"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/persistence"
)

// users knows which account is which user, so that a user has one. It holds an
// entry for each account that is or may be signed in.
type users struct {
	mu  sync.Mutex // guards the following fields
	who map[persistence.AccountID]int64
	of  map[int64]holders
}

// holders are the accounts of one user: the one that runs or may be put into
// service, empty for none, and those that may not.
type holders struct {
	runs persistence.AccountID
	rest []persistence.AccountID
}

// read takes in who the accounts of a store are, those that come first first,
// before any of them is started, and returns what labels they have. A record that
// cannot be read its account will say. Accounts of which the store told nothing are
// not in known, and err is what it said of the first.
func (u *users) read(store persistence.Store, ids []persistence.AccountID) (labels map[persistence.AccountID]persistence.Labels, known []persistence.AccountID, err error) {
	labels, known = map[persistence.AccountID]persistence.Labels{}, make([]persistence.AccountID, 0, len(ids))
	all := make([]standing.Contender, 0, len(ids))
	for _, id := range ids {
		records, failed := store.Load(id)
		if failed != nil && len(persistence.BadKeys(failed)) == 0 {
			err = cmp.Or(err, failed)
			continue
		}
		known = append(known, id)
		for _, rec := range records {
			if rec.Key != persistence.AccountKey(id) {
				continue
			}
			if a, err := persistence.DecodeAccount(rec); err == nil {
				all = append(all, account.ContenderOf(a))
				if !a.Labels.IsZero() {
					labels[id] = a.Labels
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b standing.Contender) int { return a.Compare(&b) })
	for i := range all {
		user, runs := all[i].User()
		u.hold(persistence.AccountID(all[i].Account), user, runs)
	}
	return labels, known, err
}

// hold says who an account is, 0 for nobody, and whether it runs or can run as
// that user. It returns the account that runs as that user if it is another.
func (u *users) hold(id persistence.AccountID, user int64, runs bool) (other persistence.AccountID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if h := u.of[user]; user != 0 && runs && h.runs == id || user == 0 && u.who[id] == 0 {
		return "" // as it was, which it mostly is
	}
	u.forget(id)
	if user == 0 {
		return ""
	}
	h := u.of[user]
	switch {
	case runs && h.runs == "":
		h.runs = id
	case runs:
		other = h.runs
		fallthrough
	default:
		h.rest = append(h.rest, id)
	}
	u.put(id, user, h)
	return other
}

// take is hold for a sign-in that the server has granted. It returns any other
// account of that user, and then changes nothing.
func (u *users) take(id persistence.AccountID, user int64) (other persistence.AccountID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if other := u.of[user].but(id); other != "" {
		return other
	}
	u.forget(id)
	u.put(id, user, holders{runs: id})
	return ""
}

// but returns one of them that is not the one that is named, empty for none.
func (h holders) but(id persistence.AccountID) persistence.AccountID {
	if h.runs != "" && h.runs != id {
		return h.runs
	}
	for _, other := range h.rest {
		if other != id {
			return other
		}
	}
	return ""
}

// other returns an account that is or may be a user, and is not the one that is named;
// empty for none.
func (u *users) other(user int64, but persistence.AccountID) persistence.AccountID {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.of[user].but(but)
}

func (u *users) put(id persistence.AccountID, user int64, h holders) {
	if u.who == nil {
		u.who, u.of = map[persistence.AccountID]int64{}, map[int64]holders{}
	}
	u.who[id], u.of[user] = user, h
}

func (u *users) forget(id persistence.AccountID) {
	user, known := u.who[id]
	if !known {
		return
	}
	delete(u.who, id)
	h := u.of[user]
	if h.runs == id {
		h.runs = ""
	}
	if h.rest = slices.DeleteFunc(h.rest, func(o persistence.AccountID) bool { return o == id }); h.runs == "" && len(h.rest) == 0 {
		delete(u.of, user)
		return
	}
	u.of[user] = h
}

// others returns users who another account than id is or may be, the first of
// them by their ids.
func (u *users) others(id persistence.AccountID, most int) []int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := make([]int64, 0, len(u.of))
	for user, h := range u.of {
		if (h.runs != "" && h.runs != id) || slices.ContainsFunc(h.rest, func(o persistence.AccountID) bool { return o != id }) {
			all = append(all, user)
		}
	}
	slices.Sort(all) // the order of a map would not replay
	return all[:min(len(all), most)]
}
