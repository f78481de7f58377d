package dcconn

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/proxy"
)

// pretend is a network that has a way of its own to fail.
type pretend struct {
	err    error // of the socket, or of a dial without one
	socket bool  // a dial makes one
	never  bool  // a dial does not end before it is canceled
}

func (p *pretend) Dial(_ []dc.Target, _ int, _ *proxy.Via, done func(Socket, error)) (cancel func()) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		if p.never {
			<-ctx.Done()
			done(nil, ctx.Err())
			return
		}
		if p.socket {
			done(&deafSocket{err: p.err}, nil)
			return
		}
		done(nil, p.err)
	}()
	return cancel
}

// deafSocket takes packets and delivers none; with an error it ends at once.
type deafSocket struct{ err error }

func (s *deafSocket) Start(h Handler) {
	if s.err != nil {
		go h.Closed(s.err)
	}
}
func (s *deafSocket) Send([]byte) error { return nil }
func (s *deafSocket) Room() int         { return 1 << 20 }
func (s *deafSocket) Release(int)       {}
func (s *deafSocket) Close()            {}

type codedError int32

func (codedError) Error() string          { return "coded" }
func (e codedError) TransportCode() int32 { return int32(e) }

type ownError struct{}

func (ownError) Error() string { return "ours" }
func (ownError) BlamesNobody() {}

func TestADCIsAskedWithoutAnAccount(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(t *testing.T, w *world)
		answers bool
		down    bool
		takes   time.Duration
	}{
		{"it is there", func(*testing.T, *world) {}, true, false, 0},
		{"it refuses", func(t *testing.T, w *world) {
			if err := w.cluster.StopDC(int(home), true); err != nil {
				t.Error(err)
			}
		}, false, true, 0},
		{"it has a key of which nobody knows", func(t *testing.T, w *world) {
			key, err := crypt.GeneratePrivateKey(rand.Reader)
			if err != nil {
				t.Error(err)
			}
			w.env.RSAKeys = []*crypt.PublicKey{key.Public()}
		}, false, true, 0},
		{"it says nothing", func(_ *testing.T, w *world) { w.env.Network = &pretend{socket: true} }, false, true, askAnswer},
		{"it wants fewer connections", func(_ *testing.T, w *world) { w.env.Network = &pretend{socket: true, err: codedError(CodeFlood)} }, true, true, 0},
		{"it is another DC", func(_ *testing.T, w *world) { w.env.Network = &pretend{socket: true, err: codedError(CodeInvalidDC)} }, true, false, 0},
		{"it cuts the connection", func(_ *testing.T, w *world) { w.env.Network = &pretend{socket: true, err: errors.New("cut")} }, false, true, 0},
		{"nothing may leave this machine", func(_ *testing.T, w *world) { w.env.Network = &pretend{err: ownError{}} }, false, false, 0},
		{"a dial does not end", func(_ *testing.T, w *world) { w.env.Network = &pretend{never: true} }, false, false, askDial},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, func(w *world) {
				c.prepare(t, w)
				begun := time.Now()
				got := w.env.Ask(Asking{DC: home, Now: time.Now, Rand: rand.Reader, Wait: waitIn})
				took := time.Since(begun)
				census, err := runtime.Ask(context.Background(), w.gov, func(r runtime.Reply[[]governor.DCStatus]) governor.Message {
					return governor.Census{Reply: r}
				})
				if err != nil || len(census) != 1 {
					t.Fatalf("the census has %+v, %v", census, err)
				}
				if at := census[0]; got != c.answers || at.Up == c.down || at.Heard.IsZero() == c.answers || at.Waiting[governor.Connect] != 0 {
					t.Errorf("it answers: %v, the governor has %+v", got, at)
				}
				if took < c.takes || took > c.takes+100*time.Millisecond {
					t.Errorf("it took %v", took)
				}
				if n := w.cluster.Counts().PermKeys; n != 0 {
					t.Errorf("%d keys were made", n)
				}
			})
		})
	}
}

// waitIn is a Wait of a program.
func waitIn(most time.Duration, ready func() bool) {
	for begun := time.Now(); !ready() && time.Since(begun) < most; {
		time.Sleep(time.Millisecond)
	}
}

func TestAPermitThatDoesNotComeIsGivenUp(t *testing.T) {
	run(t, func(w *world) {
		w.gov.Send(governor.Report{DC: int(home), Outcome: governor.Flooded}) // a try in three seconds, and then in six
		first := &governor.Ticket{Kind: governor.Connect, DC: int(home), Active: true, Granted: func() {}}
		w.gov.Send(governor.Want{Ticket: first})
		begun := time.Now()
		if w.env.Ask(Asking{DC: home, Now: time.Now, Rand: rand.Reader, Wait: waitIn}) {
			t.Error("it was asked without a permit")
		}
		if took := time.Since(begun); took < askTurn || took > askTurn+time.Second {
			t.Errorf("it took %v", took)
		}
		w.gov.Send(governor.Done{Ticket: first})
		if dials, _ := w.dials.counts(); len(dials) != 0 {
			t.Errorf("%d dials", len(dials))
		}
	})
}
