package dctest

import (
	"bytes"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/mt"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// Errors of auth.bindTempAuthKey (auth.md 3.23).
var (
	errBindInvalid = &api.Error{Code: 400, Text: "ENCRYPTED_MESSAGE_INVALID"}
	errBindExpires = &api.Error{Code: 400, Text: "EXPIRES_AT_INVALID"}
	errBindPerm    = &api.Error{Code: 400, Text: "TEMP_AUTH_KEY_EMPTY"}
	errBindTwice   = &api.Error{Code: 400, Text: "TEMP_AUTH_KEY_ALREADY_BOUND"}
)

// runBind answers auth.bindTempAuthKey, bare or wrapped: TDLib sends it inside initConnection, packed.
func (c *Cluster) runBind(now time.Time, q *query) {
	var req mt.AuthBindTempAuthKeyRequest
	if err := tl.Unmarshal(q.query, &req); err != nil {
		c.violateQuery(now, q, RuleTL, err.Error())
		c.fail(now, q, errFetch)
		return
	}
	if err := c.faultQuery(now, q); err != nil {
		c.fail(now, q, err)
		return
	}
	k := q.s.key
	if c.hit(now, FaultBindInvalid, place{dc: k.dc.id, conn: q.conn, perm: req.PermAuthKeyID}) != nil {
		c.ledger.bind(now, k, req.PermAuthKeyID, errBindInvalid)
		c.fail(now, q, errBindInvalid)
		return
	}
	perm, err := c.verifyBind(now, q, &req)
	c.ledger.bind(now, k, req.PermAuthKeyID, err)
	if err != nil {
		c.fail(now, q, err)
		return
	}
	if c.cfg.BindStrict {
		for _, other := range slices.Clone(perm.temps) {
			if other != k {
				c.removeKey(now, other, "replaced")
			}
		}
	}
	c.bind(k, perm, time.Unix(int64(req.ExpiresAt), 0))
	if q.app != nil {
		_ = c.initGate(now, q) // what is wrong with it, the next query hears
	}
	c.finish(now, q, tl.AppendBool(nil, true), false)
}

// verifyBind checks the binding message byte for byte (reference 7.3).
func (c *Cluster) verifyBind(now time.Time, q *query, req *mt.AuthBindTempAuthKeyRequest) (*authKey, *api.Error) {
	k := q.s.key
	if !k.temp {
		c.violateQuery(now, q, RuleBind, "a bind under a perm key")
		return nil, errBindPerm
	}
	perm := k.dc.keys[crypt.KeyID(req.PermAuthKeyID)]
	if perm == nil || perm.temp {
		return nil, errBindInvalid
	}
	if k.perm != nil && k.perm != perm {
		c.violateQuery(now, q, RuleBind, "the temp key is bound to another perm key")
		return nil, errBindTwice
	}
	msgID, seqNo, inner, err := crypt.DecryptBind(perm.key, req.EncryptedMessage)
	if err != nil {
		c.violateQuery(now, q, RuleBind, err.Error())
		return nil, errBindInvalid
	}
	want := mt.BindAuthKeyInner{
		Nonce: req.Nonce, TempAuthKeyID: int64(k.id()), PermAuthKeyID: req.PermAuthKeyID,
		TempSessionID: q.s.id, ExpiresAt: req.ExpiresAt,
	}
	if text := bindMismatch(inner, want.Append(nil), msgID, q.msgID, seqNo); text != "" {
		c.violateQuery(now, q, RuleBind, text)
		return nil, errBindInvalid
	}
	t := k.dc.clock(now)
	if until := time.Unix(int64(req.ExpiresAt), 0); !until.After(t) || until.After(k.expires.Add(c.cfg.BindSlack)) {
		c.violateQuery(now, q, RuleBind, "expires_at outside the life of the temp key")
		return nil, errBindExpires
	}
	return perm, nil
}

// bindMismatch says in what the binding message differs from the request that carries it; "" if in nothing.
func bindMismatch(inner, want []byte, msgID, outerID int64, seqNo int32) string {
	fields := []struct {
		name     string
		from, to int
	}{
		{"constructor", 0, 4}, {"nonce", 4, 12}, {"temp_auth_key_id", 12, 20}, {"perm_auth_key_id", 20, 28},
		{"temp_session_id", 28, 36}, {"expires_at", 36, 40},
	}
	switch {
	case msgID != outerID:
		return "msg_id differs from the message that carries it"
	case seqNo != 0:
		return "seqno is not 0"
	case len(inner) != len(want):
		return "inner message has another length"
	}
	for _, f := range fields {
		if !bytes.Equal(inner[f.from:f.to], want[f.from:f.to]) {
			return f.name + " differs from the request"
		}
	}
	return ""
}

// dropTempKeys answers auth.dropTempAuthKeys: temp keys of the same perm key go, except those listed and the one that
// carries the call.
func (c *Cluster) dropTempKeys(now time.Time, q *query) api.Reply {
	var req tg.AuthDropTempAuthKeysRequest
	if err := tl.Unmarshal(q.query, &req); err != nil {
		c.violateQuery(now, q, RuleTL, err.Error())
		return api.Reply{Err: errFetch}
	}
	k := q.s.key
	delay, refused := c.api.Admit(c.request(now, q), methodDropTemp)
	// TDLib drops its temp keys before anybody has signed in, and takes a 401 for the loss of its login.
	if refused != nil && refused.Text != "AUTH_KEY_UNREGISTERED" {
		return api.Reply{Err: refused, Delay: delay}
	}
	for _, t := range slices.Clone(k.owner().temps) {
		if t != k && !slices.Contains(req.ExceptAuthKeys, int64(t.id())) {
			c.removeKey(now, t, "dropped")
		}
	}
	return api.Reply{Body: tl.AppendBool(nil, true), Delay: delay}
}
