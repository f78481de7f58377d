package placement

import "time"

// ReachState is whether a node reaches the DCs, as it knows itself.
type ReachState uint8

const (
	// Reaches: nothing speaks against it. Left for Doubted when a DC is away by the
	// node's own way and none was heard since, or when another node says that it is
	// cut off: then it may be the DCs that are away.
	Reaches ReachState = iota
	// Doubted: every DC is asked, and nothing is taken. Left for Reaches when one is
	// heard, for CutOff when none is within doubtFor.
	Doubted
	// CutOff: the node says so in the store. Every DC is asked on and on; after
	// giveAfter it gives its accounts to nodes that do reach them. Left for Returning
	// when a DC is heard.
	CutOff
	// Returning: DCs are heard again, and asked where none is for a while. What the
	// node has it keeps. Left for Reaches when that went well for long enough, for
	// CutOff when it did not.
	Returning
)

// String names the state.
func (s ReachState) String() string {
	switch s {
	case Reaches:
		return "reaches the DCs"
	case Doubted:
		return "is not heard by the DCs"
	case CutOff:
		return "is cut off"
	case Returning:
		return "hears the DCs again"
	}
	return "unknown state"
}

// Says reports whether the node is one that says it is cut off.
func (s ReachState) Says() bool { return s == CutOff || s == Returning }

const (
	// doubtFor is how long no DC answers before a node says that it is cut off: three
	// times what the farthest takes through a slow proxy.
	doubtFor = 3 * time.Second
	// giveAfter is how long it has said so before it gives its accounts away. By then
	// every other node has said the same, if it is the DCs that are away: it looks
	// within a second, doubts for three, which are four of its looks, and is seen a
	// second later.
	giveAfter = 8 * time.Second
	// backFirst is for how long the DCs have to be heard before a node that was cut
	// off takes accounts again.
	//
	// Each time that it gave its accounts away and was back for less than steady is
	// twice as long as the one before, backMost at most. So an account that belongs
	// to a node whose network comes and goes moves away and back seven times in the
	// first hour and a quarter (30 s + 1 min + 2 + 4 + 8 + 16 + 32 = 64 min), and then
	// once in an hour.
	backFirst = 30 * time.Second
	backMost  = time.Hour
	steady    = time.Hour
	// askEvery is how long a node that returns hears nothing before it asks.
	askEvery = 10 * time.Second
	// lookGap is what may lie between two looks. Where it is more, the node did not
	// run, or the store did not answer: what came of the DCs and of other nodes
	// meanwhile is not known yet.
	lookGap = 5 * time.Second
)

// Reach finds out whether a node reaches the DCs, from one look to the next. The zero
// Reach is of a node that has just begun: nothing speaks against it.
type Reach struct {
	state  ReachState
	since  time.Time // it is so
	looked time.Time
	wait   time.Duration // to be back, when it last gave its accounts away
	back   time.Time     // when it was last back from that; zero: never
	gave   bool          // its accounts, since it was back
}

// Signs are what a node sees at one look.
type Signs struct {
	// Heard is when any DC was heard last, by whatever way; zero: none was.
	Heard time.Time
	// Tried is set when somebody has wanted a DC by the node's own way: directly, or
	// through the proxy of all. Away is since when the last of them is away that is;
	// zero: none is. A proxy of one account says nothing of the node.
	Tried bool
	Away  time.Time
	// Others is set when another node says that it is cut off, and did not at the
	// last look.
	Others bool
}

// State is where it is.
func (r *Reach) State() ReachState { return r.state }

// Since is when that began.
func (r *Reach) Since() time.Time { return r.since }

// Gives reports whether the node gives its accounts away.
func (r *Reach) Gives(now time.Time) bool { return r.state == CutOff && now.Sub(r.since) >= giveAfter }

// Asks reports whether every DC is to be asked.
func (r *Reach) Asks(now time.Time, s Signs) bool {
	switch r.state {
	case Reaches:
		return false
	case Doubted, CutOff:
		return true
	case Returning:
		return now.Sub(s.Heard) >= askEvery
	}
	panic("BUG: no such state")
}

// Look takes in what is seen now.
func (r *Reach) Look(now time.Time, s Signs) {
	if now.Sub(r.looked) > lookGap {
		r.since = now
	}
	r.looked = now
	switch r.state {
	case Reaches:
		if s.Tried && (s.Others || !s.Away.IsZero() && !s.Heard.After(s.Away)) {
			r.to(now, Doubted)
		}
	case Doubted:
		switch {
		case s.Heard.After(r.since):
			r.to(now, Reaches)
		case now.Sub(r.since) >= doubtFor:
			r.to(now, CutOff)
		}
	case CutOff:
		r.gave = r.gave || r.Gives(now)
		if s.Heard.After(r.since) {
			r.to(now, Returning)
		}
	case Returning:
		switch {
		case now.Sub(s.Heard) >= askEvery+doubtFor:
			r.to(now, CutOff)
		case now.Sub(r.since) >= r.Wait():
			r.to(now, Reaches)
		}
	}
}

// Wait is for how long DCs have to be heard before the node is back.
func (r *Reach) Wait() time.Duration {
	switch {
	case !r.gave:
		return backFirst
	case r.back.IsZero() || r.since.Sub(r.back) > steady:
		return backFirst
	}
	return min(2*r.wait, backMost)
}

func (r *Reach) to(now time.Time, s ReachState) {
	if s == Reaches && r.gave {
		r.wait, r.back, r.gave = r.Wait(), now, false
	}
	r.state, r.since = s, now
}
