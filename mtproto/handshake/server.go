package handshake

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/tl/mt"
)

// Transport errors with which a Server refuses.
const (
	// CodeRefused (-404) is the answer to every message that is wrong, whatever is wrong with it.
	CodeRefused int32 = -404
	// CodeWrongDC (-444) is the answer to inner data that names another DC.
	CodeWrongDC int32 = -444
)

const (
	// exchangeLife is how long a server remembers a handshake, finished or not.
	exchangeLife = 10 * time.Minute
	// defaultMaxExchanges bounds the handshakes remembered. Each takes about 0.6 KiB of state and 0.9 KiB of answers that may
	// have to be repeated, so that 16,384 take 24 MiB. At the bound the oldest is forgotten.
	defaultMaxExchanges = 16384
	// maxTempLife bounds the life of a temp key.
	maxTempLife = 24 * time.Hour
)

// ServerConfig says what a Server is.
type ServerConfig struct {
	// Rand gives nonces, primes, exponents and padding. It must be cryptographically secure outside tests. It is read
	// during inputs only, never by work.
	Rand io.Reader
	// Keys are the RSA keys offered, in this order. At least one.
	Keys []*crypt.PrivateKey
	// Group is the DH group handed to clients. Required.
	Group *crypt.Group
	// ShortExponents draws exponents of 256 bits, not of 2048. For a safe prime of this size they are as good (RFC 7919,
	// 5.2, asks for 225), no client can tell, and the server's arithmetic is an eighth. The protocol's text wants 2048.
	ShortExponents bool
	// AcceptDC says whether the dc of inner data (+10000 in the test environment, negative for media DCs) names this
	// server. Required.
	AcceptDC func(dc int) bool
	// Exists says whether a key id is taken; such a key is refused with dh_gen_retry. It is called during Done, so it must
	// not wait. nil means never.
	Exists func(id crypt.KeyID) bool
	// MaxExchanges bounds the handshakes remembered. 0 means 16,384.
	MaxExchanges int
}

// Forced makes a server answer as an honest one hardly ever does.
type Forced struct {
	// Retries is how many keys of each handshake are refused with dh_gen_retry.
	Retries int
	// Fail ends each handshake with dh_gen_fail, after the forced retries.
	Fail bool
}

// Reply is what a server does about one input. The zero Reply means nothing.
type Reply struct {
	// Packet is to be sent, if it is not nil. It is the caller's.
	Packet []byte
	// Work is to be run elsewhere, if it is not nil, and its result given to Done, whose Reply is for the same connection.
	// It takes about two milliseconds at most and touches nothing but its own data.
	Work func() WorkResult
	// Result is a new key, if it is not nil. Store it before Packet is sent.
	Result *ServerResult
	// Code is the transport error to send before closing the connection: CodeRefused, CodeWrongDC, or 0 when all is well.
	Code int32
	// Err says what was wrong, a *StepError, for the ledger. A client must not learn it.
	Err error
}

// ServerResult is a key that a client and the server now share.
type ServerResult struct {
	// Key is the auth key.
	Key *crypt.AuthKey
	// Temp says that it is a temp key.
	Temp bool
	// DC is the dc of the inner data.
	DC int
	// ExpiresAt is when a temp key must be forgotten: its expires_in, at most 24 hours, from now. The zero time for a perm
	// key.
	ExpiresAt time.Time
	// ServerSalt is the first salt of the key.
	ServerSalt int64
	// Fingerprint names the RSA key that the client chose.
	Fingerprint int64
	// Old names the obsolete forms that the client used: OldInner, OldRSA or both; 0 for none.
	Old OldForms
}

// OldForms are forms of req_DH_params that documents no longer describe and that shipped clients still send. A server
// answers them as any other.
type OldForms uint8

const (
	// OldInner is p_q_inner_data or p_q_inner_data_temp, which name no DC.
	OldInner OldForms = 1 << iota
	// OldRSA is the RSA block of before RSA_PAD: SHA1(inner data), inner data, random bytes.
	OldRSA
)

