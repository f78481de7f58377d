package mtproto

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/tl"
)

// linkPhase is what the Session knows of its TCP connection.
type linkPhase uint8

const (
	// linkDown: there is no connection. Queries queue up; packets are ignored; no deadline. Connected leaves it.
	linkDown linkPhase = iota
	// linkUp: packets flow. Disconnected leaves it, and OutReconnect for linkBroken.
	linkUp
	// linkBroken: the connection is of no use any more, the owner was told to replace it. As linkDown until Disconnected or
	// Connected.
	linkBroken
	// linkClosed: Close was called. Nothing leaves it; every query fails.
	linkClosed
)

const (
	// maxResetsPerMinute is how many new sessions the server may make us begin in a minute before we hang up.
	maxResetsPerMinute = 3
	// maxRefusals is how many messages in a row the server may refuse, without having processed one between them, before
	// we hang up at each: the queries that may be in flight by default could all be too old at once.
	maxRefusals = defaultMaxInFlight + 64
	// maxDecryptFailures in a row, over all connections, make us begin a new session.
	maxDecryptFailures = 3
	// knownSessions is how many unique_ids of new_session_created are remembered, to tell repetitions.
	knownSessions = 4
	// quietAfter is how long after the last query a session counts as quiet and gives memory back; spareWhenQuiet is the room
	// its lists may keep.
	quietAfter     = 5 * time.Second
	spareWhenQuiet = 4
	// keepOutputs is the capacity of the output list that a quiet session keeps.
	keepOutputs = 4
)

// Session is one MTProto session. See the package comment for how it is driven. It must not be copied, and its methods
// must not be called concurrently.
type Session struct {
	cfg       Config
	key       *crypt.AuthKey
	sessionID int64

	now  time.Time     // of the current input; never goes back
	skew time.Duration // what is added to the owner's times to keep now from going back
	link linkPhase
	// silent: nothing is sent and nothing times out, see SetSilent.
	silent bool
	// heard: a valid packet has come on this connection.
	heard bool
	// ordered: the packet at hand brings an order to wait.
	ordered bool

	clock   clockState
	ids     idState
	seqs    seqState
	salts   saltState
	acks    ackState
	inbox   inboxState
	ping    pingState
	flow    flowState
	bind    bindState
	queries queryState
	records recordState
	states  stateState
	chores  choreState

	created         [knownSessions]int64 // unique_ids seen
	headerKnown     bool
	accepted        bool // the server has processed a message of this session
	saveDue         bool
	resets          uint8
	decryptFailures uint8
	resetsSince     time.Time
	saltRejections  uint8     // in a row
	refusals        uint16    // by bad_msg_notification, in a row
	holdUntil       time.Time // nothing is sent, see saltHold

	busyAt time.Time // when a query was last pending

	outs   []Output
	next   int    // of outs
	plain  []byte // the packet being written
	wire   []byte // packets handed out since the last input
	budget int    // how much gzip_packed of this packet may still unpack to
}

// NewSession makes a session with a fresh random id under key. Nothing happens before the first input. It fails when cfg
// is invalid or its Rand does.
func NewSession(cfg Config, key *crypt.AuthKey) (*Session, error) {
	if key == nil {
		return nil, errors.New("mtproto: no auth key")
	}
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.fill()
	s := &Session{cfg: cfg, key: key, headerKnown: cfg.HeaderConfirmed || len(cfg.Header) == 0}
	s.cfg.Salts = nil
	s.salts.load(cfg.Salts)
	s.clock.offset, s.clock.saved, s.clock.known = cfg.TimeOffset, cfg.TimeOffset, cfg.OffsetKnown
	s.ping.interval, s.ping.spread = cfg.PingInterval, cfg.SpreadPings
	var seed [16]byte
	if _, err := io.ReadFull(cfg.Rand, seed[:]); err != nil {
		return nil, err
	}
	s.ids.rand = binary.LittleEndian.Uint64(seed[:])
	s.ping.nonce = int64(binary.LittleEndian.Uint64(seed[8:]))
	if err := s.newSessionID(); err != nil {
		return nil, err
	}
	return s, nil
}

