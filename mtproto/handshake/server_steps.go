package handshake

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"io"
	"math/bits"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/mt"
)

// receiveReqPQ answers at once. req_pq and req_pq_multi differ in nothing that matters any more.
func (s *Server) receiveReqPQ(now time.Time, body []byte) Reply {
	var m mt.ReqPQMultiRequest
	r := tl.NewReader(body)
	r.ID()
	m.Nonce = r.Int128()
	if err := r.Err(); err != nil {
		return refuse(StepReqPQ, err)
	}
	query := sha256.Sum256(m.Nonce[:])
	if x := s.exchanges[m.Nonce]; x != nil {
		answer, _ := x.repeated(query)
		return s.repeat(now, answer)
	}
	x := &exchange{created: now, nonce: m.Nonce}
	if err := s.draw(x); err != nil {
		return refuse(StepResPQ, randomError(err))
	}
	s.remember(x)
	return s.sendResPQ(now, x, query)
}

// draw chooses everything the server contributes.
func (s *Server) draw(x *exchange) (err error) {
	if _, err = io.ReadFull(s.cfg.Rand, x.serverNonce[:]); err != nil {
		return err
	}
	if x.p, x.q, err = s.primes(s.cfg.Rand); err != nil {
		return err
	}
	x.pq = x.p * x.q
	return nil
}

func (s *Server) sendResPQ(now time.Time, x *exchange, query [sha256.Size]byte) Reply {
	m := mt.ResPQ{Nonce: x.nonce, ServerNonce: x.serverNonce, PQ: minimal(x.pq)}
	for _, k := range s.cfg.Keys {
		m.ServerPublicKeyFingerprints = append(m.ServerPublicKeyFingerprints, k.Public().Fingerprint())
	}
	return s.reply(now, x, query, m.Append(nil))
}

func (s *Server) receiveReqDHParams(now time.Time, body []byte) Reply {
	const step = StepReqDHParams
	var m mt.ReqDHParamsRequest
	n, err := parse(body, &m)
	if err != nil {
		return refuse(step, err)
	}
	x, err := s.find(&m.Nonce, &m.ServerNonce)
	if err != nil {
		return refuse(step, err)
	}
	query := sha256.Sum256(body[:n])
	if answer, ok := x.repeated(query); ok {
		return s.repeat(now, answer)
	}
	if x.stage != stageResPQ {
		return s.end(x, step, ErrUnexpected)
	}
	if !sameNumber(m.P, x.p) || !sameNumber(m.Q, x.q) {
		return s.end(x, step, ErrFactors)
	}
	if x.key = s.keyOf(m.PublicKeyFingerprint); x.key == nil {
		return s.end(x, step, ErrNoKey)
	}
	return s.open(x, query, m.EncryptedData)
}

func (s *Server) keyOf(fingerprint int64) *crypt.PrivateKey {
	for _, k := range s.cfg.Keys {
		if k.Public().Fingerprint() == fingerprint {
			return k
		}
	}
	return nil
}

// shortExponent is how many bytes the exponents of ServerConfig.ShortExponents have.
const shortExponent = 32

// exponent is where the exchange has its exponent a, big-endian.
func (s *Server) exponent(x *exchange) []byte {
	if s.cfg.ShortExponents {
		return x.a[:shortExponent]
	}
	return x.a[:]
}

// open draws a and puts out the work for server_DH_params_ok.
func (s *Server) open(x *exchange, query [sha256.Size]byte, encrypted []byte) Reply {
	if _, err := io.ReadFull(s.cfg.Rand, s.exponent(x)); err != nil {
		return s.end(x, StepServerDHParams, randomError(err))
	}
	j := x.begin(stageOpening, StepServerDHParams, query)
	return Reply{Work: openWork(j, x, s.exponent(x), s.cfg.Group, encrypted)}
}

// opened is the outcome of the server's work for server_DH_params_ok.
type opened struct {
	exchange  *exchange        // not touched by the work
	encrypted []byte           // its input, in case it must be done again
	padded    []byte           // the inner data with its padding; secret
	hash      *[sha1.Size]byte // of the inner data alone, in the old form of the block
	ga        []byte
	err       error
}

func openWork(j *job, x *exchange, a []byte, group *crypt.Group, encrypted []byte) func() WorkResult {
	key := x.key
	a = bytes.Clone(a)
	return func() WorkResult {
		defer clear(a)
		out := opened{exchange: x, encrypted: encrypted}
		if out.padded, out.hash, out.err = crypt.RSAOpen(key, encrypted); out.err == nil {
			out.ga = group.ExpG(a)
		}
		return WorkResult{j, out}
	}
}

