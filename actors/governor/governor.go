package governor

import (
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/actors/runtime"
)

// Governor is the actor that decides; [New] keeps one.
type Governor struct {
	limits Limits
	tell   func(Word) // nil: nobody listens
	books  *books

	started time.Time
	first   bool // it has no predecessor: the budgets begin full

	all  [kinds]bucket
	dcs  []*dcState // in order of their places
	turn [kinds]int // which DC is asked first
	wake time.Time  // for which the vigils' timer is set; zero: it is not
	held []*Ticket  // granted MakeKey and probe tickets, oldest first; at most KeysAtOncePerDC + 1 per DC
}

// New makes the one governor of a process. One that fails is replaced, see
// [runtime.Keep]. Its successor goes on with what it knew of the DCs and with
// every ticket that waits or is held, and begins with empty budgets: nobody who
// was granted a permit is granted another for it, and nothing comes in a burst.
//
// tell hears what the governor finds out about DCs that do not answer. It must
// not block. If it is nil, no connection is asked anything.
func New(l Limits, tell func(Word)) runtime.Actor[Message] {
	b := &books{limits: l.withDefaults()}
	return runtime.Keep(func() runtime.Actor[Message] {
		return &Governor{limits: b.limits, tell: tell, books: b}
	})
}

// dcState is one DC at work, by one route.
type dcState struct {
	*record
	buckets [kinds]bucket
	queues  [kinds]queue
	probe   *Ticket   // the one ticket granted while down
	keys    int       // being made
	open    []*Ticket // granted Connect tickets that were not done when it was looked last, oldest first; few, see connectsAtOnce
}

// queue holds waiting tickets in order. Withdrawn ones stay until their turn:
// live counts the others. Its length is bounded by the number of connections
// and logins, each of which has one ticket at most.
type queue struct {
	active, idle []*Ticket
	live         int
}

func (q *queue) add(t *Ticket) {
	q.live++
	if t.Active {
		q.active = append(q.active, t)
	} else {
		q.idle = append(q.idle, t)
	}
}

// hurry puts a second entry for t among the active ones; whichever comes first
// finds it waiting.
func (q *queue) hurry(t *Ticket) {
	t.Active = true
	q.active = append(q.active, t)
}

// next takes the first ticket that still waits; nil when there is none.
func (q *queue) next() *Ticket {
	for _, list := range []*[]*Ticket{&q.active, &q.idle} {
		for len(*list) > 0 {
			t := (*list)[0]
			(*list)[0] = nil
			if *list = (*list)[1:]; len(*list) == 0 {
				*list = nil
			}
			if t.state == ticketWaiting {
				q.live--
				return t
			}
		}
	}
	return nil
}

const (
	wakeTimer  = iota
	vigilTimer // the earliest of what is due in the vigils
)

// Started implements [runtime.Actor].
func (g *Governor) Started(c *runtime.Context[Message]) {
	l := &g.limits
	g.started, g.first, g.books.opened = c.Now(), !g.books.opened, true
	g.all = g.buckets(l.Connects, l.Keys, l.SignIns)
	for _, r := range g.books.dcs {
		g.at(r.place)
	}
	for _, t := range g.books.tickets() {
		g.takeOver(t)
	}
	slices.SortStableFunc(g.held, func(a, b *Ticket) int { return a.held.Compare(b.held) })
	g.grant(c, c.Now())
}

func (g *Governor) buckets(connect, makeKey, signIn Rate) [kinds]bucket {
	return [kinds]bucket{
		Connect: newBucket(connect, g.first, g.started), MakeKey: newBucket(makeKey, g.first, g.started),
		SignIn: newBucket(signIn, g.first, g.started),
	}
}

// adjust goes on by other limits. A bucket keeps what it has gathered, as far as the
// new one holds it: a change gives nobody a burst.
func (g *Governor) adjust(now time.Time, l Limits) {
	g.limits, g.books.limits = l, l
	set := func(buckets *[kinds]bucket, rates [kinds]Rate) {
		for k := range buckets {
			buckets[k].fill(now)
			buckets[k].Rate = rates[k]
			buckets[k].fill(now) // no more than it holds
		}
	}
	set(&g.all, [kinds]Rate{Connect: l.Connects, MakeKey: l.Keys, SignIn: l.SignIns})
	for _, d := range g.dcs {
		set(&d.buckets, [kinds]Rate{Connect: l.ConnectsPerDC, MakeKey: l.KeysPerDC, SignIn: l.SignInsPerDC})
	}
}

