package mtproto_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/handshake"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// Here the Session meets the core of the test DC, written by others from the same documents: real keys, a real binding,
// echo calls with faults, and the DC's own list of what its client did wrong.

// half is the API half of the cluster: everybody is signed in as user 7.
type half struct{ api.Server }

func (half) Method([]byte) string                                   { return "" }
func (half) Layers() []int                                          { return []int{tg.Layer} }
func (half) CheckInit(int, *api.AppInfo) *api.Error                 { return nil }
func (half) UserOf(int, int64) (int64, bool)                        { return 7, true }
func (half) KeyGone(time.Time, int, int64)                          {}
func (half) NextPush() (api.Push, bool)                             { return api.Push{}, false }
func (half) Advance(time.Time)                                      {}
func (half) Deadline() time.Time                                    { return time.Time{} }
func (half) Authorizations() []api.Authorization                    { return nil }
func (half) Users() []api.User                                      { return nil }
func (half) Logins() []api.Login                                    { return nil }
func (half) Updates(int64) []api.UpdateRecord                       { return nil }
func (half) Handle(*api.Request) api.Reply                          { return api.Reply{Body: tl.AppendBool(nil, true)} }
func (half) APIIDs() []int                                          { return nil }
func (half) Admit(*api.Request, string) (time.Duration, *api.Error) { return 0, nil }

// cluster drives one Session against DC 2 of a cluster, with one clock.
type cluster struct {
	t     *testing.T
	c     *dctest.Cluster
	s     *mtproto.Session
	rand  *rand.Rand
	bytes *rand.ChaCha8
	now   time.Time

	conn    dctest.ConnID
	up      bool
	upAt    time.Time
	plain   [][]byte // for the handshake
	ends    map[mtproto.QueryID][]error
	policy  map[mtproto.QueryID]mtproto.Policy
	bound   int
	calls   int
	rsa     *crypt.PrivateKey
	group   *crypt.Group
	failure string
}

func newCluster(t *testing.T, seed uint64) *cluster {
	t.Helper()
	w := &cluster{
		t: t, rand: rand.New(rand.NewPCG(seed, 2)), bytes: rand.NewChaCha8([32]byte{byte(seed)}), now: time.Unix(1_800_000_000, 0),
		ends: map[mtproto.QueryID][]error{}, policy: map[mtproto.QueryID]mtproto.Policy{}, group: crypt.WellKnownGroup(),
	}
	var err error
	if w.rsa, err = crypt.GeneratePrivateKey(w.bytes); err != nil {
		t.Fatal(err)
	}
	w.c, err = dctest.New(dctest.Config{
		Rand: w.bytes, API: half{}, Keys: []*crypt.PrivateKey{w.rsa}, Group: w.group, FirstMsgIDLast: seed%2 == 0,
	})
	if err != nil {
		t.Fatal(err)
	}
	perm := w.handshake(false)
	temp := w.handshake(true)
	w.s, err = mtproto.NewSession(mtproto.Config{
		Rand: w.bytes, Header: header(), TimeOffset: temp.TimeOffset, OffsetKnown: true,
		Salts: []mtproto.Salt{{Value: temp.ServerSalt}},
	}, temp.Key)
	if err != nil {
		t.Fatal(err)
	}
	w.s.Bind(w.now, perm.Key, temp.ExpiresAt)
	return w
}

// header is invokeWithLayer(initConnection(, without the query.
func header() []byte {
	b := tl.AppendInt32(tl.AppendUint32(nil, tg.InvokeWithLayerRequestID), tg.Layer)
	b = tl.AppendInt32(tl.AppendUint32(tl.AppendUint32(b, tg.InitConnectionRequestID), 0), 1)
	for _, s := range []string{"test", "test", "1", "en", "", "en"} {
		b = tl.AppendString(b, s)
	}
	return b
}

