package mtproto

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
)

// The tests of this package play the server: a peer holds the other side of the auth key, names every message, and says
// in one line what the Session did. The lines are what transcripts and the tests of the specification compare.

const (
	idTestQuery  = 0x7e570001 // test.query name:string = test.Answer
	idTestAnswer = 0x7e570002
	idTestUpdate = 0x7e570003
	idTestHeader = 0x7e570004
	idTestPrefix = 0x7e570005
)

var testEpoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// seeded is the randomness of tests.
func seeded(seed uint64) *rand.ChaCha8 {
	var b [32]byte
	binary.LittleEndian.PutUint64(b[:], seed)
	return rand.NewChaCha8(b)
}

func testKey(tb testing.TB, seed uint64) *crypt.AuthKey {
	tb.Helper()
	var b [crypt.KeySize]byte
	seeded(seed).Read(b[:])
	key, err := crypt.NewAuthKey(b[:])
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func boxed(id uint32, text string) []byte { return tl.AppendString(tl.AppendUint32(nil, id), text) }

func queryBody(name string) []byte { return boxed(idTestQuery, name) }

func gzipped(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Write(b)
	z.Close()
	return tl.AppendBytes(tl.AppendUint32(nil, idGzipPacked), out.Bytes())
}

// peer is the server of one Session, and its owner.
type peer struct {
	t         testing.TB
	s         *Session
	key, perm *crypt.AuthKey
	rand      io.Reader
	now       time.Time     // of the client
	skew      time.Duration // server minus client

	names   map[msgID]string  // c1, c2, ... and s1, s2, ...
	byName  map[string]msgID  //
	bodies  map[string][]byte // of the server's messages, by name, to send them again
	seqs    map[string]uint32 // of the server's messages
	queries map[string]QueryID
	titles  map[QueryID]string
	clients int
	servers int
	content uint32 // content-related messages of the server
	lastID  msgID

	lastPing int64
	requests []*request
	ends     map[QueryID][]error // nil for a result
	reconn   bool                // OutReconnect came
	audit    audit
	clocks   []time.Duration // of OutClock
	out      []string
}

// audit holds what every packet of a Session is checked against.
type audit struct {
	session int64
	salt    int64
	last    msgID
	content uint32
	known   map[msgID]uint32 // seqno of what was sent in this session
	acked   map[msgID]bool
}

// newPeer makes a Session with a known salt and clock, and its server.
func newPeer(t testing.TB, change func(*Config)) *peer {
	t.Helper()
	p := &peer{
		t: t, key: testKey(t, 1), perm: testKey(t, 2), rand: seeded(3), now: testEpoch,
		names: map[msgID]string{}, byName: map[string]msgID{}, bodies: map[string][]byte{}, seqs: map[string]uint32{},
		queries: map[string]QueryID{}, titles: map[QueryID]string{}, ends: map[QueryID][]error{},
	}
	unix := uint32(testEpoch.Unix())
	cfg := Config{
		Rand: seeded(4), OffsetKnown: true,
		Salts:        []Salt{{Value: 1, Since: unix - 60, Until: unix + 1740}, {Value: 2, Since: unix + 86400, Until: unix + 90000}},
		PingInterval: time.Minute,
	}
	if change != nil {
		change(&cfg)
	}
	s, err := NewSession(cfg, p.key)
	if err != nil {
		t.Fatal(err)
	}
	p.s = s
	p.audit = audit{salt: 1, session: s.sessionID, known: map[msgID]uint32{}, acked: map[msgID]bool{}}
	return p
}

// drain handles every output, and notes each in a line.
func (p *peer) drain() {
	p.t.Helper()
	for {
		o, ok := p.s.Next()
		if !ok {
			return
		}
		switch o.Kind {
		case OutPacket:
			p.out = append(p.out, p.readPacket(o.Packet))
		case OutResult:
			p.out = append(p.out, "result "+p.titles[o.Query]+" "+describe(o.Body))
			p.ends[o.Query] = append(p.ends[o.Query], nil)
		case OutFailed:
			p.out = append(p.out, "failed "+p.titles[o.Query]+": "+o.Err.Error())
			p.checkFate(o.Err)
			p.ends[o.Query] = append(p.ends[o.Query], o.Err)
		case OutUpdates:
			p.out = append(p.out, "updates "+describe(o.Body))
		case OutReconnect, OutBindFailed:
			p.out = append(p.out, o.Kind.String()+": "+o.Err.Error())
			p.reconn = p.reconn || o.Kind == OutReconnect
		case OutClock: // no line: every connection begins with one
			p.clocks = append(p.clocks, o.Offset)
		default:
			p.out = append(p.out, o.Kind.String())
		}
	}
}

// checkFate holds the promise about errors: the server's own, or exactly one fate.
func (p *peer) checkFate(err error) {
	p.t.Helper()
	_, server := tgerr.As(err)
	notSent, mayHaveRun := errors.Is(err, ErrNotSent), errors.Is(err, ErrMayHaveRun)
	if n := count(server, notSent, mayHaveRun); n != 1 {
		p.t.Errorf("the error %q tells %d fates, not one", err, n)
	}
}

func count(list ...bool) (n int) {
	for _, b := range list {
		if b {
			n++
		}
	}
	return n
}

// readPacket decrypts and checks what the Session sent.
func (p *peer) readPacket(packet []byte) string {
	p.t.Helper()
	plain, err := crypt.Decrypt(nil, p.key, crypt.Client, packet)
	if err != nil {
		p.t.Fatalf("packet of the session: %v", err)
	}
	salt, session := int64(binary.LittleEndian.Uint64(plain)), int64(binary.LittleEndian.Uint64(plain[8:]))
	size := int(binary.LittleEndian.Uint32(plain[28:]))
	if padding := len(plain) - innerHeaderSize - size; padding < 12 || padding > 1024 {
		p.t.Errorf("padding of %d bytes", padding)
	}
	text := "packet"
	if session != p.audit.session {
		if session == 0 {
			p.t.Error("session id is zero")
		}
		text += " (new session)"
		p.audit.session, p.audit.content, p.audit.known = session, 0, map[msgID]uint32{}
		if p.audit.last.nanos() > p.now.Add(p.skew).UnixNano()+int64(provenLate/2) {
			p.audit.last = 0 // too high for the server: the one case in which they fall
		}
	}
	if salt != p.audit.salt {
		text += fmt.Sprintf(" (salt %d)", salt)
		p.audit.salt = salt
	}
	m := incoming{
		id: msgID(binary.LittleEndian.Uint64(plain[16:])), seqNo: binary.LittleEndian.Uint32(plain[24:]),
		body: plain[innerHeaderSize : innerHeaderSize+size],
	}
	req := &request{session: session, salt: salt, outer: m.id}
	p.requests = append(p.requests, req)
	if peekID(m.body) != idMsgContainer {
		req.add(m)
		return text + " " + p.readMessage(m)
	}
	var members []string
	n := binary.LittleEndian.Uint32(m.body[4:])
	if n > 1024 {
		p.t.Errorf("container of %d messages", n)
	}
	rest := m.body[8:]
	for range n {
		size := int(binary.LittleEndian.Uint32(rest[12:]))
		member := incoming{id: msgID(binary.LittleEndian.Uint64(rest)), seqNo: binary.LittleEndian.Uint32(rest[8:]), body: rest[16 : 16+size]}
		if member.id >= m.id {
			p.t.Error("the container's msg_id is not above its members'")
		}
		if peekID(member.body) == idMsgContainer {
			p.t.Error("container inside a container")
		}
		req.add(member)
		members = append(members, p.readMessage(member))
		rest = rest[16+size:]
	}
	if len(rest) != 0 {
		p.t.Errorf("%d bytes after the last member", len(rest))
	}
	p.checkID(m, false)
	return text + fmt.Sprintf(" %s:%d [%s]", p.clientName(m.id), m.seqNo, strings.Join(members, ", "))
}

func (p *peer) clientName(id msgID) string {
	if _, known := p.names[id]; !known {
		p.clients++
		p.name(id, fmt.Sprintf("c%d", p.clients))
	}
	return p.names[id]
}

func (p *peer) name(id msgID, name string) { p.names[id], p.byName[name] = name, id }

// checkID holds the rules about msg_id and seqno of the client.
func (p *peer) checkID(m incoming, content bool) {
	p.t.Helper()
	if seq, again := p.audit.known[m.id]; again {
		if seq != m.seqNo {
			p.t.Errorf("a copy has seqno %d, the original had %d", m.seqNo, seq)
		}
		return
	}
	if m.id%4 != 0 {
		p.t.Errorf("msg_id %x is not divisible by 4", m.id)
	}
	if m.id <= p.audit.last {
		p.t.Errorf("msg_id %x does not rise above %x", m.id, p.audit.last)
	}
	want := 2 * p.audit.content
	if content {
		want++
		p.audit.content++
	}
	if m.seqNo != want {
		p.t.Errorf("seqno %d, want %d", m.seqNo, want)
	}
	p.audit.last = m.id
	p.audit.known[m.id] = m.seqNo
}

// readMessage describes one message of the client.
func (p *peer) readMessage(m incoming) string {
	p.t.Helper()
	var content bool
	text := p.describeMessage(m, &content)
	_, again := p.audit.known[m.id]
	p.checkID(m, content)
	name := p.clientName(m.id)
	if again {
		name = "copy of " + name
	}
	return fmt.Sprintf("%s:%d %s", name, m.seqNo, text)
}

func (p *peer) describeMessage(m incoming, content *bool) string {
	r := m.reader()
	switch peekID(m.body) {
	case idMsgsAck:
		readAll := p.idList(&r)
		return "ack " + readAll
	case idPingDelayDisconnect:
		p.lastPing = r.Int64()
		return fmt.Sprintf("ping %ds", r.Int32())
	case idGetFutureSalts:
		return fmt.Sprintf("get_future_salts %d", r.Int32())
	case idMsgsStateReq:
		return "state_req " + p.idList(&r)
	case idMsgsStateInfo:
		request := readID(&r)
		return fmt.Sprintf("state_info %s %v", p.nameOf(request), r.BytesView())
	case idMsgResendReq:
		return "resend_req " + p.idList(&r)
	case idMsgResendAnsReq:
		return "resend_ans_req " + p.idList(&r)
	case idRPCDropAnswer:
		return "drop " + p.nameOf(readID(&r))
	case idDestroySession:
		return "destroy_session"
	case idBindTempAuthKey:
		*content = true
		return p.describeBind(m, &r)
	}
	*content = true
	return describe(m.body)
}

// describeBind opens the binding and holds the equalities the server checks.
func (p *peer) describeBind(m incoming, r *tl.Reader) string {
	perm, nonce, expires := r.Int64(), r.Int64(), r.Uint32()
	id, seqNo, inner, err := crypt.DecryptBind(p.perm, r.BytesView())
	if err != nil {
		return "bind that cannot be opened: " + err.Error()
	}
	want := tl.AppendUint32(nil, idBindAuthKeyInner)
	want = tl.AppendInt64(want, nonce)
	want = tl.AppendInt64(want, int64(p.key.ID()))
	want = tl.AppendInt64(want, perm)
	want = tl.AppendInt64(want, p.audit.session)
	want = tl.AppendUint32(want, expires)
	if !bytes.Equal(inner, want) || msgID(id) != m.id || seqNo != 0 || perm != int64(p.perm.ID()) || r.End() != nil {
		p.t.Error("the binding's inner message does not agree with the request")
	}
	return fmt.Sprintf("bind until +%v", time.Unix(int64(expires), 0).Sub(testEpoch))
}

func (p *peer) idList(r *tl.Reader) string {
	var names []string
	readIDs(r, func(id msgID) {
		names = append(names, p.nameOf(id))
		p.audit.acked[id] = true
	})
	if err := r.End(); err != nil {
		p.t.Errorf("list of ids: %v", err)
	}
	return strings.Join(names, " ")
}

func (p *peer) nameOf(id msgID) string {
	if n := p.names[id]; n != "" {
		return n
	}
	return fmt.Sprintf("%#x", uint64(id))
}

// describe names an API value: query q1, header(query q1), gzip(query q1).
func describe(b []byte) string {
	var r tl.Reader
	r.Reset(b)
	id := r.ID()
	var wrapper string
	switch id {
	case idTestQuery, idTestAnswer, idTestUpdate:
		text := r.String()
		if err := r.End(); err != nil {
			return "broken: " + err.Error()
		}
		if len(text) > 32 {
			text = fmt.Sprintf("%s...(%d)", text[:8], len(text))
		}
		return map[uint32]string{idTestQuery: "query ", idTestAnswer: "answer ", idTestUpdate: "update "}[id] + text
	case idTestHeader:
		wrapper = "header"
	case idTestPrefix:
		wrapper = "prefix"
	case idGzipPacked:
		budget := maxUnpacked
		body, err := unpack(b, &budget)
		if err != nil {
			return "bad gzip"
		}
		return "gzip(" + describe(body) + ")"
	default:
		return fmt.Sprintf("%#08x", id)
	}
	return wrapper + "(" + describe(r.Rest()) + ")"
}

// The owner's side.

func (p *peer) connect()    { p.s.Connected(p.now); p.drain() }
func (p *peer) disconnect() { p.s.Disconnected(p.now); p.drain() }

// advance lets time pass, waking the Session at its deadlines and nowhere else.
func (p *peer) advance(d time.Duration) {
	p.t.Helper()
	end := p.now.Add(d)
	for range 100_000 {
		at := p.s.Deadline()
		if at.IsZero() || at.After(end) {
			p.now = end
			p.s.Advance(p.now)
			p.drain()
			return
		}
		if at.After(p.now) {
			p.now = at
		}
		p.s.Advance(p.now)
		p.drain()
	}
	p.t.Fatal("Deadline stands still")
}

// query names a query and returns its id.
func (p *peer) query(name string) QueryID {
	if _, known := p.queries[name]; !known {
		id := QueryID(len(p.queries) + 1)
		p.queries[name], p.titles[id] = id, name
	}
	return p.queries[name]
}

func (p *peer) send(name string, policy Policy) {
	p.s.Send(p.now, p.query(name), queryBody(name), policy)
	p.drain()
}

// The server's side.

// stamp makes the next msg_id of the server.
func (p *peer) stamp(kind msgID) msgID {
	id := idAt(p.now.Add(p.skew).UnixNano()) | kind
	if id <= p.lastID {
		id = (p.lastID&^3 + 4) | kind
	}
	p.lastID = id
	return id
}

// message makes a message of the server and names it.
func (p *peer) message(body []byte, kind msgID, content bool) incoming {
	seq := 2 * p.content
	if content {
		seq++
		p.content++
	}
	m := incoming{id: p.stamp(kind), seqNo: seq, body: body}
	p.servers++
	name := fmt.Sprintf("s%d", p.servers)
	p.name(m.id, name)
	p.bodies[name], p.seqs[name] = body, seq
	return m
}

// deliver sends messages in one packet: in a container if they are several.
func (p *peer) deliver(messages ...incoming) {
	p.t.Helper()
	if len(messages) == 1 {
		p.deliverPacket(messages[0])
		return
	}
	body := tl.AppendInt32(tl.AppendUint32(nil, idMsgContainer), int32(len(messages)))
	for _, m := range messages {
		body = append(appendMember(body, m), m.body...)
	}
	p.deliverPacket(incoming{id: p.stamp(idReply), seqNo: 2 * p.content, body: body})
}

func appendMember(b []byte, m incoming) []byte {
	b = tl.AppendInt64(b, int64(m.id))
	b = tl.AppendUint32(b, m.seqNo)
	return tl.AppendUint32(b, uint32(len(m.body)))
}

// deliverPacket encrypts and hands over one message.
func (p *peer) deliverPacket(m incoming) {
	p.t.Helper()
	p.s.Receive(p.now, p.seal(m, p.s.sessionID))
	p.drain()
}

func (p *peer) seal(m incoming, session int64) []byte {
	p.t.Helper()
	plain := tl.AppendInt64(tl.AppendInt64(nil, p.audit.salt), session)
	plain = append(appendMember(plain, m), m.body...)
	packet, err := crypt.AppendEncrypted(nil, p.key, crypt.Server, plain, p.rand)
	if err != nil {
		p.t.Fatal(err)
	}
	return packet
}

// answered takes the lines noted since the last call.
func (p *peer) lines() []string {
	out := p.out
	p.out = nil
	return out
}

// want compares the lines noted since the last call.
func (p *peer) want(rule string, want ...string) {
	p.t.Helper()
	if got := p.lines(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		p.t.Errorf("%s\n got: %s\nwant: %s", rule, strings.Join(got, "\n      "), strings.Join(want, "\n      "))
	}
}

// request is one packet of the Session as a server sees it.
type request struct {
	session int64
	salt    int64
	outer   msgID
	queries []msgID
	ping    msgID
	members []incoming // all messages, alone or from a container
}

func (r *request) add(m incoming) {
	r.members = append(r.members, m)
	switch {
	case peekID(m.body) == idPingDelayDisconnect:
		r.ping = m.id
	case m.seqNo%2 == 1:
		r.queries = append(r.queries, m.id)
	}
}

// takeRequest returns the next packet not yet looked at, nil if there is none.
func (p *peer) takeRequest() *request {
	if len(p.requests) == 0 {
		return nil
	}
	r := p.requests[0]
	p.requests = p.requests[1:]
	return r
}
