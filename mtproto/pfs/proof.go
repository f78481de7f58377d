package pfs

import (
	"fmt"
	"time"
)

// proofsNeeded is how many -404, each on a TCP connection of its own, prove
// that a perm key is gone. One may be a server that is just being restarted.
const proofsNeeded = 2

// proofPause separates two questions: two in the same minute would meet the same
// trouble, a restart or addresses that were mixed up. It is shorter than the
// quarter of an hour for which the governor remembers a -404: accounts that doubt
// together stay witnesses of each other for as long as the DC is wrong. Keys that
// are really gone at once, with nobody else answered on that DC anew, are asked
// about for ever: that is no proof.
const proofPause = 5 * time.Minute

// permDoubted begins a proof after a -404 under a perm key that serves. That
// answer came on a connection with a past and counts for nothing itself.
func (m *Machine) permDoubted(now time.Time) {
	m.stopServing(LossUnknown)
	if m.lent() { // the main slot will find out
		m.wantAt(now, taskServe, m.proofPace.after(now, false))
		return
	}
	m.trust()
	m.wantAt(now, taskProve, m.proofPace.after(now, true))
}

// trust forgets what spoke against the perm key.
func (m *Machine) trust() { m.unknowns = 0 }

// prove asks under the perm key itself.
func (m *Machine) prove() {
	m.become(StageProving)
	m.emit(Output{Kind: OutProve, Perm: m.perm.clone()})
}

// ProofAnswered says that the server answered a call under the perm key, no
// matter what: it knows the key. A late answer counts too.
func (m *Machine) ProofAnswered(now time.Time) {
	if m.stage != StageProving && m.task != taskProve {
		return
	}
	m.trust()
	if m.cfg.PFS {
		m.wantAt(now, taskTemp, m.tempPace.after(now, false))
	} else {
		m.usePerm()
	}
}

// ProofUnknown says that a call under the perm key was answered with -404, on
// a TCP connection used for nothing else. others says that the DC answers so
// to other accounts as well: then it proves nothing, is not counted, and is
// asked again.
func (m *Machine) ProofUnknown(now time.Time, others bool) {
	if m.stage != StageProving {
		return
	}
	if others {
		m.unknowns = 0 // what was counted before may have been the same trouble
		m.wantAt(now, taskProve, now.Add(proofPause))
		return
	}
	if m.unknowns == 0 || now.Sub(m.unknownAt) >= proofPause {
		m.unknowns, m.unknownAt = m.unknowns+1, now
	}
	if m.unknowns < proofsNeeded && !m.onTrial() {
		m.wantAt(now, taskProve, m.unknownAt.Add(proofPause))
		return
	}
	m.gone()
}

// onTrial reports whether nothing is lost with the perm key.
func (m *Machine) onTrial() bool { return m.cfg.Trial && m.cfg.PFS && m.perm.LastBound.IsZero() }

// ProofFailed says that the question could not be asked, or that nothing
// came back. It proves nothing and is asked again.
func (m *Machine) ProofFailed(now time.Time, _ error) {
	if m.stage != StageProving {
		return
	}
	m.wantAt(now, taskProve, m.proofPace.after(now, false))
}

// gone gives the perm key up. The records stay: the account keeps the key
// sealed for a while, or calls Forget.
func (m *Machine) gone() {
	id := m.perm.ID()
	m.stopServing(LossGone)
	m.become(StageGone)
	seen := fmt.Sprintf("on %d connections, minutes apart", m.unknowns)
	if m.unknowns == 1 {
		seen = "and no login depends on it yet"
	}
	m.rotated(ErrGone)
	m.emit(Output{Kind: OutGone, Err: fmt.Errorf("%w %v: it answered -404 %s", ErrGone, id, seen)})
}
