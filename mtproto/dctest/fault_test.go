package dctest_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/internal/raw"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/mt"
)

// pings sends a ping and tells whether a pong arrived at once.
func (p *peer) pings(id int64) bool {
	p.w.t.Helper()
	p.send(p.Service(p.w.now, &mt.PingRequest{PingID: id}))
	return p.pong() == id
}

// pong takes the next pong and returns its ping_id, 0 if there is none.
func (p *peer) pong() int64 {
	p.w.t.Helper()
	m := p.take(mt.PongID)
	if m == nil {
		return 0
	}
	var pong mt.Pong
	if err := tl.Unmarshal(m.Body, &pong); err != nil {
		p.w.t.Fatal(err)
	}
	return pong.PingID
}

func TestPacketFaults(t *testing.T) {
	const D = dctest.Duration(time.Second)
	cases := []struct {
		name  string
		fault dctest.Fault
		check func(t *testing.T, w *world, p *peer)
	}{
		{"drop in", dctest.Fault{Kind: dctest.FaultDrop, Direction: dctest.In, Count: 1}, func(t *testing.T, w *world, p *peer) {
			if p.pings(1) || !p.pings(2) {
				t.Error("want exactly the first ping lost")
			}
		}},
		{"drop every second out", dctest.Fault{Kind: dctest.FaultDrop, Direction: dctest.Out, Every: 2}, func(t *testing.T, w *world, p *peer) {
			if !p.pings(1) || p.pings(2) || !p.pings(3) || p.pings(4) {
				t.Error("want every second pong lost")
			}
		}},
		{"delay both ways", dctest.Fault{Kind: dctest.FaultDelay, Delay: D}, func(t *testing.T, w *world, p *peer) {
			if p.pings(1) {
				t.Error("a pong came at once")
			}
			w.sleep(1900 * time.Millisecond)
			if p.pong() != 0 {
				t.Error("a pong came early")
			}
			w.sleep(200 * time.Millisecond)
			if p.pong() != 1 {
				t.Error("the pong never came")
			}
		}},
		{"stall", dctest.Fault{Kind: dctest.FaultStall, For: 5 * D}, func(t *testing.T, w *world, p *peer) {
			if p.pings(1) || p.pings(2) {
				t.Error("a pong came through the stall")
			}
			w.sleep(5 * time.Second)
			if p.pong() != 1 || p.pong() != 2 || !p.pings(3) {
				t.Error("want both pongs in order after the stall")
			}
		}},
		{"duplicate in", dctest.Fault{Kind: dctest.FaultDuplicate, Direction: dctest.In, Count: 1}, func(t *testing.T, w *world, p *peer) {
			if !p.echoed(1) || w.c.Echo(1) != 1 {
				t.Error("a packet that came twice must run once")
			}
		}},
		{"duplicate out", dctest.Fault{Kind: dctest.FaultDuplicate, Direction: dctest.Out, Count: 1}, func(t *testing.T, w *world, p *peer) {
			p.pings(1)
			if p.pong() != 1 {
				t.Error("the pong came once")
			}
		}},
		{"reorder out", dctest.Fault{Kind: dctest.FaultReorder, Direction: dctest.Out, Count: 1}, func(t *testing.T, w *world, p *peer) {
			if p.pings(1) {
				t.Error("the first pong was not held")
			}
			p.send(p.Service(w.now, &mt.PingRequest{PingID: 2}))
			if a, b := p.pong(), p.pong(); a != 2 || b != 1 {
				t.Errorf("pongs %d, %d; want 2, 1", a, b)
			}
		}},
		{"reorder with nothing to follow", dctest.Fault{Kind: dctest.FaultReorder, Direction: dctest.Out, Count: 1}, func(t *testing.T, w *world, p *peer) {
			p.pings(1)
			w.sleep(time.Second)
			if p.pong() != 1 {
				t.Error("the held pong is lost")
			}
		}},
		{"cut", dctest.Fault{Kind: dctest.FaultCut, Bytes: 10}, func(t *testing.T, w *world, p *peer) {
			p.send(p.Service(w.now, &mt.PingRequest{PingID: 1}))
			if end := p.wire(); end.cut != 10 || !end.closed {
				t.Errorf("cut %d, closed %v", end.cut, end.closed)
			}
			p.open()
			if !p.pings(2) {
				t.Error("the next connection does not work")
			}
		}},
		{"close", dctest.Fault{Kind: dctest.FaultCloseConns, DC: 2}, func(t *testing.T, w *world, p *peer) {
			if !p.wire().closed {
				t.Error("not closed")
			}
		}},
		{"close another DC's", dctest.Fault{Kind: dctest.FaultCloseConns, DC: 1}, func(t *testing.T, w *world, p *peer) {
			if p.wire().closed {
				t.Error("closed")
			}
		}},
		{"pause", dctest.Fault{Kind: dctest.FaultPause, For: D}, func(t *testing.T, w *world, p *peer) {
			if !p.wire().paused {
				t.Error("not paused")
			}
			w.sleep(time.Second)
			if p.wire().paused {
				t.Error("not resumed")
			}
		}},
		{"-404", dctest.Fault{Kind: dctest.FaultTransport, Code: -404}, func(t *testing.T, w *world, p *peer) {
			p.send(p.Service(w.now, &mt.PingRequest{PingID: 1}))
			if end := p.wire(); end.code != -404 || !end.closed {
				t.Errorf("code %d, closed %v", end.code, end.closed)
			}
			p.open()
			if !p.pings(2) {
				t.Error("the second packet is refused too")
			}
		}},
		{"-429 on two connections", dctest.Fault{Kind: dctest.FaultTransportConn, Code: -429, Count: 2}, func(t *testing.T, w *world, p *peer) {
			if !p.pings(1) {
				t.Error("the old connection is hit")
			}
			for range 2 {
				p.reconnect()
				p.send(p.Service(w.now, &mt.PingRequest{PingID: 1}))
				if p.wire().code != -429 {
					t.Error("a new connection is not hit")
				}
			}
			p.reconnect()
			if !p.pings(2) {
				t.Error("a third connection is hit")
			}
		}},
		{"refuse", dctest.Fault{Kind: dctest.FaultRefuse, For: D}, func(t *testing.T, w *world, p *peer) {
			p.reconnect()
			if !p.wire().closed {
				t.Error("a new connection is not refused")
			}
			w.sleep(time.Second)
			p.reconnect()
			if p.wire().closed || !p.pings(1) {
				t.Error("refused after the end of the fault")
			}
		}},
		{"bad_msg", dctest.Fault{Kind: dctest.FaultBadMsg, Code: 32}, func(t *testing.T, w *world, p *peer) {
			if p.pings(1) || p.badMsg() != 32 || !p.pings(2) {
				t.Error("want one bad_msg_notification 32")
			}
		}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, nil)
			p := w.withPerm(2).inited()
			w.fault(tc.fault)
			tc.check(t, w, p)
			w.noViolations()
		})
	}
}

