package dashboard

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/persistence"
)

// row is what the fleet's table has of an account.
type row struct {
	id          string
	state       string
	since       time.Time
	until       time.Time
	dc          int
	bot, pfs    bool
	labels      persistence.Labels
	why, advice string
}

func rowOf(a control.Account) row {
	return row{
		id: a.ID, state: a.State, since: a.Since, until: a.Until, dc: a.HomeDC, bot: a.Bot, pfs: a.PFS,
		labels: a.Labels, why: a.Why, advice: a.Advice,
	}
}

// rows are those that have changed, as they travel: each is id, state, since and until in
// seconds, home DC, 1 for a bot, labels, why and advice; the last three are places in
// Words, where many accounts share them.
type rows struct {
	// All: these are all there are. Gone are names of accounts that are no more.
	All   bool     `json:"all,omitempty"`
	Gone  []string `json:"gone,omitempty"`
	Words []string `json:"words"`
	Rows  [][]any  `json:"rows"`

	places map[string]int
}

func newRows() *rows {
	return &rows{Words: []string{}, Rows: [][]any{}, places: map[string]int{}}
}

func (t *rows) add(r row) {
	place := func(text string) int {
		at, ok := t.places[text]
		if !ok {
			at = len(t.Words)
			t.places[text], t.Words = at, append(t.Words, text)
		}
		return at
	}
	seconds := func(at time.Time) int64 {
		if at.IsZero() {
			return 0
		}
		return at.Unix()
	}
	bot := 0
	if r.bot {
		bot = 1
	}
	t.Rows = append(t.Rows, []any{
		r.id, place(r.state), seconds(r.since), seconds(r.until), r.dc, bot, place(r.labels.String()), place(r.why), place(r.advice),
	})
}

// tally is a state and how many accounts are in it.
type tally struct {
	state string
	n     int
}

// talliesOf are those of states that there are, what wants most of an operator first.
func talliesOf(list []control.Account) (all []tally) {
	n := map[string]int{}
	for i := range list {
		n[list[i].State]++
	}
	for _, state := range states {
		if n[state] > 0 {
			all = append(all, tally{state, n[state]})
		}
	}
	return all
}

func (s *Server) fleetPage(w http.ResponseWriter, r *http.Request) {
	list, err := control.List.Call(r.Context(), s.o.Service, control.ListRequest{})
	if err != nil {
		s.failed(w, r, err)
		return
	}
	s.show(w, r, http.StatusOK, "Fleet", view{live: "/live/fleet", scripts: []string{"fleet.js"}}, fleet(len(list.Accounts), talliesOf(list.Accounts), outagesPart(list.Outages)))
}

func outagesPart(list []actors.Outage) part { return part{"outages", outages(list)} }

const (
	// lookEvery is how often the whole fleet is looked at: for what is told by no event, as
	// labels are, accounts that are no more, and DCs that come to be known as lost.
	lookEvery = 5 * time.Second
	// singly is how many accounts are looked at one by one; of more all are.
	singly = 200
)

// fleetLive streams the rows: all at first, and then those that have changed.
func (s *Server) fleetLive(w http.ResponseWriter, r *http.Request) {
	f := follower{told: map[string]row{}, news: map[string]bool{}}
	ctx, cancel := context.WithCancel(r.Context())
	var heard sync.WaitGroup
	defer heard.Wait()
	defer cancel()
	events, err := control.Events.Call(ctx, s.o.Service, control.EventsRequest{Now: true, Filter: actors.Filter{Kinds: []actors.EventKind{actors.EventState}}})
	if err != nil {
		s.failed(w, r, err)
		return
	}
	heard.Go(func() {
		for ev := range events {
			f.hear(ev)
		}
	})
	s.stream(w, r, func(ctx context.Context, t *stream) error {
		news, whole := f.due(s.o.Now())
		if !whole {
			return s.tellSome(ctx, t, &f, news)
		}
		list, err := control.List.Call(ctx, s.o.Service, control.ListRequest{})
		if err != nil {
			return err
		}
		if err := f.tell(t, f.take(list.Accounts)); err != nil {
			return err
		}
		return f.outages(ctx, t, list.Outages)
	})
}

// tellSome tells of those accounts that something has happened to.
func (s *Server) tellSome(ctx context.Context, t *stream, f *follower, news map[string]bool) error {
	changed := newRows()
	for id := range news {
		acc, err := control.Show.Call(ctx, s.o.Service, control.AccountRequest{ID: id})
		switch {
		case control.KindOf(err) == control.KindNoAccount: // the next look at all will tell
		case err != nil:
			return err
		default:
			f.compare(changed, rowOf(acc))
		}
	}
	return f.tell(t, changed)
}

// follower knows what a stream of the fleet has told.
type follower struct {
	mu   sync.Mutex // guards the following fields
	news map[string]bool
	all  bool // too much has happened to name it

	looked  time.Time // when the whole fleet was
	begun   bool      // all rows were told
	told    map[string]row
	version string // of what was told of outages
}

func (f *follower) hear(ev control.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ev.Account == "" || len(f.news) == singly {
		f.all = true
		return
	}
	f.news[ev.Account] = true
}

// due tells which accounts are to be looked at, or that all are.
func (f *follower) due(now time.Time) (news map[string]bool, whole bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	news, whole = f.news, f.all || now.Sub(f.looked) >= lookEvery
	f.news, f.all = map[string]bool{}, false
	if whole {
		f.looked = now
	}
	return news, whole
}

// take compares the whole fleet with what was told.
func (f *follower) take(list []control.Account) *rows {
	changed := newRows()
	changed.All, f.begun = !f.begun, true
	for i := range list {
		f.compare(changed, rowOf(list[i]))
	}
	if len(f.told) > len(list) {
		there := make(map[string]bool, len(list))
		for i := range list {
			there[list[i].ID] = true
		}
		for id := range f.told {
			if !there[id] {
				changed.Gone = append(changed.Gone, id)
				delete(f.told, id)
			}
		}
		slices.Sort(changed.Gone)
	}
	return changed
}

func (f *follower) compare(changed *rows, r row) {
	if old, ok := f.told[r.id]; !ok || old != r {
		f.told[r.id] = r
		changed.add(r)
	}
}

func (f *follower) tell(t *stream, changed *rows) error {
	if !changed.All && len(changed.Rows) == 0 && len(changed.Gone) == 0 {
		return nil
	}
	return t.send("rows", changed)
}

func (f *follower) outages(ctx context.Context, t *stream, list []actors.Outage) error {
	p := outagesPart(list)
	html, version, err := p.text(ctx)
	if err != nil || version == f.version {
		return err
	}
	f.version = version
	return t.send("part", map[string]string{"id": p.id, "version": version, "html": html})
}
