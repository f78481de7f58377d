package explore

import (
	"slices"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/pfs"
)

// This file does what the keys of a slot ask for.

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
	now := w.local()
	switch out.Kind {
	case pfs.OutPermit:
		s.permit, s.kind = true, out.Key
	case pfs.OutMake:
		s.make, s.kind, s.life = true, out.Key, out.ExpiresIn
	case pfs.OutSave:
		w.saveKeys(s, out.Changes)
	case pfs.OutHold:
		s.held, s.wait, s.keep, s.draining = true, out.Wait, out.Keep, true
		if s.at == atMedia {
			w.media.opens = true
		}
		if w.plant == dropEarly {
			w.server(s.at).drop(s.m.PermID(), []crypt.KeyID{out.Temp.ID()})
		}
	case pfs.OutBind:
		w.bind(s, out)
	case pfs.OutProbe:
		s.probe = out.ID
	case pfs.OutReading:
		w.learnt(s.at, out.Reading)
	case pfs.OutUse:
		w.use(s, out)
	case pfs.OutEnd:
		w.late(s, out.ID) // the server was found to have cut them off
		w.silence(s, out.ID)
		s.old, s.probe = without(s.old, out.ID), without(s.probe, out.ID)
		s.m.Retired(now, out.ID)
	case pfs.OutStop:
		w.stop(s, out)
	case pfs.OutDrop:
		w.drop(s, out.Except)
	case pfs.OutProve:
		s.prove = true
	case pfs.OutRotated:
		w.rotated(s.at, out.Err)
	case pfs.OutGone:
		switch s.at {
		case atHome:
			w.st.KeyGone(now, homeDC, true, out.Err)
		case atAway:
			w.g.KeyLost(now)
			w.forgetKeys(s)
		case atMedia:
			w.closeMedia(false)
		}
	}
}

func (w *world) saveKeys(s *slot, c pfs.Changes) {
	if s.at == atMedia {
		w.failf("a key for media is written to disk")
	}
	w.save(func(d *disk) {
		if s.at == atAway {
			commit(&d.away, c)
		} else {
			commit(&d.home, c)
		}
	})
}

// bind sends a bind, unless an order to drop keys is on its way that would undo it.
func (w *world) bind(s *slot, out pfs.Output) {
	now, id := w.local(), out.Temp.ID()
	if s.at != atAway {
		at := w.media.slots.Bind(now, s.at.slot(), id)
		if w.media.noBinds.After(now) && w.media.noBinds.After(at) {
			at = w.media.noBinds
		}
		if !at.IsZero() && w.plant != bindsAnyway {
			s.m.Blocked(now, id, at)
			return
		}
	}
	s.bind, s.binds = &bind{temp: id, perm: out.Perm.ID()}, id
	if w.now.Before(w.waitOf(bindMethod, s.at)) {
		w.failf("a temp key is bound before the server's wait for that is over")
	}
	if s.at == atMedia && w.strict {
		w.failf("a key for media is bound, which cuts the main one off")
	}
}

// learnt tells every slot of a DC what a bind does there to the key before.
func (w *world) learnt(at place, r pfs.Reading) {
	known := &w.readings[at.dc()]
	if *known != pfs.ReadingBoth {
		*known = r
	}
	for _, s := range w.slots {
		if s != nil && s.at.dc() == at.dc() {
			s.m.Learned(w.local(), *known)
		}
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
	if s.at != atMedia && !w.onDisk(s, id) && w.plant != saveAfter {
		w.failf("calls go under a temp key that is not on disk as bound")
	}
	if s.route != id {
		if s.route != 0 {
			s.old, s.listens = s.route, w.local().Add(out.Listen)
		}
		s.up = s.binds == id
	}
	if s.old == id {
		s.old = 0
	}
	s.route, s.held, s.draining, s.bind = id, false, false, nil
	if s.up {
		w.routed(s)
	}
}

// routed says that calls can be sent under the key in use.
func (w *world) routed(s *slot) {
	switch now := w.local(); s.at {
	case atHome:
		w.st.Routed(now)
		w.routedHome(s)
	case atAway:
		w.g.KeyReady(now)
	case atMedia:
		w.media.opens = false
	}
	w.flow()
}

// stands hears that the connection under the key in use is there.
func (w *world) stands(s *slot) {
	if s.up = true; s.held {
		return
	}
	w.routed(s)
	s.m.Connected(w.local())
}

// fell hears that it is gone. What was sent by it is sent again by the next.
func (w *world) fell(s *slot) {
	if s.up = false; !s.held {
		w.lostRoute(s, "the connection was lost")
	}
}

func (w *world) lostRoute(s *slot, why string) {
	switch s.at {
	case atHome:
		w.st.RouteLost(w.local(), why)
	case atMedia:
		w.media.opens = false
	}
}

// stop ends the use of a key that nothing has replaced yet.
func (w *world) stop(s *slot, out pfs.Output) {
	s.route, s.up, s.held, s.draining = 0, false, false, false
	w.lostRoute(s, "its key is gone")
	if out.Drain {
		s.old, s.listens = out.ID, w.local().Add(out.Listen)
		return
	}
	w.silence(s, out.ID)
}

// stopped ends the connection under a replaced key.
func (w *world) stopped(s *slot) {
	id := s.old
	w.late(s, id)
	w.silence(s, id)
	s.old = 0
	s.m.Retired(w.local(), id)
}

// listened ends it when it has listened for as long as it may.
func (w *world) listened(s *slot) {
	if s.old == 0 || w.local().Before(s.listens) {
		return
	}
	if id := s.probe; id != 0 {
		s.probe = 0
		s.m.Probed(w.local(), id, false)
	}
	w.stopped(s)
}

func (w *world) onDisk(s *slot, id crypt.KeyID) bool {
	d := &w.disk.home
	if s.at == atAway {
		d = &w.disk.away
	}
	return slices.ContainsFunc(d.Temps, func(t pfs.TempKey) bool { return t.ID() == id && t.Bound })
}
