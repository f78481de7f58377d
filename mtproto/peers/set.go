package peers

import (
	"cmp"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// Limit is how many peers an account keeps: more than most meet in a week, and with 40 bytes each, the
	// slack of the pages and the usernames some 300 KiB in memory, 6 KiB for a hundred (BenchmarkMemory has 200 and 5.5 kB
	// without the usernames), and 140 KiB on disk for one that is full. At the
	// limit the least recently seen peer goes for each that comes; its hash comes again with whatever mentions it.
	Limit = 4096
	// Pages is into how many parts a set is divided, by id: one that changes has 256 peers written at most on average,
	// some 8 KiB, and an account with any has 16 more records.
	Pages = 16
	// day is how fine Seen is stored: a peer that comes all the time is written once a day for it.
	day = 24 * 60 * 60
)

// Set is the peers of one account. The zero Set is empty. One owner, no lock.
type Set struct {
	pages [Pages][]Peer
	n     int
	dirty uint16 // pages that are not stored as they are, by their bits
	// oldest is where each page has its least recently seen peer, counted from 1; 0: to be looked for.
	oldest [Pages]uint16
}

// Page is the part of a set that a peer is in.
func Page(kind Kind, id int64) int {
	return int((uint64(id)*0x9e3779b97f4a7c15 + uint64(kind)*0xbf58476d1ce4e5b9) >> 60)
}

// Len is how many peers there are.
func (s *Set) Len() int { return s.n }

// Get returns a peer.
func (s *Set) Get(kind Kind, id int64) (Peer, bool) {
	page := s.pages[Page(kind, id)]
	if i := find(page, kind, id); i >= 0 {
		return page[i], true
	}
	return Peer{}, false
}

// Named returns the peer with a username, which is compared without regard to case, as the server does.
func (s *Set) Named(username string) (Peer, bool) {
	if username = strings.TrimPrefix(username, "@"); username == "" {
		return Peer{}, false
	}
	var found Peer
	for p := range s.all() { // of two, one of which has it no more, the one seen last
		if strings.EqualFold(p.Username, username) && (found.Kind == 0 || p.Seen > found.Seen) {
			found = p
		}
	}
	return found, found.Kind != 0
}

// All lists the peers by kind and id.
func (s *Set) All() []Peer {
	list := slices.AppendSeq(make([]Peer, 0, s.n), s.all())
	slices.SortFunc(list, func(a, b Peer) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID)) })
	return list
}

func (s *Set) all() iter.Seq[Peer] {
	return func(yield func(Peer) bool) {
		for _, page := range s.pages {
			for _, p := range page {
				if !yield(p) {
					return
				}
			}
		}
	}
}

// Query asks for peers: the one with ID of a kind, those with ID of every kind, the one with a username, or without
// either all of them.
type Query struct {
	Kind     Kind // 0: every one
	ID       int64
	Username string
}

// String says who is asked for: "user 7", "@ada".
func (q Query) String() string {
	switch {
	case q.Username != "":
		return "@" + q.Username
	case q.ID != 0 && q.Kind != 0:
		return Peer{Kind: q.Kind, ID: q.ID}.String()
	case q.ID != 0:
		return "a peer with the id " + strconv.FormatInt(q.ID, 10)
	}
	return "a peer without id and name"
}

// Find lists the peers that a query asks for.
func (s *Set) Find(q Query) (list []Peer) {
	switch {
	case q.Username != "":
		if p, ok := s.Named(q.Username); ok {
			list = append(list, p)
		}
	case q.ID != 0:
		for kind := User; kind.Known(); kind++ {
			if p, ok := s.Get(kind, q.ID); ok && (q.Kind == 0 || q.Kind == kind) {
				list = append(list, p)
			}
		}
	default:
		list = s.All()
	}
	return list
}

