package handshake

import (
	"fmt"
	"io"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
)

// WorkResult is what a piece of work found. It is opaque: hand it to Done of the Client or Server the work came from. It
// may contain secrets and must not be kept.
type WorkResult struct {
	job    *job
	result any // factored, agreed, opened or computed
}

// String names the message the work was for, and nothing secret.
func (w WorkResult) String() string {
	if w.job == nil {
		return "handshake.WorkResult"
	}
	return "handshake.WorkResult(" + w.job.step.String() + ")"
}

// Format answers every verb with String.
func (w WorkResult) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, w.String()) }

// job identifies one piece of work, so that a result that comes too late, or to the wrong machine, is recognised. It is
// compared by its address and therefore must not be empty.
type job struct{ step Step }

// factored is the client's work for req_DH_params.
type factored struct {
	p, q uint64
	ok   bool
}

func factorWork(j *job, pq uint64) func() WorkResult {
	return func() WorkResult {
		p, q, ok := crypt.Factorize(pq)
		return WorkResult{j, factored{p, q, ok}}
	}
}

// agreement is the input of the client's work for set_client_DH_params.
type agreement struct {
	group *crypt.Group // nil when the prime is not known yet
	prime []byte
	g     int
	ga    []byte
	b     [crypt.KeySize]byte
}

// agreed is its outcome.
type agreed struct {
	group *crypt.Group // the group used
	gb    []byte
	key   *crypt.AuthKey
	err   error
	again bool // b gave a g_b out of range: draw another
}

func agreeWork(j *job, a *agreement) func() WorkResult {
	return func() WorkResult { return WorkResult{j, a.run()} }
}

// run proves the group if need be and computes g_b and the auth key. b is overwritten.
func (a *agreement) run() (out agreed) {
	defer clear(a.b[:])
	out.group = a.group
	if out.group == nil {
		if err := crypt.CheckGroup(a.prime, a.g); err != nil {
			return agreed{err: err}
		}
		group, err := crypt.NewGroup(a.prime, a.g)
		if err != nil {
			return agreed{err: err}
		}
		out.group = group
	}
	if err := out.group.CheckPublic(a.ga); err != nil {
		return agreed{err: err}
	}
	if out.group.G() == a.g {
		out.gb = out.group.ExpG(a.b[:])
	} else { // a known prime with another generator: no table, but nothing to prove either
		out.gb = out.group.Exp([]byte{byte(a.g)}, a.b[:])
	}
	if out.group.CheckPublic(out.gb) != nil {
		return agreed{group: out.group, again: true}
	}
	value := out.group.Exp(a.ga, a.b[:])
	defer clear(value)
	out.key, out.err = crypt.NewAuthKey(value)
	return out
}
