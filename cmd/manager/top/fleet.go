package top

import (
	"cmp"
	"slices"
	"strings"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

// fleet is all accounts, in the order of the table, and those of them that are shown.
type fleet struct {
	byID   map[string]*control.Account
	order  []*control.Account // what needs attention first, then by name
	shown  []*control.Account // order without what the filter leaves out
	counts map[string]int     // by state
	filter filter
}

// set takes a whole list in place of what was there.
func (f *fleet) set(list []control.Account) {
	f.byID = make(map[string]*control.Account, len(list))
	f.order = make([]*control.Account, len(list))
	for i := range list {
		acc := list[i]
		f.byID[acc.ID], f.order[i] = &acc, &acc
	}
	f.sort()
}

// change takes new statuses, also of accounts that were not known.
func (f *fleet) change(changed map[string]actors.Status) {
	if f.byID == nil {
		f.byID = map[string]*control.Account{}
	}
	for id, s := range changed {
		acc := f.byID[id]
		if acc == nil {
			acc = &control.Account{ID: id}
			f.byID[id] = acc
			f.order = append(f.order, acc)
		}
		acc.State, acc.Status = s.State.String(), s
	}
	f.sort()
}

func (f *fleet) sort() {
	slices.SortFunc(f.order, func(a, b *control.Account) int {
		if d := urgency(a) - urgency(b); d != 0 {
			return d
		}
		return cmp.Compare(a.ID, b.ID)
	})
	f.counts = map[string]int{}
	for _, acc := range f.order {
		f.counts[acc.State]++
	}
	f.refilter()
}

func (f *fleet) refilter() {
	f.shown = f.shown[:0]
	for _, acc := range f.order {
		if f.filter.selects(acc) {
			f.shown = append(f.shown, acc)
		}
	}
}

// at is where an account stands among those shown; -1 for none.
func (f *fleet) at(id string) int {
	return slices.IndexFunc(f.shown, func(acc *control.Account) bool { return acc.ID == id })
}

// states are those that accounts are in, what needs attention first.
func (f *fleet) states() []string {
	var list []string
	for _, s := range byUrgency {
		if f.counts[s] > 0 {
			list = append(list, s)
		}
	}
	for s := range f.counts {
		if !slices.Contains(byUrgency, s) { // of a newer manager
			list = append(list, s)
		}
	}
	slices.Sort(list[len(list)-unknown(list):])
	return list
}

// unknown is how many at the end of a list are not in byUrgency.
func unknown(list []string) (n int) {
	for _, s := range list {
		if !slices.Contains(byUrgency, s) {
			n++
		}
	}
	return n
}

// byUrgency are the states in the order in which somebody should look at them: what
// will not mend itself, what waits for somebody, what mends itself, what was wanted so.
var byUrgency = []string{
	actors.Duplicated.String(), actors.Revoked.String(), actors.Quarantined.String(),
	actors.Frozen.String(), actors.SigningIn.String(),
	actors.Waiting.String(), actors.Connecting.String(), actors.SigningOut.String(),
	actors.New.String(), actors.Exported.String(), actors.SignedOut.String(), actors.Paused.String(),
	actors.Online.String(),
}

// ranks are the places of states in byUrgency; a table, for every sort asks for many.
var ranks = func() (ranks [1 << 8]int) {
	for s := range ranks {
		if ranks[s] = slices.Index(byUrgency, actors.State(s).String()); ranks[s] < 0 {
			ranks[s] = len(byUrgency)
		}
	}
	return ranks
}()

func urgency(acc *control.Account) int { return ranks[acc.Status.State] }

// A mood is how a state is shown.
type mood int

const (
	good  mood = iota // all is well
	quiet             // nothing is wanted
	busy              // it mends itself, or waits
	asks              // it waits for somebody
	bad               // it needs somebody
)

func moodOf(state string) mood {
	switch state {
	case actors.Online.String():
		return good
	case actors.New.String(), actors.Exported.String(), actors.SignedOut.String(), actors.Paused.String():
		return quiet
	case actors.SigningIn.String():
		return asks
	case actors.Duplicated.String(), actors.Revoked.String(), actors.Quarantined.String(), actors.Frozen.String():
		return bad
	}
	return busy
}

// A filter selects accounts: by state, and by words of which each must be in a name, in
// a state or in a label.
type filter struct {
	state string
	words string
}

func (f filter) none() bool { return f == filter{} }

func (f filter) selects(acc *control.Account) bool {
	if f.state != "" && acc.State != f.state {
		return false
	}
	for word := range strings.FieldsSeq(strings.ToLower(f.words)) {
		if !strings.Contains(acc.ID, word) && !strings.Contains(acc.State, word) && !strings.Contains(strings.ToLower(acc.Labels.String()), word) {
			return false
		}
	}
	return true
}

// String is what is shown, in words.
func (f filter) String() string {
	var parts []string
	if f.state != "" {
		parts = append(parts, f.state)
	}
	if f.words != "" {
		parts = append(parts, "/"+f.words)
	}
	return strings.Join(parts, " ")
}
