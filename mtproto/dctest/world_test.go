package dctest_test

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/dctest/internal/raw"
	"github.com/mtfleet/mtfleet/mtproto/handshake"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/mt"
	"github.com/mtfleet/mtfleet/tl/tg"
)

var (
	rsaKey = sync.OnceValue(func() *crypt.PrivateKey {
		k, err := crypt.GeneratePrivateKey(rand.Reader)
		if err != nil {
			panic(err)
		}
		return k
	})
	group = sync.OnceValue(crypt.WellKnownGroup)
)

// half is an API half of a few lines: every key is signed in as user 7, every query it does not know answers true.
type half struct {
	requests  []api.Request
	anonymous bool
	pushes    []api.Push
	gone      []int64
	auths     []api.Authorization
	updates   []api.UpdateRecord
	pts       int32
}

func (h *half) Method(body []byte) string {
	switch (tl.Raw)(body).ID() {
	case tg.UsersGetUsersRequestID:
		return "users.getUsers"
	case tg.HelpGetConfigRequestID:
		return "help.getConfig"
	case tg.HelpGetNearestDCRequestID:
		return "help.getNearestDc"
	case tg.UpdatesGetStateRequestID:
		return "updates.getState"
	}
	return ""
}
func (h *half) Layers() []int { return []int{198, tg.Layer} }
func (h *half) CheckInit(_ int, app *api.AppInfo) *api.Error {
	if app.APIID != 1 {
		return &api.Error{Code: 400, Text: "CONNECTION_API_ID_INVALID"}
	}
	return nil
}
func (h *half) Handle(req *api.Request) api.Reply {
	r := *req
	r.Body = bytes.Clone(req.Body)
	h.requests = append(h.requests, r)
	if tl.Raw(req.Body).ID() == tg.UsersGetUsersRequestID {
		return api.Reply{Err: &api.Error{Code: 400, Text: "USER_ID_INVALID"}}
	}
	return api.Reply{Body: tl.AppendBool(nil, true)}
}
func (h *half) Admit(req *api.Request, method string) (time.Duration, *api.Error) {
	if h.anonymous {
		return 0, &api.Error{Code: 401, Text: "AUTH_KEY_UNREGISTERED"}
	}
	return 0, nil
}
func (h *half) UserOf(int, int64) (int64, bool)        { return 7, !h.anonymous }
func (h *half) KeyGone(_ time.Time, _ int, perm int64) { h.gone = append(h.gone, perm) }
func (h *half) SeedAuthorization(_ time.Time, dc int, _, user int64) error {
	if user != 7 {
		return api.ErrUserUnknown
	}
	return nil
}
func (h *half) Advance(time.Time)                   {}
func (h *half) Deadline() time.Time                 { return time.Time{} }
func (h *half) SetEndpoints([]api.Endpoint)         {}
func (h *half) Users() []api.User                   { return []api.User{{ID: 7, HomeDC: 2}} }
func (h *half) APIIDs() []int                       { return []int{1} }
func (h *half) Logins() []api.Login                 { return nil }
func (h *half) Authorizations() []api.Authorization { return h.auths }
func (h *half) Updates(int64) []api.UpdateRecord    { return h.updates }
func (h *half) ChannelUpdates() []api.UpdateRecord  { return nil }
func (h *half) Memberships() []api.Membership       { return nil }
func (h *half) PushUpdate(now time.Time, user int64) (int32, error) {
	h.pts++
	h.updates = append(h.updates, api.UpdateRecord{At: now, UserID: user, Pts: h.pts, PtsCount: 1})
	return h.pts, nil
}
func (h *half) NextPush() (api.Push, bool) {
	if len(h.pushes) == 0 {
		return api.Push{}, false
	}
	p := h.pushes[0]
	h.pushes = h.pushes[1:]
	return p, true
}

// world is a cluster with its clock and the other end of its connections.
type world struct {
	t     testing.TB
	c     *dctest.Cluster
	half  *half
	now   time.Time
	next  dctest.ConnID
	conns map[dctest.ConnID]*wire
	rand  io.Reader           // the clients'
	heard func(dctest.Output) // if set, is told of every output
}

// wire is what arrived on one connection.
type wire struct {
	packets [][]byte
	code    int32
	closed  bool
	paused  bool
	quick   int32
	cut     int
}

func newWorld(t testing.TB, change func(*dctest.Config)) *world {
	t.Helper()
	w := &world{t: t, half: &half{}, now: time.Unix(1_800_000_000, 0), conns: map[dctest.ConnID]*wire{}, rand: rand.Reader}
	cfg := dctest.Config{Rand: rand.Reader, API: w.half, Keys: []*crypt.PrivateKey{rsaKey()}, Group: group()}
	if change != nil {
		change(&cfg)
	}
	var err error
	if w.c, err = dctest.New(cfg); err != nil {
		t.Fatal(err)
	}
	return w
}

