package pfs

import (
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
)

// This file is about a new temp key that might be the third to live. No key serves, so
// nothing can be dropped, and two that did are on record: the server denied them, or
// nobody heard what became of the order to drop them. A server in trouble denies keys
// that it has, for seconds to a minute, and makes none meanwhile. So once it has made
// the new key the others are bound again first, the longest on record first. One that
// is granted serves, and drops the rest; the new one is bound when all were refused.
//
// That a bind cuts off what was bound before may have been learnt from such a denial: so
// they are bound there too, but not for long where no answer comes.

// mayBeThird reports whether the successor is new and two others may live.
func (m *Machine) mayBeThird(now time.Time) bool {
	return m.serving == nil && m.fresh == nil && !m.tried && m.others(now) > 1 && m.recallable(now) >= 0
}

// others counts the keys besides the serving one and the successor that may live at
// the server, for all that is known.
func (m *Machine) others(now time.Time) (n int) {
	if m.retired != nil {
		n++
	}
	for i := range m.parting {
		if m.maySurvive(now, &m.parting[i]) {
			n++
		}
	}
	return n
}

// maySurvive reports whether a key that nothing uses may be bound at the server.
func (m *Machine) maySurvive(now time.Time, t *TempKey) bool {
	return !m.expired(now, t) && !slices.Contains(m.recalled, t.ID())
}

// recallable is the index of the key in parting to bind again next, -1 for none.
func (m *Machine) recallable(now time.Time) int {
	return slices.IndexFunc(m.parting, func(t TempKey) bool { return m.maySurvive(now, &t) })
}

// recall sets the new successor aside and binds those on record. One that was made
// before the server denied a key is no sign that the server is well again: another is
// made first.
func (m *Machine) recall(now time.Time) {
	if m.denied {
		m.discard(now)
		m.want(now, taskTemp)
		return
	}
	m.fresh = m.successor
	m.save(Changes{DeleteTemps: []crypt.KeyID{m.fresh.ID()}}) // the next process would take it for one that may be bound
	m.recallNext(now)
}

// recallNext binds the next key on record, or the new one when there is none.
func (m *Machine) recallNext(now time.Time) {
	m.rebinds = 0
	if i := m.recallable(now); i >= 0 {
		t := m.parting[i]
		m.parting = slices.Delete(m.parting, i, i+1)
		if i < m.dropping.parting {
			m.dropping.parting--
		}
		m.successor, m.tried = &t, true
	} else {
		m.successor, m.fresh, m.tried = m.fresh, nil, false
		m.save(Changes{PutTemps: []TempKey{*m.successor}})
	}
	m.bind(now)
}

// recallFailed goes on after a key that was to serve again and does not.
func (m *Machine) recallFailed(now time.Time) {
	t := m.successor
	m.notAgain(t.ID())
	if m.successor = nil; m.expired(now, t) {
		m.save(Changes{DeleteTemps: []crypt.KeyID{t.ID()}})
	} else {
		m.part(t) // to be dropped all the same
	}
	m.recallNext(now)
}

// notAgain notes that a key has been bound again. If it is lost once more a new one is
// bound, whatever may live: who binds old keys for ever gets nowhere.
func (m *Machine) notAgain(id crypt.KeyID) {
	m.recalled = slices.DeleteFunc(m.recalled, func(id crypt.KeyID) bool {
		return !slices.ContainsFunc(m.parting, func(t TempKey) bool { return t.ID() == id })
	})
	m.recalled = append(m.recalled, id)
}
