package control

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/webhook"
)

// Need is something that somebody has to do.
type Need struct {
	// Urgency is "now": accounts are out of service; "soon": within the day; or "later".
	Urgency string `json:"urgency"`
	// What is the matter, in a sentence.
	What string `json:"what"`
	// Command is the one with which to begin; empty where there is none.
	Command string `json:"command,omitempty"`
	// Count is how many accounts it is about, Accounts the first of them by name.
	Count    int      `json:"count,omitempty"`
	Accounts []string `json:"accounts,omitempty"`
	// Node is the node of a cluster that says so; empty where it is said of all.
	Node string `json:"node,omitempty"`
}

const (
	urgentNow   = "now"
	urgentSoon  = "soon"
	urgentLater = "later"
)

const (
	// longConnecting is how long an account may be on its way to its DC before somebody is told.
	longConnecting = 5 * time.Minute
	// roomAhead is how many times the room that the store needs is to be free.
	roomAhead = 4
	// backupOld is how old the last backup may be.
	backupOld = 48 * time.Hour
	// fewNames is how many accounts a need names.
	fewNames = 3
)

// some are accounts of which only the first are named.
type some struct {
	n     int
	names []string
	why   string // of the first
}

func (s *some) add(acc *Account) {
	if s.n++; s.n == 1 {
		s.why = acc.Why
	}
	if len(s.names) < fewNames {
		s.names = append(s.names, acc.ID)
	}
}

// are says who they are, as "alice is" and "5 accounts (alice, bob, carol, ...) are".
func (s *some) are() string {
	if s.n == 1 {
		return s.names[0] + " is"
	}
	names := strings.Join(s.names, ", ")
	if s.n > len(s.names) {
		names += ", ..."
	}
	return fmt.Sprintf("%d accounts (%s) are", s.n, names)
}

// command is one for the only account, or that which shows all of them.
func (s *some) command(one, many string) string {
	if s.n == 1 {
		return one + " " + s.names[0]
	}
	return many
}

// census is what a look at every account brings.
type census struct {
	total  int
	states map[string]*some
	homes  map[int]*HomeDC
	asks   some // sign-ins that wait for somebody
	late   map[int]*some
}

func (c *census) add(acc *Account, now time.Time) {
	if c.states == nil {
		c.states, c.homes, c.late = map[string]*some{}, map[int]*HomeDC{}, map[int]*some{}
	}
	c.total++
	entry(c.states, acc.State).add(acc)
	if acc.SignedIn && acc.HomeDC != 0 {
		home := entry(c.homes, acc.HomeDC)
		home.DC = acc.HomeDC
		home.Accounts++
		if acc.Status.State == actors.Online {
			home.Online++
		}
	}
	if acc.Step != nil && acc.Step.Type != actors.TypeWaitUntil {
		c.asks.add(acc)
	}
	if acc.State == actors.Connecting.String() && now.Sub(acc.Since) > longConnecting {
		entry(c.late, acc.HomeDC).add(acc)
	}
}

// entry is a value of a map, which is made when there is none.
func entry[K comparable, V any](m map[K]*V, key K) *V {
	if m[key] == nil {
		m[key] = new(V)
	}
	return m[key]
}

// fill takes over what was counted.
func (c *census) fill(f *FleetStatus) {
	f.Accounts, f.States, f.Homes = c.total, []StateCount{}, []HomeDC{}
	for _, state := range States() {
		if s := c.states[state]; s != nil {
			f.States = append(f.States, StateCount{state, s.n})
		}
	}
	for _, home := range c.homes {
		f.Homes = append(f.Homes, *home)
	}
	slices.SortFunc(f.Homes, func(a, b HomeDC) int { return cmp.Compare(a.DC, b.DC) })
}

// ofState are the accounts in a state that wants somebody.
type ofState struct {
	state   actors.State
	urgency string
	// what follows "alice is" where nothing is known of why; one and many are the commands.
	what, one, many string
}

var wantSomebody = []ofState{
	{actors.Duplicated, urgentNow, "duplicated: the key is in use elsewhere too; end that first", "manager account login", "manager account list --state duplicated"},
	{actors.Revoked, urgentNow, "revoked: the server has ended the login", "manager account login", "manager account list --state revoked"},
	{actors.Quarantined, urgentNow, "quarantined: out of service until resumed", "manager account show", "manager account list --state quarantined"},
	{actors.Frozen, urgentSoon, "frozen: the server refuses all but reading", "manager account show", "manager account list --state frozen"},
	{actors.New, urgentLater, "not signed in", "manager account login", "manager account list --state new"},
}

