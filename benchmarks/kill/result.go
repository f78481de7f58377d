package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
)

// result is what came of a run. Its figures of what went wrong are the ledger's.
type result struct {
	Kills    int            `json:"kills"`
	Seed     uint64         `json:"seed"`
	Accounts int            `json:"accounts"`
	Hit      map[string]int `json:"hit"` // kills in the midst of something

	Lost            int `json:"lost"`
	Orphaned        int `json:"orphaned"`
	Overlaps        int `json:"overlaps"`
	OnceTwice       int `json:"once_executed_twice"`
	AnsweredTwice   int `json:"callers_answered_twice"`
	CallsUntrue     int `json:"calls_ended_untruly"`
	UpdatesLost     int `json:"updates_lost"`
	WaitsPassed     int `json:"waits_passed"`
	SlotsOverfilled int `json:"slots_overfilled"`
	TempKeysMost    int `json:"temp_keys_live_max"` // of one slot at one time
	Died            int `json:"died_by_itself"`

	Did           map[string]int64 `json:"did"` // begun, of each kind
	Calls         map[string]int   `json:"calls"`
	Logins        int              `json:"logins"`
	SignedInBy    map[string]int64 `json:"signed_in_by"` // as far as those who signed in were told
	LoggedOut     int              `json:"logged_out"`
	Imports       int              `json:"imports"`
	PermKeys      int              `json:"perm_keys"`
	TempKeys      int              `json:"temp_keys"`
	MediaKeys     int              `json:"temp_keys_for_media"` // of them
	MediaCalls    int              `json:"calls_by_media"`      // that went by a connection for media
	MediaMost     int              `json:"media_keys_live_max"` // of one slot for media at one time
	Rotations     int64            `json:"rotations"`
	WaitsOrdered  int              `json:"waits_ordered"`
	UpdatesJudged int              `json:"updates_judged"`
	Refused       int              `json:"packets_refused"` // that the DCs did not take
	Governor      governor.Budget  `json:"governor"`        // of the first manager, as it says
	Seconds       float64          `json:"seconds"`
	Go            string           `json:"go"`
	System        string           `json:"system"`

	rotated atomic.Int64
	by      [ways]atomic.Int64
	found   string // what was found, for people
	wrong   int
	refused []dctest.Violation

	mu       sync.Mutex // guards failures
	failures map[string]int
}

// failed counts an operation that ended with an error, by its kind.
func (r *result) failed(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failures == nil {
		r.failures = map[string]int{}
	}
	r.failures[string(control.KindOf(err))]++
}

// held reports whether every promise was kept.
func (r *result) held() bool { return r.wrong == 0 }

var endNames = [...]string{endNone: "not ended", endOK: "ok", endRefused: "refused", endNotSent: "not sent", endMayHaveRun: "may have run", endDead: "caller left alone by a kill", endLost: "lost"}

// count takes the figures of what was done.
func (r *result) count(e *evidence) {
	r.Calls = map[string]int{}
	for _, c := range e.calls {
		r.Calls[endNames[c.end]]++
	}
	n := e.ledger.Counts
	r.PermKeys, r.TempKeys, r.Logins, r.Refused = n.PermKeys, n.TempKeys, n.Logins, n.Refused
	for _, a := range e.ledger.Authorizations {
		if a.Home && a.Why == "logged_out" {
			r.LoggedOut++
		}
	}
	for _, l := range e.ledger.Logins {
		if l.Method == "auth.importAuthorization" {
			r.Imports++
		}
	}
	r.Logins -= r.Imports
	for _, s := range e.ledger.TempKeySlots() {
		r.TempKeysMost = max(r.TempKeysMost, s.Most)
		if s.Media {
			r.MediaMost = max(r.MediaMost, s.Most)
		}
	}
	for _, k := range e.ledger.Keys {
		if k.Temp && k.Media {
			r.MediaKeys++
		}
	}
	for _, c := range e.ledger.Echoes {
		r.MediaCalls += c.Media
	}
	r.SignedInBy = map[string]int64{}
	for by := range r.by {
		r.SignedInBy[wayNames[by]] = r.by[by].Load()
	}
	r.UpdatesJudged = e.verdict.Judged
	r.Rotations = r.rotated.Load()
}

