package login

import (
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// Work is arithmetic that is too heavy for an input.
type Work struct {
	// ID goes back with the result.
	ID CallID
	// Do runs anywhere, once, and touches nothing but its own data. It takes tens
	// of milliseconds; a quarter of a second when a prime is to be proved.
	Do func() WorkResult
}

// WorkResult is what a Work computed. Hand it to Worked.
type WorkResult struct {
	err   error
	proof *tg.InputCheckPasswordSRP
	made  crypt.SRPAlgo
	hash  []byte
}

// String says nothing of it.
func (r WorkResult) String() string { return "WorkResult" }

// GoString is String.
func (r WorkResult) GoString() string { return r.String() }

// Format keeps every verb from it.
func (r WorkResult) Format(f fmt.State, _ rune) { fmt.Fprint(f, r.String()) }

// work has something computed. The state is not stored: a process that dies
// before it is done asks again.
func (m *Machine) work(s State, do func() WorkResult) {
	m.become(s)
	m.id++
	m.emit(Output{Kind: OutWork, Work: Work{ID: m.id, Do: do}})
}

// Worked brings the result of a Work. One that nobody waits for is ignored.
func (m *Machine) Worked(_ time.Time, id CallID, r WorkResult) {
	switch {
	case !m.started || m.s.State != StateProving || id != m.id:
	case r.hash != nil || m.secret.password.want == wishNew:
		m.onMade(r)
	default:
		m.onProved(r)
	}
}
