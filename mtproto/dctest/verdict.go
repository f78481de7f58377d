package dctest

import (
	"cmp"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
)

// StoreKey is one perm key that a client's store holds.
type StoreKey struct {
	DC int   `json:"dc"`
	ID int64 `json:"id,string"`
}

// Delivered is what a client's event stream brought for one user: the pts after each update, in any order.
type Delivered struct {
	UserID int64   `json:"user_id"`
	Pts    []int32 `json:"pts"`
}

// Verdict is what the ledger finds wrong. An empty one means that every promise it can judge was kept.
type Verdict struct {
	Overlaps    []Overlap          `json:"overlaps"`
	Orphans     []Orphan           `json:"orphans"`
	LostUpdates []api.UpdateRecord `json:"lost_updates"`
	Repeated    []EchoRecord       `json:"repeated"` // echo ids that ran more than once
}

// OK tells whether nothing is wrong. Repeated executions are left to the caller: testdc.echo may be repeated.
func (v Verdict) OK() bool {
	return len(v.Overlaps) == 0 && len(v.Orphans) == 0 && len(v.LostUpdates) == 0
}

// Overlap is one pair of main sessions of a home perm key that were used at the same time: the older one sent a packet
// with a higher msg_id than the newer one's first API query.
type Overlap struct {
	DC       int   `json:"dc"`
	Perm     int64 `json:"perm,string"`
	Older    int64 `json:"older,string"`
	OlderKey int64 `json:"older_key,string"`
	OlderMax int64 `json:"older_max,string"`
	Newer    int64 `json:"newer,string"`
	NewerKey int64 `json:"newer_key,string"`
	NewerMin int64 `json:"newer_min,string"`
}

// Orphan is an authorized perm key that the store does not hold and that was not logged out.
type Orphan struct {
	DC     int   `json:"dc"`
	Perm   int64 `json:"perm,string"`
	UserID int64 `json:"user_id"`
	Home   bool  `json:"home"`
}

// Verdict judges the ledger against what a client's store holds and what its event stream brought. Updates logged
// after before are not judged: the caller gives clients time (10 s after the account was online) by choosing it. Only
// users named in delivered, and what was logged while they had a home authorization, count.
func (l Ledger) Verdict(store []StoreKey, delivered []Delivered, before time.Time) Verdict {
	v := Verdict{Overlaps: l.overlaps(), Orphans: l.orphans(store), LostUpdates: l.lost(delivered, before)}
	for _, e := range l.Echoes {
		if e.Count > 1 {
			v.Repeated = append(v.Repeated, e)
		}
	}
	return v
}

type permID struct {
	dc   int
	perm int64
}

// overlaps compares the main sessions of each home perm key pair by pair, in the order of their first queries.
func (l Ledger) overlaps() []Overlap {
	home := make(map[permID]bool)
	for _, a := range l.Authorizations {
		if a.Home {
			home[permID{a.DC, a.Perm}] = true
		}
	}
	byPerm := make(map[permID][]SessionRecord)
	var order []permID
	for _, s := range l.Sessions {
		id := permID{s.DC, s.Perm}
		if s.FirstMain == 0 || !home[id] {
			continue
		}
		if byPerm[id] == nil {
			order = append(order, id)
		}
		byPerm[id] = append(byPerm[id], s)
	}
	var found []Overlap
	for _, id := range order {
		list := byPerm[id]
		slices.SortStableFunc(list, func(a, b SessionRecord) int { return cmp.Compare(a.FirstMain, b.FirstMain) })
		for i, older := range list {
			for _, newer := range list[i+1:] {
				if older.Last > newer.FirstMain && !sameSession(older, newer) {
					found = append(found, Overlap{
						DC: id.dc, Perm: id.perm,
						Older: older.ID, OlderKey: older.Key, OlderMax: older.Last,
						Newer: newer.ID, NewerKey: newer.Key, NewerMin: newer.FirstMain,
					})
				}
			}
		}
	}
	return found
}

// sameSession tells whether two records are one client session: the server may forget a session and record it anew.
func sameSession(a, b SessionRecord) bool { return a.ID == b.ID && a.Key == b.Key }

// orphans finds live authorizations without a key in the store.
func (l Ledger) orphans(store []StoreKey) []Orphan {
	held := make(map[permID]bool, len(store))
	for _, k := range store {
		held[permID{k.DC, k.ID}] = true
	}
	var found []Orphan
	for _, a := range l.Authorizations {
		if a.Ended.IsZero() && !held[permID{a.DC, a.Perm}] {
			found = append(found, Orphan{a.DC, a.Perm, a.UserID, a.Home})
		}
	}
	return found
}

// lost finds updates that were logged while the user was signed in and that the event stream never brought.
func (l Ledger) lost(delivered []Delivered, before time.Time) []api.UpdateRecord {
	got := make(map[int64]map[int32]bool, len(delivered))
	for _, d := range delivered {
		if got[d.UserID] == nil {
			got[d.UserID] = make(map[int32]bool, len(d.Pts))
		}
		for _, pts := range d.Pts {
			got[d.UserID][pts] = true
		}
	}
	var found []api.UpdateRecord
	for _, u := range l.Updates {
		seen, judged := got[u.UserID]
		if judged && !seen[u.Pts] && !u.At.After(before) && l.signedIn(u.UserID, u.At) {
			found = append(found, u)
		}
	}
	return found
}

// signedIn tells whether a user had a home authorization at a time that has not ended since.
func (l Ledger) signedIn(user int64, at time.Time) bool {
	for _, a := range l.Authorizations {
		if a.UserID == user && a.Home && !a.Created.After(at) && a.Ended.IsZero() {
			return true
		}
	}
	return false
}
