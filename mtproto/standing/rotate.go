package standing

import (
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

// rotatesMost bounds those who wait for a rotation of one account. While its DC is
// down a rotation does not end, and somebody who gives up and asks again would
// pile up. At the bound it is refused.
const rotatesMost = 64

// rotation is what is known of a rotation that the owner asked for.
type rotation struct {
	asked []Request
	round uint32 // of OutRotate: an answer to an earlier one counts for nothing
}

// Rotate asks for new temp keys, at home and on the guest DCs that are open. Those
// who ask while it is under way join it. It is answered when calls go under the
// new keys, and otherwise with why not: a *StateError of an account that is not in
// service, or leaves it meanwhile; a *WaitError while the server lets no key be
// bound; a *RotateError.
func (m *Machine) Rotate(now time.Time, r Request) {
	l := &m.rotation
	switch {
	case m.removal.erasing, !liveStates.has(m.state):
		m.reply(r, m.refusal())
	case len(l.asked) >= rotatesMost:
		m.reply(r, &RotateError{Err: fmt.Errorf("%d already wait for the rotation under way", rotatesMost)})
	default:
		if l.asked = append(l.asked, r); len(l.asked) == 1 {
			l.round++
			m.emit(Output{Kind: OutRotate, Round: l.round})
		}
	}
}

// Rotated says how the OutRotate of a round ended: nil when every binding has a
// new key in use.
func (m *Machine) Rotated(now time.Time, round uint32, err error) {
	if round != m.rotation.round {
		return
	}
	if until, wait := tgerr.Until(err, now); wait {
		err = &WaitError{Method: "auth.bindTempAuthKey", Until: until, Err: err}
	} else if err != nil {
		err = &RotateError{Err: err}
	}
	m.endRotation(err)
}

// endRotation answers everybody who waits for a rotation.
func (m *Machine) endRotation(err error) {
	asked := m.rotation.asked
	m.rotation.asked = nil
	for _, r := range asked {
		m.reply(r, err)
	}
}