// See remembers a peer that came, as Read has it.
func (s *Set) See(now time.Time, p Peer) {
	p.Seen = uint32(max(now.Unix(), 0))
	n := Page(p.Kind, p.ID)
	if i := find(s.pages[n], p.Kind, p.ID); i >= 0 {
		was := &s.pages[n][i]
		p = merge(*was, p)
		p.partial = false
		same := p
		same.Seen = was.Seen
		if same != *was || p.Seen/day != was.Seen/day {
			s.dirty |= 1 << n
		}
		*was = p
		if s.oldest[n] == uint16(i+1) {
			s.oldest[n] = 0
		}
		return
	}
	if s.n == Limit {
		s.evict()
	}
	p.partial = false
	s.pages[n] = append(s.pages[n], p)
	if o := s.oldest[n]; o > 0 && older(&p, &s.pages[n][o-1]) {
		s.oldest[n] = uint16(len(s.pages[n]))
	}
	s.n++
	s.dirty |= 1 << n
}

// merge is what is known of a peer after p came where was stood: the newer, but an abbreviation takes nothing from what is
// known in full, and what does not say a hash, or cannot say a username, leaves the one that is known.
func merge(was, p Peer) Peer {
	if p.Min && !was.Min {
		was.Seen = max(was.Seen, p.Seen)
		return was
	}
	if p.AccessHash == 0 && p.Min == was.Min {
		p.AccessHash = was.AccessHash
	}
	if p.partial {
		p.Username = was.Username
	}
	p.Seen = max(p.Seen, was.Seen)
	return p
}

// evict lets go of the least recently seen peer; of several the one with the lowest id. Each page remembers which that is of
// its own, so that one who comes costs a look at 16 peers and at the 256 of a page, not at all 4,096.
func (s *Set) evict() {
	page := -1
	for n := range s.pages {
		if len(s.pages[n]) > 0 && (page < 0 || older(s.oldestOf(n), s.oldestOf(page))) {
			page = n
		}
	}
	at := int(s.oldest[page]) - 1
	s.pages[page] = slices.Delete(s.pages[page], at, at+1)
	s.oldest[page] = 0
	s.n--
	s.dirty |= 1 << page
}

// oldestOf is the least recently seen peer of a page, which has one.
func (s *Set) oldestOf(n int) *Peer {
	page := s.pages[n]
	if s.oldest[n] == 0 {
		at := 0
		for i := range page {
			if older(&page[i], &page[at]) {
				at = i
			}
		}
		s.oldest[n] = uint16(at + 1)
	}
	return &page[s.oldest[n]-1]
}

func older(a, b *Peer) bool {
	if a.Seen != b.Seen {
		return a.Seen < b.Seen
	}
	return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Kind, b.Kind)) < 0
}

// Load takes what a page is in the store, before anything is seen. What this program would not have stored there is left
// out.
func (s *Set) Load(page int, list []Peer) {
	for _, p := range list { // one of a page that there is not belongs to another
		if !p.Kind.Known() || p.ID == 0 || len(p.Username) > maxUsername || Page(p.Kind, p.ID) != page ||
			s.n == Limit || find(s.pages[page], p.Kind, p.ID) >= 0 {
			continue
		}
		s.pages[page] = append(s.pages[page], p)
		s.n++
	}
}

// Changed gives the pages that are not stored as they are, each with its peers, and takes them as stored.
func (s *Set) Changed() iter.Seq2[int, []Peer] {
	return func(yield func(int, []Peer) bool) {
		for n := range s.pages {
			if s.dirty&(1<<n) == 0 {
				continue
			}
			s.dirty &^= 1 << n
			if !yield(n, s.pages[n]) {
				return
			}
		}
	}
}

// Dirty reports whether Changed would give anything.
func (s *Set) Dirty() bool { return s.dirty != 0 }

func find(page []Peer, kind Kind, id int64) int {
	for i := range page { // by index: a copy of each would take thrice as long
		if page[i].ID == id && page[i].Kind == kind {
			return i
		}
	}
	return -1
}
