package feed

import (
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/mtproto/peers"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// shelf is a host with a store that answers when the test lets it.
type shelf struct {
	Host    // the rest of it is not called
	records map[persistence.Key]persistence.Record
	kept    int
	reads   []func(now time.Time, records []persistence.Record, err error)
}

func (h *shelf) Keep(rec persistence.Record, _ bool) {
	h.records[rec.Key] = rec
	h.kept++
}

func (h *shelf) Read(done func(time.Time, []persistence.Record, error)) {
	h.reads = append(h.reads, done)
}

// read lets the store answer the first of what it was asked.
func (h *shelf) read(t *testing.T, now time.Time, err error) {
	t.Helper()
	if len(h.reads) == 0 {
		t.Fatal("nothing is asked of the store")
	}
	done := h.reads[0]
	h.reads = h.reads[1:]
	var records []persistence.Record
	for _, rec := range h.records {
		records = append(records, rec)
	}
	done(now, records, err)
}

func newShelf() (*Feed, *shelf) {
	h := &shelf{records: make(map[persistence.Key]persistence.Record)}
	return New("alice", h, slog.New(slog.DiscardHandler)), h
}

var start = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func userRaw(id, hash int64) tl.Raw {
	u := &tg.User{ID: id, AccessHash: tl.Some(hash)}
	return u.Append(nil)
}

// asked is what a query was answered.
type asked struct {
	list []peers.Peer
	err  error
	n    int
}

func ask(f *Feed, now time.Time, q peers.Query) *asked {
	var got asked
	f.Peers(now, q, func(list []peers.Peer, err error) { got.list, got.err, got.n = list, err, got.n+1 })
	return &got
}

func TestAnAccountThatMeetsNobodyReadsNothing(t *testing.T) {
	f, h := newShelf()
	f.Load(nil, nil, []persistence.Peers{{Page: 3}})
	f.meet(start, nil, []tl.Raw{(&tg.UserEmpty{ID: 7}).Append(nil)})
	f.Advance(start.Add(time.Hour))
	if f.met != nil || len(h.reads) > 0 || h.kept > 0 || !f.Deadline().IsZero() {
		t.Errorf("in memory: %v, %d reads, %d writes, due %v", f.met != nil, len(h.reads), h.kept, f.Deadline())
	}
}

func TestWhoComesIsAddedToWhatTheStoreHas(t *testing.T) {
	f, h := newShelf()
	was := peers.Peer{Kind: peers.User, ID: 8, AccessHash: 80, Seen: 5}
	rec := peersRecord(peers.Page(peers.User, 8), []peers.Peer{was}).Record("alice")
	h.records[rec.Key] = rec

	f.meet(start, []tl.Raw{userRaw(7, 70), userRaw(7, 71)})
	one, all := ask(f, start, peers.Query{Kind: peers.User, ID: 7}), ask(f, start, peers.Query{})
	if h.kept > 0 || one.n+all.n > 0 || len(h.reads) != 1 {
		t.Fatal("it goes on before the store has answered")
	}
	if !f.knows(start, 7) || f.knows(start, 8) {
		t.Error("who came is not known while the store is asked, or somebody else is")
	}
	h.read(t, start, nil)
	want := peers.Peer{Kind: peers.User, ID: 7, AccessHash: 71, Seen: uint32(start.Unix())}
	if one.n != 1 || len(one.list) != 1 || one.list[0] != want || all.n != 1 || !slices.Equal(all.list, []peers.Peer{want, was}) {
		t.Errorf("told %+v and %+v", one, all)
	}
	if !f.knows(start, 8) || h.kept > 0 || !f.Deadline().Equal(start.Add(peersDelay)) {
		t.Errorf("%d pages written, 8 is known: %v, due %v", h.kept, f.knows(start, 8), f.Deadline())
	}
	f.Advance(start.Add(peersDelay))
	kept := h.kept
	if kept != 1 {
		t.Errorf("%d pages are written of one peer", kept)
	}
	f.meet(start.Add(time.Minute), []tl.Raw{userRaw(7, 71)})
	if h.kept != kept {
		t.Error("nothing new, and it is written")
	}
	if want := start.Add(time.Minute + peersIdle); !f.Deadline().Equal(want) {
		t.Errorf("it is let go at %v, want %v", f.Deadline(), want)
	}
	f.Advance(start.Add(time.Minute + peersIdle))
	if f.met != nil || !f.Deadline().IsZero() {
		t.Error("it stays in memory")
	}
	again := ask(f, start.Add(time.Hour), peers.Query{})
	h.read(t, start.Add(time.Hour), nil)
	if !slices.Equal(again.list, []peers.Peer{want, was}) {
		t.Errorf("read again it is %+v", again.list)
	}
}

func TestAStoreThatFailsForgetsNobody(t *testing.T) {
	f, h := newShelf()
	f.meet(start, []tl.Raw{userRaw(7, 70)})
	got := ask(f, start, peers.Query{})
	broken := errors.New("the disk is gone")
	h.read(t, start, broken)
	if !errors.Is(got.err, broken) || got.n != 1 || h.kept > 0 || f.met != nil {
		t.Errorf("told %+v, %d pages written", got, h.kept)
	}
	f.meet(start, []tl.Raw{userRaw(7, 70)})
	h.read(t, start, nil)
	f.Advance(start.Add(peersDelay))
	if h.kept != 1 {
		t.Errorf("%d pages are written when it is back", h.kept)
	}
}

func TestAPageThatCannotBeReadCostsThatPage(t *testing.T) {
	f, h := newShelf()
	for _, id := range []int64{7, 8} {
		rec := peersRecord(peers.Page(peers.User, id), []peers.Peer{{Kind: peers.User, ID: id}}).Record("alice")
		if id == 7 {
			rec.Data = rec.Data[:1]
		}
		h.records[rec.Key] = rec
	}
	if peers.Page(peers.User, 7) == peers.Page(peers.User, 8) {
		t.Fatal("they lie in one page")
	}
	got := ask(f, start, peers.Query{})
	h.read(t, start, &persistence.CorruptError{Key: persistence.PeersKey("alice", 1)})
	if got.err != nil || len(got.list) != 1 || got.list[0].ID != 8 {
		t.Errorf("told %+v", got)
	}
}

func TestAnotherLoginMeetsOthers(t *testing.T) {
	f, h := newShelf()
	f.Load(nil, nil, []persistence.Peers{{Page: 3}})
	f.meet(start, []tl.Raw{userRaw(7, 70)})
	got := ask(f, start, peers.Query{})
	f.Forget()
	if got.n != 1 || got.err != nil || len(got.list) > 0 {
		t.Errorf("told %+v", got)
	}
	h.read(t, start, nil) // too late: it is about who was met before
	if f.met != nil || h.kept > 0 {
		t.Error("whom the last login met is back")
	}
	var commit persistence.Commit
	f.Fresh(&commit)
	if !slices.Contains(commit.Delete, persistence.PeersKey("alice", 3)) {
		t.Errorf("deleted is %v", commit.Delete)
	}
}

func TestWhoAsksOfAnAccountThatStopsIsTold(t *testing.T) {
	f, _ := newShelf()
	got := ask(f, start, peers.Query{ID: 7})
	stopped := errors.New("stopped")
	f.Release(stopped)
	if got.n != 1 || !errors.Is(got.err, stopped) {
		t.Errorf("told %+v", got)
	}
	f.Release(stopped)
}

func TestWhatComesWhileTheStoreIsAskedIsBounded(t *testing.T) {
	f, _ := newShelf()
	many := make([]tl.Raw, 1000)
	for i := range many {
		many[i] = userRaw(int64(i+1), 1)
	}
	for range 2 + peers.Limit/len(many) {
		f.meet(start, many)
	}
	if n := len(f.met.came); n != peers.Limit {
		t.Errorf("%d wait, at most %d", n, peers.Limit)
	}
}

func TestWhomManyUpdatesBringIsWrittenOnce(t *testing.T) {
	f, h := newShelf()
	f.meet(start, []tl.Raw{userRaw(1, 1)})
	h.read(t, start, nil)
	for id := range int64(500) {
		f.meet(start.Add(time.Duration(id)*time.Millisecond), []tl.Raw{userRaw(id+1, 1)})
	}
	f.Advance(start.Add(peersDelay - 1))
	if h.kept > 0 {
		t.Errorf("%d pages are written before a second is over", h.kept)
	}
	f.Advance(start.Add(peersDelay))
	if h.kept != peers.Pages {
		t.Errorf("%d pages are written for 500 peers, there are %d", h.kept, peers.Pages)
	}
	f.meet(start.Add(time.Minute), []tl.Raw{userRaw(501, 1)})
	f.Flush(start.Add(time.Minute))
	if h.kept != peers.Pages+1 {
		t.Errorf("a flush writes %d pages, want 1", h.kept-peers.Pages)
	}
	f.Flush(start.Add(time.Minute))
	f.Advance(start.Add(2 * time.Minute))
	if h.kept != peers.Pages+1 {
		t.Errorf("%d pages are written twice", h.kept-peers.Pages-1)
	}
}

// shelved is an account whose store answers.
type shelved struct {
	*note
	*shelf
}

func (s shelved) Ask(query tl.Object, q Question) { s.note.Ask(query, q) }
func (s shelved) Delivered(list []Update)         { s.note.Delivered(list) }
func (s shelved) Hole(h Hole)                     { s.note.Hole(h) }
func (s shelved) DCsChanged()                     {}
func (s shelved) Self() (int64, bool)             { return 42, true }
func (s shelved) Durable() (on, held bool)        { return false, false }
func (s shelved) Decided(any)                     {}
func (s shelved) Life() uint64                    { return 1 }

func (s shelved) Keep(rec persistence.Record, now bool) { s.note.Keep(rec, now) }

func (s shelved) Read(done func(time.Time, []persistence.Record, error)) { s.shelf.Read(done) }

// TestWhoCameIsWrittenBeforeThePlace: an update that the stored place covers does not come again, and brings nobody again.
func TestWhoCameIsWrittenBeforeThePlace(t *testing.T) {
	n, h := &note{}, &shelf{}
	f := New("a", shelved{n, h}, slog.New(slog.DiscardHandler))
	n.feed = f
	f.Load(&persistence.Updates{Pts: 1, Date: 1, Seq: 1}, nil, nil)
	f.Sync(noon)
	f.Pump(noon)
	n.answer(&tg.UpdatesDifferenceEmpty{Date: 1, Seq: 1})
	f.Peers(noon, peers.Query{}, func([]peers.Peer, error) {})
	h.read(t, noon, nil)
	f.Pump(noon)
	n.lines = nil
	first := (&tg.Updates{Updates: []tl.Raw{inChannelRaw(5, 11)}, Users: []tg.AnyUser{&tg.User{ID: 7, AccessHash: tl.Some[int64](70)}}, Date: 2}).Append(nil)
	f.Push(noon, first)
	n.want(t, "with the first place of a channel, which is written at once", "channel:5 at 11, mark 1", "keep peers", "keep channels, now")
	next := (&tg.Updates{Updates: []tl.Raw{inChannelRaw(5, 12)}, Users: []tg.AnyUser{&tg.User{ID: 8, AccessHash: tl.Some[int64](80)}}, Date: 2}).Append(nil)
	f.Push(noon, next)
	f.Advance(noon.Add(time.Second))
	n.want(t, "with a later one", "channel:5 at 12, mark 2", "keep peers", "keep channels")
}

// TestThePeopleOfAnEnvelopeAreReadOnce, however many deliveries its updates are.
func TestThePeopleOfAnEnvelopeAreReadOnce(t *testing.T) {
	n := online(t, persistence.Channels{Page: 5, List: []persistence.Channel{{ID: 5, Hash: 9, Pts: 10}}})
	envelope := func(user int64, pts ...int32) {
		v := &tg.Updates{Users: []tg.AnyUser{&tg.User{ID: user, AccessHash: tl.Some[int64](70)}}, Date: 2}
		for _, at := range pts {
			v.Updates = append(v.Updates, inChannelRaw(5, at))
		}
		n.feed.Push(noon, v.Append(nil))
	}
	envelope(7, 11, 12, 13)
	envelope(8, 14)
	n.feed.Pump(noon)
	envelope(7, 15, 16)
	n.want(t, "all are delivered", "channel:5 at 11, mark 1", "channel:5 at 12, mark 2", "channel:5 at 13, mark 3",
		"channel:5 at 14, mark 4", "channel:5 at 15, mark 5", "channel:5 at 16, mark 6")
	var ids []int64
	for _, p := range n.feed.met.came {
		ids = append(ids, p.ID)
	}
	if !slices.Equal(ids, []int64{7, 8, 7}) {
		t.Errorf("%d came", ids)
	}
}

func TestWhomAResultNamedIsMet(t *testing.T) {
	f, h := newShelf()
	ada := peers.Peer{Kind: peers.User, ID: 7, AccessHash: 70}
	f.Met(start, f.Era(), nil)
	if f.met != nil {
		t.Error("nobody is met, and the store is read")
	}
	f.Met(start, f.Era(), []peers.Peer{ada})
	got := ask(f, start, peers.Query{ID: 7})
	h.read(t, start, nil)
	if got.n != 1 || len(got.list) != 1 || got.list[0].AccessHash != 70 {
		t.Errorf("told %+v", got)
	}
	f.Advance(start.Add(peersDelay))
	if h.kept != 1 {
		t.Errorf("%d pages are written", h.kept)
	}
}

// TestWhomAResultNamedToAnotherLoginIsNotMet: a caller may be slow, and the access_hashes in his hands are another login's.
func TestWhomAResultNamedToAnotherLoginIsNotMet(t *testing.T) {
	f, h := newShelf()
	asked := f.Era()
	f.Forget()
	f.Met(start, asked, []peers.Peer{{Kind: peers.User, ID: 7, AccessHash: 70}})
	if f.met != nil || len(h.reads) > 0 {
		t.Error("the login that is over told who was met by the one that is not")
	}
}

func TestWhomResultsNameWhileTheStoreIsAskedIsBounded(t *testing.T) {
	f, h := newShelf()
	for id := range int64(peers.Limit + 10) {
		f.Met(start, f.Era(), []peers.Peer{{Kind: peers.User, ID: id + 1}})
	}
	if n := len(f.met.came); n != peers.Limit || len(h.reads) != 1 {
		t.Errorf("%d wait, at most %d; %d reads", n, peers.Limit, len(h.reads))
	}
}

func TestPeersComeBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list []peers.Peer
		for range rapid.IntRange(0, 5).Draw(t, "peers") {
			list = append(list, peers.Peer{
				Kind: peers.Kind(rapid.IntRange(1, 3).Draw(t, "kind")), Min: rapid.Bool().Draw(t, "min"), Bot: rapid.Bool().Draw(t, "bot"),
				Seen: rapid.Uint32().Draw(t, "seen"), ID: rapid.Int64().Draw(t, "id"), AccessHash: rapid.Int64().Draw(t, "hash"),
				Username: rapid.StringN(0, 8, 64).Draw(t, "name"),
			})
		}
		rec, err := persistence.DecodePeers(peersRecord(5, list).Record("alice"))
		if got := peersOf(rec); err != nil || rec.Page != 5 || !slices.Equal(got, list) {
			t.Fatalf("%v, %v, want %v", got, err, list)
		}
	})
}
