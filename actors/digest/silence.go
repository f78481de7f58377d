package digest

import (
	"fmt"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/standing"
)

// This file is about a DC of which it is known that it answers nobody, before the
// accounts there have given their connections up.

// NoAnswer is why an account is without a DC that was heard last at since.
func NoAnswer(now, since time.Time) string { return "no answer for " + span(now.Sub(since)) }

// Silent says that a DC answers nobody since a time, see governor.IsSilent. If more
// than five accounts are without it now, those that are online there count as
// having lost it, which is told at once. Few are told one by one, when they have
// given up themselves.
func (d *Digest) Silent(now time.Time, dc int, since time.Time) {
	d.begin(now)
	w := d.at(dc)
	all := d.where(func(e *entry) bool {
		return e.dc == dc && e.signedIn && e.state == standing.Online && e.absence == present
	})
	if len(all) == 0 || w.away+len(all) <= alone {
		return
	}
	w.outage.answered = time.Time{}
	why := NoAnswer(now, since)
	known := !w.outage.since.IsZero()
	if !known && !w.mass {
		if w.window.IsZero() || since.Before(w.first) {
			w.first = since
		}
		d.together(w)
	}
	for _, id := range all {
		e := d.entries[id]
		e.absence, e.since, e.why = lost, since, why
		w.away++
		d.sayDebug(lostLine(id, dc, why))
		if !known {
			w.n++
			w.why.add(why)
		}
	}
	if !known {
		d.tellLost(w)
	}
}

// Answers says that a DC answers again. Who has kept the connection is back; the
// others follow, and of an outage that is told within a second.
func (d *Digest) Answers(now time.Time, dc int) {
	d.begin(now)
	w := d.at(dc)
	if !w.outage.since.IsZero() {
		w.outage.answered = d.now
	}
	for _, id := range d.where(func(e *entry) bool {
		return e.dc == dc && e.absence == lost && e.state == standing.Online
	}) {
		d.leave(id, d.entries[id], dc, true)
	}
}

// where returns the accounts for which something is so, in the order of their
// names.
func (d *Digest) where(is func(*entry) bool) (list []string) {
	for id, e := range d.entries {
		if is(e) {
			list = append(list, id)
		}
	}
	slices.Sort(list)
	return list
}

// tellAnswers says that the DC of an outage answers, while accounts are still away.
func (d *Digest) tellAnswers(w *dcWatch) {
	o := &w.outage
	text := fmt.Sprintf("DC %d answers again after %s", w.dc, span(o.answered.Sub(o.since)))
	if o.back > 0 {
		text += fmt.Sprintf(": %d of %s are back", o.back, accounts(o.back+w.away))
	} else {
		text += fmt.Sprintf(": %s are still away", accounts(w.away))
	}
	d.say(Line{Level: Info, Text: text, DC: w.dc, Count: o.back, Of: d.signedIn, Away: w.away})
}
