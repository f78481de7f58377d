package mtproto

import (
	"encoding/binary"
	"io"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
)

const (
	// bindAttempts is how many times a binding is made and rejected before it was read: gotd's and our bound.
	bindAttempts = 3
	// bindTimeout is how long its answer may take, as in tdesktop.
	bindTimeout = 10 * time.Second
)

// bindPhase is where the binding of the temp key is.
type bindPhase uint8

const (
	// bindNone: nothing to bind. Bind leaves it.
	bindNone bindPhase = iota
	// bindWanted: the binding is to be made and sent as soon as there is a connection. Queries wait.
	bindWanted
	// bindSent: it was sent on this connection. Nothing else is sent until the answer. Its rejection and the loss of the
	// connection lead back to bindWanted, because it must be made anew for a new msg_id.
	bindSent
	// bindFailed: the temp key is not bound, so queries would be refused: they go on waiting. Bind leaves it.
	bindFailed
)

// bindState makes and sends auth.bindTempAuthKey (https://core.telegram.org/method/auth.bindTempAuthKey).
type bindState struct {
	phase     bindPhase
	rejected  uint8
	perm      *crypt.AuthKey
	expiresAt uint32
	deadline  time.Time // for the answer
}

// Bind asks the DC to bind this session's temp key to the perm key. expiresAt is the server's time at which the temp key
// expires, as the handshake said. Queries wait until OutBound; after OutBindFailed they go on waiting until another Bind
// succeeds or they are canceled. The message is made by the Session, anew for each msg_id, and travels alone.
func (s *Session) Bind(now time.Time, perm *crypt.AuthKey, expiresAt time.Time) {
	s.begin(now)
	var refusal error
	switch {
	case s.link == linkClosed:
		refusal = ErrClosed
	case s.cfg.Perm:
		refusal = ErrBindPerm
	case s.bind.phase == bindWanted || s.bind.phase == bindSent:
		refusal = ErrBindBusy
	}
	if refusal != nil {
		s.push(Output{Kind: OutBindFailed, Err: refusal})
		return
	}
	s.bind = bindState{phase: bindWanted, perm: perm, expiresAt: uint32(max(0, expiresAt.Unix()))}
}

// bindPacket makes the packet that carries the binding, and nothing else.
func (s *Session) bindPacket() []byte {
	var nonce [8]byte
	if _, err := io.ReadFull(s.cfg.Rand, nonce[:]); err != nil {
		s.breakLink(err)
		return nil
	}
	p := s.startPacket()
	id := p.open(sentBind, nil)
	perm := s.bind.perm

	inner := make([]byte, 0, crypt.BindInnerSize)
	inner = tl.AppendUint32(inner, idBindAuthKeyInner)
	inner = append(inner, nonce[:]...)
	inner = tl.AppendInt64(inner, int64(s.key.ID()))
	inner = tl.AppendInt64(inner, int64(perm.ID()))
	inner = tl.AppendInt64(inner, s.sessionID)
	inner = tl.AppendUint32(inner, s.bind.expiresAt)
	sealed, err := crypt.EncryptBind(perm, int64(id), inner, s.cfg.Rand)
	if err != nil {
		s.breakLink(err)
		return nil
	}

	p.buf = tl.AppendUint32(p.buf, idBindTempAuthKey)
	p.buf = tl.AppendInt64(p.buf, int64(perm.ID()))
	p.buf = tl.AppendInt64(p.buf, int64(binary.LittleEndian.Uint64(nonce[:])))
	p.buf = tl.AppendUint32(p.buf, s.bind.expiresAt)
	p.buf = tl.AppendBytes(p.buf, sealed)
	p.close()
	s.bind.phase, s.bind.deadline = bindSent, s.now.Add(bindTimeout)
	return s.seal(&p)
}

// bindRejected prepares another binding: the message that carried the last one was not processed.
func (s *Session) bindRejected() {
	if s.bind.phase != bindSent {
		return
	}
	s.bind.rejected++
	if s.bind.rejected >= bindAttempts {
		s.bindEnded(ErrBindAttempts)
		return
	}
	s.bind.phase = bindWanted
}

// onBindResult takes the answer. failure is the server's error, nil if result is one.
func (s *Session) onBindResult(result []byte, failure *tgerr.Error) {
	switch {
	case s.bind.phase != bindSent:
	case failure != nil:
		s.bindEnded(failure)
	case peekID(result) == tl.BoolTrueID:
		// What the server knew about this client it knew of the unbound key.
		s.headerKnown = false
		s.bindEnded(nil)
	default:
		s.bindEnded(ErrBindRefused)
	}
}

// bindEnded reports the outcome; a good one lets queries flow.
func (s *Session) bindEnded(err error) {
	s.bind = bindState{}
	s.ping.urgent = true
	if err != nil {
		s.bind.phase = bindFailed
		s.push(Output{Kind: OutBindFailed, Err: err})
		return
	}
	s.push(Output{Kind: OutBound})
}
