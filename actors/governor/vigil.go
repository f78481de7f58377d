package governor

import (
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/actors/runtime"
)

// This file is about how the process finds out that a DC answers nobody: within
// quiet + patience/2 + patience of the last packet, 1.75 s where answers take a
// quarter of a second or less.
//
// Any packet that comes from the DC, to anybody, says that it is there; a fleet
// of hundreds hears the pongs of its keep-alives all the time and asks nothing.
// Where nobody hears anything for a second, one connection is asked to send a
// ping, the next one in turn, and soon after three more. None of that closes a
// socket: a ping asked for takes the place of the next that the connection would
// have sent by itself.
//
// So a DC costs a ping a second at most, whatever the number of accounts: with
// 60 accounts at home there as many as they send anyway, with 1,000, who hear 17
// pongs a second, none.
const (
	// quiet is for how long nothing has come when the first is asked.
	quiet = time.Second
	// patienceLeast and patienceMost bound how long an answer may take: twice what
	// it usually takes. The least is what a busy loopback or two round trips to
	// the farthest DC need.
	patienceLeast = 500 * time.Millisecond
	patienceMost  = 2 * time.Second
	// usualFor is how long it counts how long answers took.
	usualFor = time.Minute
	// more are asked when the first does not answer; quorum is how many pings must
	// have left before their silence says anything: an uplink may be busy.
	more, quorum = 3, 2
	// crowd is how many connections make a vigil worth its pings: with five
	// accounts or fewer, nothing is a mass, see actors/digest.
	crowd = 6
	// stalled is by how much a timer may be late. If it is more, this process did
	// not run, and what the DC sent meanwhile is not read yet.
	stalled = 250 * time.Millisecond
	// lookAgain is how often it is looked whether a silent DC was heard.
	lookAgain = 250 * time.Millisecond
	// sayAgain is the least time between two words that one DC is silent. Each has
	// every connection there send a ping: six times what they send anyway, if that
	// goes on and on.
	sayAgain = 10 * time.Second
)

// stage is where the vigil over one DC is.
type stage uint8

const (
	// listening: nothing is asked. Left for askedOne when nothing has come for a
	// while. Without a crowd it is not left, and there is no timer.
	listening stage = iota
	// askedOne: one connection was asked. Left for listening when anything comes,
	// for askedMore when nothing does.
	askedOne
	// askedMore: others were asked too. Left for listening when anything comes or
	// the pings have not left, for mute when nothing does.
	askedMore
	// mute: the DC is said to be silent. Left for listening when anything comes,
	// by an old connection or a new one.
	mute
)

// A Witness is a connection over which the DC has answered under a key: it can be
// asked whether the DC is there. The exported fields are set by its owner before
// [Attend] and not changed.
type Witness struct {
	DC    int
	Route Route
	Who   uint64 // as in [Ticket]
	// Ask is called by the governor, and must not block: send yourself a message.
	// [Asked] with the same round follows when a ping is out.
	Ask func(round uint32)

	at int // its place among the others, from 1; 0: it is not there
}

// vigil is what is known of the silence of one DC.
type vigil struct {
	stage stage
	due   time.Time // when to look again; zero: not before the next message
	mark  time.Time // when it was last heard before anybody was asked
	round uint32
	whom  []uint64 // accounts that were asked in it
	left  int      // pings of it that are out

	all  []*Witness // in no order that matters; at most one for each connection
	turn int        // who is asked next

	usual   time.Duration // how long an answer takes
	usualAt time.Time     // when that was last known
	said    time.Time     // when it was last said that the DC is silent
}

func (v *vigil) attend(w *Witness) {
	if w.at == 0 {
		v.all = append(v.all, w)
		w.at = len(v.all)
	}
}

func (v *vigil) leave(w *Witness) {
	if w.at == 0 || w.at > len(v.all) || v.all[w.at-1] != w {
		return
	}
	last := v.all[len(v.all)-1]
	v.all[w.at-1], last.at = last, w.at
	v.all[len(v.all)-1], w.at = nil, 0
	if v.all = v.all[:len(v.all)-1]; len(v.all) == 0 {
		v.all = nil
	}
}

