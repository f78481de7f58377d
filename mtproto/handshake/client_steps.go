package handshake

import (
	"bytes"
	"crypto/subtle"
	"encoding/binary"
	"io"
	"math"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/mt"
)

// clientExchange is what the client learns from step to step.
type clientExchange struct {
	nonce       [16]byte
	serverNonce [16]byte
	newNonce    [32]byte // secret
	tmpKey      [32]byte // secret, made from newNonce
	tmpIV       [32]byte // secret, made from newNonce
	pq          uint64
	rsa         *crypt.PublicKey
	requestedAt time.Time // when req_DH_params went out: a temp key cannot be older

	group  *crypt.Group // nil until the prime is known or proved
	proven *crypt.Group // group, when it was proved here
	prime  []byte
	g      int
	ga     []byte
	offset time.Duration

	key     *crypt.AuthKey // secret; not ours any more once it is in a Result
	retryID int64
	retries int
	draws   int
}

// forget overwrites what must not outlive the handshake.
func (x *clientExchange) forget() {
	clear(x.newNonce[:])
	clear(x.tmpKey[:])
	clear(x.tmpIV[:])
	x.key = nil
}

func (c *Client) sendReqPQMulti(now time.Time) error {
	if _, err := io.ReadFull(c.cfg.Rand, c.nonce[:]); err != nil {
		return randomError(err)
	}
	c.send(now, clientAwaitResPQ, (&mt.ReqPQMultiRequest{Nonce: c.nonce}).Append(nil))
	return nil
}

func (c *Client) receiveResPQ(body []byte) error {
	var m mt.ResPQ
	if _, err := parse(body, &m); err != nil {
		return err
	}
	if err := checkNonces(&m.Nonce, &m.ServerNonce, &c.nonce, &m.ServerNonce); err != nil {
		return err
	}
	c.serverNonce = m.ServerNonce
	var ok bool
	if c.pq, ok = parseMinimal(bytes.TrimLeft(m.PQ, "\x00")); !ok || c.pq > math.MaxInt64 {
		return ErrPQ
	}
	if c.rsa = c.chooseKey(m.ServerPublicKeyFingerprints); c.rsa == nil {
		return ErrNoKey
	}
	c.work(factorWork(c.begin(clientFactoring), c.pq))
	return nil
}

// chooseKey takes the first fingerprint that is known; servers also offer obsolete ones.
func (c *Client) chooseKey(fingerprints []int64) *crypt.PublicKey {
	for _, fp := range fingerprints {
		for _, k := range c.cfg.Keys {
			if k.Fingerprint() == fp {
				return k
			}
		}
	}
	return nil
}

func (c *Client) sendReqDHParams(now time.Time, f factored) error {
	if !f.ok {
		return &StepError{StepResPQ, ErrPQ}
	}
	if _, err := io.ReadFull(c.cfg.Rand, c.newNonce[:]); err != nil {
		return randomError(err)
	}
	c.tmpKey, c.tmpIV = crypt.TmpKeyIV(&c.newNonce, &c.serverNonce)
	p, q := minimal(f.p), minimal(f.q)
	inner := c.innerData(p, q).Append(nil)
	defer clear(inner)
	encrypted, err := crypt.RSAPad(c.cfg.Rand, c.rsa, inner)
	if err != nil {
		return randomError(err)
	}
	c.requestedAt = now
	c.send(now, clientAwaitDHParams, (&mt.ReqDHParamsRequest{
		Nonce: c.nonce, ServerNonce: c.serverNonce, P: p, Q: q,
		PublicKeyFingerprint: c.rsa.Fingerprint(), EncryptedData: encrypted,
	}).Append(nil))
	return nil
}

// innerData is the p_q_inner_data of this kind of key: the one message in which perm and temp handshakes differ.
func (c *Client) innerData(p, q []byte) tl.Object {
	pq, dc := minimal(c.pq), int32(c.cfg.DC)
	switch {
	case c.omitDC:
		return &mt.PQInnerData{PQ: pq, P: p, Q: q, Nonce: c.nonce, ServerNonce: c.serverNonce, NewNonce: c.newNonce}
	case c.cfg.Temp:
		return &mt.PQInnerDataTempDC{PQ: pq, P: p, Q: q, Nonce: c.nonce, ServerNonce: c.serverNonce, NewNonce: c.newNonce,
			DC: dc, ExpiresIn: int32(min(c.cfg.ExpiresIn/time.Second, math.MaxInt32))}
	}
	return &mt.PQInnerDataDC{PQ: pq, P: p, Q: q, Nonce: c.nonce, ServerNonce: c.serverNonce, NewNonce: c.newNonce, DC: dc}
}

func (c *Client) receiveServerDHParams(now time.Time, body []byte) error {
	if bodyID(body) == mt.ServerDHParamsFailID {
		return c.receiveServerDHParamsFail(body)
	}
	var m mt.ServerDHParamsOk
	if _, err := parse(body, &m); err != nil {
		return err
	}
	if err := checkNonces(&m.Nonce, &m.ServerNonce, &c.nonce, &c.serverNonce); err != nil {
		return err
	}
	var inner mt.ServerDHInnerData
	if err := openHashed(m.EncryptedAnswer, &c.tmpKey, &c.tmpIV, &inner); err != nil {
		return err
	}
	if err := checkNonces(&inner.Nonce, &inner.ServerNonce, &c.nonce, &c.serverNonce); err != nil {
		return err
	}
	if inner.ServerTime == 0 {
		return ErrServerTime
	}
	c.offset = time.Unix(int64(uint32(inner.ServerTime)), 0).Sub(now)
	c.prime, c.g, c.ga = inner.DHPrime, int(inner.G), inner.GA
	if c.group = c.knownGroup(); c.group != nil {
		// What a known prime leaves to check costs nothing. An unknown one is checked by the work.
		if err := crypt.CheckGenerator(c.prime, c.g); err != nil {
			return err
		}
		if err := c.group.CheckPublic(c.ga); err != nil {
			return err
		}
	}
	return c.agree()
}

