package peers

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

const (
	withHash = 1 << 0
	withName = 1 << 3
	isBot    = 1 << 14
	isMin    = 1 << 20
)

func see(t *testing.T, s *Set, at int64, raw tl.Raw) {
	t.Helper()
	p, ok := Read(raw)
	if !ok {
		t.Fatal("it is not read")
	}
	s.See(time.Unix(at, 0), p)
}

func TestWhatIsKnownOfAPeer(t *testing.T) {
	full := userOf(7, 70, withHash|withName, "ada")
	for _, c := range []struct {
		name string
		came []tl.Raw
		want Peer
	}{
		{"a full one is kept", []tl.Raw{full}, Peer{Kind: User, ID: 7, AccessHash: 70, Username: "ada"}},
		{"a bot is known for one", []tl.Raw{userOf(7, 70, withHash|isBot, "")}, Peer{Kind: User, ID: 7, AccessHash: 70, Bot: true}},
		{"an abbreviation is kept while there is nothing better", []tl.Raw{userOf(7, 71, withHash|isMin, "")},
			Peer{Kind: User, ID: 7, AccessHash: 71, Min: true}},
		{"an abbreviation takes no full one's place", []tl.Raw{full, userOf(7, 71, withHash|withName|isMin, "eve")},
			Peer{Kind: User, ID: 7, AccessHash: 70, Username: "ada"}},
		{"a full one takes an abbreviation's", []tl.Raw{userOf(7, 71, withHash|isMin, ""), full},
			Peer{Kind: User, ID: 7, AccessHash: 70, Username: "ada"}},
		{"a full one without a hash does not make an abbreviation's good", []tl.Raw{userOf(7, 71, withHash|isMin, ""), userOf(7, 0, withName, "ada")},
			Peer{Kind: User, ID: 7, Username: "ada"}},
		{"a hash that is not said again stays", []tl.Raw{full, userOf(7, 0, withName, "ada")},
			Peer{Kind: User, ID: 7, AccessHash: 70, Username: "ada"}},
		{"a hash that changes is the new one", []tl.Raw{full, userOf(7, 72, withHash|withName, "ada")},
			Peer{Kind: User, ID: 7, AccessHash: 72, Username: "ada"}},
		{"a username that is given up is gone", []tl.Raw{full, userOf(7, 70, withHash, "")}, Peer{Kind: User, ID: 7, AccessHash: 70}},
		{"a channel that one was banned from", []tl.Raw{forbidden(7, 73)}, Peer{Kind: Channel, ID: 7, AccessHash: 73}},
		{"a username that is no username", []tl.Raw{userOf(7, 70, withHash|withName, strings.Repeat("a", 65))},
			Peer{Kind: User, ID: 7, AccessHash: 70}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s Set
			for i, raw := range c.came {
				see(t, &s, int64(100+i), raw)
			}
			c.want.Seen = uint32(99 + len(c.came))
			if got, ok := s.Get(c.want.Kind, 7); !ok || got != c.want || s.Len() != 1 {
				t.Errorf("%+v of %d, want %+v", got, s.Len(), c.want)
			}
		})
	}
}

func TestABanTakesNoUsername(t *testing.T) {
	var s Set
	s.Load(Page(Channel, 7), []Peer{{Kind: Channel, ID: 7, AccessHash: 1, Username: "news"}})
	see(t, &s, 5, forbidden(7, 2))
	if got, _ := s.Get(Channel, 7); got != (Peer{Kind: Channel, ID: 7, AccessHash: 2, Username: "news", Seen: 5}) {
		t.Errorf("%+v", got)
	}
}

func TestAPageIsWrittenWhenItSaysSomethingNew(t *testing.T) {
	var s Set
	changed := func() (pages []int) {
		for page := range s.Changed() {
			pages = append(pages, page)
		}
		return pages
	}
	const noon = 20000*day + day/2
	ada := userOf(7, 70, withHash, "")
	for _, c := range []struct {
		what string
		at   int64
		raw  tl.Raw
		want bool
	}{
		{"a new peer", noon, ada, true},
		{"the same again", noon + 60, ada, false},
		{"an abbreviation of it", noon + 70, userOf(7, 71, withHash|isMin, ""), false},
		{"the next day", noon + day, ada, true},
		{"another hash", noon + day, userOf(7, 72, withHash, ""), true},
		{"a name", noon + day, userOf(7, 72, withHash|withName, "ada"), true},
	} {
		see(t, &s, c.at, c.raw)
		var want []int
		if c.want {
			want = []int{Page(User, 7)}
		}
		if s.Dirty() != c.want {
			t.Errorf("%s: dirty %v", c.what, s.Dirty())
		}
		if got := changed(); !slices.Equal(got, want) {
			t.Errorf("%s: pages %v are written, want %v", c.what, got, want)
		}
	}
}

