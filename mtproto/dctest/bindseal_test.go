package dctest_test

import (
	"crypto/sha1"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dctest/internal/raw"
	"github.com/mtfleet/mtfleet/tl/mt"
)

// bindSeal is the encryption of a binding message written out once more, so that each of its parts can be wrong.
type bindSeal struct {
	seqNo  int32
	length int32 // that the envelope claims; 0 is what the inner message has
	x      int   // of the key derivation: 0 from clients, 8 from servers
	extra  int   // bytes behind the inner message that are part of it
	hash   int   // bytes hashed beyond the message: padding, as in version 2
}

func (o bindSeal) encrypt(perm *crypt.AuthKey, msgID int64, inner []byte) []byte {
	sum := func(parts ...[]byte) []byte {
		s := sha1.Sum(slices.Concat(parts...))
		return s[:]
	}
	inner = append(slices.Clone(inner), make([]byte, o.extra)...)
	length := int32(len(inner))
	if o.length != 0 {
		length = o.length
	}
	plain := make([]byte, 16, 80) // in place of salt and session id
	plain = binary.LittleEndian.AppendUint64(plain, uint64(msgID))
	plain = binary.LittleEndian.AppendUint32(plain, uint32(o.seqNo))
	plain = binary.LittleEndian.AppendUint32(plain, uint32(length))
	plain = append(plain, inner...)
	hashed := len(plain) + o.hash
	for len(plain)%16 != 0 || len(plain) < hashed {
		plain = append(plain, 0xaa)
	}
	mk, k := sum(plain[:hashed])[4:20], perm.Bytes()[o.x:]
	a, b := sum(mk, k[:32]), sum(k[32:48], mk, k[48:64])
	c, d := sum(k[64:96], mk), sum(mk, k[96:128])
	key := [32]byte(slices.Concat(a[:8], b[8:20], c[4:16]))
	iv := [32]byte(slices.Concat(a[8:20], b[:8], c[16:20], d[:8]))
	_ = crypt.EncryptIGE(&key, &iv, plain) // whole blocks: it cannot fail
	head := binary.LittleEndian.AppendUint64(nil, uint64(perm.ID()))
	return slices.Concat(head, mk, plain)
}

func TestABindThatIsSealedInAnotherWayIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		seal bindSeal
		want string
	}{
		"as it should be":              {bindSeal{}, "true"},
		"a seqno of 1":                 {bindSeal{seqNo: 1}, "ENCRYPTED_MESSAGE_INVALID"},
		"44 bytes inside":              {bindSeal{extra: 4}, "ENCRYPTED_MESSAGE_INVALID"},
		"44 bytes by its own word":     {bindSeal{length: 44}, "ENCRYPTED_MESSAGE_INVALID"},
		"derived as servers do":        {bindSeal{x: 8}, "ENCRYPTED_MESSAGE_INVALID"},
		"padding hashed with the rest": {bindSeal{hash: 8}, "ENCRYPTED_MESSAGE_INVALID"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			p, expires := w.unbound(0)
			id := p.NextID(w.now)
			inner := mt.BindAuthKeyInner{
				Nonce: 77, TempAuthKeyID: int64(p.Key.ID()), PermAuthKeyID: int64(p.perm.ID()),
				TempSessionID: p.Session, ExpiresAt: int32(expires.Unix()),
			}
			req := mt.AuthBindTempAuthKeyRequest{
				PermAuthKeyID: inner.PermAuthKeyID, Nonce: 77, ExpiresAt: inner.ExpiresAt,
				EncryptedMessage: c.seal.encrypt(p.perm, id, inner.Append(nil)),
			}
			p.Content++
			p.send(raw.Message{ID: id, SeqNo: 1, Body: req.Append(nil)})
			if got := p.resultOf(id); got != c.want {
				t.Errorf("answered %s, want %s", got, c.want)
			}
		})
	}
}

// A perm key that is a minute old and more is no other than a young one once it is forgotten: the bind says so, and under
// the key itself there is -404.
func TestAForgottenPermKeyIsGoneForItsTempKeysTooWhateverItsAge(t *testing.T) {
	for _, age := range []time.Duration{0, 2 * time.Minute} {
		w, b, u := withAPI(t)
		p := w.withPerm(2)
		p.signIn(u)
		w.sleep(age)
		w.forgetPerm(p)
		p.send(p.Query(w.now, echoOf(1)))
		if code := p.wire().code; code != -404 {
			t.Errorf("after %s, under the perm key: %d", age, code)
		}
		p.open()
		r := p.makeKey(true, 0)
		p.Client = raw.New(r, p.Rand, random64())
		if got := p.bindNow(r.ExpiresAt); got != "ENCRYPTED_MESSAGE_INVALID" {
			t.Errorf("after %s, a bind to it: %s", age, got)
		}
		if a := b.Authorizations(); len(a) != 1 || a[0].Why != "key_gone" || a[0].Ended.IsZero() {
			t.Errorf("after %s the ledger says %+v", age, a)
		}
		w.noViolations()
	}
}