// receiveServerDHParamsFail: today's servers close with -404 instead. The hash shows that it is the server who gives up.
func (c *Client) receiveServerDHParamsFail(body []byte) error {
	var m mt.ServerDHParamsFail
	if _, err := parse(body, &m); err != nil {
		return err
	}
	if err := checkNonces(&m.Nonce, &m.ServerNonce, &c.nonce, &c.serverNonce); err != nil {
		return err
	}
	want := crypt.FailNonceHash(&c.newNonce)
	if subtle.ConstantTimeCompare(m.NewNonceHash[:], want[:]) != 1 {
		return ErrNewNonceHash
	}
	return ErrDeclined
}

// knownGroup finds the group of the server's prime by its bytes: the well-known one, or one that was proved before.
func (c *Client) knownGroup() *crypt.Group {
	if gr := c.cfg.Group; gr != nil && gr.HasPrime(c.prime) {
		return gr
	}
	if c.cfg.Proven == nil {
		return nil
	}
	if gr := c.cfg.Proven(c.prime, c.g); gr != nil && gr.HasPrime(c.prime) {
		return gr
	}
	return nil
}

// agree draws b and puts out the work for set_client_DH_params.
func (c *Client) agree() error {
	a := agreement{group: c.group, prime: c.prime, g: c.g, ga: c.ga}
	if _, err := io.ReadFull(c.cfg.Rand, a.b[:]); err != nil {
		return randomError(err)
	}
	c.work(agreeWork(c.begin(clientAgreeing), &a))
	return nil
}

func (c *Client) sendSetClientDHParams(now time.Time, a agreed) error {
	if a.err != nil {
		return &StepError{StepServerDHParams, a.err}
	}
	if c.group == nil {
		c.group, c.proven = a.group, a.group
	}
	if a.again {
		if c.draws++; c.draws == maxDraws {
			return crypt.ErrPublicValue
		}
		return c.agree()
	}
	c.key = a.key
	inner := (&mt.ClientDHInnerData{Nonce: c.nonce, ServerNonce: c.serverNonce, RetryID: c.retryID, GB: a.gb}).Append(nil)
	encrypted, err := sealHashed(inner, &c.tmpKey, &c.tmpIV, c.cfg.Rand)
	if err != nil {
		return err
	}
	c.send(now, clientAwaitDHGen, (&mt.SetClientDHParamsRequest{
		Nonce: c.nonce, ServerNonce: c.serverNonce, EncryptedData: encrypted,
	}).Append(nil))
	return nil
}

func (c *Client) receiveDHGen(body []byte) error {
	ok, retry, fail := mt.DHGenOk{}, mt.DHGenRetry{}, mt.DHGenFail{}
	var err error
	switch bodyID(body) {
	case mt.DHGenOkID:
		if _, err = parse(body, &ok); err == nil {
			err = c.checkDHGen(1, &ok.Nonce, &ok.ServerNonce, &ok.NewNonceHash1)
		}
		if err == nil {
			c.finish(Output{Kind: OutDone, Result: c.result()})
		}
	case mt.DHGenRetryID:
		if _, err = parse(body, &retry); err == nil {
			err = c.checkDHGen(2, &retry.Nonce, &retry.ServerNonce, &retry.NewNonceHash2)
		}
		if err == nil {
			err = c.retry()
		}
	case mt.DHGenFailID:
		if _, err = parse(body, &fail); err == nil {
			err = c.checkDHGen(3, &fail.Nonce, &fail.ServerNonce, &fail.NewNonceHash3)
		}
		if err == nil {
			err = ErrDeclined
		}
	}
	return err
}

// checkDHGen checks what the three answers have in common: the nonces, and the proof that the server computed our key.
func (c *Client) checkDHGen(n byte, nonce, serverNonce, hash *[16]byte) error {
	if err := checkNonces(nonce, serverNonce, &c.nonce, &c.serverNonce); err != nil {
		return err
	}
	want := crypt.NewNonceHash(n, &c.newNonce, c.key.AuxHash())
	if subtle.ConstantTimeCompare(hash[:], want[:]) != 1 {
		return ErrNewNonceHash
	}
	return nil
}

// retry draws another b: the server already has a key with this id. retry_id names the refused key.
func (c *Client) retry() error {
	if c.retries++; c.retries > maxRetries {
		return ErrRetries
	}
	c.retryID = auxLong(c.key)
	c.key.Wipe()
	c.key = nil
	return c.agree()
}

// auxLong is the auth_key_aux_hash as a retry_id.
func auxLong(k *crypt.AuthKey) int64 {
	aux := k.AuxHash()
	return int64(binary.LittleEndian.Uint64(aux[:]))
}

func (c *Client) result() *Result {
	r := &Result{
		Key:         c.key,
		ServerSalt:  crypt.FirstSalt(&c.newNonce, &c.serverNonce),
		TimeOffset:  c.offset,
		Fingerprint: c.rsa.Fingerprint(),
		Proven:      c.proven,
	}
	if c.cfg.Temp {
		expires := c.requestedAt.Add(c.offset).Add(c.cfg.ExpiresIn.Truncate(time.Second))
		r.ExpiresAt = time.Unix(expires.Unix(), 0).UTC()
	}
	return r
}