// handshake makes a key on a connection of its own.
func (w *cluster) handshake(temp bool) *handshake.Result {
	w.t.Helper()
	w.conn++
	w.c.Open(w.now, w.conn, 2, "test:1")
	c := handshake.NewClient(handshake.ClientConfig{
		Rand: w.bytes, Keys: []*crypt.PublicKey{w.rsa.Public()}, Group: w.group, DC: 2, Temp: temp, ExpiresIn: 24 * time.Hour,
	})
	c.Start(w.now)
	for range 20 {
		for o, ok := c.Next(); ok; o, ok = c.Next() {
			switch o.Kind {
			case handshake.OutPacket:
				w.c.Packet(w.now, w.conn, o.Packet, false)
			case handshake.OutWork:
				c.Done(w.now, o.Work())
			case handshake.OutDone:
				w.c.Closed(w.now, w.conn)
				return o.Result
			case handshake.OutFailed:
				w.t.Fatal(o.Err)
			}
		}
		w.plain = nil
		w.takeCluster()
		for _, p := range w.plain {
			c.Receive(w.now, p)
		}
	}
	w.t.Fatal("the handshake does not end")
	return nil
}

// takeCluster handles the outputs of the cluster.
func (w *cluster) takeCluster() {
	for o, ok := w.c.Next(); ok; o, ok = w.c.Next() {
		switch {
		case o.Kind == dctest.OutWork:
			w.c.Done(w.now, o.Work.Do())
		case o.Conn != w.conn:
		case o.Kind == dctest.OutPacket && w.s == nil:
			w.plain = append(w.plain, o.Packet)
		case o.Kind == dctest.OutPacket && w.up:
			if o.Cut >= 0 {
				w.hangUp()
				break
			}
			w.s.Receive(w.now, o.Packet)
			w.takeSession()
		case o.Kind == dctest.OutClose && w.up:
			w.hangUp()
		case o.Kind == dctest.OutError:
			w.failure = fmt.Sprint("transport error ", o.Code)
		}
	}
}

// takeSession handles the outputs of the Session.
func (w *cluster) takeSession() {
	for o, ok := w.s.Next(); ok; o, ok = w.s.Next() {
		switch o.Kind {
		case mtproto.OutPacket:
			if w.up {
				w.c.Packet(w.now, w.conn, o.Packet, false)
			}
		case mtproto.OutResult:
			w.ends[o.Query] = append(w.ends[o.Query], nil)
			if id := int64(binary.LittleEndian.Uint64(o.Body[4:])); id != int64(o.Query) {
				w.t.Errorf("query %d got the answer of %d", o.Query, id)
			}
		case mtproto.OutFailed:
			w.ends[o.Query] = append(w.ends[o.Query], o.Err)
		case mtproto.OutBound:
			w.bound++
		case mtproto.OutBindFailed:
			w.t.Error(o.Err)
		case mtproto.OutReconnect:
			w.hangUp()
		}
	}
}

func (w *cluster) hangUp() {
	if !w.up {
		return
	}
	w.up, w.upAt = false, w.now.Add(time.Duration(w.rand.IntN(2000))*time.Millisecond)
	w.c.Closed(w.now, w.conn)
	w.s.Disconnected(w.now)
	w.takeSession()
}

// tick is a little time for both.
func (w *cluster) tick() {
	w.now = w.now.Add(20 * time.Millisecond)
	if !w.up && w.now.After(w.upAt) {
		w.conn++
		w.c.Open(w.now, w.conn, 2, "test:1")
		w.up = true
		w.s.Connected(w.now)
		w.takeSession()
	}
	w.c.Advance(w.now)
	w.takeCluster()
	w.s.Advance(w.now)
	w.takeSession()
	w.takeCluster()
}

func (w *cluster) call() {
	w.calls++
	id := mtproto.QueryID(w.calls)
	w.policy[id] = mtproto.Policy(w.rand.IntN(2))
	q := echo.EchoRequest{ID: int64(id), DelayMs: int32(w.rand.IntN(300)), Payload: make([]byte, w.rand.IntN(2000))}
	w.s.Send(w.now, id, q.Append(nil), w.policy[id])
	w.takeSession()
}