func TestStateFaults(t *testing.T) {
	cases := []struct {
		name  string
		fault func(p *peer) dctest.Fault
		check func(t *testing.T, w *world, p *peer)
	}{
		{"forget temp keys", func(*peer) dctest.Fault { return dctest.Fault{Kind: dctest.FaultForgetTemp} },
			func(t *testing.T, w *world, p *peer) {
				p.send(p.Query(w.now, echoOf(1)))
				if p.wire().code != -404 {
					t.Fatal("the temp key is still known")
				}
				p.open()
				p.rotate(24 * time.Hour)
				if p.inited(); !p.echoed(2) {
					t.Error("the perm key suffered")
				}
			}},
		{"forget another's temp keys", func(*peer) dctest.Fault { return dctest.Fault{Kind: dctest.FaultForgetTemp, Perm: 5} },
			func(t *testing.T, w *world, p *peer) {
				if !p.echoed(1) {
					t.Error("the temp key is gone")
				}
			}},
		{"forget perm key", func(p *peer) dctest.Fault {
			return dctest.Fault{Kind: dctest.FaultForgetPerm, Perm: int64(p.perm.ID())}
		}, func(t *testing.T, w *world, p *peer) {
			p.send(p.Query(w.now, echoOf(1)))
			if p.wire().code != -404 {
				t.Fatal("the temp key is still known")
			}
			p.open()
			r := p.makeKey(true, 0)
			p.Client = raw.New(r, p.Rand, random64())
			if got := p.bindNow(r.ExpiresAt); got != "ENCRYPTED_MESSAGE_INVALID" {
				t.Errorf("bind to a forgotten perm key: %s", got)
			}
		}},
		{"forget sessions", func(*peer) dctest.Fault { return dctest.Fault{Kind: dctest.FaultForgetSessions} },
			func(t *testing.T, w *world, p *peer) {
				if !p.echoed(1) {
					t.Error("the key suffered")
				}
				if p.take(mt.NewSessionCreatedID) == nil {
					t.Error("no new_session_created")
				}
			}},
		{"new salts", func(*peer) dctest.Fault { return dctest.Fault{Kind: dctest.FaultNewSalts} },
			func(t *testing.T, w *world, p *peer) {
				p.send(p.Query(w.now, echoOf(1)))
				bad := parse(t, p.take(mt.BadServerSaltID), &mt.BadServerSalt{})
				p.Salt = bad.NewServerSalt
				if !p.echoed(2) {
					t.Error("the new salt is refused")
				}
			}},
		{"clock ahead", func(*peer) dctest.Fault {
			return dctest.Fault{Kind: dctest.FaultSkew, Delay: dctest.Duration(time.Hour)}
		}, func(t *testing.T, w *world, p *peer) {
			p.send(p.Query(w.now, echoOf(1)))
			m := p.take(mt.BadServerSaltID) // an hour later the salt is another
			if m == nil {
				t.Fatal("no bad_server_salt")
			}
			p.Salt = parse(t, m, &mt.BadServerSalt{}).NewServerSalt
			if at := time.Unix(m.ID>>32, 0); at.Sub(w.now).Round(time.Second) != time.Hour {
				t.Errorf("the server's clock is %s ahead", at.Sub(w.now))
			}
			p.send(p.Service(w.now, &mt.PingRequest{}))
			if got := p.badMsg(); got != 16 {
				t.Errorf("an id of the true time: bad_msg %d", got)
			}
			w.fault(dctest.Fault{Kind: dctest.FaultSkew})
		}},
		{"restart keeping temp keys", func(*peer) dctest.Fault {
			return dctest.Fault{Kind: dctest.FaultRestart, DC: 2, KeepTempKeys: true}
		}, func(t *testing.T, w *world, p *peer) {
			if !p.wire().closed {
				t.Fatal("the connection survived")
			}
			p.open()
			if !p.echoed(1) || p.take(mt.NewSessionCreatedID) == nil {
				t.Error("want the key known and the session forgotten")
			}
		}},
		{"restart", func(*peer) dctest.Fault { return dctest.Fault{Kind: dctest.FaultRestart, DC: 2} },
			func(t *testing.T, w *world, p *peer) {
				p.open()
				p.send(p.Query(w.now, echoOf(1)))
				if p.wire().code != -404 {
					t.Error("the temp key survived")
				}
			}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, nil)
			p := w.withTemp(2).inited()
			p.queue = nil
			w.fault(tc.fault(p))
			tc.check(t, w, p)
		})
	}
}