// takeOver goes on with a ticket of a predecessor.
func (g *Governor) takeOver(t *Ticket) {
	switch {
	case t.state == ticketWaiting:
		g.at(t.place()).queues[t.Kind].add(t)
	case t.probe || t.Kind == MakeKey:
		g.hold(t)
	}
}

// Stopping implements [runtime.Actor]. Nothing is owed: who waits is being
// stopped with it, or is the next governor's.
func (g *Governor) Stopping(*runtime.Context[Message]) {}

// Dropped implements [runtime.Dropper]: what must not be lost with a governor
// that failed at it. Outcomes are: the next ones say the same.
func (g *Governor) Dropped(m Message) {
	switch m := m.(type) {
	case Want:
		if m.Ticket.state == ticketNew && m.Ticket.Kind < kinds {
			g.books.enter(m.Ticket)
		}
	case Done:
		g.books.strike(m.Ticket)
	case Attend:
		g.books.at(m.Witness.place()).vigil.attend(m.Witness)
	case Leave:
		g.books.at(m.Witness.place()).vigil.leave(m.Witness)
	default:
		g.Undelivered(m)
	}
}

// Undelivered implements [runtime.Collector].
func (g *Governor) Undelivered(m Message) {
	switch m := m.(type) {
	case Doubt:
		m.Reply(true) // nothing is proved
	case Census:
		m.Reply.Send(nil, runtime.ErrStopped)
	}
}

// Receive implements [runtime.Actor].
func (g *Governor) Receive(c *runtime.Context[Message], m Message) {
	now := c.Now()
	switch m := m.(type) {
	case Want:
		g.onWant(m.Ticket)
	case Hurry:
		if t := m.Ticket; t.state == ticketWaiting && !t.Active {
			g.at(t.place()).queues[t.Kind].hurry(t)
		}
	case Done:
		g.onDone(now, m.Ticket, m.Outcome, m.Tried)
	case Report:
		d := g.at(place{m.Route, m.DC})
		if m.Outcome == Answered {
			d.answered.add(m.Who, m.Made)
		}
		g.onOutcome(now, d, nil, m.Outcome)
	case KeyUnknown:
		g.at(place{m.Route, m.DC}).unknown.add(m.Who, now)
	case Silent:
		g.onSilent(now, g.at(place{m.Route, m.DC}), m.Who)
	case Attend:
		v := &g.at(m.Witness.place()).vigil
		v.attend(m.Witness)
		if m.Took > 0 {
			v.answered(now, m.Took)
		}
	case Leave:
		g.at(m.Witness.place()).vigil.leave(m.Witness)
	case Asked:
		g.at(m.Witness.place()).vigil.asked(now, m.Round)
	case Took:
		g.at(m.Witness.place()).vigil.answered(now, m.Time)
	case Doubt:
		m.Reply(g.at(place{m.Route, m.DC}).doubtful(now, m.Who, m.Since))
	case Adjust:
		g.adjust(now, m.Limits.withDefaults())
	case Census:
		m.Reply.Send(g.census(), nil)
	case Renew:
		g.renew(m.Route)
	case wake:
	case look:
		g.wake = time.Time{}
	}
	g.grant(c, now)
}

// grant gives what may be given, and sets the timer for what may be later.
func (g *Governor) grant(c *runtime.Context[Message], now time.Time) {
	if next := g.pump(now); next > 0 {
		c.After(wakeTimer, next, wake{})
	} else {
		c.Cancel(wakeTimer)
	}
	g.look(c, now)
}

func (g *Governor) at(p place) *dcState {
	i, ok := slices.BinarySearchFunc(g.dcs, p, func(d *dcState, p place) int { return d.compare(p) })
	if !ok {
		l := &g.limits
		d := &dcState{record: g.books.at(p)}
		d.buckets = g.buckets(l.ConnectsPerDC, l.KeysPerDC, l.SignInsPerDC)
		g.dcs = slices.Insert(g.dcs, i, d)
	}
	return g.dcs[i]
}

func (g *Governor) onWant(t *Ticket) {
	if t.state != ticketNew || t.Kind >= kinds {
		return
	}
	g.books.enter(t)
	g.at(t.place()).queues[t.Kind].add(t)
}