// maxPrinted bounds what is printed of a run that is wrong throughout.
const maxPrinted = 100

// report fills in what was found, once the run is judged.
func (w *world) report() {
	r := w.result
	for what := range ops {
		r.Did[opNames[what]] = w.did[what].Load()
	}
	r.WaitsOrdered = w.waits.ordered
	list, _ := w.cluster.Violations()
	for _, v := range list {
		if v.Severity == dctest.SeverityRefused {
			r.refused = append(r.refused, v)
		}
	}
	counts := [foundKinds]*int{
		foundLost: &r.Lost, foundOrphan: &r.Orphaned, foundOverlap: &r.Overlaps, foundTwice: &r.OnceTwice, foundAnswered: &r.AnsweredTwice,
		foundCall: &r.CallsUntrue, foundUpdate: &r.UpdatesLost, foundWait: &r.WaitsPassed, foundKeys: &r.SlotsOverfilled, foundDied: &r.Died,
	}
	var b strings.Builder
	var concerned []string
	for i, f := range w.found {
		*counts[f.kind]++
		r.wrong++
		if i < maxPrinted {
			fmt.Fprintf(&b, "  %s: %s\n", f.account, f.text)
		}
		if f.account != "" && !slices.Contains(concerned, f.account) {
			concerned = append(concerned, f.account)
		}
	}
	if r.wrong == 0 {
		return
	}
	if r.wrong > maxPrinted {
		fmt.Fprintf(&b, "  and %d more\n", r.wrong-maxPrinted)
	}
	slices.Sort(concerned)
	for _, name := range concerned[:min(len(concerned), maxPrinted/10)] {
		b.WriteString("\n" + w.timelines[name])
	}
	fmt.Fprintf(&b, "\nseed %d", r.Seed)
	if w.keep {
		fmt.Fprintf(&b, "; the store and the manager's log are in %s", w.dir)
	}
	r.found = b.String() + "\n"
}

// some lists what happened at all, the names in order.
func some[N int | int64](m map[string]N) string {
	var list []string
	for name, n := range m {
		list = append(list, fmt.Sprintf("%d %s", n, name))
	}
	slices.SortFunc(list, func(a, b string) int {
		_, x, _ := strings.Cut(a, " ")
		_, y, _ := strings.Cut(b, " ")
		return strings.Compare(x, y)
	})
	return strings.Join(list, ", ")
}

func (r *result) String() string {
	s := fmt.Sprintf(`%d SIGKILLs of the manager, %d accounts
in the midst of: %s
%6d logins lost
%6d orphaned
%6d overlaps
%6d once-calls executed twice
%6d callers answered twice
%6d calls that ended untruly
%6d updates lost, of %d
%6d waits passed, of %d
%6d slots with too many live temp keys, %d at most, %d of those for media
%6d times the manager ended by itself
begun: %s
calls: %s
the DCs count %d logins, %d logouts, %d imports, %d perm keys, %d temp keys, %d of them for media, and %d calls by connections for media; %d rotations were told to have succeeded; %d packets refused
signed in by: %s
%s, %s, seed %d, %.1f s
governor, %s
`, r.Kills, r.Accounts, some(r.Hit), r.Lost, r.Orphaned, r.Overlaps, r.OnceTwice, r.AnsweredTwice, r.CallsUntrue, r.UpdatesLost, r.UpdatesJudged,
		r.WaitsPassed, r.WaitsOrdered, r.SlotsOverfilled, r.TempKeysMost, r.MediaMost, r.Died, some(r.Did), some(r.Calls), r.Logins, r.LoggedOut, r.Imports, r.PermKeys, r.TempKeys,
		r.MediaKeys, r.MediaCalls, r.Rotations, r.Refused, some(r.SignedInBy), r.Go, r.System, r.Seed, r.Seconds, r.Governor)
	if len(r.failures) > 0 {
		s += "what was asked for and failed, by kind: " + some(r.failures) + "\n"
	}
	for _, v := range r.refused[:min(len(r.refused), 5)] {
		s += "  " + v.String() + "\n"
	}
	if r.wrong > 0 {
		s += fmt.Sprintf("\n%d things are wrong:\n%s", r.wrong, r.found)
	}
	return s
}