// twin is a set as one would write it who need not care what it costs.
type twin []Peer

func (w *twin) see(now int64, p Peer) {
	p.Seen = uint32(now)
	for i, was := range *w {
		if was.Kind == p.Kind && was.ID == p.ID {
			if was.Min == p.Min || was.Min {
				if p.AccessHash == 0 && was.Min == p.Min {
					p.AccessHash = was.AccessHash
				}
				was = p
			}
			was.Seen = uint32(max(now, int64((*w)[i].Seen)))
			(*w)[i] = was
			return
		}
	}
	if len(*w) == Limit {
		oldest := slices.MinFunc(*w, func(a, b Peer) int {
			if older(&a, &b) {
				return -1
			}
			return 1
		})
		*w = slices.DeleteFunc(*w, func(p Peer) bool { return p == oldest })
	}
	*w = append(*w, p)
}

// TestTheSetIsThatOfItsTwin holds a set, and what a store makes of it at every step, to a plain list.
func TestTheSetIsThatOfItsTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Set
		var w twin
		stored := make(map[int][]Peer)
		now := int64(1000)
		if rapid.Bool().Draw(t, "full") {
			for id := range int64(Limit - 3) {
				s.See(time.Unix(now+id%50, 0), Peer{Kind: User, ID: id + 10})
				w.see(now+id%50, Peer{Kind: User, ID: id + 10})
			}
			now += 50
		}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			now += rapid.Int64Range(0, day/2).Draw(t, "later")
			p := Peer{
				Kind: Kind(rapid.IntRange(1, 3).Draw(t, "kind")), ID: rapid.Int64Range(1, 12).Draw(t, "id"),
				AccessHash: rapid.Int64Range(0, 3).Draw(t, "hash"), Min: rapid.Bool().Draw(t, "min"),
				Username: rapid.SampledFrom([]string{"", "Ada", "bob"}).Draw(t, "name"),
			}
			s.See(time.Unix(now, 0), p)
			w.see(now, p)
			if rapid.Bool().Draw(t, "stored") {
				for page, list := range s.Changed() {
					stored[page] = slices.Clone(list)
				}
				var again Set
				for page, list := range stored {
					again.Load(page, list)
				}
				equal(t, &again, w, true)
			}
		}
		equal(t, &s, w, false)
		for _, p := range w {
			if got, ok := s.Get(p.Kind, p.ID); !ok || got != p {
				t.Fatalf("%+v, %v, want %+v", got, ok, p)
			}
		}
		if got, ok := s.Named("@ADA"); ok != slices.ContainsFunc(w, func(p Peer) bool { return p.Username == "Ada" }) || ok && got.Username != "Ada" {
			t.Fatalf("@ADA is %+v, %v", got, ok)
		}
	})
}

// TestTheOldestGoesWhereverItLies fills a set and goes on with those who were there and others, and wants the ones seen
// last of a plain list that remembers everybody.
func TestTheOldestGoesWhereverItLies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Set
		seen := make(map[int64]int64) // everybody who ever came
		at := int64(1000)
		see := func(id int64) {
			at++
			s.See(time.Unix(at, 0), Peer{Kind: User, ID: id})
			seen[id] = at
		}
		for id := range int64(Limit) {
			see(id + 1)
		}
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			see(rapid.Int64Range(1, 2*Limit).Draw(t, "id"))
		}
		if s.Len() != Limit {
			t.Fatalf("%d peers", s.Len())
		}
		var last []int64
		for _, at := range seen {
			last = append(last, at)
		}
		slices.Sort(last)
		oldest := last[len(last)-Limit]
		for id, at := range seen {
			if _, ok := s.Get(User, id); ok != (at >= oldest) {
				t.Fatalf("%d was seen at %d, the %d-th last at %d, and is there: %v", id, at, Limit, oldest, ok)
			}
		}
	})
}

// equal wants the peers of the twin; stored ones may have been seen since, the same day.
func equal(t *rapid.T, s *Set, w twin, stored bool) {
	list := slices.Clone(w)
	slices.SortFunc(list, func(a, b Peer) int {
		if a.Kind != b.Kind {
			return int(a.Kind) - int(b.Kind)
		}
		return int(a.ID - b.ID)
	})
	got := s.All()
	if len(got) != len(list) || s.Len() != len(list) || len(list) > Limit {
		t.Fatalf("%d peers, and says %d, want %d", len(got), s.Len(), len(list))
	}
	for i := range list {
		if stored && got[i].Seen/day == list[i].Seen/day {
			got[i].Seen = list[i].Seen
		}
		if got[i] != list[i] {
			t.Fatalf("%+v, want %+v", got[i], list[i])
		}
	}
}

