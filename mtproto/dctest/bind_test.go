package dctest_test

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/internal/raw"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/mt"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// unbound connects and makes a perm key and a temp key that is not bound yet.
func (w *world) unbound(life time.Duration) (*peer, time.Time) {
	p := w.withPerm(2)
	r := p.makeKey(true, life)
	p.Client = raw.New(r, rand.Reader, random64())
	return p, r.ExpiresAt
}

func TestBindMatrix(t *testing.T) {
	// Each case may change the inner message, its envelope or the request before it is sent.
	type bindParts struct {
		inner    mt.BindAuthKeyInner
		innerID  int64 // msg_id inside
		req      mt.AuthBindTempAuthKeyRequest
		sealWith *crypt.AuthKey
		mangle   func([]byte)
	}
	cases := []struct {
		name   string
		change func(p *peer, b *bindParts)
		want   string
	}{
		{"as it should be", func(*peer, *bindParts) {}, "true"},
		{"30 s beyond the key's end, as tdesktop", func(_ *peer, b *bindParts) {
			b.inner.ExpiresAt += 30
			b.req.ExpiresAt += 30
		}, "true"},
		{"other nonce", func(_ *peer, b *bindParts) { b.inner.Nonce++ }, "ENCRYPTED_MESSAGE_INVALID"},
		{"other session", func(_ *peer, b *bindParts) { b.inner.TempSessionID++ }, "ENCRYPTED_MESSAGE_INVALID"},
		{"other temp key", func(_ *peer, b *bindParts) { b.inner.TempAuthKeyID++ }, "ENCRYPTED_MESSAGE_INVALID"},
		{"other perm key inside", func(_ *peer, b *bindParts) { b.inner.PermAuthKeyID++ }, "ENCRYPTED_MESSAGE_INVALID"},
		{"other expiry inside", func(_ *peer, b *bindParts) { b.inner.ExpiresAt-- }, "ENCRYPTED_MESSAGE_INVALID"},
		{"other msg_id", func(_ *peer, b *bindParts) { b.innerID += 4 }, "ENCRYPTED_MESSAGE_INVALID"},
		{"unknown perm key", func(_ *peer, b *bindParts) { b.req.PermAuthKeyID++ }, "ENCRYPTED_MESSAGE_INVALID"},
		{"sealed with the temp key", func(p *peer, b *bindParts) { b.sealWith = p.Key }, "ENCRYPTED_MESSAGE_INVALID"},
		{"damaged", func(_ *peer, b *bindParts) { b.mangle = func(m []byte) { m[50] ^= 1 } }, "ENCRYPTED_MESSAGE_INVALID"},
		{"cut", func(_ *peer, b *bindParts) { b.mangle = func(m []byte) { clear(m[88:]) } }, "ENCRYPTED_MESSAGE_INVALID"},
		{"in the past", func(p *peer, b *bindParts) {
			b.inner.ExpiresAt = int32(p.w.now.Unix() - 1)
			b.req.ExpiresAt = b.inner.ExpiresAt
		}, "EXPIRES_AT_INVALID"},
		{"ten days ahead", func(p *peer, b *bindParts) {
			b.inner.ExpiresAt = int32(p.w.now.Add(240 * time.Hour).Unix())
			b.req.ExpiresAt = b.inner.ExpiresAt
		}, "EXPIRES_AT_INVALID"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, nil)
			p, expires := w.unbound(0)
			id := p.NextID(w.now)
			b := &bindParts{innerID: id, sealWith: p.perm}
			b.inner = mt.BindAuthKeyInner{
				Nonce: 77, TempAuthKeyID: int64(p.Key.ID()), PermAuthKeyID: int64(p.perm.ID()),
				TempSessionID: p.Session, ExpiresAt: int32(expires.Unix()),
			}
			b.req = mt.AuthBindTempAuthKeyRequest{
				PermAuthKeyID: b.inner.PermAuthKeyID, Nonce: 77, ExpiresAt: b.inner.ExpiresAt,
			}
			tc.change(p, b)
			var err error
			if b.req.EncryptedMessage, err = crypt.EncryptBind(b.sealWith, b.innerID, b.inner.Append(nil), rand.Reader); err != nil {
				t.Fatal(err)
			}
			if b.mangle != nil {
				b.mangle(b.req.EncryptedMessage)
			}
			m := raw.Message{ID: id, SeqNo: 1, Body: b.req.Append(nil)}
			p.Content++
			p.send(m)
			if got := p.resultOf(id); got != tc.want {
				t.Fatalf("bind answered %s, want %s", got, tc.want)
			}
			want := "CONNECTION_NOT_INITED" // bound, but not initialised
			if got := p.call(&tg.UpdatesGetStateRequest{}); got != want {
				t.Errorf("the next query answered %s, want %s", got, want)
			}
			init := p.Message(w.now, raw.Wrap(tg.Layer, 1, &tg.UpdatesGetStateRequest{}), true)
			p.send(init)
			if want = "true"; tc.want != "true" {
				want = "AUTH_KEY_PERM_EMPTY"
			}
			if got := p.resultOf(init.ID); got != want {
				t.Errorf("a query with initConnection answered %s, want %s", got, want)
			}
		})
	}
}