// newSessionID draws a session id. Zero is not one: the server answers it with -404, as if the key were gone.
func (s *Session) newSessionID() error {
	var b [8]byte
	for range 16 {
		if _, err := io.ReadFull(s.cfg.Rand, b[:]); err != nil {
			return err
		}
		if id := int64(binary.LittleEndian.Uint64(b[:])); id != 0 && id != s.sessionID {
			s.sessionID = id
			return nil
		}
	}
	return errors.New("mtproto: Config.Rand gives zeros")
}

// begin is the first thing every input does. Bytes of earlier outputs are not needed any more.
func (s *Session) begin(now time.Time) {
	now = now.Add(s.skew)
	if now.Before(s.now) {
		// Times without a monotonic reading may go back with the wall clock; ours does not.
		s.skew += s.now.Sub(now)
		now = s.now
	}
	s.now = now
	s.clock.start(now)
	if s.next == len(s.outs) {
		clear(s.outs)
		s.outs, s.next = s.outs[:0], 0
		if cap(s.outs) > keepOutputs {
			s.outs = nil
		}
	}
	s.wire = s.wire[:0]
	if len(s.queries.byID) > 0 {
		s.busyAt = now
	} else if now.Sub(s.busyAt) >= quietAfter {
		s.relax()
	}
}

// relax gives back the memory that only a busy session needs. It runs once a minute in a quiet one, and costs little when
// there is nothing to give back.
func (s *Session) relax() {
	s.plain, s.wire = nil, nil
	s.acks.relax()
	s.inbox.ids = clip(s.inbox.ids)
	s.records.prune(s.clock.server(s.now), true)
	s.records.list = clip(s.records.list)
	s.queries.relax()
	if s.next == len(s.outs) {
		s.outs, s.next = nil, 0
	}
}

// clip returns list in memory that is not much larger than it.
func clip[T any](list []T) []T {
	if cap(list) <= len(list)+spareWhenQuiet {
		return list
	}
	return append(make([]T, 0, len(list)+spareWhenQuiet/2), list...)
}

// push adds an output. A gap that is already the last output is not repeated.
func (s *Session) push(o Output) {
	if n := len(s.outs); o.Kind == OutGap && n > s.next && s.outs[n-1].Kind == OutGap {
		return
	}
	s.outs = append(s.outs, o)
}

// Connected says that a TCP connection is up and packets can be sent. What is not known of earlier queries is asked.
func (s *Session) Connected(now time.Time) {
	s.begin(now)
	if s.link == linkClosed {
		return
	}
	if s.link != linkDown {
		s.disconnect()
	}
	s.link = linkUp
	s.heard, s.flow = false, flowState{}
	s.ping.connected(s.now, s.waiting())
	if s.queries.inFlight > 0 {
		s.states.at = s.now
	}
}

// Disconnected says that the TCP connection is gone, or about to be closed. Queries stay.
func (s *Session) Disconnected(now time.Time) {
	s.begin(now)
	if s.link != linkClosed {
		s.disconnect()
	}
}

func (s *Session) disconnect() {
	s.link = linkDown
	for _, q := range s.queries.byID {
		if q.phase != queryQueued {
			// Whether received before or not: the answer may be lost. The next connection asks.
			q.phase, q.asks, q.askAt = queryUnknown, 0, s.now
		}
	}
	s.acks.disconnected()
	s.states = stateState{}
	s.chores = choreState{destroy: s.chores.destroy}
	if s.bind.phase == bindSent {
		s.bind.phase = bindWanted
	}
}

// Advance says that time has passed; call it at Deadline.
func (s *Session) Advance(now time.Time) {
	s.begin(now)
	if s.link != linkUp || s.silent {
		return
	}
	if s.bind.phase == bindSent {
		if reached(s.now, s.bind.deadline) {
			s.breakLink(&TimeoutError{What: "answer to the binding", After: bindTimeout})
		}
		return
	}
	s.ping.active(s.now, s.waiting())
	if err := s.ping.expired(s.now); err != nil {
		s.breakLink(err)
	}
}

// waiting reports whether somebody waits for the server: then a dead connection is noticed sooner.
func (s *Session) waiting() bool {
	return s.queries.inFlight > 0 || len(s.queries.queue) > 0 && !s.salted()
}