func (s *Server) sendServerDHParams(now time.Time, x *exchange, o opened) Reply {
	defer clear(o.padded)
	if o.err != nil {
		return s.end(x, StepReqDHParams, ErrEncrypted)
	}
	if err := s.readInner(x, o.padded, o.hash); err != nil {
		return s.end(x, StepReqDHParams, err)
	}
	if s.cfg.Group.CheckPublic(o.ga) != nil {
		return s.open(x, x.query, o.encrypted) // once in 2^63: draw another a
	}
	x.tmpKey, x.tmpIV = crypt.TmpKeyIV(&x.newNonce, &x.serverNonce)
	inner := (&mt.ServerDHInnerData{
		Nonce: x.nonce, ServerNonce: x.serverNonce, G: int32(s.cfg.Group.G()), DHPrime: s.cfg.Group.Prime(), GA: o.ga,
		ServerTime: int32(now.Unix()),
	}).Append(nil)
	encrypted, err := sealHashed(inner, &x.tmpKey, &x.tmpIV, s.cfg.Rand)
	if err != nil {
		return s.end(x, StepServerDHParams, err)
	}
	x.stage = stageDHParams
	return s.reply(now, x, x.query, (&mt.ServerDHParamsOk{
		Nonce: x.nonce, ServerNonce: x.serverNonce, EncryptedAnswer: encrypted,
	}).Append(nil))
}

// readInner takes the inner data that says which key is wanted. The two forms that name no DC are what GramJS, Telethon
// and others send to this day; they ask for the DC that they reach.
func (s *Server) readInner(x *exchange, padded []byte, hash *[sha1.Size]byte) error {
	in, n, err := parseInner(padded)
	if err != nil {
		return err
	}
	temp := &in.PQInnerDataTempDC
	defer clear(temp.NewNonce[:])
	x.temp, x.old = in.temp, 0
	if in.noDC {
		x.old |= OldInner
	}
	if hash != nil {
		if sum := sha1.Sum(padded[:n]); subtle.ConstantTimeCompare(sum[:], hash[:]) != 1 {
			return ErrEncrypted
		}
		x.old |= OldRSA
	}
	if err := checkNonces(&temp.Nonce, &temp.ServerNonce, &x.nonce, &x.serverNonce); err != nil {
		return err
	}
	if !sameNumber(temp.PQ, x.pq) || !sameNumber(temp.P, x.p) || !sameNumber(temp.Q, x.q) {
		return ErrFactors
	}
	if x.dc = int(temp.DC); !in.noDC && !s.cfg.AcceptDC(x.dc) {
		return ErrDC
	}
	if x.temp && temp.ExpiresIn <= 0 {
		return ErrExpiry
	}
	x.expiresIn = min(time.Duration(temp.ExpiresIn)*time.Second, maxTempLife)
	x.newNonce = temp.NewNonce
	return nil
}

// inner is the inner data in any of its four forms.
type inner struct {
	mt.PQInnerDataTempDC
	temp, noDC bool
}

// parseInner reads it, and returns how long it is without the padding.
func parseInner(padded []byte) (in inner, n int, err error) {
	switch bodyID(padded) {
	case mt.PQInnerDataID:
		var m mt.PQInnerData
		n, err = parse(padded, &m)
		in.noDC = true
		in.PQ, in.P, in.Q, in.Nonce, in.ServerNonce, in.NewNonce = m.PQ, m.P, m.Q, m.Nonce, m.ServerNonce, m.NewNonce
		clear(m.NewNonce[:])
	case mt.PQInnerDataDCID:
		var m mt.PQInnerDataDC
		n, err = parse(padded, &m)
		in.DC = m.DC
		in.PQ, in.P, in.Q, in.Nonce, in.ServerNonce, in.NewNonce = m.PQ, m.P, m.Q, m.Nonce, m.ServerNonce, m.NewNonce
		clear(m.NewNonce[:])
	case mt.PQInnerDataTempID:
		var m mt.PQInnerDataTemp
		n, err = parse(padded, &m)
		in.temp, in.noDC, in.ExpiresIn = true, true, m.ExpiresIn
		in.PQ, in.P, in.Q, in.Nonce, in.ServerNonce, in.NewNonce = m.PQ, m.P, m.Q, m.Nonce, m.ServerNonce, m.NewNonce
		clear(m.NewNonce[:])
	case mt.PQInnerDataTempDCID:
		in.temp = true
		n, err = parse(padded, &in.PQInnerDataTempDC)
	default:
		err = ErrUnexpected
	}
	return in, n, err
}

