package dctest_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest/internal/raw"
	"github.com/mtfleet/mtfleet/tl/mt"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// FuzzPacket feeds a connection arbitrary packets, as they come from the transport.
func FuzzPacket(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0})
	f.Add(make([]byte, 40))
	f.Add((&mt.ReqPQMultiRequest{}).Append(append(make([]byte, 8), 4, 0, 0, 0, 0xfd, 0xc0, 0xab, 0x65, 20, 0, 0, 0)))
	f.Fuzz(func(t *testing.T, packet []byte) {
		w := newWorld(t, nil)
		p := w.connect(1)
		w.c.Packet(w.now, p.id, packet, true)
		w.settle()
	})
}

// FuzzMessage feeds a session arbitrary bodies under a good key: what a hostile client with an account can send.
func FuzzMessage(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	seed := &raw.Client{Session: 1}
	for _, o := range []interface{ Append([]byte) []byte }{
		&mt.PingRequest{PingID: 1}, &mt.PingDelayDisconnectRequest{DisconnectDelay: 75}, &mt.MsgsAck{MsgIDs: []int64{1, 2}},
		&mt.GetFutureSaltsRequest{Num: 64}, &mt.MsgsStateReq{MsgIDs: []int64{4}}, &mt.MsgResendReq{MsgIDs: []int64{5}},
		&mt.RPCDropAnswerRequest{ReqMsgID: 4}, &mt.DestroySessionRequest{SessionID: 3}, &mt.DestroyAuthKeyRequest{},
		&mt.AuthBindTempAuthKeyRequest{EncryptedMessage: make([]byte, 104)}, &mt.GzipPacked{PackedData: []byte{0x1f, 0x8b}},
		&tg.AuthDropTempAuthKeysRequest{ExceptAuthKeys: []int64{1}}, echoOf(1), &mt.HTTPWaitRequest{},
	} {
		f.Add(o.Append(nil), true)
	}
	f.Add(raw.Wrap(tg.Layer, 1, echoOf(2)), true)
	f.Add(withoutUpdates(echoOf(3)), true)
	f.Add(seed.Container(now, seed.Service(now, pingOf(1)), seed.Query(now, echoOf(1))).Body, false)
	base := newWorld(f, nil)
	key := base.withPerm(2)
	f.Fuzz(func(t *testing.T, body []byte, content bool) {
		if len(body) > 1<<16 {
			return
		}
		// One world for all inputs: the key takes long to make. Every input gets a session and a connection of its own.
		base.t = t
		p := *key
		if !base.c.KeyAlive(base.now, 2, int64(key.Key.ID())) {
			key = base.withPerm(2)
			p = *key
		}
		p.open()
		p.Client = &raw.Client{Key: key.Key, Rand: key.Rand, Salt: key.Salt, Session: rand.Int64() | 1}
		p.send(p.Message(base.now, body[:len(body)&^3], content))
		p.drop()
		base.now = base.now.Add(time.Microsecond)
	})
}