// settle takes all outputs; work runs at once.
func (w *world) settle() {
	for o, ok := w.c.Next(); ok; o, ok = w.c.Next() {
		if w.heard != nil {
			w.heard(o)
		}
		if o.Kind == dctest.OutWork {
			w.c.Done(w.now, o.Work.Do())
			continue
		}
		end := w.conns[o.Conn]
		if end == nil {
			w.t.Fatalf("output %v for connection %d, which is not open", o.Kind, o.Conn)
		}
		switch o.Kind {
		case dctest.OutPacket:
			end.packets = append(end.packets, o.Packet)
			if end.cut = o.Cut; o.Cut >= 0 {
				w.hangUp(o.Conn)
			}
		case dctest.OutError:
			end.code = o.Code
		case dctest.OutQuickAck:
			end.quick = o.Code
		case dctest.OutClose:
			w.hangUp(o.Conn)
		case dctest.OutPause:
			end.paused = true
		case dctest.OutResume:
			end.paused = false
		}
	}
}

func (w *world) hangUp(id dctest.ConnID) {
	w.conns[id].closed = true
	w.c.Closed(w.now, id)
}

// sleep moves the clock, stopping at every deadline.
func (w *world) sleep(d time.Duration) {
	end := w.now.Add(d)
	for {
		at := w.c.Deadline()
		if at.IsZero() || at.After(end) {
			break
		}
		w.now = later(w.now, at)
		w.c.Advance(w.now)
		w.settle()
	}
	w.now = end
	w.c.Advance(w.now)
	w.settle()
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// peer is a client on one connection.
type peer struct {
	*raw.Client
	w     *world
	dc    int
	id    dctest.ConnID
	perm  *crypt.AuthKey // what Client.Key is, or is bound to
	queue []raw.Message  // received and not looked at
}

// connect opens a connection without a key.
func (w *world) connect(dc int) *peer {
	w.next++
	w.conns[w.next] = &wire{}
	w.c.Open(w.now, w.next, dc, "test:1")
	w.settle()
	return &peer{w: w, dc: dc, id: w.next}
}

func (p *peer) wire() *wire { return p.w.conns[p.id] }

// reconnect drops the connection and goes on with the same key and session on a new one.
func (p *peer) reconnect() {
	p.drop()
	p.open()
}

func (p *peer) drop() {
	if !p.wire().closed {
		p.w.hangUp(p.id)
		p.w.settle()
	}
}

func (p *peer) open() {
	q := p.w.connect(p.dc)
	p.id, p.queue = q.id, nil
}

// makeKey runs a handshake.
func (p *peer) makeKey(temp bool, life time.Duration) *handshake.Result {
	p.w.t.Helper()
	r, err := p.tryKey(temp, life)
	if err != nil {
		p.w.t.Fatal(err)
	}
	return r
}

func (p *peer) tryKey(temp bool, life time.Duration) (*handshake.Result, error) {
	return raw.Handshake(p.w.now, handshake.ClientConfig{
		Rand: p.w.rand, Keys: []*crypt.PublicKey{rsaKey().Public()}, Group: group(),
		DC: p.dc, Temp: temp, ExpiresIn: life,
	}, p.plain)
}

var errSilent = errors.New("no answer")

// plain sends one plain packet and takes the answer.
func (p *peer) plain(packet []byte) ([]byte, error) {
	p.w.c.Packet(p.w.now, p.id, packet, false)
	p.w.settle()
	end := p.wire()
	if len(end.packets) == 0 {
		return nil, errSilent
	}
	answer := end.packets[0]
	end.packets = end.packets[1:]
	return answer, nil
}

// withPerm connects and makes a perm key to work under.
func (w *world) withPerm(dc int) *peer {
	p := w.connect(dc)
	r := p.makeKey(false, 0)
	p.Client, p.perm = raw.New(r, w.rand, randomFrom(w.rand)), r.Key
	return p
}

// withTemp connects, makes perm and temp key and binds them.
func (w *world) withTemp(dc int) *peer {
	w.t.Helper()
	p := w.withPerm(dc)
	p.rotate(24 * time.Hour)
	return p
}

// rotate makes a new temp key for the same perm key and binds it in a new session.
func (p *peer) rotate(life time.Duration) {
	p.w.t.Helper()
	r := p.makeKey(true, life)
	p.Client = raw.New(r, p.w.rand, randomFrom(p.w.rand))
	if got := p.bindNow(r.ExpiresAt); got != "true" {
		p.w.t.Fatalf("bind: %s", got)
	}
}

// bindNow binds the current key and tells the answer.
func (p *peer) bindNow(expires time.Time) string {
	m := p.bindMessage(expires)
	p.send(m)
	return p.resultOf(m.ID)
}

func (p *peer) bindMessage(expires time.Time) raw.Message {
	id := p.NextID(p.w.now)
	body := p.Bind(p.perm, id, randomFrom(p.w.rand), expires).Append(nil)
	p.Content++
	return raw.Message{ID: id, SeqNo: p.Content*2 - 1, Body: body}
}

func random64() int64 { return randomFrom(rand.Reader) }

func randomFrom(source io.Reader) int64 {
	var b [8]byte
	if _, err := io.ReadFull(source, b[:]); err != nil {
		panic(err)
	}
	return int64(binary.LittleEndian.Uint64(b[:])>>2) + 1
}

// send sends one message and collects what comes back.
func (p *peer) send(m raw.Message) { p.sendPacket(p.Packet(m)) }

func (p *peer) sendPacket(packet []byte) {
	p.w.c.Packet(p.w.now, p.id, packet, false)
	p.w.settle()
}

// collect takes what arrived apart.
func (p *peer) collect() []raw.Message {
	p.w.t.Helper()
	end := p.wire()
	for _, packet := range end.packets {
		h, list, err := p.Open(packet)
		if err != nil {
			p.w.t.Fatalf("server packet: %v", err)
		}
		if h.Session != p.Session {
			p.w.t.Fatalf("a packet for session %x, want %x", h.Session, p.Session)
		}
		p.queue = append(p.queue, list...)
	}
	end.packets = nil
	return p.queue
}

// take removes and returns the first message of a type; nil if there is none.
func (p *peer) take(id uint32) *raw.Message {
	p.w.t.Helper()
	p.collect()
	i := slices.IndexFunc(p.queue, func(m raw.Message) bool { return m.Type() == id })
	if i < 0 {
		return nil
	}
	m := p.queue[i]
	p.queue = slices.Delete(p.queue, i, i+1)
	return &m
}

// resultOf describes the answer to a query: "true", the text of an rpc_error, "none", or "other".
func (p *peer) resultOf(id int64) string {
	p.w.t.Helper()
	b := p.result(id)
	switch tl.Raw(b).ID() {
	case 0:
		return "none"
	case tl.BoolTrueID:
		return "true"
	case mt.RPCErrorID:
		var e mt.RPCError
		if err := tl.Unmarshal(b, &e); err != nil {
			return err.Error()
		}
		return e.ErrorMessage
	}
	return "other"
}

// result takes the answer to a query; nil if there is none.
func (p *peer) result(id int64) []byte {
	p.w.t.Helper()
	p.collect()
	for i, m := range p.queue {
		if req, b, ok := m.Result(); ok && req == id {
			p.queue = slices.Delete(p.queue, i, i+1)
			return b
		}
	}
	return nil
}

// call sends a query and describes its answer.
func (p *peer) call(q tl.Object) string {
	p.w.t.Helper()
	m := p.Query(p.w.now, q)
	p.send(m)
	return p.resultOf(m.ID)
}

// inited sends initConnection with a query, as the first call under a key.
func (p *peer) inited() *peer {
	p.w.t.Helper()
	m := p.Message(p.w.now, raw.Wrap(tg.Layer, 1, &tg.HelpGetConfigRequest{}), true)
	p.send(m)
	if got := p.resultOf(m.ID); got != "true" {
		p.w.t.Fatalf("initConnection: %s", got)
	}
	return p
}

// badMsg takes a bad_msg_notification; 0 if there is none.
func (p *peer) badMsg() int32 {
	p.w.t.Helper()
	m := p.take(mt.BadMsgNotificationID)
	if m == nil {
		return 0
	}
	var n mt.BadMsgNotification
	if err := tl.Unmarshal(m.Body, &n); err != nil {
		p.w.t.Fatal(err)
	}
	return n.ErrorCode
}

// violated tells which rules were broken so far.
func (w *world) violated() []dctest.Rule {
	list, _ := w.c.Violations()
	var rules []dctest.Rule
	for _, v := range list {
		rules = append(rules, v.Rule)
	}
	return rules
}

// violatedAs tells whether a rule was broken, with what became of it.
func (w *world) violatedAs(rule dctest.Rule, severity dctest.Severity) bool {
	list, _ := w.c.Violations()
	return slices.ContainsFunc(list, func(v dctest.Violation) bool { return v.Rule == rule && v.Severity == severity })
}

// noViolations fails for anything that a client did wrong.
func (w *world) noViolations() {
	w.t.Helper()
	list, _ := w.c.Violations()
	for _, v := range list {
		if v.Severity == dctest.SeverityInfo {
			continue
		}
		w.t.Errorf("violation: %s", v)
	}
}

func (w *world) fault(f dctest.Fault) uint64 {
	w.t.Helper()
	id, err := w.c.Fault(w.now, f)
	if err != nil {
		w.t.Fatal(err)
	}
	w.settle()
	return id
}

func echoOf(id int64) *echo.EchoRequest { return &echo.EchoRequest{ID: id, Payload: []byte{1, 2, 3}} }

func (p *peer) echoed(id int64) bool {
	p.w.t.Helper()
	m := p.Query(p.w.now, echoOf(id))
	p.send(m)
	var e echo.Echoed
	return tl.Unmarshal(p.result(m.ID), &e) == nil && e.ID == id
}

func pingOf(id int64) *mt.PingRequest { return &mt.PingRequest{PingID: id} }

// withoutUpdates is a query in the wrappers of an aux session's first call.
func withoutUpdates(q tl.Object) []byte {
	b := raw.AppendInit(tl.AppendInt32(tl.AppendUint32(nil, tg.InvokeWithLayerRequestID), tg.Layer), 1)
	return q.Append(tl.AppendUint32(b, tg.InvokeWithoutUpdatesRequestID))
}