// needs are what needs somebody, the most urgent first; within one urgency, what concerns most.
func (c *census) needs(f *FleetStatus, consumers []actors.ConsumerStatus) []Need {
	all := []Need{}
	add := func(urgency, what, command string, of *some) {
		n := Need{Urgency: urgency, What: what, Command: command}
		if of != nil {
			n.Count, n.Accounts = of.n, of.names
		}
		all = append(all, n)
	}
	if !f.About.Running && c.total > 0 {
		add(urgentNow, "No manager runs: nobody is online.", "manager run", nil)
	}
	c.storeNeeds(f, add)
	c.dcNeeds(f, add)
	for _, w := range wantSomebody {
		s := c.states[w.state.String()]
		if s == nil {
			continue
		}
		what := w.what
		if s.n == 1 && s.why != "" {
			what = w.state.String() + ": " + strings.TrimSuffix(s.why, ".")
		}
		if w.state == actors.New {
			what = w.what // why is how the last sign-in ended
		}
		add(w.urgency, s.are()+" "+what+".", s.command(w.one, w.many), s)
	}
	if c.asks.n > 0 {
		add(urgentLater, c.asks.are()+" being signed in, and somebody is asked for something.", c.asks.command("manager account login", "manager account list --state signing-in"), &c.asks)
	}
	for _, consumer := range consumers {
		if consumer.Stopped == nil {
			continue
		}
		name, hook := strings.CutPrefix(consumer.Name, webhook.ConsumerPrefix)
		command := "manager consumers list"
		if hook {
			command = "manager webhooks retry " + name
		}
		add(urgentSoon, fmt.Sprintf("Consumer %s is stopped: %s; %d updates wait.", consumer.Name, consumer.Stopped.Why, consumer.Lag), command, nil)
	}
	sortNeeds(all)
	return all
}

// sortNeeds puts the most urgent first, and leaves the others as they are.
func sortNeeds(all []Need) {
	order := []string{urgentNow, urgentSoon, urgentLater}
	slices.SortStableFunc(all, func(a, b Need) int {
		return cmp.Compare(slices.Index(order, a.Urgency), slices.Index(order, b.Urgency))
	})
}

// disk is a command that shows the room of the store's disk; empty where it has none of this machine.
func (a *About) disk() string {
	if !filepath.IsAbs(a.Store) {
		return ""
	}
	return "df -h " + a.Store
}

type addNeed func(urgency, what, command string, of *some)

func (c *census) storeNeeds(f *FleetStatus, add addNeed) {
	s := &f.Store
	switch {
	case s.Taken:
		add(urgentNow, "Every account here is stopped, for another manager has claimed the store: find out which, end one of the two, and start this one again.", "", nil)
	case s.Refuses:
		add(urgentNow, "The store takes no commits, so nothing new is begun: "+strings.TrimSuffix(s.Why, ".")+".", f.About.disk(), nil)
	case s.Free > 0 && s.Free < roomAhead*s.Needed:
		add(urgentSoon, "The disk of the store is almost full.", f.About.disk(), nil)
	}
	if !s.LastBackup.IsZero() && f.At.Sub(s.LastBackup) > backupOld {
		add(urgentSoon, fmt.Sprintf("The last backup of the store is %d days old.", int(f.At.Sub(s.LastBackup).Hours()/24)), "manager store backup FILE --recipient AGE_KEY", nil)
	}
}

func (c *census) dcNeeds(f *FleetStatus, add addNeed) {
	told := map[int]bool{}
	for _, o := range f.Outages {
		told[o.DC] = true
		what := fmt.Sprintf("%d of %d accounts are without DC %d", o.Accounts, o.Of, o.DC)
		if o.Why != "" {
			what += ": " + strings.TrimSuffix(o.Why, ".")
		}
		add(urgentNow, what+".", "manager governor", &some{n: o.Accounts})
	}
	for _, d := range f.Governor.DCs {
		name := wayName(d.DC, d.Media, d.Via)
		switch {
		case d.Up:
		case d.Flood:
			add(urgentSoon, name+" wants fewer connections: lower limits.connects_per_second.", "manager governor", nil)
		case !told[d.DC] && f.At.Sub(d.Since) > briefly:
			told[d.DC] = true
			add(urgentNow, name+" cannot be reached: check the network and the addresses of the DCs.", "manager governor", nil)
		}
	}
	for _, dc := range slices.Sorted(maps.Keys(c.late)) {
		if late := c.late[dc]; !told[dc] {
			add(urgentSoon, fmt.Sprintf("%s connecting for more than %d minutes.", late.are(), int(longConnecting.Minutes())),
				late.command("manager account show", "manager account list --state connecting"), late)
		}
	}
}

// briefly is how long a DC may be away before somebody is told.
const briefly = 2 * time.Second