func TestWhatAStoreHasIsNotTrusted(t *testing.T) {
	var s Set
	page := Page(User, 7)
	s.Load(page, []Peer{
		{Kind: User, ID: 7, AccessHash: 1}, {Kind: User, ID: 7, AccessHash: 2}, {Kind: 0, ID: 7}, {Kind: 4, ID: 7}, {Kind: User},
		{Kind: User, ID: 7, Username: strings.Repeat("a", 65)},
	})
	s.Load((page+1)%Pages, []Peer{{Kind: User, ID: 7}})
	if got, _ := s.Get(User, 7); got.AccessHash != 1 || s.Len() != 1 || s.Dirty() {
		t.Errorf("%d peers, the first with %d", s.Len(), got.AccessHash)
	}
}

func TestPeersLieInAllPages(t *testing.T) {
	for kind := User; kind.Known(); kind++ {
		var counts [Pages]int
		for id := range int64(Limit) {
			counts[Page(kind, id)]++
		}
		for page, n := range counts {
			if n > 2*Limit/Pages {
				t.Errorf("%d %vs of %d are in page %d", n, kind, Limit, page)
			}
		}
	}
}

func TestWhatACallTakes(t *testing.T) {
	user, chat := Peer{Kind: User, ID: 7, AccessHash: 70, Username: "ada"}, Peer{Kind: Chat, ID: 8}
	channel, least := Peer{Kind: Channel, ID: 9, AccessHash: -90}, Peer{Kind: User, ID: 7, AccessHash: 71, Min: true}
	for want, of := range map[tl.Object]func() (tl.Object, error){
		&tg.InputPeerUser{UserID: 7, AccessHash: 70}:        func() (tl.Object, error) { return user.Input() },
		&tg.InputPeerChat{ChatID: 8}:                        func() (tl.Object, error) { return chat.Input() },
		&tg.InputPeerChannel{ChannelID: 9, AccessHash: -90}: func() (tl.Object, error) { return channel.Input() },
		&tg.InputUser{UserID: 7, AccessHash: 70}:            func() (tl.Object, error) { return user.InputUser() },
		&tg.InputChannel{ChannelID: 9, AccessHash: -90}:     func() (tl.Object, error) { return channel.InputChannel() },
	} {
		if got, err := of(); err != nil || string(got.Append(nil)) != string(want.Append(nil)) {
			t.Errorf("%v, %v, want %v", got, err, want)
		}
	}
	_, err1 := least.Input()
	_, err2 := least.InputUser()
	var min *MinError
	if !errors.As(err1, &min) || !errors.As(err2, &min) || strings.Contains(err1.Error(), "71") {
		t.Errorf("%v, %v", err1, err2)
	}
	_, err1 = chat.InputUser()
	_, err2 = user.InputChannel()
	var kind *KindError
	if !errors.As(err1, &kind) || !errors.As(err2, &kind) || err2.Error() != "user 7 @ada is a user, and a channel is wanted" {
		t.Errorf("%v, %v", err1, err2)
	}
}

func TestAPeerAsText(t *testing.T) {
	p := Peer{Kind: Channel, ID: 1 << 40, AccessHash: -1 << 63, Username: "news", Seen: 9}
	text, err := json.Marshal(p)
	const want = `{"type":"channel","seen":9,"id":"1099511627776","access_hash":"-9223372036854775808","username":"news"}`
	if err != nil || string(text) != want {
		t.Errorf("%s, %v", text, err)
	}
	var back Peer
	if err := json.Unmarshal(text, &back); err != nil || back != p {
		t.Errorf("%+v, %v", back, err)
	}
	if err := json.Unmarshal([]byte(`{"type":"group"}`), &back); err == nil {
		t.Error("a group is a peer")
	}
	if got := fmt.Sprint(p); got != "channel 1099511627776 @news" { // a log has no access_hash
		t.Error(got)
	}
}

// BenchmarkSee is a peer that comes again, in a full set.
func BenchmarkSee(b *testing.B) {
	var s Set
	for id := range int64(Limit) {
		s.See(time.Unix(1000, 0), Peer{Kind: User, ID: id + 1})
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.See(time.Unix(2000, 0), Peer{Kind: User, ID: int64(i%Limit) + 1})
	}
}

// BenchmarkSeeOthers is a peer that comes for the first time, in a full set.
func BenchmarkSeeOthers(b *testing.B) {
	var s Set
	for id := range int64(Limit) {
		s.See(time.Unix(1000, 0), Peer{Kind: User, ID: id + 1})
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.See(time.Unix(2000+int64(i), 0), Peer{Kind: User, ID: int64(Limit + i + 1)})
	}
}
