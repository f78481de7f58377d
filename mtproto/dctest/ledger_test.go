package dctest_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/internal/raw"
	"github.com/mtfleet/mtfleet/tl/mt"
	"github.com/mtfleet/mtfleet/tl/tg"
)

func TestLedgerCountsWhatHappened(t *testing.T) {
	w := newWorld(t, nil)
	p := w.withTemp(2).inited()
	p.echoed(1)
	p.echoed(1)
	p.rotate(time.Hour)
	p.inited()
	l := w.c.Ledger()
	want := dctest.Counts{PermKeys: 1, TempKeys: 2, Binds: 2, Sessions: 2, Packets: 6, Queries: 4, Echoes: 2, Repeated: 1}
	if l.Counts != want {
		t.Errorf("counts %+v\nwant   %+v", l.Counts, want)
	}
	if len(l.Keys) != 3 || l.Keys[0].Temp || l.Keys[2].Perm != int64(p.perm.ID()) {
		t.Errorf("keys %+v", l.Keys)
	}
	if len(l.Echoes) != 1 || l.Echoes[0].Count != 2 {
		t.Errorf("echoes %+v", l.Echoes)
	}
	if b, err := json.Marshal(l); err != nil || len(b) < 200 {
		t.Errorf("json %s, %v", b, err)
	}
}

// overlap says how many overlaps the ledger finds on the peer's perm key as a home key.
func (w *world) overlaps(p *peer) int {
	w.half.auths = []api.Authorization{{DC: 2, Perm: int64(p.perm.ID()), UserID: 7, Home: true, Created: w.now}}
	return len(w.c.Ledger().Verdict(nil, nil, w.now).Overlaps)
}

func TestOverlap(t *testing.T) {
	w := newWorld(t, nil)
	old := w.withTemp(2).inited()
	old.echoed(1)
	next := *old
	next.open()
	next.rotate(24 * time.Hour)
	early := old.Service(w.now, pingOf(1)) // numbered before the successor's first query
	w.sleep(time.Second)
	next.inited()
	if n := w.overlaps(old); n != 0 {
		t.Fatalf("%d overlaps in a clean rotation", n)
	}
	old.send(early) // arrives late, but has a lower msg_id
	if n := w.overlaps(old); n != 0 {
		t.Errorf("%d overlaps by arrival; msg_id decides", n)
	}
	w.sleep(time.Second)
	old.send(old.Service(w.now, pingOf(2)))
	if n := w.overlaps(old); n != 1 {
		t.Errorf("%d overlaps after the older session spoke again, want 1", n)
	}
}

func TestSessionsWithoutUpdatesDoNotOverlap(t *testing.T) {
	w := newWorld(t, nil)
	main := w.withTemp(2).inited()
	aux := &raw.Client{Key: main.Key, Rand: main.Rand, Salt: main.Salt, Session: random64(), Last: main.Last}
	second := *main
	second.open()
	second.Client = aux
	m := second.Message(w.now, withoutUpdates(echoOf(1)), true)
	second.send(m)
	w.sleep(time.Second)
	main.echoed(2)
	if n := w.overlaps(main); n != 0 {
		t.Errorf("%d overlaps with a session without updates", n)
	}
}

func TestSessionsOfAGuestKeyDoNotOverlap(t *testing.T) {
	w := newWorld(t, nil)
	a := w.withTemp(2).inited()
	b := *a
	b.open()
	b.rotate(time.Hour)
	b.inited()
	w.sleep(time.Second)
	a.echoed(1)
	w.half.auths = []api.Authorization{{DC: 2, Perm: int64(a.perm.ID()), UserID: 7}}
	if n := len(w.c.Ledger().Verdict(nil, nil, w.now).Overlaps); n != 0 {
		t.Errorf("%d overlaps on a guest key", n)
	}
}

