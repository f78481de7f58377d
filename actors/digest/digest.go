package digest

import (
	"time"

	"github.com/mtfleet/mtfleet/mtproto/standing"
)

// Digest is the engine. Its memory is 150 bytes for each account and the words
// of why it is away, which it shares with the account's status.
type Digest struct {
	now      time.Time
	entries  map[string]*entry
	signedIn int // of the entries
	dcs      []*dcWatch
	groups   [standing.Exported + 1]group
	out      []Line
}

// absence is why an account is without its home DC.
type absence uint8

const (
	// present: it is not, or it is not known to be.
	present absence = iota
	// starting: it has not been online since it was started. Left when it is, or
	// stops being connecting in any other way.
	starting
	// lost: it was online. Left in the same ways.
	lost
)

// entry is what is known of one account.
type entry struct {
	state    standing.State
	signedIn bool
	dc       int
	step     string
	absence  absence
	since    time.Time // of the absence
	why      string    // of the absence
}

// group is the changes to one state that are held.
type group struct {
	until   time.Time // zero: none is held
	n       int
	lines   []Line // the first of them, at most alone
	reasons reasons
}

// New makes an engine that knows no account.
func New() *Digest { return &Digest{entries: map[string]*entry{}} }

// Status says how an account stands now. The first one of an account says how
// it was found.
func (d *Digest) Status(now time.Time, id string, a Account) {
	d.begin(now)
	e := d.entries[id]
	first := e == nil
	if first {
		e = &entry{state: standing.New}
		d.entries[id] = e
	}
	was := *e
	d.count(e, -1)
	e.state, e.signedIn, e.dc, e.step = a.State, a.SignedIn, a.DC, a.Step
	d.count(e, 1)

	switch {
	case e.absence == lost && was.state == standing.Online && a.State == standing.Online && a.SignedIn && e.dc == was.dc:
		return // its DC is silent, which it does not know yet
	case e.absence != present && a.away() && e.dc == was.dc:
		if e.absence == starting || e.why == "" {
			e.why = a.Why // of one that is lost, what it was lost by says more than how it fares
		}
		return
	case e.absence != present:
		online := a.State == standing.Online
		d.leave(id, e, was.dc, online)
		if online {
			return
		}
	}
	switch {
	case a.away():
		e.why = a.Why
		if !first && was.state == standing.Online {
			d.lose(id, e)
		} else {
			d.start(id, e)
		}
	case first || a.State != was.state || a.Step != was.step:
		d.change(id, a, first)
	}
}

// Forget says that an account was removed.
func (d *Digest) Forget(now time.Time, id string) {
	d.begin(now)
	e := d.entries[id]
	if e == nil {
		return
	}
	d.count(e, -1)
	if e.absence != present {
		d.leave(id, e, e.dc, false)
	}
	delete(d.entries, id)
}

// Advance does what the passing of time demands.
func (d *Digest) Advance(now time.Time) {
	d.begin(now)
	for i := range d.groups {
		if g := &d.groups[i]; reached(d.now, g.until) {
			d.tellGroup(standing.State(i), g)
		}
	}
	for _, w := range d.dcs {
		d.advance(w)
	}
}

// Flush tells everything that is held: the process ends.
func (d *Digest) Flush(now time.Time) {
	d.begin(now)
	for i := range d.groups {
		if g := &d.groups[i]; g.n > 0 {
			d.tellGroup(standing.State(i), g)
		}
	}
	for _, w := range d.dcs {
		d.flush(w)
	}
}

// Next returns the next line; ok is false when there is none until the next
// input.
func (d *Digest) Next() (line Line, ok bool) {
	if len(d.out) == 0 {
		d.out = nil
		return Line{}, false
	}
	line = d.out[0]
	d.out[0] = Line{}
	d.out = d.out[1:]
	return line, true
}

// Deadline is when Advance is wanted, zero for never.
func (d *Digest) Deadline() (at time.Time) {
	for i := range d.groups {
		at = earliest(at, d.groups[i].until)
	}
	for _, w := range d.dcs {
		at = earliest(at, w.deadline())
	}
	return at
}

// begin takes the time of an input. Lines that are due by then come first.
func (d *Digest) begin(now time.Time) {
	if now.After(d.now) {
		d.now = now
	}
}

func (d *Digest) say(l Line) { d.out = append(d.out, l) }

func (d *Digest) count(e *entry, n int) {
	if e.signedIn {
		d.signedIn += n
	}
}

// change tells a state that is not about a DC.
func (d *Digest) change(id string, a Account, first bool) {
	line := Line{Level: levelOf(a.State), Text: changed(id, a), Account: id, State: a.State.String(), DC: a.DC, Until: a.Until}
	if line.Level == Warn {
		line.Advice = a.Advice // whoever pauses an account knows what that is
	}
	if byOwner(a.State) && (!first || a.State == standing.SigningIn) {
		d.say(line)
		return
	}
	g := &d.groups[a.State]
	if g.n == 0 {
		g.until = d.now.Add(hold)
	}
	g.n++
	g.reasons.add(a.Why)
	if g.n <= alone {
		g.lines = append(g.lines, line)
		return
	}
	g.tooMany(d)
	d.sayDebug(line)
}

// tooMany gives up telling one by one.
func (g *group) tooMany(d *Digest) {
	for _, l := range g.lines {
		d.sayDebug(l)
	}
	g.lines = nil
}

func (d *Digest) sayDebug(l Line) {
	l.Level = Debug
	d.say(l)
}

func (d *Digest) tellGroup(s standing.State, g *group) {
	for _, l := range g.lines {
		if e := d.entries[l.Account]; byOwner(s) && (e == nil || e.state != s) {
			continue // how an account was found is no news once it has moved on
		}
		d.say(l)
	}
	if n := min(g.n, len(d.entries)); g.n > alone && n > 0 { // some may have been removed, or be another node's, since
		d.say(Line{
			Level: levelOf(s), Text: changedAll(n, len(d.entries), s, g.reasons.most()), State: s.String(),
			Count: n, Of: len(d.entries), Advice: "`manager account list` shows which",
		})
	}
	*g = group{}
}

// reached reports whether the deadline at has come; the zero time never comes.
func reached(now, at time.Time) bool { return !at.IsZero() && !now.Before(at) }

// earliest is the earlier of two deadlines of which each may be zero, never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
