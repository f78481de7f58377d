package explore

import (
	"errors"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/guest"
	"github.com/mtfleet/mtfleet/mtproto/pfs"
	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// This file does what the engines ask for, as the account and its bindings do.

// drain performs outputs until there are none.
func (w *world) drain() {
	for again := true; again && w.bad == ""; {
		again = false
		if out, ok := w.st.Next(); ok {
			again = true
			w.standing(out)
			continue
		}
		for _, s := range w.slots {
			if s == nil {
				continue
			}
			if out, ok := s.m.Next(); ok {
				again = true
				w.keys(s, out)
				break
			}
		}
		if !again && w.g != nil {
			if out, ok := w.g.Next(); ok {
				again = true
				w.guest(out)
			}
		}
	}
}

// save changes the disk, and is where the process may be killed. It reports
// whether the process goes on.
func (w *world) save(change func(*disk)) bool {
	w.saves++
	if w.crashAt == 2*w.saves {
		w.crash()
		return false
	}
	if w.plant == saveAfter {
		if len(w.unsaved) == 0 {
			w.unsaved = []disk{*clone(&w.disk)}
		}
		change(&w.unsaved[0]) // and on disk when time passes
		return true
	}
	change(&w.disk)
	if w.crashAt == 2*w.saves+1 {
		w.crash()
		return false
	}
	return true
}

// silence ends what is pending under a key: no answer will come. What may run
// twice is sent again.
func (w *world) silence(s *slot, id crypt.KeyID) {
	w.ordersUnder(s, id)
	for _, at := range w.pending(s, id) {
		if q := w.query(at); q != nil {
			w.lost(q)
		}
	}
}

// pending are the queries under a key that are not answered, by their ids.
func (w *world) pending(s *slot, id crypt.KeyID) (all []standing.CallID) {
	for i := range w.queries {
		if q := &w.queries[i]; q.key == id && w.slots[q.at] == s && q.stage == querySent {
			all = append(all, q.call.ID)
		}
	}
	return all
}

// lost is what becomes of a query whose answer will not come.
func (w *world) lost(q *query) {
	if q.call.Repeatable || w.plant == resendsOnce {
		if q.media {
			w.send(*q) // by whichever slot takes it now
			return
		}
		q.stage, q.key = queryHeld, 0
		w.flow()
		return
	}
	w.returned(q, errUnknown)
}

// flow sends what is held where calls may go.
func (w *world) flow() {
	for i := range w.queries {
		q := &w.queries[i]
		s := w.slots[q.at]
		if q.stage != queryHeld || !s.open() {
			continue
		}
		if q.at == atAway && w.g.State() != guest.StateReady && q.call.Purpose == standing.ForCaller {
			continue
		}
		if w.now.Before(w.waitOf(q.call.Method, q.at)) {
			w.failf("%s is sent before the server's wait for it is over", q.call.Method)
		}
		q.stage, q.key = querySent, s.route
	}
}

// waitOf is the end of what a DC has ordered about a method, zero for nothing.
func (w *world) waitOf(method string, at place) time.Time {
	for _, o := range w.waits {
		if o.method == method && o.dc == at.dc() {
			return o.ends
		}
	}
	return time.Time{}
}

// ask admits a query and sends it.
func (w *world) ask(q query) {
	if q.call.ID == 0 {
		q.call.ID = 10
		for w.query(q.call.ID) != nil {
			q.call.ID++
		}
	}
	switch err := w.st.Admit(w.local(), &q.call); {
	case err == nil:
		w.send(q)
	case errors.Is(err, standing.ErrParked):
		q.stage = queryParked
		w.put(q)
	default:
		w.put(q)
		w.over(w.query(q.call.ID), err)
	}
}

func (w *world) put(q query) {
	if old := w.query(q.call.ID); old != nil {
		*old = q
		return
	}
	w.queries = append(w.queries, q)
}

// send hands a query to its DC.
func (w *world) send(q query) {
	q.at = atHome
	switch {
	case q.call.DC == awayDC:
		q.at = atAway
		w.openAway()
		if err := w.g.Refusal(w.local()); err != nil && q.caller != 0 {
			w.put(q)
			w.over(w.query(q.call.ID), err)
			return
		}
		if q.caller != 0 {
			w.g.Wanted(w.local())
		}
	case q.media:
		q.at = w.placeOfMedia()
	}
	q.stage, q.key = queryHeld, 0
	w.put(q)
	w.flow()
}

// returned gives an end to standing, which says what it means.
func (w *world) returned(q *query, err error) {
	at := standing.Where{DC: homeDC, Home: true, Key: uint64(q.key), Temp: true}
	if q.at == atAway {
		at.DC, at.Home = awayDC, false
	}
	c := q.call
	switch w.st.Returned(w.local(), &c, at, nil, err) {
	case standing.FateOver, standing.FateOwn:
		w.over(q, err)
	case standing.FateJudged: // OutEnd or OutSend follows
		q.call, q.stage = c, queryParked
	}
}

// over tells whoever asked.
func (w *world) over(q *query, err error) {
	done := *q
	w.forget(done.call.ID)
	now := w.local()
	switch done.call.Purpose {
	case standing.ForCaller:
		w.ended(&done)
		if err != nil && !w.used && w.wished == 0 {
			w.failf("nothing went wrong, and a call ended with %v", err)
		}
	case standing.ForUpdates:
		w.again = w.again || err != nil // the engine of updates asks again, when it may
	case standing.ForExport:
		if err != nil {
			w.g.ExportFailed(now, done.errand, err)
		} else {
			w.g.Exported(now, done.errand, exported)
		}
	case standing.ForImport:
		if err != nil {
			w.g.ImportFailed(now, done.errand, err)
		} else {
			w.g.Imported(now, done.errand, imported)
		}
	case standing.ForGuestLogOut:
		w.forgetKeys(w.slots[atAway])
	}
}

// guest does what the guest asks for.
func (w *world) guest(out guest.Output) {
	errand := func(p standing.Purpose, method string, to standing.Call) {
		to.Purpose, to.Method = p, method
		w.ask(query{call: to, errand: out.Call})
	}
	switch out.Kind {
	case guest.OutExport:
		errand(standing.ForExport, "auth.exportAuthorization", standing.Call{})
	case guest.OutImport:
		errand(standing.ForImport, "auth.importAuthorization", standing.Call{DC: awayDC})
	case guest.OutSave:
		w.save(func(d *disk) { d.guest = out.Snapshot })
	case guest.OutReady:
		w.flow()
	case guest.OutRefused, guest.OutWaiting, guest.OutFailed:
		w.endHeld(atAway, out.Err)
	case guest.OutDropKey:
		errand(standing.ForGuestLogOut, "auth.logOut", standing.Call{DC: awayDC})
	}
}

// endHeld ends callers' calls that wait for a DC.
func (w *world) endHeld(at place, err error) {
	for _, q := range slices.Clone(w.queries) {
		if q.at == at && q.stage == queryHeld && q.caller != 0 {
			w.over(w.query(q.call.ID), err)
		}
	}
}

// standing does what the account's standing asks for.
func (w *world) standing(out standing.Output) {
	now := w.local()
	switch out.Kind {
	case standing.OutSave:
		w.save(func(d *disk) {
			waits := d.standing.Waits
			if out.Changes.Account {
				d.standing = w.st.Snapshot()
			}
			if w.plant == forgetsWait {
				d.standing.Waits = waits
				return
			}
			d.standing.Waits = w.st.Snapshot().Waits
		})
	case standing.OutOpen:
		w.openHome()
	case standing.OutClose:
		w.close(out.Err)
	case standing.OutSync:
		if !slices.ContainsFunc(w.queries, func(q query) bool { return q.call.Purpose == standing.ForUpdates }) {
			w.ask(query{call: standing.Call{Purpose: standing.ForUpdates, Method: (*tg.UpdatesGetStateRequest)(nil).TypeName(), Repeatable: true}})
		}
	case standing.OutSend:
		if q := w.query(out.Call.ID); q != nil {
			again := *q
			again.call = out.Call
			w.ask(again)
		}
	case standing.OutEnd:
		if q := w.query(out.Call.ID); q != nil {
			w.over(q, out.Err)
		}
	case standing.OutRecall:
		for _, q := range slices.Clone(w.queries) {
			if q.stage == queryHeld && (out.Method == "" || out.Method == q.call.Method) {
				w.ask(q)
			}
		}
	case standing.OutCall:
		q := query{call: out.Call}
		q.call.ID = 10
		for w.query(q.call.ID) != nil {
			q.call.ID++
		}
		w.openHome()
		w.send(q)
	case standing.OutUnbound:
		for _, s := range w.slots {
			if s != nil && s.at.id() == out.Where.DC {
				s.m.Unbound(now, crypt.KeyID(out.Where.Key))
			}
		}
	case standing.OutRotate:
		w.rotate(out.Round)
	case standing.OutReply:
		w.replied(out.Request)
	case standing.OutUnauthorized:
		if w.g != nil {
			w.g.Unauthorized(now, out.Err)
		}
	case standing.OutHomeAlive:
		if w.g != nil {
			w.g.HomeAlive(now)
		}
	case standing.OutForget:
		w.forgetKeys(w.slots[atHome])
	case standing.OutRetire:
		w.save(func(d *disk) {
			if d.home.Perm != nil {
				d.retired = d.home.Perm.ID()
			}
			d.home = pfs.Snapshot{}
		})
	case standing.OutErase:
		if w.save(func(d *disk) { *d = disk{standing: out.Snapshot, retired: d.retired} }) {
			w.st.Erased(now)
		}
	}
}

// close ends everything that needs connections.
func (w *world) close(err error) {
	w.slots, w.g, w.rotating = [places]*slot{}, nil, rotating{}
	w.media = media{}
	for _, q := range slices.Clone(w.queries) {
		at := w.query(q.call.ID)
		switch {
		case at == nil:
		case q.stage == queryHeld:
			w.endClosed(at, err)
		case q.stage == querySent:
			w.endClosed(at, errUnknown)
		}
	}
}

// endClosed ends a query whose connection is closed: the engines that asked are
// gone with it.
func (w *world) endClosed(q *query, err error) {
	done := *q
	w.forget(done.call.ID)
	if done.call.Purpose == standing.ForCaller {
		w.ended(&done)
	}
}
