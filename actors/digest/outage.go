package digest

import (
	"fmt"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/standing"
)

// dcWatch is one DC as the home of accounts.
type dcWatch struct {
	dc    int
	away  int // accounts that lost it
	early int // accounts that start and are not online yet

	// Losses that are held.
	window time.Time // until then; zero: none
	first  time.Time // the first of them
	mass   bool      // more than alone were away together: all will be one line
	n      int       // how many, once it is that
	back   int       // of them, who are back already,
	last   time.Time // the last of them then
	why    reasons
	held   []held        // those who are away, at most alone, and as many who were; none of a mass
	blips  int           // who were away too, and are not held for want of room
	blip   time.Duration // the longest of those

	outage outage
	starts starts
}

// held is one loss that is not told yet.
type held struct {
	id   string
	why  string
	away time.Duration // how long it was, once it is back
	over bool
}

// outage is a loss that was told as one line. The zero outage is none.
type outage struct {
	since    time.Time
	told     int       // how many were said to be away
	at       time.Time // when something was said last
	said     bool      // something was said of returns
	answered time.Time // when its DC answered after a silence, and that is to be told; zero: never
	returns
}

// returns are those who came since something was said of them.
type returns struct {
	back  int       // how many
	begun time.Time // when the first of them came
	last  time.Time // when the last of them did
}

func (r *returns) add(now time.Time) {
	if r.back == 0 {
		r.begun = now
	}
	r.back++
	r.last = now
}

// settles is when those who came are told of: when nobody has followed for a
// while, or some always do. It is zero when there are none.
func (r *returns) settles() time.Time {
	if r.back == 0 {
		return time.Time{}
	}
	return earliest(r.last.Add(hold), r.begun.Add(again))
}

// starts are the accounts that were started at about one time.
type starts struct {
	since  time.Time // the first of them; zero: none
	warned bool      // it was said that they are late
	moved  time.Time // when one of them came last, or the first was started
	lines  []Line    // of those who are online by now, at most alone
	returns
}

func (d *Digest) at(number int) *dcWatch {
	i, ok := sortedDCs(d.dcs, number)
	if !ok {
		d.dcs = slices.Insert(d.dcs, i, &dcWatch{dc: number})
	}
	return d.dcs[i]
}

// lose hears that an account in service is without its DC.
func (d *Digest) lose(id string, e *entry) {
	w := d.at(e.dc)
	e.absence, e.since = lost, d.now
	w.away++
	if !w.outage.since.IsZero() {
		d.sayDebug(lostLine(id, w.dc, e.why))
		return
	}
	w.why.add(e.why)
	if w.mass {
		w.n++
		d.sayDebug(lostLine(id, w.dc, e.why))
		return
	}
	if w.window.IsZero() {
		w.first = d.now
	}
	w.window = earliest(d.now.Add(holdLoss), w.first.Add(holdMost))
	w.makeRoom()
	if w.held = append(w.held, held{id: id, why: e.why}); w.stillAway() <= alone {
		return
	}
	d.together(w)
}

// together makes the losses that are held one.
func (d *Digest) together(w *dcWatch) {
	w.mass, w.window = true, d.now.Add(hold)
	for _, h := range w.held {
		d.sayDebug(lostLine(h.id, w.dc, h.why))
		w.n++
		if h.over {
			w.back++
			w.last = d.now
		}
	}
	w.n += w.blips
	w.back += w.blips
	w.held, w.blips, w.blip = nil, 0, 0
}

// stillAway counts the held losses that are not over.
func (w *dcWatch) stillAway() (n int) {
	for _, h := range w.held {
		if !h.over {
			n++
		}
	}
	return n
}

// makeRoom keeps the first of those who are back, and counts the others.
func (w *dcWatch) makeRoom() {
	if len(w.held) < 2*alone {
		return
	}
	i := slices.IndexFunc(w.held, func(h held) bool { return h.over })
	w.blips++
	w.blip = max(w.blip, w.held[i].away)
	w.held = slices.Delete(w.held, i, i+1)
}

// start hears of an account that was not in service and is connecting.
func (d *Digest) start(id string, e *entry) {
	w := d.at(e.dc)
	e.absence, e.since = starting, d.now
	w.early++
	if w.starts.since.IsZero() {
		w.starts.since, w.starts.moved = d.now, d.now
	}
	d.say(Line{Level: Debug, Text: id + " connects", Account: id, State: standing.Connecting.String(), DC: w.dc})
}