// run makes calls for some time, with a fault now and then, and then waits for all of them to end.
func (w *cluster) run(d time.Duration, faults ...dctest.Fault) {
	w.t.Helper()
	for end := w.now.Add(d); w.now.Before(end); {
		if w.rand.IntN(5) == 0 {
			w.call()
		}
		if len(faults) > 0 && w.rand.IntN(100) == 0 {
			if _, err := w.c.Fault(w.now, faults[w.rand.IntN(len(faults))]); err != nil {
				w.t.Fatal(err)
			}
		}
		w.tick()
	}
	w.c.ClearFaults(w.now)
	for end := w.now.Add(10 * time.Minute); w.s.Pending() > 0 && w.now.Before(end); {
		w.tick()
	}
	for range 1500 { // half a minute for acks
		w.tick()
	}
}

// audit compares the promises with the ledger of the cluster.
func (w *cluster) audit(allowed ...dctest.Rule) {
	w.t.Helper()
	doubt := 0
	for id, policy := range w.policy {
		runs, ends := w.c.Echo(int64(id)), w.ends[id]
		if len(ends) != 1 {
			w.t.Errorf("query %d ended %d times", id, len(ends))
			continue
		}
		err := ends[0]
		if errors.Is(err, mtproto.ErrMayHaveRun) {
			doubt++
		}
		switch {
		case policy == mtproto.Once && runs > 1:
			w.t.Errorf("query %d must run once and ran %d times", id, runs)
		case err == nil && runs == 0:
			w.t.Errorf("query %d has a result and never ran", id)
		case errors.Is(err, mtproto.ErrNotSent) && runs > 0:
			w.t.Errorf("query %d did run: %v", id, err)
		case err != nil && policy == mtproto.Repeatable:
			w.t.Errorf("query %d may be repeated: %v", id, err)
		}
	}
	if w.bound != 1 {
		w.t.Errorf("bound %d times", w.bound)
	}
	if w.failure != "" {
		w.t.Error(w.failure)
	}
	list, _ := w.c.Violations()
	for _, v := range list {
		ok := false
		for _, rule := range allowed {
			ok = ok || v.Rule == rule
		}
		if !ok {
			w.t.Error(v)
		}
	}
	w.t.Logf("%d calls, %d in doubt", w.calls, doubt)
}

func TestAgainstTheTestDC(t *testing.T) {
	second := dctest.Duration(time.Second)
	for i, c := range []struct {
		name    string
		faults  []dctest.Fault
		allowed []dctest.Rule
	}{
		{name: "calm"},
		{name: "slow and cut", faults: []dctest.Fault{
			{Kind: dctest.FaultDelay, Delay: second, For: second},
			{Kind: dctest.FaultCloseConns},
			{Kind: dctest.FaultCut, Bytes: 50, Count: 1},
		}},
		{name: "packets lost and repeated on the way", faults: []dctest.Fault{
			{Kind: dctest.FaultDrop, Direction: dctest.In, Count: 1},
			{Kind: dctest.FaultDrop, Direction: dctest.Out, Count: 1},
			{Kind: dctest.FaultDuplicate, Count: 3},
			{Kind: dctest.FaultReorder, Direction: dctest.Out, Count: 2},
			{Kind: dctest.FaultStall, For: 3 * second},
		}},
		{name: "salts change", faults: []dctest.Fault{{Kind: dctest.FaultNewSalts}}},
		{name: "the DC forgets sessions", faults: []dctest.Fault{
			{Kind: dctest.FaultForgetSessions}, {Kind: dctest.FaultRestart, KeepTempKeys: true},
		}},
		{name: "clocks move", faults: []dctest.Fault{
			{Kind: dctest.FaultSkew, Delay: 400 * second}, {Kind: dctest.FaultSkew, Delay: -400 * second},
			{Kind: dctest.FaultSkew},
		}, allowed: []dctest.Rule{dctest.RuleMsgID}},
		{name: "messages are rejected", faults: []dctest.Fault{
			{Kind: dctest.FaultBadMsg, Code: 16, Count: 1}, {Kind: dctest.FaultBadMsg, Code: 19, Count: 1},
			{Kind: dctest.FaultBadMsg, Code: 32, Count: 1}, {Kind: dctest.FaultBadMsg, Code: 64, Count: 1},
			{Kind: dctest.FaultBadMsg, Code: 20, Count: 1},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newCluster(t, uint64(i))
			w.run(30*time.Second, c.faults...)
			w.audit(c.allowed...)
		})
	}
}
