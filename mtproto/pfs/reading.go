package pfs

import (
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
)

// A Reading is what a DC makes of a temp key whose successor was bound. The
// official sources disagree; a rotation is right under both, but it costs less
// where the old key lives on, so it is learnt, once per DC and process.
type Reading uint8

const (
	// ReadingUnknown: nobody has learnt it yet. A rotation lets the calls under
	// the old key finish, as under ReadingCut, but ends none of them: after the
	// bind the old key is asked whether it lives.
	ReadingUnknown Reading = iota

	// ReadingBoth: both keys live. Calls under way are answered on the old
	// connection after the bind, and none is held longer than the bind takes.
	ReadingBoth

	// ReadingCut: the bind cuts the old key off. What was not answered before
	// it never will be.
	ReadingCut
)

var readingNames = [...]string{
	ReadingUnknown: "unknown",
	ReadingBoth:    "both keys live",
	ReadingCut:     "the bind cuts the old key off",
}

// String is the reading in words.
func (r Reading) String() string {
	if int(r) < len(readingNames) {
		return readingNames[r]
	}
	return fmt.Sprintf("reading %d", uint8(r))
}

// ProbeLimit is how long the driver waits for the answer to OutProbe: many
// round trips, and less than the shortest time a replaced connection listens
// (a tenth of a life of one minute).
const ProbeLimit = 5 * time.Second

// holding returns what OutHold says under a reading.
func holding(r Reading, successor *TempKey) Output {
	return Output{Kind: OutHold, Temp: successor.clone(), Wait: r != ReadingBoth, Keep: r != ReadingCut}
}

// Learned tells the machine what another account found the DC to do. An answer
// under a replaced key is a proof, its absence is not: ReadingBoth is never
// taken back, ReadingCut is when somebody finds otherwise.
//
// A rotation under way goes on under the new reading: OutHold comes again with
// other words, and calls that were kept over a bind which turns out to cut them
// off are ended after it. A probe under way is not called back; its answer is
// about this account's own key.
func (m *Machine) Learned(now time.Time, r Reading) {
	if r != ReadingBoth && (r != ReadingCut || m.reading != ReadingUnknown) || r == m.reading {
		return
	}
	m.reading = r
	if m.stage == StageHolding {
		m.hold()
	}
}

// hold asks the driver to hold calls for a bind.
func (m *Machine) hold() {
	out := holding(m.reading, m.successor)
	m.held, m.kept = true, out.Keep
	m.emit(out)
}

// Probed ends an OutProbe. answered says that the server answered anything
// under the replaced key; a -404 or ProbeLimit without an answer says no. When
// the connection stopped before either, Retired is all there is to say, and the
// reading stays unknown.
func (m *Machine) Probed(now time.Time, id crypt.KeyID, answered bool) {
	if !m.probing || m.retired == nil || m.retired.ID() != id {
		return
	}
	m.probing = false
	switch {
	case answered && m.reading != ReadingBoth:
		m.found(ReadingBoth)
	case answered:
	case m.reading == ReadingUnknown:
		m.found(ReadingCut)
	}
	if !answered {
		m.emit(Output{Kind: OutEnd, ID: id})
	}
}

// found takes over what this account's own probe says.
func (m *Machine) found(r Reading) {
	m.reading = r
	m.emit(Output{Kind: OutReading, Reading: r})
	if m.stage == StageHolding {
		m.hold()
	}
}