// Server is the DC's side of any number of handshakes. A handshake belongs to its nonces, not to a connection: a packet
// that was answered before is answered again the same way, wherever it comes from. It has one owner.
type Server struct {
	cfg    ServerConfig
	forced Forced
	msgIDs msgIDs
	primes func(io.Reader) (p, q uint64, err error)

	exchanges map[[16]byte]*exchange // by nonce
	queue     []*exchange            // the same, oldest first; those that ended badly stay until they are old
}

// stage is how far a handshake came.
type stage uint8

const (
	// stageResPQ: resPQ is out; req_DH_params is awaited.
	stageResPQ stage = iota
	// stageOpening: the work for server_DH_params_ok runs.
	stageOpening
	// stageDHParams: server_DH_params_ok is out, or dh_gen_retry; set_client_DH_params is awaited.
	stageDHParams
	// stageComputing: the work for dh_gen runs.
	stageComputing
	// stageOver: dh_gen_ok or dh_gen_fail is out; only repetitions are answered.
	stageOver
)

// exchange is one handshake.
type exchange struct {
	created time.Time
	gone    bool // forgotten: a result that comes now is for nobody
	stage   stage
	job     *job
	query   [sha256.Size]byte // what the work is for
	answers []answer

	nonce       [16]byte
	serverNonce [16]byte
	newNonce    [32]byte // secret
	tmpKey      [32]byte // secret
	tmpIV       [32]byte // secret
	a           [crypt.KeySize]byte
	pq, p, q    uint64
	key         *crypt.PrivateKey

	temp      bool
	dc        int
	expiresIn time.Duration
	old       OldForms
	retries   int
	retryID   int64
}

// answer is a body sent before, and the query it answers.
type answer struct {
	query [sha256.Size]byte
	body  []byte
}

// forget overwrites what is secret. The answers stay, to be repeated.
func (x *exchange) forget() {
	clear(x.newNonce[:])
	clear(x.tmpKey[:])
	clear(x.tmpIV[:])
	clear(x.a[:])
}

// NewServer makes a server that remembers nothing yet. It fails when cfg lacks something required.
func NewServer(cfg ServerConfig) (*Server, error) {
	switch {
	case cfg.Rand == nil:
		return nil, errors.New("handshake: server without randomness")
	case len(cfg.Keys) == 0:
		return nil, errors.New("handshake: server without RSA key")
	case cfg.Group == nil:
		return nil, errors.New("handshake: server without DH group")
	case cfg.AcceptDC == nil:
		return nil, errors.New("handshake: server without DC")
	}
	if cfg.MaxExchanges <= 0 {
		cfg.MaxExchanges = defaultMaxExchanges
	}
	return &Server{cfg: cfg, primes: drawPrimes, exchanges: make(map[[16]byte]*exchange)}, nil
}

// String counts the handshakes, and says nothing secret.
func (s *Server) String() string {
	return fmt.Sprintf("handshake.Server(%d pending)", len(s.exchanges))
}

// Format answers every verb with String.
func (s *Server) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// Force sets what is forced from now on; the zero Forced is an honest server.
func (s *Server) Force(f Forced) { s.forced = f }

// ClockSet says that the clock was set: from now on msg_ids show its time, an earlier one too.
func (s *Server) ClockSet() { s.msgIDs = msgIDs{} }

// Receive takes a plain packet of a client.
func (s *Server) Receive(now time.Time, packet []byte) Reply {
	s.Advance(now)
	body, err := parsePlain(packet, msgIDAny)
	if err != nil {
		return refuse(StepReqPQ, err)
	}
	switch bodyID(body) {
	case mt.ReqPQRequestID, mt.ReqPQMultiRequestID:
		return s.receiveReqPQ(now, body)
	case mt.ReqDHParamsRequestID:
		return s.receiveReqDHParams(now, body)
	case mt.SetClientDHParamsRequestID:
		return s.receiveSetClientDHParams(now, body)
	}
	return refuse(StepReqPQ, ErrUnexpected)
}