func (s *Server) receiveSetClientDHParams(now time.Time, body []byte) Reply {
	const step = StepSetClientDHParams
	var m mt.SetClientDHParamsRequest
	n, err := parse(body, &m)
	if err != nil {
		return refuse(step, err)
	}
	x, err := s.find(&m.Nonce, &m.ServerNonce)
	if err != nil {
		return refuse(step, err)
	}
	query := sha256.Sum256(body[:n])
	if answer, ok := x.repeated(query); ok {
		return s.repeat(now, answer)
	}
	if x.stage != stageDHParams {
		return s.end(x, step, ErrUnexpected)
	}
	var inner mt.ClientDHInnerData
	if err := openHashed(m.EncryptedData, &x.tmpKey, &x.tmpIV, &inner); err != nil {
		return s.end(x, step, err)
	}
	if err := checkNonces(&inner.Nonce, &inner.ServerNonce, &x.nonce, &x.serverNonce); err != nil {
		return s.end(x, step, err)
	}
	if inner.RetryID != x.retryID {
		return s.end(x, step, ErrRetryID)
	}
	if err := s.cfg.Group.CheckPublic(inner.GB); err != nil {
		return s.end(x, step, err)
	}
	j := x.begin(stageComputing, StepDHGen, query)
	return Reply{Work: computeWork(j, x, s.exponent(x), s.cfg.Group, inner.GB)}
}

// computed is the outcome of the server's work for dh_gen.
type computed struct {
	exchange *exchange // not touched by the work
	key      *crypt.AuthKey
	err      error
}

func computeWork(j *job, x *exchange, a []byte, group *crypt.Group, gb []byte) func() WorkResult {
	a = bytes.Clone(a)
	return func() WorkResult {
		defer clear(a)
		value := group.Exp(gb, a)
		defer clear(value)
		key, err := crypt.NewAuthKey(value)
		return WorkResult{j, computed{x, key, err}}
	}
}

func (s *Server) sendDHGen(now time.Time, x *exchange, c computed) Reply {
	if c.err != nil {
		return s.end(x, StepDHGen, c.err)
	}
	hash := func(n byte) [16]byte { return crypt.NewNonceHash(n, &x.newNonce, c.key.AuxHash()) }
	exists := s.cfg.Exists != nil && s.cfg.Exists(c.key.ID())
	switch {
	case x.retries < s.forced.Retries || exists && x.retries < maxRetries:
		x.retries++
		x.retryID = auxLong(c.key)
		x.stage = stageDHParams
		m := mt.DHGenRetry{Nonce: x.nonce, ServerNonce: x.serverNonce, NewNonceHash2: hash(2)}
		c.key.Wipe()
		return s.reply(now, x, x.query, m.Append(nil))
	case s.forced.Fail || exists:
		m := mt.DHGenFail{Nonce: x.nonce, ServerNonce: x.serverNonce, NewNonceHash3: hash(3)}
		c.key.Wipe()
		return s.over(now, x, m.Append(nil))
	}
	m := mt.DHGenOk{Nonce: x.nonce, ServerNonce: x.serverNonce, NewNonceHash1: hash(1)}
	result := &ServerResult{
		Key: c.key, Temp: x.temp, DC: x.dc, Old: x.old, Fingerprint: x.key.Public().Fingerprint(),
		ServerSalt: crypt.FirstSalt(&x.newNonce, &x.serverNonce),
	}
	if x.temp {
		result.ExpiresAt = now.Add(x.expiresIn)
	}
	reply := s.over(now, x, m.Append(nil))
	reply.Result = result
	return reply
}

// over sends the last answer and drops the secrets.
func (s *Server) over(now time.Time, x *exchange, body []byte) Reply {
	x.stage = stageOver
	x.forget()
	return s.reply(now, x, x.query, body)
}

// maxPrimeTries bounds the search for the two primes of pq. One number in eleven fits, so that thousands of misses in a row
// mean broken randomness.
const maxPrimeTries = 4096

// drawPrimes draws p < q from the primes of 31 bits, as a real server does. Their product stays below 2^62.
func drawPrimes(rand io.Reader) (p, q uint64, err error) {
	var buf [8]byte
	for range maxPrimeTries {
		if _, err := io.ReadFull(rand, buf[:]); err != nil {
			return 0, 0, err
		}
		n := binary.LittleEndian.Uint64(buf[:])>>33 | 1<<30 | 1
		switch {
		case n == p || !smallPrime(uint32(n)):
		case p == 0:
			p = n
		default:
			return min(p, n), max(p, n), nil
		}
	}
	return 0, 0, errors.New("no primes found")
}

// smallPrime is Miller-Rabin for odd n above 61: the bases 2, 7 and 61 decide all 32-bit numbers
// (G. Jaeschke, On strong pseudoprimes to several bases, 1993).
func smallPrime(n uint32) bool {
	for _, d := range [...]uint32{3, 5, 7, 11, 13, 17, 19, 23} {
		if n%d == 0 {
			return n == d
		}
	}
	m := uint64(n)
	s := bits.TrailingZeros32(n - 1)
bases:
	for _, base := range [...]uint64{2, 7, 61} {
		x := uint64(1)
		for e, sq := (n-1)>>s, base; e != 0; e >>= 1 {
			if e&1 != 0 {
				x = x * sq % m
			}
			sq = sq * sq % m
		}
		if x == 1 || x == m-1 {
			continue
		}
		for range s - 1 {
			if x = x * x % m; x == m-1 {
				continue bases
			}
		}
		return false
	}
	return true
}
