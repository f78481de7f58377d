package dashboard

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/timeline"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

// actOrder is the order of the buttons of an account.
var actOrder = []struct{ action, name string }{{"pause", "Pause"}, {"resume", "Resume"}, {"rotate", "Rotate its temp keys"}}

// accountParts are the pieces of an account's page.
func (s *Server) accountParts(ctx context.Context, id string, counted *pace) ([]part, error) {
	acc, err := control.Show.Call(ctx, s.o.Service, control.AccountRequest{ID: id})
	if err != nil {
		return nil, err
	}
	line, err := control.Timeline.Call(ctx, s.o.Service, control.AccountRequest{ID: id})
	if err != nil {
		return nil, err
	}
	if err := counted.count(ctx, s.o.Service, id, s.o.Now()); err != nil {
		return nil, err
	}
	return []part{
		{"account-state", accountState(acc)},
		{"account-waits", accountWaits(waitsOf(line.Entries, s.o.Now()))},
		{"account-keys", accountKeys(keysOf(line.Entries))},
		{"account-updates", accountUpdates(counted.minutes)},
		{"account-timeline", accountTimelinePart(id, line.Entries)},
	}, nil
}

func (s *Server) accountPage(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	ctx, cancel := context.WithTimeout(r.Context(), answerLimit)
	defer cancel()
	parts, err := s.accountParts(ctx, id, &pace{})
	if err != nil {
		s.failed(w, r, err)
		return
	}
	s.show(w, r, http.StatusOK, id, view{live: "/live/accounts/" + id}, accountBody(id, parts))
}

func (s *Server) accountLive(w http.ResponseWriter, r *http.Request) {
	id, counted := r.PathValue("id"), &pace{}
	s.parts(w, r, func(ctx context.Context) ([]part, error) { return s.accountParts(ctx, id, counted) })
}

// accountAct does one thing to the account, and shows it again.
func (s *Server) accountAct(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	q := actRequest{Action: r.PostFormValue("action"), IDs: []string{id}, Label: strings.TrimSpace(r.PostFormValue("label"))}
	a, err := q.check(1)
	if err != nil {
		s.failed(w, r, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), answerLimit)
	defer cancel()
	if err := a.do(ctx, s.o.Service, q, id); err != nil {
		s.failed(w, r, err)
		return
	}
	http.Redirect(w, r, "/accounts/"+id, http.StatusSeeOther)
}