// leave ends an absence: the account is online, or something else.
func (d *Digest) leave(id string, e *entry, dc int, online bool) {
	w, was, after := d.at(dc), e.absence, d.now.Sub(e.since)
	e.absence, e.why = present, ""
	line := Line{Level: Info, Text: id + " is online", Account: id, State: standing.Online.String(), DC: dc}
	if was == starting {
		w.early--
		switch {
		case online:
			d.started(w, line)
		case w.early == 0 && w.starts.back == 0:
			w.starts = starts{}
		}
		return
	}
	w.away--
	line.Text += " again after " + span(after)
	switch i := slices.IndexFunc(w.held, func(h held) bool { return h.id == id && !h.over }); {
	case !w.outage.since.IsZero():
		if online {
			w.outage.add(d.now)
			d.sayDebug(line)
		}
		if w.away == 0 {
			d.tellBack(w)
		}
	case i >= 0:
		w.held[i].over, w.held[i].away = online, after
		if !online { // what it is instead has a line of its own
			w.held = slices.Delete(w.held, i, i+1)
		}
	case w.mass && !e.since.Before(w.first):
		if online {
			w.back++
			w.last = d.now
			d.sayDebug(line)
		}
	case online:
		d.say(line)
	}
}

// started hears that an account is online for the first time.
func (d *Digest) started(w *dcWatch, line Line) {
	s := &w.starts
	s.add(d.now)
	s.moved = d.now
	if s.back <= alone {
		s.lines = append(s.lines, line)
		return
	}
	for _, l := range s.lines {
		d.sayDebug(l)
	}
	s.lines = nil
	d.sayDebug(line)
}

func (w *dcWatch) deadline() time.Time {
	at := w.window
	if o := &w.outage; !o.since.IsZero() {
		at = earliest(at, o.settlesAgain())
		if w.away > o.told+alone {
			at = earliest(at, o.at.Add(again))
		}
	}
	if s := &w.starts; !s.since.IsZero() {
		at = earliest(at, s.settles())
		if !s.warned && w.early > alone {
			at = earliest(at, s.moved.Add(patience))
		}
	}
	return at
}

// settlesAgain is settles, but not soon after an earlier word about returns.
func (o *outage) settlesAgain() time.Time {
	at := o.settles()
	if !o.answered.IsZero() {
		return earliest(at, o.answered.Add(hold))
	}
	if at.IsZero() || !o.said {
		return at
	}
	if next := o.at.Add(again); next.After(at) {
		return next
	}
	return at
}

func (d *Digest) advance(w *dcWatch) {
	if reached(d.now, w.window) {
		d.tellLost(w)
	}
	if o := &w.outage; !o.since.IsZero() {
		switch {
		case reached(d.now, o.settlesAgain()):
			d.tellBack(w)
		case w.away > o.told+alone && reached(d.now, o.at.Add(again)):
			d.tellMore(w)
		}
	}
	if s := &w.starts; !s.since.IsZero() {
		switch {
		case reached(d.now, s.settles()):
			d.tellStarted(w)
		case !s.warned && w.early > alone && reached(d.now, s.moved.Add(patience)):
			s.warned = true
			d.say(Line{
				Level: Warn, DC: w.dc, Count: w.early, Of: d.signedIn, Away: w.early, State: standing.Connecting.String(),
				Text: because(fmt.Sprintf("%d of %s are not online yet at DC %d", w.early, accounts(d.signedIn), w.dc), d.why(w.dc, starting)),
			})
		}
	}
}

func (d *Digest) flush(w *dcWatch) {
	if !w.window.IsZero() {
		d.tellLost(w)
	}
	if w.outage.back > 0 {
		d.tellBack(w)
	}
	if w.starts.back > 0 {
		d.tellStarted(w)
	}
}

// tellLost ends the time in which losses are held.
func (d *Digest) tellLost(w *dcWatch) {
	was := *w
	w.window, w.first, w.mass, w.n, w.back, w.last, w.why = time.Time{}, time.Time{}, false, 0, 0, time.Time{}, reasons{}
	w.held, w.blips, w.blip = nil, 0, 0
	if !was.mass {
		d.tellHeld(&was)
		return
	}
	n, why := was.n, was.why.most()
	n = max(n, w.away)
	w.outage = outage{since: was.first, told: n, at: d.now, returns: returns{back: was.back, begun: was.last, last: was.last}}
	d.say(Line{
		Level: Warn, DC: w.dc, Count: n, Of: d.signedIn, Away: w.away, State: standing.Connecting.String(),
		Text: because(fmt.Sprintf("%d of %s lost DC %d", n, accounts(d.signedIn), w.dc), why),
	})
	if w.away == 0 {
		d.tellBack(w)
	}
}

