package governor

import (
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/actors/runtime"
)

// Governor is the actor. Make it with [New] and spawn it once.
type Governor struct {
	// Suspect, if set before the governor is spawned, is told of a DC that was
	// silent to two accounts, see [Silent]: its other connections had better ask.
	// It must not block.
	Suspect func(dc int)

	limits Limits
	all    [kinds]bucket
	dcs    []*dcState // in order of their numbers
	turn   int        // which DC is asked first
	held   []*Ticket  // granted MakeKey and probe tickets, oldest first; at most KeysAtOnce and one per DC
	keys   int        // how many of them are for keys
}

// New makes a governor.
func New(l Limits) *Governor {
	l = l.withDefaults()
	g := &Governor{limits: l}
	g.all = [kinds]bucket{Connect: newBucket(l.Connects), MakeKey: newBucket(l.Keys), SignIn: newBucket(l.SignIns)}
	return g
}

// dcState is what the governor knows about one DC.
type dcState struct {
	dc      int
	buckets [kinds]bucket
	queues  [kinds]queue
	granted [kinds]uint64

	// Down: probes only. delay is the time between them, doubling.
	down    bool
	flood   bool
	since   time.Time
	delay   time.Duration
	nextTry time.Time
	probe   *Ticket // the one ticket granted while down

	lastFlood  time.Time
	floodDelay time.Duration

	unknown  witnesses // accounts that got -404 under their perm key, and when
	answered witnesses // accounts that got an answer under a key, and when its socket was made

	silent    witnesses // accounts whose connection had no answer, and when
	suspected time.Time // when it was said last
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

const wakeTimer = 0

// Started implements [runtime.Actor].
func (g *Governor) Started(*runtime.Context[Message]) {}

// Stopping implements [runtime.Actor]. Nothing is owed: who waits is being
// stopped with it.
func (g *Governor) Stopping(*runtime.Context[Message]) {}

// Receive implements [runtime.Actor].
func (g *Governor) Receive(c *runtime.Context[Message], m Message) {
	now := c.Now()
	switch m := m.(type) {
	case Want:
		g.onWant(m.Ticket)
	case Hurry:
		if t := m.Ticket; t.state == ticketWaiting && !t.Active {
			g.at(t.DC).queues[t.Kind].hurry(t)
		}
	case Done:
		g.onDone(now, m.Ticket, m.Outcome)
	case Report:
		d := g.at(m.DC)
		if m.Outcome == Answered {
			d.answered.add(m.Who, m.Made)
		}
		g.onOutcome(now, d, nil, m.Outcome)
	case KeyUnknown:
		g.at(m.DC).unknown.add(m.Who, now)
	case Silent:
		g.onSilent(now, g.at(m.DC), m.Who)
	case Doubt:
		m.Reply(g.at(m.DC).doubtful(now, m.Who, m.Since))
	case Census:
		m.Reply.Send(g.census(), nil)
	case wake:
	}
	if next := g.pump(now); next > 0 {
		c.After(wakeTimer, next, wake{})
	} else {
		c.Cancel(wakeTimer)
	}
}

func (g *Governor) at(number int) *dcState {
	i, ok := slices.BinarySearchFunc(g.dcs, number, func(d *dcState, n int) int { return d.dc - n })
	if !ok {
		l := &g.limits
		d := &dcState{dc: number}
		d.buckets = [kinds]bucket{
			Connect: newBucket(l.ConnectsPerDC), MakeKey: newBucket(l.KeysPerDC), SignIn: newBucket(l.SignInsPerDC),
		}
		g.dcs = slices.Insert(g.dcs, i, d)
	}
	return g.dcs[i]
}

func (g *Governor) onWant(t *Ticket) {
	if t.state != ticketNew || t.Kind >= kinds {
		return
	}
	t.state = ticketWaiting
	g.at(t.DC).queues[t.Kind].add(t)
}

func (g *Governor) onDone(now time.Time, t *Ticket, o Outcome) {
	was := t.state
	t.state = ticketDone
	d := g.at(t.DC)
	switch was {
	case ticketWaiting:
		d.queues[t.Kind].live--
	case ticketGranted:
		g.letGo(t)
		if t.Kind == Connect {
			if o == Answered {
				d.answered.add(t.Who, t.granted) // the socket was made right after
			}
			g.onOutcome(now, d, t, o)
		}
	case ticketNew, ticketDone:
	}
}

// letGo forgets a held ticket.
func (g *Governor) letGo(t *Ticket) {
	if i := slices.Index(g.held, t); i >= 0 {
		g.held = slices.Delete(g.held, i, i+1)
		if t.Kind == MakeKey {
			g.keys--
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

func (d *dcState) goDown(now time.Time, flood bool, delay time.Duration) {
	if !d.down {
		d.since = now
	}
	d.down, d.flood, d.delay = true, flood, delay
	d.nextTry = now.Add(delay)
}

// again plans the next probe after one that failed.
func (d *dcState) again(now time.Time) {
	limit := probeMax
	if d.flood {
		limit = floodMax
	}
	d.delay = min(2*d.delay, limit)
	d.nextTry = now.Add(d.delay)
}

// pump grants what may be granted and returns when to look again; zero means
// not before the next message.
func (g *Governor) pump(now time.Time) time.Duration {
	g.reclaim(now)
	next := time.Duration(0)
	later := func(d time.Duration) {
		if d > 0 && (next == 0 || d < next) {
			next = d
		}
	}
	// One ticket per DC and round, so that DCs share the common budget.
	for progress := true; progress; {
		progress = false
		next = 0
		for i := range g.dcs {
			d := g.dcs[(g.turn+i)%len(g.dcs)]
			for k := range kinds {
				wait, ok := g.tryGrant(now, d, k)
				progress = progress || ok
				later(wait)
			}
		}
		g.turn++
	}
	if len(g.held) > 0 && g.waiting() {
		later(g.held[0].granted.Add(holdLimit).Sub(now))
	}
	return next
}

// tryGrant grants the first ticket of a kind at a DC. If it cannot, wait says
// when time alone will change that.
func (g *Governor) tryGrant(now time.Time, d *dcState, k Kind) (wait time.Duration, granted bool) {
	q := &d.queues[k]
	if q.live == 0 {
		return 0, false
	}
	if k == MakeKey && g.keys >= g.limits.KeysAtOnce {
		return 0, false
	}
	if k == Connect && d.down {
		if d.probe != nil {
			return 0, false
		}
		if wait := d.nextTry.Sub(now); wait > 0 {
			return wait, false
		}
	} else if wait := d.buckets[k].wait(now); wait > 0 {
		return wait, false
	}
	if wait := g.all[k].wait(now); wait > 0 {
		return wait, false
	}
	t := q.next()
	if k == Connect && d.down {
		d.probe = t
		g.held = append(g.held, t)
	} else {
		d.buckets[k].take()
	}
	g.all[k].take()
	if k == MakeKey {
		g.keys++
		g.held = append(g.held, t)
	}
	t.state, t.granted = ticketGranted, now
	d.granted[k]++
	t.Granted()
	return 0, true
}

// reclaim takes back permits that were held for too long.
func (g *Governor) reclaim(now time.Time) {
	for len(g.held) > 0 && now.Sub(g.held[0].granted) >= holdLimit {
		g.onDone(now, g.held[0], Failed)
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
		s := DCStatus{DC: d.dc, Up: !d.down, Flood: d.flood, Since: d.since, Delay: d.delay, Granted: d.granted}
		for k := range kinds {
			s.Waiting[k] = d.queues[k].live
		}
		list[i] = s
	}
	return list
}