// accountTimeline is the drawing of the timeline. Its style stands in it, so that it can be
// kept as one file; its policy permits that very style.
func (s *Server) accountTimeline(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	line, err := control.Timeline.Call(r.Context(), s.o.Service, control.AccountRequest{ID: id})
	if err != nil {
		s.failed(w, r, err)
		return
	}
	var b bytes.Buffer
	if err := timeline.SVG(&b, id, line.Entries); err != nil {
		s.failed(w, r, err)
		return
	}
	policy := "default-src 'none'; frame-ancestors 'none'"
	if _, rest, ok := strings.Cut(b.String(), "<style>"); ok {
		style, _, _ := strings.Cut(rest, "</style>")
		sum := sha256.Sum256([]byte(style))
		policy += "; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("Content-Type", "image/svg+xml")
	_, _ = w.Write(b.Bytes()) // who went away reads nothing
}

// accountSessions asks the server who else is signed in, and ends one of them if that is
// asked for.
func (s *Server) accountSessions(w http.ResponseWriter, r *http.Request) {
	id, end := r.PathValue("id"), r.PostFormValue("session")
	ctx, cancel := context.WithTimeout(r.Context(), answerLimit)
	defer cancel()
	if end != "" {
		if _, err := control.TerminateSession.Call(ctx, s.o.Service, control.TerminateRequest{ID: id, Session: end}); err != nil {
			s.failed(w, r, err)
			return
		}
	}
	list, err := control.Sessions.Call(ctx, s.o.Service, control.AccountRequest{ID: id})
	if err != nil {
		s.failed(w, r, err)
		return
	}
	s.show(w, r, http.StatusOK, "Sessions of "+id, view{}, sessionsBody(id, list))
}

// wait is one that the server ordered.
type wait struct {
	method string // empty: the whole account
	until  time.Time
}

// waitsOf are those that are not over.
func waitsOf(list []timeline.Entry, now time.Time) (waits []wait) {
	for _, e := range list {
		if e.Kind != timeline.Wait {
			continue
		}
		waits = slices.DeleteFunc(waits, func(w wait) bool { return w.method == e.Word })
		if e.Until.After(now) {
			waits = append(waits, wait{e.Word, e.Until})
		}
	}
	return waits
}

// keyFacts is what the timeline knows of a key.
type keyFacts struct {
	key   timeline.Key
	dc    int
	media bool
	temp  bool
	made  time.Time // zero: before what the timeline keeps
	heard time.Time // when something became of it last
	doing string
	over  bool
}

// keysOf are the keys that the timeline speaks of, those in use first.
func keysOf(list []timeline.Entry) []keyFacts {
	var keys []keyFacts
	for _, e := range list {
		if e.Kind == timeline.Forgotten {
			for i := range keys {
				if keys[i].dc == e.DC && !keys[i].over {
					keys[i].doing, keys[i].over, keys[i].heard = "thrown away", true, e.At
				}
			}
		}
		if e.Key.IsZero() {
			continue
		}
		at := slices.IndexFunc(keys, func(k keyFacts) bool { return k.key == e.Key })
		if at < 0 {
			at = len(keys)
			keys = append(keys, keyFacts{key: e.Key, dc: e.DC, media: e.Media, temp: true, doing: "known"})
		}
		k := &keys[at]
		k.heard = e.At
		switch e.Kind {
		case timeline.PermMade:
			k.made, k.temp, k.doing = e.At, false, "made"
		case timeline.TempMade:
			k.made, k.doing = e.At, "made"
		case timeline.Bound:
			k.doing = "bound"
		case timeline.BindFailed:
			k.doing = "not bound"
		case timeline.Used:
			k.doing = "in use"
		case timeline.Replaced:
			k.doing = "replaced, and still heard"
		case timeline.Closed:
			k.doing, k.over = "closed", true
		case timeline.Lost:
			k.doing, k.over = "lost", true
		case timeline.Gone:
			k.doing, k.over, k.temp = "not known to the server any more", true, false
		}
	}
	slices.SortStableFunc(keys, func(a, b keyFacts) int {
		rank := func(k keyFacts) int {
			switch {
			case k.over:
				return 2
			case k.doing == "in use":
				return 0
			}
			return 1
		}
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return b.heard.Compare(a.heard)
	})
	return keys
}

// kind is what sort of key it is.
func (k keyFacts) kind() string {
	if k.temp {
		return "temp key"
	}
	return "perm key"
}

// paceMinutes are drawn; paceEvery is how often they are counted anew.
const (
	paceMinutes = 30
	paceEvery   = 5 * time.Second
)

// pace counts the updates of an account by the minute, of what the manager keeps.
type pace struct {
	at      time.Time
	minutes []minute // the oldest first
}

// minute is one, and the updates of it.
type minute struct {
	at time.Time
	n  int
}

// count counts, unless it has just done so.
func (p *pace) count(ctx context.Context, s control.Service, id string, now time.Time) error {
	if now.Sub(p.at) < paceEvery {
		return nil
	}
	p.at = now
	// The kept ones need no waiting; the filter leaves a small part of them.
	events, err := control.Events.Call(ctx, s, control.EventsRequest{
		Kept: true, Raw: true, Filter: actors.Filter{Accounts: []string{id}, Kinds: []actors.EventKind{actors.EventUpdate}},
	})
	if err != nil {
		return err
	}
	last := now.Truncate(time.Minute)
	p.minutes = make([]minute, paceMinutes)
	for i := range p.minutes {
		p.minutes[i].at = last.Add(time.Duration(i-paceMinutes+1) * time.Minute)
	}
	for ev, err := range events {
		if err != nil {
			return err
		}
		if i := int(ev.At.Sub(p.minutes[0].at) / time.Minute); ev.Kind == actors.EventUpdate && !ev.At.Before(p.minutes[0].at) && i < paceMinutes {
			p.minutes[i].n++
		}
	}
	return nil
}