func TestVerdict(t *testing.T) {
	t0 := time.Unix(1_800_000_000, 0)
	at := func(s int) time.Time { return t0.Add(time.Duration(s) * time.Second) }
	l := dctest.Ledger{
		Authorizations: []api.Authorization{
			{DC: 2, Perm: 100, UserID: 1, Home: true, Created: at(10)},
			{DC: 4, Perm: 101, UserID: 1, Created: at(11)},
			{DC: 2, Perm: 102, UserID: 2, Home: true, Created: at(10), Ended: at(20), Why: "logged_out"},
			{DC: 1, Perm: 100, UserID: 3, Home: true, Created: at(10)},
		},
		Updates: []api.UpdateRecord{
			{At: at(5), UserID: 1, Pts: 1},   // before the sign-in
			{At: at(15), UserID: 1, Pts: 2},  // delivered
			{At: at(16), UserID: 1, Pts: 3},  // lost
			{At: at(100), UserID: 1, Pts: 4}, // too young to judge
			{At: at(15), UserID: 2, Pts: 2},  // signed out since
			{At: at(15), UserID: 3, Pts: 2},  // nobody looked
		},
		Echoes: []dctest.EchoRecord{{ID: 1, Count: 1}, {ID: 2, Count: 2}},
	}
	v := l.Verdict([]dctest.StoreKey{{DC: 2, ID: 100}, {DC: 4, ID: 101}},
		[]dctest.Delivered{{UserID: 1, Pts: []int32{2}}, {UserID: 2}}, at(50))
	if len(v.Orphans) != 1 || v.Orphans[0].UserID != 3 {
		t.Errorf("orphans %+v", v.Orphans)
	}
	if len(v.LostUpdates) != 1 || v.LostUpdates[0].Pts != 3 || v.Judged != 2 {
		t.Errorf("lost %+v", v.LostUpdates)
	}
	if len(v.Repeated) != 1 || v.Repeated[0].ID != 2 || v.OK() {
		t.Errorf("verdict %+v", v)
	}
	if !(dctest.Verdict{}).OK() {
		t.Error("an empty verdict is not OK")
	}
}

// What is judged of boxes: a channel from the first place that is heard of, for those who are members, by pts or by the
// ids of messages, and not what a hole names.
func TestLostUpdatesOfChannels(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(1_800_000_000+int64(s), 0) }
	l := dctest.Ledger{
		Authorizations: []api.Authorization{{DC: 2, Perm: 100, UserID: 1, Home: true}, {DC: 2, Perm: 101, UserID: 2, Home: true}},
		Memberships: []api.Membership{
			{Channel: 7, UserID: 1, FromPts: 1}, {Channel: 7, UserID: 2, FromPts: 1, Until: at(20), UntilPts: 7}, {Channel: 8, UserID: 1, FromPts: 3},
		},
	}
	for pts := int32(2); pts < 8; pts++ {
		for _, channel := range []int64{0, 7, 8} {
			l.Updates = append(l.Updates, api.UpdateRecord{At: at(10 + int(pts)), Channel: channel, Pts: pts, Kind: "message", Message: pts + 100})
		}
	}
	for _, test := range []struct {
		name      string
		delivered dctest.Delivered
		want      []int32
	}{
		{"by pts", dctest.Delivered{UserID: 1, Channel: 7, Pts: []int32{2, 3, 5, 6, 7}}, []int32{4}},
		{"from the first that is heard", dctest.Delivered{UserID: 1, Channel: 7, Pts: []int32{4, 7}}, []int32{5, 6}},
		{"by message", dctest.Delivered{UserID: 1, Channel: 7, Pts: []int32{2, 7}, Messages: []int32{103, 104, 106}}, []int32{5}},
		{"but for holes", dctest.Delivered{UserID: 1, Channel: 7, Pts: []int32{2, 7}, Holes: []dctest.Hole{{From: 2, To: 5}}}, []int32{6}},
		{"a hole without a beginning", dctest.Delivered{UserID: 1, Channel: 7, Pts: []int32{7}, Holes: []dctest.Hole{{To: 5}}}, []int32{6}},
		{"nothing heard", dctest.Delivered{UserID: 1, Channel: 7}, []int32{2, 3, 4, 5, 6, 7}},
		{"as a member", dctest.Delivered{UserID: 1, Channel: 8}, []int32{4, 5, 6, 7}},
		{"of who has left and heard nothing", dctest.Delivered{UserID: 2, Channel: 7}, nil},
		{"of who has left, between what was heard", dctest.Delivered{UserID: 2, Channel: 7, Pts: []int32{3, 5}}, []int32{4}},
		{"of who never was one", dctest.Delivered{UserID: 2, Channel: 8}, nil},
	} {
		var got []int32
		for _, u := range l.Verdict(nil, []dctest.Delivered{test.delivered}, at(100)).LostUpdates {
			if u.UserID != test.delivered.UserID || u.Channel != test.delivered.Channel {
				t.Errorf("%s: lost %+v", test.name, u)
			}
			got = append(got, u.Pts)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: lost %v, want %v", test.name, got, test.want)
		}
	}
}