// asked hears that a ping is out. Its answer has its time from now on.
func (v *vigil) asked(now time.Time, round uint32) {
	if round != v.round || v.stage != askedOne && v.stage != askedMore {
		return
	}
	v.left++
	if v.stage == askedMore {
		v.due = now.Add(v.patience(now))
	}
}

// answered hears how long an answer took.
func (v *vigil) answered(now time.Time, took time.Duration) {
	took = min(max(took, 0), patienceMost)
	if v.usualAt.IsZero() || now.Sub(v.usualAt) > usualFor {
		v.usual = took
	}
	v.usual += (took - v.usual) / 8
	v.usualAt = now
}

// patience is how long an answer may take.
func (v *vigil) patience(now time.Time) time.Duration {
	if v.usualAt.IsZero() || now.Sub(v.usualAt) > usualFor {
		return patienceLeast
	}
	return min(max(2*v.usual, patienceLeast), patienceMost)
}

// ask asks the next n in turn, each account once in a round.
func (v *vigil) ask(n int) {
	for range v.all {
		if n == 0 {
			return
		}
		v.turn = (v.turn + 1) % len(v.all)
		if w := v.all[v.turn]; !slices.Contains(v.whom, w.Who) {
			v.whom = append(v.whom, w.Who)
			w.Ask(v.round)
			n--
		}
	}
}

// look keeps the vigils. Their timer stays where it is early.
func (g *Governor) look(c *runtime.Context[Message], now time.Time) {
	var at time.Time
	for _, d := range g.dcs {
		g.watch(now, d)
		if due := d.vigil.due; at.IsZero() || !due.IsZero() && due.Before(at) {
			at = due
		}
	}
	switch {
	case at.IsZero():
		if !g.wake.IsZero() {
			c.Cancel(vigilTimer)
			g.wake = at
		}
	case g.wake.IsZero() || at.Before(g.wake):
		g.wake = at
		c.After(vigilTimer, at.Sub(now), look{})
	}
}

// watch does what is due in a DC's vigil, and says what was found out.
func (g *Governor) watch(now time.Time, d *dcState) {
	v := &d.vigil
	if g.tell == nil || d.pulse == nil {
		return
	}
	heard := d.pulse.last()
	switch {
	case v.stage == mute && heard.After(v.mark):
		v.listen(now, now)
		g.tell(Word{Kind: Answers, DC: d.dc, Route: d.route, Since: now})
	case v.stage == mute && len(v.all) == 0:
		v.due = time.Time{} // who hears it first has a new connection, and says so
		return
	case v.stage != mute && len(v.all) < crowd:
		v.stage, v.due = listening, time.Time{}
		return
	case v.due.IsZero():
		v.due = now.Add(quiet)
	}
	late := now.Sub(v.due)
	switch {
	case late < 0:
	case late > stalled:
		v.due = now.Add(v.patience(now))
	case v.stage == mute:
		v.due = now.Add(lookAgain)
	case heard.Add(quiet).After(now) && v.stage == listening, heard.After(v.mark) && v.stage != listening:
		v.listen(now, heard)
	case v.stage == listening:
		v.stage, v.mark, v.left, v.due = askedOne, heard, 0, now.Add(v.patience(now)/2)
		v.round++
		v.whom = v.whom[:0]
		v.ask(1)
	case v.stage == askedOne:
		v.stage, v.due = askedMore, now.Add(v.patience(now))
		v.ask(more)
	case v.left < quorum, !v.said.IsZero() && now.Sub(v.said) < sayAgain:
		v.listen(now, now)
	default:
		v.stage, v.said, v.due = mute, now, now.Add(lookAgain)
		g.tell(Word{Kind: IsSilent, DC: d.dc, Route: d.route, Since: v.mark})
	}
}

// listen waits for as long as a DC may be quiet.
func (v *vigil) listen(now, heard time.Time) {
	v.stage, v.due = listening, latest(heard.Add(quiet), now)
}
