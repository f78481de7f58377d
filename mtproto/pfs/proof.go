package pfs

import (
	"fmt"
	"time"
)

// proofsNeeded is how many -404, each on a TCP connection of its own, prove
// that a perm key is gone. One may be a server that is just being restarted.
const proofsNeeded = 2

// proofPause separates the two questions: two at the same instant would meet
// the same trouble.
const proofPause = 5 * time.Second

// permDoubted begins a proof after a -404 under a perm key that serves. That
// answer came on the calls' own connection and is the first of the two.
func (m *Machine) permDoubted(now time.Time) {
	m.stopServing()
	m.unknowns = 1
	m.wantAt(now, taskProve, m.proofPace.after(now, true))
}

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
	m.unknowns = 0
	if m.cfg.PFS {
		m.wantAt(now, taskTemp, m.tempPace.after(now, false))
	} else {
		m.usePerm()
	}
}

// ProofUnknown says that a call under the perm key was answered with -404, on
// a TCP connection used for nothing else.
func (m *Machine) ProofUnknown(now time.Time) {
	if m.stage != StageProving {
		return
	}
	if m.unknowns++; m.unknowns < proofsNeeded {
		m.wantAt(now, taskProve, now.Add(proofPause))
		return
	}
	m.gone()
}

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
	m.stopServing()
	m.become(StageGone)
	m.emit(Output{Kind: OutGone, Err: fmt.Errorf("%w %v: it answered -404 on %d connections", ErrGone, id, m.unknowns)})
}
