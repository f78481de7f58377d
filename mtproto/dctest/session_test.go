package dctest_test

import (
	"bytes"
	"compress/gzip"
	"runtime"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/dctest/internal/raw"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/mt"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// ack acknowledges everything that was received.
func (p *peer) ack(ids ...int64) {
	p.send(p.Service(p.w.now, &mt.MsgsAck{MsgIDs: ids}))
}

func parse[T tl.Object](t testing.TB, m *raw.Message, into T) T {
	t.Helper()
	if m == nil {
		t.Fatalf("no %s arrived", into.TypeName())
	}
	if err := tl.Unmarshal(m.Body, into); err != nil {
		t.Fatal(err)
	}
	return into
}

func TestFirstPacketOfASessionIsAnnouncedWithItsAnswer(t *testing.T) {
	for _, last := range []bool{false, true} {
		w := newWorld(t, func(c *dctest.Config) { c.FirstMsgIDLast = last })
		p := w.withPerm(2)
		q := p.Message(w.now, raw.Wrap(tg.Layer, 1, echoOf(1)), true)
		ping := p.Service(w.now, &mt.PingRequest{PingID: 3})
		p.send(p.Container(w.now, q, ping))
		if n := len(p.wire().packets); n != 1 {
			t.Errorf("%d packets, want one container", n)
		}
		var created mt.NewSessionCreated
		m := p.take(mt.NewSessionCreatedID)
		parse(t, m, &created)
		want := q.ID
		if last {
			want = ping.ID
		}
		if created.FirstMsgID != want || created.ServerSalt != p.Salt || m.SeqNo != 1 {
			t.Errorf("new_session_created %+v seqno %d, want first %x", created, m.SeqNo, want)
		}
		if p.result(q.ID) == nil || p.take(mt.PongID) == nil {
			t.Error("answers are missing")
		}
		w.noViolations()
	}
}

func TestQueryWithAKnownMsgIDRunsOnceAndIsAnsweredAgain(t *testing.T) {
	w := newWorld(t, nil)
	p := w.withPerm(2).inited()
	m := p.Query(w.now, echoOf(4))
	for range 3 {
		p.send(m)
		if p.result(m.ID) == nil {
			t.Fatal("no answer")
		}
	}
	if n := w.c.Echo(4); n != 1 {
		t.Errorf("the query ran %d times", n)
	}
	if n := w.c.Counts().Repeated; n != 0 {
		t.Errorf("%d repeats counted", n)
	}
	// After the client acknowledged the answer it is gone; the query is still not run again.
	p.send(m)
	var answer int64
	for _, in := range p.collect() {
		if _, _, ok := in.Result(); ok {
			answer = in.ID
		}
	}
	p.ack(answer)
	p.queue = nil
	p.send(m)
	if p.take(mt.MsgsAckID) == nil || w.c.Echo(4) != 1 {
		t.Error("a repeat after the acknowledgement is not merely acknowledged")
	}
	w.noViolations()
}

func TestUnacknowledgedAnswersComeAgainAfterAReconnect(t *testing.T) {
	w := newWorld(t, nil)
	p := w.withPerm(2).inited()
	m := p.Query(w.now, echoOf(5))
	p.send(m)
	first := p.collect()
	p.queue = nil
	p.reconnect()
	p.send(p.Service(w.now, &mt.PingRequest{PingID: 1}))
	var again *raw.Message
	for _, in := range p.collect() {
		if req, _, ok := in.Result(); ok && req == m.ID {
			again = &in
		}
	}
	if again == nil {
		t.Fatal("the answer did not come again")
	}
	if old := first[len(first)-1]; again.ID != old.ID || again.SeqNo != old.SeqNo {
		t.Errorf("resent as %x/%d, was %x/%d", again.ID, again.SeqNo, old.ID, old.SeqNo)
	}
	p.queue = nil
	ids := []int64{again.ID}
	for _, in := range first {
		ids = append(ids, in.ID)
	}
	p.ack(ids...)
	p.reconnect()
	p.send(p.Service(w.now, &mt.PingRequest{PingID: 2}))
	if p.result(m.ID) != nil {
		t.Error("an acknowledged answer came again")
	}
	w.noViolations()
}

func TestUnacknowledgedAnswersComeAgainOnALiveConnection(t *testing.T) {
	w := newWorld(t, nil)
	p := w.withPerm(2).inited()
	m := p.Query(w.now, echoOf(5))
	p.send(m)
	p.result(m.ID)
	w.sleep(dctest.DefaultResendAfter + time.Second)
	if p.result(m.ID) == nil {
		t.Error("the answer did not come again")
	}
}

func TestAnswerToAClosedConnectionArrivesOnTheNext(t *testing.T) { // P35
	w := newWorld(t, nil)
	p := w.withPerm(2).inited()
	q := echoOf(6)
	q.DelayMs = 5000
	m := p.Query(w.now, q)
	p.send(m)
	w.sleep(2 * time.Second)
	if p.take(mt.MsgsAckID) == nil {
		t.Error("a slow query was not acknowledged")
	}
	p.drop()
	w.sleep(10 * time.Second)
	p.open()
	p.send(p.Service(w.now, &mt.PingRequest{PingID: 1}))
	if p.result(m.ID) == nil {
		t.Error("the answer is lost")
	}
	w.noViolations()
}

func TestStatesOfMessages(t *testing.T) {
	w := newWorld(t, nil)
	p := w.withPerm(2).inited()
	before := p.Last - 1<<32
	done := p.Query(w.now, echoOf(1))
	skipped := p.NextID(w.now)
	slow := echoOf(2)
	slow.DelayMs = 9000
	running := p.Query(w.now, slow)
	p.send(done)
	p.send(running)
	w.sleep(2 * time.Second)
	above := p.Last + 1<<40
	ask := p.Service(w.now, &mt.MsgsStateReq{MsgIDs: []int64{before, done.ID, skipped, running.ID, above}})
	p.send(ask)
	info := parse(t, p.take(mt.MsgsStateInfoID), &mt.MsgsStateInfo{})
	want := []byte{1, 4 | 64, 2, 4 | 8 | 32, 3}
	got := bytes.Clone(info.Info)
	got[1] &^= 8 // acknowledged by its answer: the bit may be set
	if info.ReqMsgID != ask.ID || !bytes.Equal(got, want) {
		t.Errorf("states %v for %x, want %v for %x", got, info.ReqMsgID, want, ask.ID)
	}
	w.noViolations()
}

func TestResendRequests(t *testing.T) {
	w := newWorld(t, nil)
	p := w.withPerm(2).inited()
	m := p.Query(w.now, echoOf(1))
	p.send(m)
	var answer raw.Message
	for _, in := range p.collect() {
		if req, _, ok := in.Result(); ok && req == m.ID {
			answer = in
		}
	}
	p.queue = nil
	p.send(p.Service(w.now, &mt.MsgResendReq{MsgIDs: []int64{answer.ID}}))
	if p.result(m.ID) == nil {
		t.Error("msg_resend_req brought nothing")
	}
	p.send(p.Service(w.now, &mt.MsgResendReq{MsgIDs: []int64{answer.ID + 4}}))
	if info := parse(t, p.take(mt.MsgsStateInfoID), &mt.MsgsStateInfo{}); !bytes.Equal(info.Info, []byte{1}) {
		t.Errorf("state of an unknown message %v", info.Info)
	}
	body := tl.AppendUint32(nil, 0x8610baeb) // msg_resend_ans_req
	body = tl.AppendInt64(tl.AppendVectorHeader(body, 1), m.ID)
	p.send(p.Message(w.now, body, false))
	if p.result(m.ID) == nil {
		t.Error("msg_resend_ans_req brought nothing")
	}
	w.noViolations()
}

func TestBigAnswersAreAnnouncedAfterAReconnect(t *testing.T) {
	w := newWorld(t, func(c *dctest.Config) { c.DetailedOver = 1000; c.GzipOver = -1 })
	p := w.withPerm(2).inited()
	m := p.Query(w.now, &echo.EchoRequest{ID: 1, Payload: make([]byte, 4000)})
	p.send(m)
	p.collect()
	p.queue = nil
	p.reconnect()
	p.send(p.Service(w.now, &mt.PingRequest{PingID: 1}))
	info := parse(t, p.take(mt.MsgDetailedInfoID), &mt.MsgDetailedInfo{})
	if info.MsgID != m.ID || info.Bytes < 4000 || p.result(m.ID) != nil {
		t.Fatalf("msg_detailed_info %+v", info)
	}
	p.send(p.Service(w.now, &mt.MsgResendReq{MsgIDs: []int64{info.AnswerMsgID}}))
	if p.result(m.ID) == nil {
		t.Error("the announced answer cannot be had")
	}
}

func TestDropAnswer(t *testing.T) {
	w := newWorld(t, nil)
	p := w.withPerm(2).inited()
	dropped := func(id int64) uint32 {
		m := p.Service(w.now, &mt.RPCDropAnswerRequest{ReqMsgID: id})
		p.send(m)
		return tl.Raw(p.result(m.ID)).ID()
	}
	if got := dropped(12345 << 2); got != mt.RPCAnswerUnknownID {
		t.Errorf("unknown query: %08x", got)
	}
	slow := echoOf(1)
	slow.DelayMs = 5000
	m := p.Query(w.now, slow)
	p.send(m)
	if got := dropped(m.ID); got != mt.RPCAnswerDroppedRunningID {
		t.Errorf("running query: %08x", got)
	}
	if got := tl.Raw(p.result(m.ID)).ID(); got != mt.RPCAnswerDroppedRunningID {
		t.Errorf("the original was answered %08x", got)
	}
	w.sleep(6 * time.Second)
	if p.result(m.ID) != nil {
		t.Error("a dropped query was answered after all")
	}
	m = p.Query(w.now, echoOf(2))
	p.send(m)
	if got := dropped(m.ID); got != mt.RPCAnswerDroppedID {
		t.Errorf("answered query: %08x", got)
	}
	w.noViolations()
}

func TestSaltsFollowTheClock(t *testing.T) {
	w := newWorld(t, nil)
	p := w.withPerm(2).inited()
	p.send(p.Service(w.now, &mt.GetFutureSaltsRequest{Num: 64}))
	salts := parse(t, p.take(mt.FutureSaltsID), &mt.FutureSalts{}).Salts
	if len(salts) != 64 || salts[0].Salt != p.Salt {
		t.Fatalf("%d salts, the first %x, want 64 beginning with %x", len(salts), salts[0].Salt, p.Salt)
	}
	old := p.Salt
	w.sleep(31 * time.Minute)
	if !p.echoed(1) {
		t.Error("the previous salt is refused within its grace")
	}
	p.Salt = salts[1].Salt
	if !p.echoed(2) {
		t.Error("the announced salt is refused")
	}
	p.Salt = salts[3].Salt
	p.send(p.Query(w.now, echoOf(3)))
	if p.take(mt.BadServerSaltID) == nil {
		t.Error("a salt of the future is taken")
	}
	w.sleep(30 * time.Minute)
	p.Salt = old
	p.send(p.Query(w.now, echoOf(4)))
	if got := parse(t, p.take(mt.BadServerSaltID), &mt.BadServerSalt{}); got.NewServerSalt != salts[2].Salt {
		t.Errorf("new salt %x, want %x", got.NewServerSalt, salts[2].Salt)
	}
	w.sleep(100 * time.Hour) // a long idle time costs no memory and one round trip
	p.Salt = salts[2].Salt
	p.send(p.Query(w.now, echoOf(5)))
	p.Salt = parse(t, p.take(mt.BadServerSaltID), &mt.BadServerSalt{}).NewServerSalt
	if !p.echoed(6) {
		t.Error("the new salt is refused")
	}
}

func TestPingDelayDisconnect(t *testing.T) {
	w := newWorld(t, nil)
	p := w.withPerm(2)
	for range 3 {
		p.send(p.Service(w.now, &mt.PingDelayDisconnectRequest{PingID: 1, DisconnectDelay: 75}))
		if p.take(mt.PongID) == nil {
			t.Fatal("no pong")
		}
		w.sleep(70 * time.Second)
		if p.wire().closed {
			t.Fatal("closed although pinged in time")
		}
	}
	w.sleep(6 * time.Second)
	if !p.wire().closed {
		t.Error("not closed after the delay")
	}
}

func TestDestroySession(t *testing.T) {
	w := newWorld(t, nil)
	p := w.withPerm(2).inited()
	old := p.Session
	p.Client = &raw.Client{Key: p.Key, Rand: p.Rand, Salt: p.Salt, Session: random64(), Last: p.Last}
	p.queue = nil
	p.send(p.Service(w.now, &mt.DestroySessionRequest{SessionID: old}))
	if p.take(mt.DestroySessionOkID) == nil {
		t.Error("the old session was not destroyed")
	}
	p.send(p.Service(w.now, &mt.DestroySessionRequest{SessionID: old}))
	if p.take(mt.DestroySessionNoneID) == nil {
		t.Error("destroyed twice")
	}
	w.noViolations()
}

func TestDestroyAuthKey(t *testing.T) {
	w := newWorld(t, nil)
	p := w.withTemp(2).inited()
	admin := *p
	admin.open()
	admin.Client = &raw.Client{Key: p.perm, Rand: p.Rand, Salt: 0, Session: random64()}
	admin.send(admin.Service(w.now, &mt.DestroyAuthKeyRequest{}))
	admin.Salt = parse(t, admin.take(mt.BadServerSaltID), &mt.BadServerSalt{}).NewServerSalt
	admin.send(admin.Service(w.now, &mt.DestroyAuthKeyRequest{}))
	if admin.take(mt.DestroyAuthKeyOkID) == nil {
		t.Fatal("no destroy_auth_key_ok")
	}
	p.send(p.Query(w.now, echoOf(1)))
	if p.wire().code != -404 {
		t.Error("the temp key outlived its perm key")
	}
	if len(w.half.gone) != 1 || w.half.gone[0] != int64(p.perm.ID()) {
		t.Errorf("the API half was told %v", w.half.gone)
	}
}

func TestGzipInAndOut(t *testing.T) {
	w := newWorld(t, nil)
	p := w.withPerm(2).inited()
	q := &echo.EchoRequest{ID: 1, Payload: bytes.Repeat([]byte("abcd"), 2000)}
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	_, _ = z.Write(q.Append(nil))
	_ = z.Close()
	m := p.Message(w.now, (&mt.GzipPacked{PackedData: buf.Bytes()}).Append(nil), true)
	p.send(m)
	packed := false
	for _, in := range p.collect() {
		if req, _, ok := in.Result(); ok && req == m.ID {
			packed = tl.Raw(in.Body[12:]).ID() == mt.GzipPackedID
		}
	}
	var e echo.Echoed
	if err := tl.Unmarshal(p.result(m.ID), &e); err != nil || !bytes.Equal(e.Payload, q.Payload) || !packed {
		t.Errorf("echoed %d bytes, packed %v, %v", len(e.Payload), packed, err)
	}
	w.noViolations()
}

// A client's packet full of bombs costs the test DC no more than one of them.
func TestManyBombsInOnePacketCostWhatOneCosts(t *testing.T) {
	w := newWorld(t, nil)
	p := w.withPerm(2).inited()
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	_, _ = z.Write(make([]byte, 16<<20+4))
	_ = z.Close()
	bomb := (&mt.GzipPacked{PackedData: buf.Bytes()}).Append(nil)
	allocated := func(n int) uint64 {
		var members []raw.Message
		for range n {
			members = append(members, p.Message(w.now, bomb, true))
		}
		packet := p.Packet(p.Container(w.now, members...))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		p.sendPacket(packet)
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	if one, many := allocated(1), allocated(40); many > 3*one {
		t.Errorf("one costs %d MiB, forty cost %d", one>>20, many>>20)
	}
}

func TestWrappersInEitherOrder(t *testing.T) {
	w := newWorld(t, nil)
	p := w.withPerm(2)
	dep := p.Message(w.now, raw.Wrap(tg.Layer, 1, echoOf(1)), true)
	p.send(dep)
	after := tl.AppendInt64(tl.AppendUint32(nil, tg.InvokeAfterMsgRequestID), dep.ID)
	header := raw.AppendInit(tl.AppendInt32(tl.AppendUint32(nil, tg.InvokeWithLayerRequestID), 198), 1)
	noUpdates := tl.AppendUint32(nil, tg.InvokeWithoutUpdatesRequestID)
	query := echoOf(2).Append(nil)
	for i, parts := range [][][]byte{
		{after, header, query}, {header, after, query}, {header, noUpdates, after, query}, {noUpdates, query}, {query},
	} {
		m := p.Message(w.now, bytes.Join(parts, nil), true)
		p.send(m)
		if tl.Raw(p.result(m.ID)).ID() != echo.EchoedID {
			t.Errorf("order %d was not understood", i)
		}
	}
	w.noViolations()
}

func TestInvokeAfter(t *testing.T) {
	w := newWorld(t, nil)
	p := w.withPerm(2).inited()
	slow := echoOf(1)
	slow.DelayMs = 200
	first := p.Query(w.now, slow)
	chained := func(after int64, q tl.Object) raw.Message {
		body := tl.AppendInt64(tl.AppendUint32(nil, tg.InvokeAfterMsgRequestID), after)
		return p.Message(w.now, q.Append(body), true)
	}
	second := chained(first.ID, echoOf(2))
	failing := chained(first.ID, &tg.UsersGetUsersRequest{})
	third := chained(failing.ID, echoOf(3))
	p.send(second)
	p.send(first)
	p.send(failing)
	p.send(third)
	if w.c.Echo(2) != 0 {
		t.Error("ran before what it waits for")
	}
	w.sleep(300 * time.Millisecond)
	if p.result(second.ID) == nil || w.c.Echo(2) != 1 {
		t.Error("did not run after what it waited for")
	}
	if got := p.resultOf(failing.ID); got != "USER_ID_INVALID" {
		t.Errorf("failing: %s", got)
	}
	if got := p.resultOf(third.ID); got != "MSG_WAIT_FAILED" {
		t.Errorf("after a failed query: %s", got)
	}
	never := chained(p.NextID(w.now), echoOf(4))
	p.send(never)
	w.sleep(time.Second)
	if got := p.resultOf(never.ID); got != "MSG_WAIT_TIMEOUT" {
		t.Errorf("after a query that never came: %s", got)
	}
}

func TestLayerGate(t *testing.T) {
	w := newWorld(t, nil)
	p := w.withPerm(2)
	if got := p.call(echoOf(1)); got != "CONNECTION_NOT_INITED" {
		t.Errorf("no initConnection: %s", got)
	}
	try := func(layer, app int) string {
		m := p.Message(w.now, raw.Wrap(layer, app, &tg.HelpGetConfigRequest{}), true)
		p.send(m)
		return p.resultOf(m.ID)
	}
	if got := try(100, 1); got != "CONNECTION_LAYER_INVALID" {
		t.Errorf("layer 100: %s", got)
	}
	if got := try(229, 2); got != "CONNECTION_API_ID_INVALID" {
		t.Errorf("api id 2: %s", got)
	}
	if got := try(198, 1); got != "true" {
		t.Errorf("layer 198: %s", got)
	}
	if r := w.half.requests[len(w.half.requests)-1]; r.Layer != 198 || !r.Inited || r.App.DeviceModel != "Test rack" {
		t.Errorf("request %+v", r)
	}
}

func TestPushesGoToSubscribedSessions(t *testing.T) {
	w := newWorld(t, nil)
	main := w.withTemp(2).inited()
	aux := *main
	aux.open()
	aux.rotate(24 * time.Hour)
	m := aux.Message(w.now, bytes.Join([][]byte{
		raw.AppendInit(tl.AppendInt32(tl.AppendUint32(nil, tg.InvokeWithLayerRequestID), tg.Layer), 1),
		tl.AppendUint32(nil, tg.InvokeWithoutUpdatesRequestID), echoOf(1).Append(nil)}, nil), true)
	aux.send(m)
	main.queue, aux.queue = nil, nil
	main.collect()
	main.queue = nil
	push := func(n byte) {
		w.half.pushes = append(w.half.pushes, api.Push{DC: 2, Perm: int64(main.perm.ID()), Body: []byte{n, 0, 0, 0}})
		w.sleep(time.Millisecond)
	}
	push(1)
	got := main.collect()
	if len(got) != 1 || got[0].ID&3 != 3 || got[0].SeqNo&1 != 1 || got[0].Body[0] != 1 {
		t.Errorf("the main session got %v", got)
	}
	for _, in := range aux.collect() {
		if in.ID&3 == 3 {
			t.Error("a session without updates got a push")
		}
	}
	main.queue = nil
	main.drop()
	push(2)
	main.open()
	main.send(main.Service(w.now, &mt.PingRequest{PingID: 1}))
	if main.take(2) == nil {
		t.Error("a push to a session without connection is lost")
	}
	w.noViolations()
}