// Done takes the result of work.
func (s *Server) Done(now time.Time, w WorkResult) Reply {
	s.Advance(now)
	switch r := w.result.(type) {
	case opened:
		if x := r.exchange; x.awaits(w.job) {
			return s.sendServerDHParams(now, x, r)
		}
	case computed:
		if x := r.exchange; x.awaits(w.job) {
			return s.sendDHGen(now, x, r)
		}
	default:
		return Reply{}
	}
	return refuse(w.job.step, ErrUnknown)
}

// awaits says whether the exchange still waits for this work, and takes it.
func (x *exchange) awaits(j *job) bool {
	if x.gone || x.job != j {
		return false
	}
	x.job = nil
	return true
}

// Advance forgets what is older than ten minutes.
func (s *Server) Advance(now time.Time) {
	for len(s.queue) > 0 && (s.queue[0].gone || !now.Before(s.queue[0].created.Add(exchangeLife))) {
		s.forgetOldest()
	}
}

// Deadline is when Advance has something to forget. Zero when never.
func (s *Server) Deadline() time.Time {
	if len(s.queue) == 0 {
		return time.Time{}
	}
	return s.queue[0].created.Add(exchangeLife)
}

// Pending is the number of handshakes remembered.
func (s *Server) Pending() int { return len(s.exchanges) }

func (s *Server) forgetOldest() {
	x := s.queue[0]
	s.queue[0] = nil
	s.queue = s.queue[1:]
	s.forgetExchange(x)
}

// forgetExchange takes a handshake out of the books; its place in the queue stays until it comes to the front.
func (s *Server) forgetExchange(x *exchange) {
	if x.gone {
		return
	}
	x.gone = true
	x.forget()
	x.answers = nil
	delete(s.exchanges, x.nonce)
}

// remember makes room for a handshake and enters it.
func (s *Server) remember(x *exchange) {
	for len(s.queue) >= s.cfg.MaxExchanges {
		s.forgetOldest()
	}
	s.exchanges[x.nonce] = x
	s.queue = append(s.queue, x)
}

// find is the exchange that both nonces name.
func (s *Server) find(nonce, serverNonce *[16]byte) (*exchange, error) {
	x := s.exchanges[*nonce]
	if x == nil {
		return nil, ErrUnknown
	}
	return x, checkNonces(nonce, serverNonce, &x.nonce, &x.serverNonce)
}

// repeated finds the answer given before to the same query. A query whose work is running is repeated too, but has no
// answer yet.
func (x *exchange) repeated(query [sha256.Size]byte) (body []byte, ok bool) {
	for _, a := range x.answers {
		if a.query == query {
			return a.body, true
		}
	}
	return nil, x.job != nil && x.query == query
}

// reply sends a body, and keeps it for repetitions.
func (s *Server) reply(now time.Time, x *exchange, query [sha256.Size]byte, body []byte) Reply {
	x.answers = append(x.answers, answer{query, body})
	return s.repeat(now, body)
}

func (s *Server) repeat(now time.Time, body []byte) Reply {
	if body == nil {
		return Reply{}
	}
	return Reply{Packet: appendPlain(nil, s.msgIDs.next(now, msgIDAnswer), body)}
}

// begin notes that work for a query runs.
func (x *exchange) begin(next stage, step Step, query [sha256.Size]byte) *job {
	x.stage = next
	x.query = query
	x.job = &job{step}
	return x.job
}

// end refuses and forgets a handshake whose client broke the rules.
func (s *Server) end(x *exchange, step Step, err error) Reply {
	s.forgetExchange(x)
	return refuse(step, err)
}

func refuse(step Step, err error) Reply {
	code := CodeRefused
	if err == ErrDC {
		code = CodeWrongDC
	}
	return Reply{Code: code, Err: &StepError{step, err}}
}

// sameNumber compares a number as it travelled with what it must be in its shortest form.
func sameNumber(got []byte, want uint64) bool { return bytes.Equal(got, minimal(want)) }
