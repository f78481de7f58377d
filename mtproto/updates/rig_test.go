package updates

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

var epoch = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

// deleted is updateDeleteMessages of one message, the smallest update with a
// pts.
func deleted(id, pts, count int32) tl.Raw {
	b := tl.AppendUint32(nil, 0xa20db0e5)
	b = tl.AppendVectorHeader(b, 1)
	b = tl.AppendInt32(b, id)
	b = tl.AppendInt32(b, pts)
	return tl.AppendInt32(b, count)
}

// loginToken is updateLoginToken, an update that counts by seq or not at all.
func loginToken() tl.Raw { return tl.AppendUint32(nil, 0x564fe691) }

func envelopeOf(seq int32, list ...tl.Raw) tl.Raw {
	return (&tg.Updates{Updates: list, Date: 1, Seq: seq}).Append(nil)
}

func short(u tl.Raw) tl.Raw { return (&tg.UpdateShort{Update: u, Date: 1}).Append(nil) }

// name says which update a delivered one is.
func name(u tl.Raw) string {
	switch u.ID() {
	case 0xa20db0e5:
		return fmt.Sprint("del", binary.LittleEndian.Uint32(u[12:]))
	case 0x564fe691:
		return "token"
	case 0xc4870a49:
		return fmt.Sprint("stopped", binary.LittleEndian.Uint64(u[4:]))
	case 0xc32d5b12, updateNewChannelMessageID:
		return nameInChannel(u)
	case updateNewMessageID:
		return "message"
	case updateNewEncryptedMessageID:
		return "secret"
	}
	return fmt.Sprintf("%08x", u.ID())
}

// drain returns the outputs as lines.
func drain(m *Machine) []string {
	var lines []string
	for out, ok := m.Next(); ok; out, ok = m.Next() {
		if out.Kind == OutDeliver {
			var names []string
			for _, u := range out.Updates {
				names = append(names, name(u))
			}
			lines = append(lines, strings.Join(names, " "))
			continue
		}
		lines = append(lines, out.String())
	}
	return lines
}

// A rig is a machine with a clock.
type rig struct {
	t   *testing.T
	now time.Time
	m   *Machine
}

// at returns a machine that has arrived at a state.
func at(t *testing.T, s State) *rig {
	r := &rig{t, epoch, New(Snapshot{State: s, Known: true})}
	r.m.Start(r.now)
	r.result(&tg.UpdatesDifferenceEmpty{Date: s.Date, Seq: s.Seq})
	drain(r.m)
	return r
}

func (r *rig) result(o tl.Object) { r.m.Result(r.now, r.m.id, o.Append(nil)) }

func (r *rig) push(raw tl.Raw) { r.m.Push(r.now, raw) }

func (r *rig) advance(d time.Duration) {
	r.now = r.now.Add(d)
	r.m.Advance(r.now)
}

func (r *rig) want(sentence string, lines ...string) {
	r.t.Helper()
	if diff := cmp.Diff(lines, drain(r.m)); diff != "" {
		r.t.Errorf("%s (-want +got):\n%s", sentence, diff)
	}
}

func (r *rig) wantPhase(p Phase) {
	r.t.Helper()
	if r.m.Phase() != p {
		r.t.Errorf("the phase is %v, want %v", r.m.Phase(), p)
	}
}
