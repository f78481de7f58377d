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
		for _, s := range []*slot{w.home, w.away} {
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

func commit(s *pfs.Snapshot, c pfs.Changes) {
	if c.DeletePerm {
		s.Perm = nil
	}
	if c.PutPerm != nil {
		s.Perm = c.PutPerm
	}
	gone := func(t pfs.TempKey) bool {
		return slices.Contains(c.DeleteTemps, t.ID()) || slices.ContainsFunc(c.PutTemps, func(n pfs.TempKey) bool { return n.ID() == t.ID() })
	}
	s.Temps = append(slices.DeleteFunc(slices.Clone(s.Temps), gone), c.PutTemps...)
}

// keys does what the machine of a slot's keys asks for.
func (w *world) keys(s *slot, out pfs.Output) {
	away, now := s == w.away, w.local()
	switch out.Kind {
	case pfs.OutPermit:
		s.permit, s.kind = true, out.Key
	case pfs.OutMake:
		s.make, s.kind, s.life = true, out.Key, out.ExpiresIn
	case pfs.OutSave:
		w.save(func(d *disk) {
			if away {
				commit(&d.away, out.Changes)
			} else {
				commit(&d.home, out.Changes)
			}
		})
	case pfs.OutHold:
		s.held, s.wait, s.keep, s.draining = true, out.Wait, out.Keep, true
		if w.plant == dropEarly {
			w.server(away).drop(s.m.PermID(), []crypt.KeyID{out.Temp.ID()})
		}
	case pfs.OutBind:
		s.bind = &bind{temp: out.Temp.ID(), perm: out.Perm.ID()}
		if w.now.Before(w.waitOf("auth.bindTempAuthKey", away)) {
			w.failf("a temp key is bound before the server's wait for that is over")
		}
	case pfs.OutProbe:
		s.probe = out.ID
	case pfs.OutUse:
		w.use(s, out)
	case pfs.OutEnd:
		w.late(s, out.ID) // the server was found to have cut them off
		w.silence(s, out.ID, false)
		s.old, s.probe = without(s.old, out.ID), without(s.probe, out.ID)
		s.m.Retired(now, out.ID)
	case pfs.OutStop:
		s.route, s.held, s.draining = 0, false, false
		if !away {
			w.st.RouteLost(now, "its key is gone")
		}
		if out.Drain {
			s.old = out.ID
			return
		}
		w.silence(s, out.ID, false)
	case pfs.OutDrop:
		s.drop, s.dropping = out.Except, true
	case pfs.OutProve:
		s.prove = true
	case pfs.OutGone:
		if away {
			w.g.KeyLost(now)
			w.forgetKeys(s)
			return
		}
		w.st.KeyGone(now, homeDC, true, out.Err)
	}
}

func without(id, gone crypt.KeyID) crypt.KeyID {
	if id == gone {
		return 0
	}
	return id
}

func (w *world) forgetKeys(s *slot) {
	s.bind, s.prove, s.permit, s.make = nil, false, false, false
	s.m.Forget(w.local())
}

// use sends calls under a key from now on.
func (w *world) use(s *slot, out pfs.Output) {
	id := out.Temp.ID()
	if !w.onDisk(s, id) && w.plant != saveAfter {
		w.failf("calls go under a temp key that is not on disk as bound")
	}
	if s.route != 0 && s.route != id {
		s.old = s.route
	}
	if s.old == id {
		s.old = 0
	}
	s.route, s.temp, s.held, s.draining, s.bind = id, true, false, false, nil
	now := w.local()
	if s == w.home {
		w.st.Routed(now)
	} else {
		w.g.KeyReady(now)
	}
	w.flow()
}

func (w *world) onDisk(s *slot, id crypt.KeyID) bool {
	d := &w.disk.home
	if s == w.away {
		d = &w.disk.away
	}
	return slices.ContainsFunc(d.Temps, func(t pfs.TempKey) bool { return t.ID() == id && t.Bound })
}

// silence ends what is pending under a key: no answer will come. What may run
// twice is sent again.
func (w *world) silence(s *slot, id crypt.KeyID, kept bool) {
	for _, at := range w.pending(s, id) {
		q := w.query(at)
		if q == nil || kept {
			continue
		}
		w.lost(q)
	}
}

// pending are the queries under a key that are not answered, by their ids.
func (w *world) pending(s *slot, id crypt.KeyID) (all []standing.CallID) {
	for i := range w.queries {
		if q := &w.queries[i]; q.key == id && w.slot(q.away) == s && (q.stage == querySent || q.stage == queryRun) {
			all = append(all, q.call.ID)
		}
	}
	return all
}

// lost is what becomes of a query whose answer will not come.
func (w *world) lost(q *query) {
	if q.call.Repeatable || w.plant == resendsOnce {
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
		s := w.slot(q.away)
		if q.stage != queryHeld || s == nil || s.route == 0 || s.held {
			continue
		}
		if q.away && w.g.State() != guest.StateReady && q.call.Purpose == standing.ForCaller {
			continue
		}
		if w.now.Before(w.waitOf(q.call.Method, q.away)) {
			w.failf("%s is sent before the server's wait for it is over", q.call.Method)
		}
		q.stage, q.key = querySent, s.route
	}
}

// waitOf is the end of what a DC has ordered about a method, zero for nothing.
func (w *world) waitOf(method string, away bool) time.Time {
	for _, o := range w.waits {
		if o.method == method && o.away == away {
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
	q.away = q.call.DC == awayDC
	if q.away {
		w.openAway()
		if err := w.g.Refusal(w.local()); err != nil && q.caller != 0 {
			w.put(q)
			w.over(w.query(q.call.ID), err)
			return
		}
		if q.caller != 0 {
			w.g.Wanted(w.local())
		}
	}
	q.stage, q.key = queryHeld, 0
	w.put(q)
	w.flow()
}

// returned gives an end to standing, which says what it means.
func (w *world) returned(q *query, err error) {
	at := standing.Where{DC: homeDC, Home: true, Key: uint64(q.key), Temp: true}
	if q.away {
		at.DC, at.Home = awayDC, false
	}
	c := q.call
	switch w.st.Returned(w.local(), &c, at, err) {
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
		w.asks = w.asks || err != nil // the engine of updates asks again, when it may
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
		w.forgetKeys(w.away)
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
		w.endHeld(true, out.Err)
	case guest.OutDropKey:
		errand(standing.ForGuestLogOut, "auth.logOut", standing.Call{DC: awayDC})
	}
}

// endHeld ends callers' calls that wait for a DC.
func (w *world) endHeld(away bool, err error) {
	for _, q := range slices.Clone(w.queries) {
		if q.away == away && q.stage == queryHeld && q.caller != 0 {
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
		if w.home == nil {
			w.openHome()
		}
		w.send(q)
	case standing.OutUnbound:
		if s := w.slot(out.Where.DC == awayDC); s != nil {
			s.m.Unbound(now, crypt.KeyID(out.Where.Key))
		}
	case standing.OutUnauthorized:
		if w.g != nil {
			w.g.Unauthorized(now, out.Err)
		}
	case standing.OutHomeAlive:
		if w.g != nil {
			w.g.HomeAlive(now)
		}
	case standing.OutForget:
		w.forgetKeys(w.home)
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
	w.home, w.away, w.g = nil, nil, nil
	for _, q := range slices.Clone(w.queries) {
		at := w.query(q.call.ID)
		switch {
		case at == nil:
		case q.stage == queryHeld:
			w.endClosed(at, err)
		case q.stage == querySent, q.stage == queryRun:
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