// tellHeld says one by one who is away, and who was.
func (d *Digest) tellHeld(w *dcWatch) {
	blips, longest := w.blips, w.blip
	for _, h := range w.held {
		if h.over {
			blips++
			longest = max(longest, h.away)
		}
	}
	for _, h := range w.held {
		line := lostLine(h.id, w.dc, h.why)
		if h.over {
			line.Text = because(fmt.Sprintf("%s was without DC %d for %s", h.id, w.dc, span(h.away)), trim(h.why))
			line.State = standing.Online.String()
			if blips > alone {
				line.Level = Debug
			}
		}
		d.say(line)
	}
	if blips > alone {
		d.say(Line{
			Level: Info, DC: w.dc, Count: blips, Of: d.signedIn, Away: w.away, State: standing.Online.String(),
			Text: because(fmt.Sprintf("%s were without DC %d for a moment, %s at most", accounts(blips), w.dc, span(longest)), w.why.most()),
		})
	}
}

// tellMore says that an outage has grown.
func (d *Digest) tellMore(w *dcWatch) {
	o := &w.outage
	o.told, o.at = w.away, d.now
	d.say(Line{
		Level: Warn, DC: w.dc, Count: w.away, Of: d.signedIn, Away: w.away, State: standing.Connecting.String(),
		Text: because(fmt.Sprintf("%d of %s are without DC %d by now", w.away, accounts(d.signedIn), w.dc), d.why(w.dc, lost)),
	})
}

// tellBack says who has come back. With few away the outage is over.
func (d *Digest) tellBack(w *dcWatch) {
	o := &w.outage
	if !o.answered.IsZero() && (w.away > alone || w.away > 0 && o.back == 0) {
		d.tellAnswers(w)
	} else if o.back > 0 {
		text := fmt.Sprintf("DC %d is back for %s after %s", w.dc, accounts(o.back), span(o.last.Sub(o.since)))
		if w.away > o.back {
			text = fmt.Sprintf("after %s, %d of %s are back at DC %d", span(o.last.Sub(o.since)), o.back, accounts(o.back+w.away), w.dc)
		}
		level := Info
		if w.away > 0 {
			text += fmt.Sprintf("; %d are still away", w.away)
			if w.away == 1 {
				text = text[:len(text)-len("are still away")] + "is still away"
			}
		}
		if w.away > alone {
			level = Warn
			text = because(text, d.why(w.dc, lost))
		}
		d.say(Line{Level: level, Text: text, DC: w.dc, Count: o.back, Of: d.signedIn, Away: w.away})
	}
	if w.away <= alone {
		w.outage = outage{}
		return
	}
	o.back, o.told, o.at, o.said, o.answered = 0, w.away, d.now, true, time.Time{}
}

// tellStarted says who is online for the first time.
func (d *Digest) tellStarted(w *dcWatch) {
	s := &w.starts
	for _, l := range s.lines {
		d.say(l)
	}
	if len(s.lines) == 0 {
		text := fmt.Sprintf("%s are online at DC %d after %s", accounts(s.back), w.dc, span(s.last.Sub(s.since)))
		if w.early > 0 {
			text += fmt.Sprintf("; %d are not yet", w.early)
			if w.early == 1 {
				text = text[:len(text)-len("are not yet")] + "is not yet"
			}
		}
		d.say(Line{Level: Info, Text: text, DC: w.dc, Count: s.back, Of: d.signedIn, Away: w.early, State: standing.Online.String()})
	}
	if w.early == 0 {
		*s = starts{}
		return
	}
	s.back, s.lines = 0, nil
}

// why is the most frequent reason of those who are away from a DC in one way.
func (d *Digest) why(dc int, of absence) string {
	var r reasons
	for _, e := range d.entries {
		if e.dc == dc && e.absence == of {
			r.add(e.why)
		}
	}
	return r.most()
}

func lostLine(id string, dc int, why string) Line {
	return Line{
		Level: Info, Text: because(fmt.Sprintf("%s lost DC %d", id, dc), trim(why)), Account: id,
		State: standing.Connecting.String(), DC: dc,
	}
}