// Next returns the next output. ok is false when there is none until the next input.
func (s *Session) Next() (out Output, ok bool) {
	if s.next < len(s.outs) {
		out = s.outs[s.next]
		s.outs[s.next] = Output{}
		s.next++
		return out, true
	}
	if packet := s.nextPacket(); packet != nil {
		return Output{Kind: OutPacket, Packet: packet}, true
	}
	if s.next < len(s.outs) { // randomness failed while a packet was made
		return s.Next()
	}
	s.ping.active(s.now, s.waiting())
	if s.queries.inFlight == 0 {
		s.states.at = time.Time{}
	}
	if s.clock.moved(s.skew) || s.saveDue {
		s.saveDue = false
		return Output{Kind: OutSave}, true
	}
	return Output{}, false
}

// Deadline is when Advance should be called if nothing else happens before; zero for never. It is meaningful when Next has
// no output left.
func (s *Session) Deadline() time.Time {
	if s.link != linkUp || s.silent {
		return time.Time{}
	}
	var at time.Time
	switch {
	case s.bind.phase == bindSent:
		at = s.bind.deadline
	case s.holdUntil.After(s.now):
		at = s.holdUntil
	case !s.salted():
		at = s.ping.deadline()
	default:
		at = earliest(s.ping.deadline(), earliest(s.acks.deadline(), s.states.at))
	}
	if at.IsZero() {
		return at
	}
	return at.Add(-s.skew)
}

// Snapshot returns what is worth keeping.
func (s *Session) Snapshot() Snapshot {
	return Snapshot{
		SessionID:       s.sessionID,
		Salts:           slices.Clone(s.salts.salts),
		TimeOffset:      s.offset(),
		OffsetKnown:     s.clock.known,
		HeaderConfirmed: s.headerKnown && len(s.cfg.Header) > 0,
	}
}

// offset is server time minus the owner's.
func (s *Session) offset() time.Duration {
	if s.now.IsZero() {
		return s.clock.offset
	}
	wall := s.now.Add(-s.skew).UnixNano()
	return time.Duration(s.clock.server(s.now) - wall)
}

// Pending is how many queries have not ended.
func (s *Session) Pending() int { return len(s.queries.byID) }

// SetHeader replaces Config.Header, for a new layer or new device information: it goes before each query until one of
// them has been answered. A header that is not TL or too long is refused.
func (s *Session) SetHeader(header []byte) error {
	cfg := s.cfg
	cfg.Header = header
	if err := cfg.validate(); err != nil {
		return err
	}
	s.cfg.Header, s.headerKnown = header, len(header) == 0
	return nil
}

// Receive takes one packet: what the transport delivered whole, but not a 4-byte transport error. The packet is decrypted
// in place, and outputs may alias it: it must not be changed before the outputs have been handled, and it is of no use
// afterwards. Packets that come while there is no connection are ignored.
func (s *Session) Receive(now time.Time, packet []byte) {
	s.begin(now)
	if s.link != linkUp {
		return
	}
	m, ok, err := s.open(packet)
	if err == nil && ok {
		s.ping.heardAt = s.now
		s.budget = maxUnpacked
		first := len(s.outs)
		err = s.onMessage(m, false)
		s.tellClock(first)
	}
	if err != nil {
		s.breakLink(err)
	}
}

// tellClock says in an output, the first one of this packet, that the connection has delivered or that the server's time
// has moved: whoever acts on the rest knows the time then. With an order to wait it is told however little it has moved:
// the wait is written down in the server's time, and another process, which may know that better, would end it too early.
func (s *Session) tellClock(first int) {
	moved := s.clock.untold(s.skew) || s.ordered && s.clock.told != s.clock.offset+s.skew
	s.ordered = false
	if s.heard && !moved {
		return
	}
	s.heard = true
	s.clock.told = s.clock.offset + s.skew
	s.outs = slices.Insert(s.outs, first, Output{Kind: OutClock, Offset: s.offset()})
}

