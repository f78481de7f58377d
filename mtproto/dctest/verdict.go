package dctest

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
)

// StoreKey is one perm key that a client's store holds.
type StoreKey struct {
	DC int   `json:"dc"`
	ID int64 `json:"id,string"`
}

// Delivered is what a client's event stream brought for one user of one box: its own, or that of a channel. All lists are
// in any order.
type Delivered struct {
	UserID  int64   `json:"user_id"`
	Channel int64   `json:"channel_id,omitempty"` // 0 for the user's own box
	Pts     []int32 `json:"pts"`                  // after each update
	// Messages are the ids of new messages: those out of a difference have no pts of their own.
	Messages []int32 `json:"messages,omitempty"`
	// Holes are what the stream said will not come. That excuses it.
	Holes []Hole `json:"holes,omitempty"`
}

// Hole is the updates after From and up to To; From 0 is a beginning that nobody knows.
type Hole struct {
	From int32 `json:"from"`
	To   int32 `json:"to"`
}

// Verdict is what the ledger finds wrong. An empty one means that every promise it can judge was kept.
type Verdict struct {
	Overlaps    []Overlap          `json:"overlaps"`
	Orphans     []Orphan           `json:"orphans"`
	LostUpdates []api.UpdateRecord `json:"lost_updates"`
	Repeated    []EchoRecord       `json:"repeated"` // echo ids that ran more than once
	// Judged is how many updates were looked for in what was delivered, once for each user: 0 says that LostUpdates proves
	// nothing.
	Judged int `json:"judged_updates"`
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
// boxes named in delivered, and what was logged while the user had a home authorization, count. Of a channel it is what was
// logged between the user's coming and leaving, each time. A client that comes to a channel begins with the first update
// that it hears of it: what is before that is its past. One that has left can ask no more: behind the last that it heard of
// that stay it cannot know of a gap.
func (l Ledger) Verdict(store []StoreKey, delivered []Delivered, before time.Time) Verdict {
	v := Verdict{Overlaps: l.overlaps(), Orphans: l.orphans(store)}
	v.LostUpdates, v.Judged = l.lost(delivered, before)
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

// lost finds updates that were logged while the user was signed in, and a member, and that the event stream never
// brought. It says how many it looked for.
func (l Ledger) lost(delivered []Delivered, before time.Time) (found []api.UpdateRecord, judged int) {
	boxes := make(map[boxID]*heard, len(delivered))
	for _, d := range delivered {
		id := boxID{d.UserID, d.Channel}
		if boxes[id] == nil {
			boxes[id] = &heard{pts: map[int32]bool{}, messages: map[int32]bool{}}
		}
		boxes[id].add(d)
	}
	judge := func(user int64, u api.UpdateRecord, s stay) {
		if u.At.After(before) || !l.signedIn(user, u.At) {
			return
		}
		judged++
		if h := boxes[boxID{user, u.Channel}]; !h.has(u) && !h.excuses(u, s) {
			u.UserID = user
			found = append(found, u)
		}
	}
	logs := make(map[int64][]api.UpdateRecord)
	for _, u := range l.Updates {
		if u.Channel != 0 {
			logs[u.Channel] = append(logs[u.Channel], u)
		} else if boxes[boxID{u.UserID, 0}] != nil {
			judge(u.UserID, u, always)
		}
	}
	for _, m := range l.Memberships {
		h, s := boxes[boxID{m.UserID, m.Channel}], stayOf(m)
		if h == nil {
			continue
		}
		owed := h.known(s, logs[m.Channel])
		for _, u := range logs[m.Channel] {
			if owed.has(u.Pts) {
				judge(m.UserID, u, s)
			}
		}
	}
	return found, judged
}

// boxID names a box of a user: its own, or a channel's.
type boxID struct{ user, channel int64 }

// stay is a stretch of a box: the updates after one place and up to another.
type stay struct{ after, until int32 }

// always is the stay of a user in its own box.
var always = stay{0, math.MaxInt32}

// lasts tells whether a stay has not ended.
func (s stay) lasts() bool { return s.until == math.MaxInt32 }

func (s stay) has(pts int32) bool { return s.after < pts && pts <= s.until }

func stayOf(m api.Membership) stay {
	if m.Until.IsZero() {
		return stay{m.FromPts, math.MaxInt32}
	}
	return stay{m.FromPts, m.UntilPts}
}

// heard is what was delivered of a box.
type heard struct {
	pts, messages map[int32]bool
	holes         []Hole
}

func (h *heard) add(d Delivered) {
	for _, pts := range d.Pts {
		h.pts[pts] = true
	}
	for _, id := range d.Messages {
		h.messages[id] = true
	}
	h.holes = append(h.holes, d.Holes...)
}

// known is the part of a stay that its member can know to be whole or not: from the first that it heard of it on, and of a
// stay that has ended up to the last.
func (h *heard) known(s stay, log []api.UpdateRecord) stay {
	first, last := int32(0), int32(0)
	at := func(pts int32) {
		if !s.has(pts) {
			return
		}
		if first == 0 || pts < first {
			first = pts
		}
		last = max(last, pts)
	}
	for pts := range h.pts {
		at(pts)
	}
	for _, u := range log {
		if h.has(u) {
			at(u.Pts)
		}
	}
	for _, hole := range h.holes {
		at(hole.To)
	}
	out := stay{max(s.after, first-1), s.until}
	if !s.lasts() {
		out.until = last
	}
	return out
}

func (h *heard) has(u api.UpdateRecord) bool {
	return h.pts[u.Pts] || u.Kind == "message" && h.messages[u.Message]
}

// excuses tells whether a hole names an update. One without a beginning reaches back to that of the stay that it ends in.
func (h *heard) excuses(u api.UpdateRecord, s stay) bool {
	return slices.ContainsFunc(h.holes, func(hole Hole) bool {
		return u.Pts <= hole.To && (hole.From != 0 && hole.From < u.Pts || hole.From == 0 && s.has(hole.To))
	})
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