func TestQueryFaults(t *testing.T) {
	w := newWorld(t, nil)
	p := w.withPerm(2).inited()
	w.fault(dctest.Fault{Kind: dctest.FaultRPC, Method: "testdc.echo", Code: 500, Text: "RPC_CALL_FAIL", Count: 2})
	for range 2 {
		if got := p.call(echoOf(1)); got != "RPC_CALL_FAIL" {
			t.Errorf("injected: %s", got)
		}
	}
	if !p.echoed(1) {
		t.Error("a third call fails too")
	}
	w.fault(dctest.Fault{Kind: dctest.FaultRPC, Method: "testdc.echo", Wait: dctest.Duration(10 * time.Second)})
	for i, want := range []string{"FLOOD_WAIT_10", "FLOOD_WAIT_7", "FLOOD_WAIT_4", "FLOOD_WAIT_1"} {
		if got := p.call(echoOf(2)); got != want {
			t.Errorf("call %d: %s, want %s", i, got, want)
		}
		w.sleep(3 * time.Second)
	}
	if !p.echoed(2) {
		t.Error("the wait does not end")
	}
	if early, late := w.c.EchoCame(2), w.c.EchoCame(1); !early.Equal(w.now.Add(-9*time.Second)) || !late.Equal(w.now.Add(-12*time.Second)) || !w.c.EchoCame(9).IsZero() {
		t.Errorf("the calls came at %v and %v; the first that was told to wait does not count, the next does", early, late)
	}
	w.fault(dctest.Fault{Kind: dctest.FaultNoReply, Method: "testdc.echo"})
	m := p.Query(w.now, echoOf(3))
	p.send(m)
	if p.result(m.ID) != nil || w.c.Echo(3) != 1 {
		t.Error("want the query run and the answer lost")
	}
	w.fault(dctest.Fault{Kind: dctest.FaultSlow, Delay: dctest.Duration(time.Second)})
	m = p.Query(w.now, echoOf(4))
	p.send(m)
	if p.result(m.ID) != nil {
		t.Error("the answer was not held back")
	}
	w.sleep(time.Second)
	if p.result(m.ID) == nil {
		t.Error("the answer never came")
	}
	w.noViolations()
}