func (g *Governor) onDone(now time.Time, t *Ticket, o Outcome, tried Tried) {
	was := t.state
	g.books.strike(t)
	d := g.at(t.place())
	switch was {
	case ticketWaiting:
		d.queues[t.Kind].live--
	case ticketGranted:
		g.letGo(t)
		if t.Kind == Connect {
			if o == Answered {
				d.answered.add(t.Who, t.granted) // the socket was made right after
			}
			d.note(tried)
			g.onOutcome(now, d, t, o)
		}
	case ticketNew, ticketDone:
	}
}

// hold notes a granted ticket that counts until it is done.
func (g *Governor) hold(t *Ticket) {
	d := g.at(t.place())
	g.held = append(g.held, t)
	if t.probe {
		d.probe = t
	} else {
		d.keys++
	}
}

// letGo forgets a held ticket.
func (g *Governor) letGo(t *Ticket) {
	if i := slices.Index(g.held, t); i >= 0 {
		g.held = slices.Delete(g.held, i, i+1)
		if t.Kind == MakeKey {
			g.at(t.place()).keys--
		}
	}
}

// onOutcome moves a DC between up and down. t is nil for a report.
func (g *Governor) onOutcome(now time.Time, d *dcState, t *Ticket, o Outcome) {
	probed := t != nil && t == d.probe
	if probed {
		d.probe = nil
	}
	switch o {
	case Worked, Answered:
		if d.down && !(d.flood && !probed) { // a connection from before the -429 proves nothing
			d.down, d.flood, d.since, d.delay = false, false, now, 0
			d.buckets[Connect].tokens = 1 // who waited comes at the budget's rate, not in one burst
			d.buckets[Connect].at = now
		}
	case Failed:
		switch {
		case !d.down:
			d.goDown(now, false, probeFirst)
		case probed:
			d.again(now)
		}
	case Flooded:
		if now.Sub(d.lastFlood) > floodMemory {
			d.floodDelay = 0
		}
		switch {
		case !d.down || !d.flood || probed:
			d.floodDelay = min(max(2*d.floodDelay, floodFirst), floodMax)
			d.goDown(now, true, d.floodDelay)
		default: // connections of before the first -429 get theirs now
		}
		d.lastFlood = now
	case Unknown:
		if probed {
			d.nextTry = now.Add(probeFirst)
		}
	}
}

func (d *record) goDown(now time.Time, flood bool, delay time.Duration) {
	if !d.down {
		d.since = now
	}
	d.down, d.flood, d.delay = true, flood, delay
	d.nextTry = now.Add(delay)
}

// toNextTry returns how long the next probe is off. The clock may have been set
// back since it was planned: it is never farther than it was then.
func (d *record) toNextTry(now time.Time) time.Duration {
	if d.nextTry.Sub(now) > d.delay {
		d.nextTry = now.Add(d.delay)
	}
	return d.nextTry.Sub(now)
}

// again plans the next probe after one that failed.
func (d *record) again(now time.Time) {
	limit := probeMax
	if d.flood {
		limit = floodMax
	}
	d.delay = min(2*d.delay, limit)
	d.nextTry = now.Add(d.delay)
}

// pump grants what may be granted and returns when to look again; zero means
// not before the next message.
func (g *Governor) pump(now time.Time) (next time.Duration) {
	g.reclaim(now)
	later := func(d time.Duration) {
		if d > 0 && (next == 0 || d < next) {
			next = d
		}
	}
	for k := range kinds {
		wait := g.pumpKind(now, k)
		later(wait)
	}
	if len(g.held) > 0 && g.waiting() {
		later(g.held[0].held.Add(holdLimit).Sub(now))
		for _, t := range g.held {
			if slow := t.held.Add(keySlow).Sub(now); t.Kind == MakeKey && slow > 0 {
				later(slow)
				break
			}
		}
	}
	return next
}

// pumpKind grants tickets of a kind, one DC after the other, so that all of them
// share the common budget: whoever was granted one comes last.
func (g *Governor) pumpKind(now time.Time, k Kind) (next time.Duration) {
	for again := true; again; {
		again, next = false, 0
		for i := range g.dcs {
			at := (g.turn[k] + i) % len(g.dcs)
			wait, granted := g.tryGrant(now, g.dcs[at], k)
			if granted {
				g.turn[k], again = at+1, true
				break
			}
			if wait > 0 && (next == 0 || wait < next) {
				next = wait
			}
		}
	}
	return next
}