// open decrypts a packet and makes checks 1 to 5 of a received message. ok is false for a packet of another session,
// which is ignored: after a reset they do arrive.
func (s *Session) open(packet []byte) (m incoming, ok bool, err error) {
	if id, _ := crypt.PacketKeyID(packet); id != s.key.ID() {
		return m, false, &PacketError{What: "of another auth key"}
	}
	const header = 8 + 16
	plaintext, err := crypt.Decrypt(packet[:min(header, len(packet))][min(header, len(packet)):], s.key, crypt.Server, packet)
	if err != nil {
		s.decryptFailures++
		if s.decryptFailures >= maxDecryptFailures {
			s.decryptFailures = 0
			s.reset(0)
		}
		return m, false, &PacketError{What: "decryption", Err: err}
	}
	s.decryptFailures = 0
	return s.split(plaintext)
}

// split cuts a decrypted packet into its message; everything in it is the server's word now, but not more.
func (s *Session) split(plaintext []byte) (m incoming, ok bool, err error) {
	if len(plaintext) < innerHeaderSize+4+minInnerPadding {
		return m, false, &PacketError{What: "too short"}
	}
	n := int64(binary.LittleEndian.Uint32(plaintext[28:]))
	padding := int64(len(plaintext)) - innerHeaderSize - n
	switch {
	case n%4 != 0 || n < 4:
		return m, false, &PacketError{What: "message length"}
	case padding < minInnerPadding || padding > maxInnerPadding:
		return m, false, &PacketError{What: "padding length"}
	case int64(binary.LittleEndian.Uint64(plaintext[8:])) != s.sessionID:
		return m, false, nil
	}
	return incoming{
		id:    msgID(binary.LittleEndian.Uint64(plaintext[16:])),
		seqNo: binary.LittleEndian.Uint32(plaintext[24:]),
		body:  plaintext[innerHeaderSize : innerHeaderSize+n : innerHeaderSize+n],
	}, true, nil
}

// breakLink tells the owner to replace the connection.
func (s *Session) breakLink(err error) {
	if s.link != linkUp {
		return
	}
	s.link = linkBroken
	s.push(Output{Kind: OutReconnect, Err: err})
}

// reset begins a new session: new id, seqno from zero, no memory of messages. Queries are put back or, if they may have
// been executed and must not be twice, end with ErrMayHaveRun. The old session is destroyed, unless a packet of it may come
// late that must find the server's memory of the one before. code is the bad_msg code that asked for it, 0 if none did.
func (s *Session) reset(code int) {
	old := s.sessionID
	if err := s.newSessionID(); err != nil {
		s.breakLink(err)
		return
	}
	for _, q := range s.pending() {
		s.lost(q, ErrSessionLost)
		q.msgID, q.prev, q.carrier, q.copied = 0, 0, 0, false
	}
	s.seqs = seqState{}
	s.acks = ackState{}
	s.inbox = inboxState{}
	s.records.reset()
	s.states = stateState{}
	s.chores.reset()
	if !s.queries.late(s.now) {
		s.chores.destroy = old
	}
	s.queries.copiedAt = time.Time{}
	s.created = [knownSessions]int64{}
	s.accepted = false
	s.ping.again()
	s.salts.request, s.salts.asked = 0, time.Time{}
	if s.bind.phase == bindSent {
		s.bind.phase = bindWanted
	}
	if s.resets == 0 || s.now.Sub(s.resetsSince) >= time.Minute {
		s.resets, s.resetsSince = 0, s.now
	}
	if s.resets++; s.resets > maxResetsPerMinute {
		s.breakLink(&ResetLimitError{Code: code})
	}
}

// accept notes that the server has processed a message of this session.
func (s *Session) accept() { s.accepted, s.refusals = true, 0 }

// countRefusal notes that it would not. A server that refuses whatever it gets would be sent the same again at once, for ever: the
// owner's pauses between connections are the cure.
func (s *Session) countRefusal(code int) {
	if s.refusals < maxRefusals {
		s.refusals++
		return
	}
	s.breakLink(&ResetLimitError{Code: code, Refused: true})
}

// incoming is one message of the server. Its body aliases the packet.
type incoming struct {
	id    msgID
	seqNo uint32
	body  []byte
}

// reader returns a reader of the body behind the constructor id.
func (m incoming) reader() (r tl.Reader) {
	r.Reset(m.body)
	r.ID()
	return r
}