// Who comes back to a channel is owed what is logged from then on, and not what was logged while it was away.
func TestLostUpdatesOfWhoLeftAndCameBack(t *testing.T) {
	left := time.Unix(1_800_000_000, 0)
	l := dctest.Ledger{
		Authorizations: []api.Authorization{{DC: 2, Perm: 100, UserID: 1, Home: true}},
		Memberships: []api.Membership{
			{Channel: 7, UserID: 1, FromPts: 1, Until: left, UntilPts: 4},
			{Channel: 7, UserID: 1, FromPts: 6, Until: left, UntilPts: 6},
			{Channel: 7, UserID: 1, FromPts: 8},
		},
	}
	for pts := int32(2); pts <= 12; pts++ {
		l.Updates = append(l.Updates, api.UpdateRecord{At: left, Channel: 7, Pts: pts, Kind: "message", Message: pts + 100})
	}
	for _, test := range []struct {
		name         string
		pts          []int32
		messages     []int32
		holes        []dctest.Hole
		lost, judged int
	}{
		{"all of both stays", []int32{2, 3, 4, 9, 10, 11, 12}, nil, nil, 0, 7},
		{"what came while it was away is more than is owed", []int32{2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, nil, nil, 0, 7},
		{"one of the first", []int32{2, 4, 9, 10, 11, 12}, nil, nil, 1, 7},
		{"one after it came back", []int32{2, 3, 4, 9, 11, 12}, nil, nil, 1, 7},
		{"the last after it came back", []int32{2, 3, 4, 9, 10, 11}, nil, nil, 1, 7},
		{"none after it came back", []int32{2, 3, 4}, nil, nil, 4, 7},
		{"the end of the first", []int32{2, 9, 10, 11, 12}, nil, nil, 0, 5},
		{"the beginning of the last", []int32{2, 3, 4, 11, 12}, nil, nil, 0, 5},
		{"one after a message without a place", []int32{2, 3, 4, 11, 12}, []int32{109}, nil, 1, 7},
		{"a hole without a beginning, in the last alone", []int32{2, 4, 9, 12}, nil, []dctest.Hole{{To: 11}}, 1, 7},
		{"a hole without an end", []int32{2, 4, 9, 10, 11, 12}, nil, []dctest.Hole{{From: 2}}, 1, 7},
	} {
		d := dctest.Delivered{UserID: 1, Channel: 7, Pts: test.pts, Messages: test.messages, Holes: test.holes}
		if v := l.Verdict(nil, []dctest.Delivered{d}, left); len(v.LostUpdates) != test.lost || v.Judged != test.judged {
			t.Errorf("%s: lost %+v of %d, want %d of %d", test.name, v.LostUpdates, v.Judged, test.lost, test.judged)
		}
	}
}

func TestProofOfAPermKeyIsNoMainSession(t *testing.T) {
	w := newWorld(t, nil)
	main := w.withTemp(2).inited()
	proof := *main
	proof.open()
	proof.Client = &raw.Client{Key: main.perm, Rand: main.Rand, Session: random64(), Last: main.Last}
	proof.send(proof.Query(w.now, &tg.HelpGetNearestDCRequest{}))
	proof.Salt = parse(t, proof.take(mt.BadServerSaltID), &mt.BadServerSalt{}).NewServerSalt
	proof.send(proof.Message(w.now, raw.Wrap(tg.Layer, 1, &tg.HelpGetNearestDCRequest{}), true))
	w.sleep(time.Second)
	main.echoed(1)
	if n := w.overlaps(main); n != 0 {
		t.Errorf("%d overlaps with a proof under the perm key", n)
	}
}
