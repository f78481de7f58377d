package mtproto

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/tl"
)

// uplink is a socket of a limited rate between a Session and its server: an owner that asks for room, a queue, and behind
// it a server that answers at once. Time passes in steps.
type uplink struct {
	*peer
	rate   int  // bytes a second; 0: nothing leaves any more
	mute   bool // the server answers nothing
	limit  int
	queue  [][]byte // packets, of the first of which sent bytes have left
	sent   int
	queued int

	worst, idle int // bytes queued at most; steps in which the uplink had nothing to do
	broken      error
}

const (
	uplinkStep  = 100 * time.Millisecond
	uplinkLimit = 128 << 10
)

func newUplink(t testing.TB, rate int) *uplink {
	u := &uplink{peer: newPeer(t, func(c *Config) { c.GzipAbove = -1 }), rate: rate, limit: uplinkLimit}
	u.s.Connected(u.now)
	u.pump()
	for range 20 { // the first ping and its answer
		u.step()
	}
	return u
}

// pump does what an owner does after each input.
func (u *uplink) pump() {
	for more := true; more; more = u.s.WantsRoom() && u.s.SetRoom(u.now, u.limit-u.queued) {
		u.s.SetRoom(u.now, u.limit-u.queued)
		for o, ok := u.s.Next(); ok; o, ok = u.s.Next() {
			switch o.Kind {
			case OutPacket:
				u.queue = append(u.queue, append([]byte(nil), o.Packet...))
				u.queued += len(o.Packet)
				u.worst = max(u.worst, u.queued)
			case OutResult:
				u.ends[o.Query] = append(u.ends[o.Query], nil)
			case OutFailed:
				u.ends[o.Query] = append(u.ends[o.Query], o.Err)
			case OutReconnect:
				u.broken = o.Err
				return
			}
		}
	}
}

// step lets bytes leave, and the server answer the packets that are whole.
func (u *uplink) step() {
	u.now = u.now.Add(uplinkStep)
	left := u.rate * int(uplinkStep) / int(time.Second)
	if u.queued == 0 {
		u.idle++
	}
	for left > 0 && len(u.queue) > 0 {
		n := min(left, len(u.queue[0])-u.sent)
		left, u.sent, u.queued = left-n, u.sent+n, u.queued-n
		if u.sent < len(u.queue[0]) {
			break
		}
		packet := u.queue[0]
		u.queue, u.sent = u.queue[1:], 0
		u.readPacket(packet)
		if !u.mute {
			u.answer(u.takeRequest())
		}
	}
	u.s.Advance(u.now)
	u.pump()
}

func (u *uplink) answer(r *request) {
	for _, m := range r.members {
		var body []byte
		switch {
		case m.id == r.ping:
			body = tl.AppendInt64(tl.AppendInt64(tl.AppendUint32(nil, idPong), int64(m.id)), u.lastPing)
		case m.seqNo%2 == 1:
			body = u.result(int64(m.id), boxed(idTestAnswer, "a"))
		default:
			continue
		}
		u.s.Receive(u.now, u.seal(u.message(body, idReply, m.id != r.ping), u.s.sessionID))
		u.pump()
	}
}

func (u *uplink) put(names, size int) {
	for i := range names {
		name := fmt.Sprintf("part %d", i)
		u.s.Send(u.now, u.query(name), make([]byte, size), Once)
	}
	u.pump()
}

// Sixteen large queries given at once go out as fast as the uplink takes them, however thin it is: nothing times out, the
// queue stays short and never runs empty.
func TestABusyUplinkIsNotADeadOne(t *testing.T) {
	const parts, size = 16, 512 << 10
	for _, rate := range []int{8 << 10, 32 << 10, 128 << 10, 4 << 20} {
		t.Run(fmt.Sprintf("%d KiB/s", rate>>10), func(t *testing.T) {
			u := newUplink(t, rate)
			u.idle, u.worst = 0, 0
			begun := u.now
			u.put(parts, size)
			for u.s.Pending() > 0 && u.broken == nil {
				u.step()
			}
			if u.broken != nil {
				t.Fatalf("given up after %v: %v", u.now.Sub(begun), u.broken)
			}
			for id, ends := range u.ends {
				if len(ends) != 1 || ends[0] != nil {
					t.Errorf("query %d ended as %v", id, ends)
				}
			}
			ideal := time.Duration(parts*size) * time.Second / time.Duration(rate)
			if took := u.now.Sub(begun); took > ideal+ideal/100+time.Second {
				t.Errorf("took %v, the uplink needs %v", took, ideal)
			}
			if u.worst > uplinkLimit+size+1000 || u.idle > 0 {
				t.Errorf("%d bytes were queued, the uplink was idle for %d steps", u.worst, u.idle)
			}
		})
	}
}

// The same uplink that stops in the middle is noticed as soon as another.
func TestABusyUplinkThatStopsIsNoticed(t *testing.T) {
	for name, stop := range map[string]func(*uplink){
		"no byte leaves any more":    func(u *uplink) { u.rate = 0 },
		"the server answers no more": func(u *uplink) { u.rate, u.mute = 4<<20, true },
	} {
		t.Run(name, func(t *testing.T) {
			u := newUplink(t, 64<<10)
			u.put(16, 512<<10)
			for range 300 {
				u.step()
			}
			if u.broken != nil {
				t.Fatalf("given up too soon: %v", u.broken)
			}
			stop(u)
			begun := u.now
			for range 300 {
				if u.step(); u.broken != nil {
					break
				}
			}
			var timeout *TimeoutError
			if took := u.now.Sub(begun); !errors.As(u.broken, &timeout) || took > 15*time.Second {
				t.Errorf("given up after %v: %v", took, u.broken)
			}
		})
	}
}

// A peer that takes every byte and answers none is dead, also for a caller who goes on calling.
func TestCallsIntoABlackHoleDoNotKeepItAlive(t *testing.T) {
	u := newUplink(t, 4<<20)
	u.mute = true
	begun := u.now
	for i := 0; u.broken == nil && u.now.Sub(begun) < time.Minute; i++ {
		u.s.Send(u.now, u.query(fmt.Sprint(i)), make([]byte, 4000), Once)
		u.pump()
		u.step()
	}
	if took := u.now.Sub(begun); u.broken == nil || took > 8*time.Second {
		t.Errorf("given up after %v: %v", took, u.broken)
	}
}