func TestUnboundTempKeyMayCallThreeMethods(t *testing.T) {
	w := newWorld(t, nil)
	p, expires := w.unbound(0)
	p.inited() // help.getConfig
	if got := p.call(&tg.HelpGetNearestDCRequest{}); got != "true" {
		t.Errorf("help.getNearestDc: %s", got)
	}
	if got := p.call(echoOf(1)); got != "AUTH_KEY_PERM_EMPTY" {
		t.Errorf("testdc.echo: %s", got)
	}
	if got := p.bindNow(expires); got != "true" {
		t.Errorf("auth.bindTempAuthKey: %s", got)
	}
	for _, r := range w.half.requests {
		if !r.Unbound || r.Perm != 0 {
			t.Errorf("request %+v: want one of an unbound key", r)
		}
	}
}

func TestBindOnAPermKeyAndToASecondPermKey(t *testing.T) {
	w := newWorld(t, nil)
	p := w.withPerm(2)
	if got := p.bindNow(w.now.Add(time.Hour)); got != "TEMP_AUTH_KEY_EMPTY" {
		t.Errorf("a bind under the perm key: %s", got)
	}
	p.rotate(24 * time.Hour)
	other := w.withPerm(2)
	p.perm = other.perm
	if got := p.bindNow(w.now.Add(time.Hour)); got != "TEMP_AUTH_KEY_ALREADY_BOUND" {
		t.Errorf("a second bind to another perm key: %s", got)
	}
}

func TestBindStrictCutsOffEarlierTempKeys(t *testing.T) {
	for _, strict := range []bool{false, true} {
		w := newWorld(t, func(c *dctest.Config) { c.BindStrict = strict })
		first := w.withTemp(2).inited()
		second := *first
		second.open()
		second.rotate(24 * time.Hour)
		second.inited()
		if !second.echoed(1) {
			t.Errorf("strict %v: the newer key does not work", strict)
		}
		first.send(first.Query(w.now, echoOf(2)))
		if code := first.wire().code; (code == -404) != strict {
			t.Errorf("strict %v: the older key got transport error %d", strict, code)
		}
	}
}

func TestTempKeyLivesExactlyAsLongAsItWasAskedFor(t *testing.T) { // P52
	w := newWorld(t, nil)
	p, expires := w.unbound(time.Minute)
	if got := p.bindNow(expires); got != "true" {
		t.Fatal(got)
	}
	p.inited()
	w.sleep(58 * time.Second)
	if !p.echoed(1) {
		t.Fatal("the key died early")
	}
	w.sleep(3 * time.Second)
	p.send(p.Query(w.now, echoOf(2)))
	if code := p.wire().code; code != -404 {
		t.Errorf("after its life the key got %d, want -404", code)
	}
	if w.c.KeyAlive(w.now, 2, int64(p.Key.ID())) {
		t.Error("the key is still there")
	}
}

func TestBindingEndsAtItsOwnExpiry(t *testing.T) {
	w := newWorld(t, nil)
	p, _ := w.unbound(time.Hour)
	if got := p.bindNow(w.now.Add(time.Minute)); got != "true" {
		t.Fatal(got)
	}
	p.inited()
	w.sleep(61 * time.Second)
	if got := p.call(echoOf(1)); got != "AUTH_KEY_PERM_EMPTY" {
		t.Errorf("after expires_at: %s", got)
	}
}

func TestDropTempAuthKeysSparesTheListedAndTheCaller(t *testing.T) {
	w := newWorld(t, nil)
	a := w.withTemp(2).inited()
	b, c := *a, *a
	for _, p := range []*peer{&b, &c} {
		p.open()
		p.rotate(24 * time.Hour)
		p.inited()
	}
	if got := c.call(&tg.AuthDropTempAuthKeysRequest{ExceptAuthKeys: []int64{int64(b.Key.ID())}}); got != "true" {
		t.Fatal(got)
	}
	for i, p := range []*peer{a, &b, &c} {
		p.send(p.Query(w.now, echoOf(int64(i))))
		if gone := p.wire().code == -404; gone != (i == 0) {
			t.Errorf("key %d: gone is %v", i, gone)
		}
	}
}

func TestBindFaults(t *testing.T) {
	w := newWorld(t, nil)
	p, expires := w.unbound(0)
	w.fault(dctest.Fault{Kind: dctest.FaultBindInvalid})
	if got := p.bindNow(expires); got != "ENCRYPTED_MESSAGE_INVALID" {
		t.Errorf("first bind: %s", got)
	}
	w.fault(dctest.Fault{Kind: dctest.FaultBindSalt})
	p.send(p.bindMessage(expires))
	notice := p.take(mt.BadServerSaltID)
	if notice == nil {
		t.Fatal("second bind: no bad_server_salt")
	}
	var bad mt.BadServerSalt
	if err := tl.Unmarshal(notice.Body, &bad); err != nil {
		t.Fatal(err)
	}
	p.Salt = 1 // not even the new one: a bind needs no salt
	if got := p.bindNow(expires); got != "true" {
		t.Errorf("third bind: %s", got)
	}
	p.Salt = bad.NewServerSalt
	p.inited()
	w.noViolations()
	l := w.c.Ledger()
	if l.Counts.Binds != 1 || l.Counts.BindErrors != 1 || len(l.Binds) != 2 {
		t.Errorf("counts %+v", l.Counts)
	}
}

func TestBindInsideAContainer(t *testing.T) {
	w := newWorld(t, nil)
	p, expires := w.unbound(0)
	p.Salt = 99 // a container with a bind needs no salt either
	m := p.bindMessage(expires)
	p.send(p.Container(w.now, m, p.Service(w.now, &mt.PingRequest{PingID: 1})))
	if got := p.resultOf(m.ID); got != "true" {
		t.Errorf("bind in a container: %s", got)
	}
	if p.take(mt.PongID) == nil {
		t.Error("no pong")
	}
	w.noViolations()
}