// tryGrant grants the first ticket of a kind at a DC. If it cannot, wait says
// when time alone will change that.
func (g *Governor) tryGrant(now time.Time, d *dcState, k Kind) (wait time.Duration, granted bool) {
	q := &d.queues[k]
	if q.live == 0 || k == MakeKey && !g.roomForKey(now, d) {
		return 0, false
	}
	if k == Connect && d.down {
		if d.probe != nil {
			return 0, false
		}
		if wait := d.toNextTry(now); wait > 0 {
			return wait, false
		}
	} else if wait := d.buckets[k].wait(now); wait > 0 {
		return wait, false
	}
	if wait := g.all[k].wait(now); wait > 0 {
		return wait, false
	}
	if k == Connect && !d.down {
		if wait := g.crowded(now, d); wait > 0 {
			return wait, false
		}
	}
	t := q.next()
	t.probe = k == Connect && d.down
	if !t.probe {
		d.buckets[k].take()
	}
	g.all[k].take()
	t.state, t.granted, t.held = ticketGranted, now, now
	if d.pulse == nil {
		d.pulse = &Pulse{since: now}
	}
	t.Pulse = d.pulse
	switch {
	case t.probe, k == MakeKey:
		g.hold(t)
	case k == Connect:
		d.open = append(d.open, t)
	}
	d.granted[k]++
	t.Granted()
	return 0, true
}

// crowded returns when a dial under way will count no more where there are too many
// of them; zero means that there is room. See connectsAtOnce.
func (g *Governor) crowded(now time.Time, d *dcState) time.Duration {
	all := 0
	for _, other := range g.dcs {
		all += len(other.open)
	}
	room := func() bool {
		return len(d.open) < connectsAlways || len(d.open) < connectsAtOncePerDC && all < connectsAtOnce
	}
	if room() { // though some are done
		return 0
	}
	all = 0
	first := now
	for _, other := range g.dcs {
		n := other.underWay(now)
		if all += n; n > 0 && other.open[0].granted.Before(first) {
			first = other.open[0].granted
		}
	}
	switch {
	case room():
		return 0
	case len(d.open) >= connectsAtOncePerDC:
		first = d.open[0].granted
	}
	return connectSlow - now.Sub(first)
}

// underWay counts the dials of a DC that are under way and not slow.
func (d *dcState) underWay(now time.Time) int {
	d.open = slices.DeleteFunc(d.open, func(t *Ticket) bool {
		age := now.Sub(t.granted)
		return t.state == ticketDone || age < 0 || age >= connectSlow // the clock may have been set back
	})
	return len(d.open)
}

// roomForKey reports whether one more key may be made on a DC; see
// [Limits.KeysAtOnce].
func (g *Governor) roomForKey(now time.Time, d *dcState) bool {
	if d.keys == 0 {
		return true
	}
	quick := 0
	for _, t := range g.held {
		if t.Kind == MakeKey && now.Sub(t.held) < keySlow {
			quick++
		}
	}
	return d.keys < g.limits.KeysAtOncePerDC && quick < g.limits.KeysAtOnce
}

// reclaim takes back permits that were held for too long. A clock that was set
// back makes nobody's time longer than the whole of it.
func (g *Governor) reclaim(now time.Time) {
	for _, t := range g.held {
		if now.Before(t.held) {
			t.held = now
		}
	}
	for len(g.held) > 0 && now.Sub(g.held[0].held) >= holdLimit {
		g.onDone(now, g.held[0], Failed, Tried{})
	}
}

func (g *Governor) waiting() bool {
	for _, d := range g.dcs {
		if d.queues[Connect].live > 0 && d.down || d.queues[MakeKey].live > 0 {
			return true
		}
	}
	return false
}

func (g *Governor) census() []DCStatus {
	list := make([]DCStatus, len(g.dcs))
	for i, d := range g.dcs {
		s := DCStatus{DC: d.dc, Route: d.route, Up: !d.down, Flood: d.flood, Since: d.since, Delay: d.delay, Granted: d.granted, Tried: d.tried, Trips: d.pulse.now()}
		for k := range kinds {
			s.Waiting[k] = d.queues[k].live
		}
		if d.pulse != nil {
			s.Heard = d.pulse.heard()
		}
		if d.vigil.stage == mute {
			s.Mute = d.vigil.said
		}
		list[i] = s
	}
	return list
}