func TestDHRetryFault(t *testing.T) {
	w := newWorld(t, nil)
	w.fault(dctest.Fault{Kind: dctest.FaultDHRetry, Count: 2})
	p := w.withPerm(2)
	if n := w.c.Counts().PermKeys; n != 1 {
		t.Errorf("%d keys made", n)
	}
	if p.inited(); !p.echoed(1) {
		t.Error("the key that was agreed at last does not work")
	}
	w.noViolations()
}

func TestClearFaultsReleasesWhatIsHeld(t *testing.T) {
	w := newWorld(t, nil)
	p := w.withPerm(2).inited()
	w.fault(dctest.Fault{Kind: dctest.FaultStall, For: dctest.Duration(time.Hour)})
	id := w.fault(dctest.Fault{Kind: dctest.FaultBadMsg, Code: 16})
	p.pings(1)
	w.c.ClearFaults(w.now, id)
	w.settle()
	if p.pong() != 0 {
		t.Error("clearing one fault ended another")
	}
	w.c.ClearFaults(w.now)
	w.settle()
	if p.pong() != 1 || !p.pings(2) {
		t.Error("what was held is lost")
	}
}

func TestTheNextCallOfAnyMethodFailsOnDemand(t *testing.T) {
	w := newWorld(t, nil)
	p := w.withPerm(2).inited()
	if err := w.c.FailNext(w.now, "testdc.echo", "AUTH_KEY_UNREGISTERED"); err != nil {
		t.Fatal(err)
	}
	if got := p.call(echoOf(1)); got != "AUTH_KEY_UNREGISTERED" {
		t.Errorf("answered %s", got)
	}
	if !p.echoed(1) {
		t.Error("the call after it fails too")
	}
	if err := w.c.FailNext(w.now, "testdc.echo", "FLOOD_WAIT_10"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"FLOOD_WAIT_10", "FLOOD_WAIT_7"} {
		if got := p.call(echoOf(2)); got != want {
			t.Errorf("answered %s, want %s", got, want)
		}
		w.sleep(3 * time.Second)
	}
	var unknown *api.FaultTextError
	if err := w.c.FailNext(w.now, "testdc.echo", "NO_SUCH_ERROR"); !errors.As(err, &unknown) {
		t.Errorf("an error nobody documents: %v", err)
	}
}

func TestFaultsThatMakeNoSenseAreRefused(t *testing.T) {
	w := newWorld(t, nil)
	for _, f := range []dctest.Fault{
		{Kind: "wish"}, {Kind: dctest.FaultDrop, DC: 9}, {Kind: dctest.FaultDrop, Count: -1}, {Kind: dctest.FaultDelay},
		{Kind: dctest.FaultStall}, {Kind: dctest.FaultTransport}, {Kind: dctest.FaultRPC}, {Kind: dctest.FaultForgetPerm},
		{Kind: dctest.FaultDrop, Direction: "up"},
	} {
		_, err := w.c.Fault(w.now, f)
		var bad *dctest.FaultError
		if !errors.As(err, &bad) || bad.Kind != f.Kind {
			t.Errorf("%+v: %v", f, err)
		}
	}
}

func TestFaultsAreJSON(t *testing.T) {
	f := dctest.Fault{
		Kind: dctest.FaultRPC, DC: 2, Perm: -3414540481677951611, Method: "auth.signIn", Count: 3,
		Wait: dctest.Duration(90 * time.Second), Delay: dctest.Duration(-time.Minute),
	}
	b, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), `"wait":"1m30s"`) || !strings.Contains(string(b), `"perm":"-3414540481677951611"`) {
		t.Errorf("%s", b)
	}
	var back dctest.Fault
	if err := json.Unmarshal(b, &back); err != nil || !reflect.DeepEqual(f, back) {
		t.Errorf("%+v, %v", back, err)
	}
}
