package mt_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/mt"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func array16(t testing.TB, s string) [16]byte { return [16]byte(unhex(t, s)) }

// The messages of a real handshake with Telegram's test environment in 2023, published with grammers.
const (
	realReqPQ = "f18e7ebe4e44b426241e8b839153122d44585ac6"
	realResPQ = `632416054e44b426241e8b839153122d44585ac665ba0b393e1094329eda2c42d62833030819546f942a11278d000000
		15c4b51c0300000003268d20df9858b2029f4ba16d109296216be86c022bb4c3`
	realDHGenOK = "34f7cb3b4e44b426241e8b839153122d44585ac665ba0b393e1094329eda2c42d628330313b781a0de4ab6bc7ab414cbe13f9f86"
)

func TestMessagesOfARealHandshake(t *testing.T) {
	nonce := array16(t, "4e44b426241e8b839153122d44585ac6")
	serverNonce := array16(t, "65ba0b393e1094329eda2c42d6283303")

	req := mt.ReqPQMultiRequest{Nonce: nonce}
	if got := hex.EncodeToString(req.Append(nil)); got != realReqPQ {
		t.Errorf("req_pq_multi: got %s", got)
	}

	b := unhex(t, realResPQ)
	var pq mt.ResPQ
	if err := tl.Unmarshal(b, &pq); err != nil {
		t.Fatal(err)
	}
	if pq.Nonce != nonce || pq.ServerNonce != serverNonce || hex.EncodeToString(pq.PQ) != "19546f942a11278d" ||
		len(pq.ServerPublicKeyFingerprints) != 3 || uint64(pq.ServerPublicKeyFingerprints[0]) != 0xb25898df208d2603 {
		t.Errorf("resPQ: %#v", pq)
	}
	if !bytes.Equal(pq.Append(nil), b) {
		t.Error("resPQ: appended differs from the original")
	}

	answer := mt.ParseAnySetClientDHParamsAnswer(tl.NewReader(unhex(t, realDHGenOK)))
	ok, is := answer.(*mt.DHGenOk)
	if !is || ok.Nonce != nonce || ok.ServerNonce != serverNonce ||
		ok.NewNonceHash1 != array16(t, "13b781a0de4ab6bc7ab414cbe13f9f86") {
		t.Errorf("dh_gen_ok: %#v", answer)
	}
}

// The container of the reference: a ping and an acknowledgment.
const container = `dcf8f1730200000004000000fdc0ab65010000000c000000ec77be7aefcdab896745230108000000fdc0ab65020000001400000059b4d662
	15c4b51c0100000001000000fcc0ab65`

func TestContainer(t *testing.T) {
	b := unhex(t, container)
	c := mt.MsgContainer{Messages: []mt.Message{
		{MsgID: 0x65abc0fd00000004, SeqNo: 1, Body: (&mt.PingRequest{PingID: 0x0123456789abcdef}).Append(nil)},
		{MsgID: 0x65abc0fd00000008, SeqNo: 2, Body: (&mt.MsgsAck{MsgIDs: []int64{0x65abc0fc00000001}}).Append(nil)},
	}}
	if got := c.Append(nil); !bytes.Equal(got, b) {
		t.Errorf("appended %x", got)
	}
	var back mt.MsgContainer
	if err := tl.Unmarshal(b, &back); err != nil || len(back.Messages) != 2 || back.Messages[1].SeqNo != 2 {
		t.Fatalf("parsed %v, %v", back.Messages, err)
	}
	var ack mt.MsgsAck
	if err := tl.Unmarshal(back.Messages[1].Body, &ack); err != nil || ack.MsgIDs[0] != 0x65abc0fc00000001 {
		t.Errorf("the second message: %v, %v", ack, err)
	}
	b[24] = 0xee
	if back.Messages[0].Body[0] != 0xee {
		t.Error("bodies should alias the packet")
	}
	if got := back.Messages[0].String(); got != "message(0x65abc0fd00000004, seqno 1, raw(7abe77ee, 12 bytes))" {
		t.Errorf("a message prints as %s", got)
	}
}

func TestContainerErrors(t *testing.T) {
	const head = "dcf8f173 01000000 04000000fdc0ab65 01000000"
	for name, test := range map[string]struct {
		input string
		want  error
	}{
		"another id":               {"00f8f173 00000000", tl.ErrConstructor},
		"negative count":           {"dcf8f173 ffffffff", tl.ErrLength},
		"more messages than bytes": {"dcf8f173 02000000" + strings.Repeat("00", 39), tl.ErrLength},
		"negative length":          {head + "fcffffff 00000000", tl.ErrLength},
		"length zero":              {head + "00000000 00000000", tl.ErrLength},
		"length not of words":      {head + "03000000 00000000", tl.ErrLength},
		"length beyond the end":    {head + "08000000 00000000", tl.ErrLength},
		"bytes after the last":     {head + "04000000 00000000 00000000", tl.ErrTrailing},
	} {
		if err := tl.Unmarshal(unhex(t, test.input), new(mt.MsgContainer)); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		}
	}
	if _, err := tl.Marshal(nil, &mt.MsgContainer{Messages: make([]mt.Message, 1)}); err == nil {
		t.Error("a message without a body was sent")
	}
}

func TestBindInner(t *testing.T) {
	inner := mt.BindAuthKeyInner{
		Nonce: 0x0001020304050607, TempAuthKeyID: -0x3720a85b91a72ece, PermAuthKeyID: 0x134a728f0eb1d196,
		TempSessionID: 0x0010203040506070, ExpiresAt: 1735689600,
	}
	const want = "65f7a375070605040302010032d1586ea457dfc896d1b10e8f724a13706050403020100080857467"
	if got := hex.EncodeToString(inner.Append(nil)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	call := mt.AuthBindTempAuthKeyRequest{
		PermAuthKeyID: inner.PermAuthKeyID, Nonce: inner.Nonce, ExpiresAt: inner.ExpiresAt,
		EncryptedMessage: make([]byte, 104),
	}
	b := call.Append(nil)
	if len(b) != 132 || !bytes.HasPrefix(b, unhex(t, "052ad4cd 96d1b10e8f724a13 0706050403020100 80857467 68")) {
		t.Errorf("auth.bindTempAuthKey: %d bytes, %x", len(b), b[:25])
	}
}

func TestRPCResultAliasesItsInput(t *testing.T) {
	b := (&mt.RPCResult{ReqMsgID: 7, Result: (&mt.RPCError{ErrorCode: 420, ErrorMessage: "FLOOD_WAIT_3"}).Append(nil)}).Append(nil)
	var result mt.RPCResult
	if err := tl.Unmarshal(b, &result); err != nil || result.Result.ID() != mt.RPCErrorID {
		t.Fatalf("%v, %v", result, err)
	}
	var rpcErr mt.RPCError
	if err := tl.Unmarshal(result.Result, &rpcErr); err != nil || rpcErr.ErrorCode != 420 || rpcErr.ErrorMessage != "FLOOD_WAIT_3" {
		t.Errorf("%v, %v", rpcErr, err)
	}
	b[12] = 0
	if result.Result[0] != 0 {
		t.Error("the result should alias the packet")
	}
}

func TestHandWrittenTypesRoundTrip(t *testing.T) {
	message := rapid.Custom(func(t *rapid.T) mt.Message {
		return mt.Message{
			MsgID: rapid.Int64().Draw(t, "msg_id"),
			SeqNo: rapid.Int32().Draw(t, "seqno"),
			Body:  tl.AppendBytes(tl.AppendUint32(nil, mt.GzipPackedID), rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "body")),
		}
	})
	salt := rapid.Custom(func(t *rapid.T) mt.FutureSalt {
		return mt.FutureSalt{
			ValidSince: rapid.Int32().Draw(t, "since"), ValidUntil: rapid.Int32().Draw(t, "until"),
			Salt: rapid.Int64().Draw(t, "salt"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		for _, v := range []tl.Object{
			&mt.MsgContainer{Messages: rapid.SliceOfN(message, 0, 4).Draw(t, "messages")},
			&mt.MsgCopy{OrigMessage: message.Draw(t, "orig_message")},
			&mt.FutureSalts{ReqMsgID: 1, Now: 2, Salts: rapid.SliceOfN(salt, 0, 4).Draw(t, "salts")},
		} {
			b := v.Append(nil)
			back := mt.New(v.TypeID())
			if err := tl.Unmarshal(b, back); err != nil || !bytes.Equal(back.Append(nil), b) {
				t.Fatalf("%s: %x, %v", v.TypeName(), b, err)
			}
			for cut := range b {
				if tl.Unmarshal(b[:cut], back) == nil {
					t.Fatalf("%s: %d of %d bytes were enough", v.TypeName(), cut, len(b))
				}
			}
		}
		key := mt.RSAPublicKey{N: rapid.SliceOf(rapid.Byte()).Draw(t, "n"), E: []byte{1, 0, 1}}
		var back mt.RSAPublicKey
		r := tl.NewReader(key.AppendBare(nil))
		if back.ParseBare(r); r.End() != nil || !bytes.Equal(back.N, key.N) || !bytes.Equal(back.E, key.E) {
			t.Fatalf("rsa_public_key: %v, %v", back, r.Err())
		}
	})
}

func TestNothingOfAValueIsPrinted(t *testing.T) {
	var log strings.Builder
	v := &mt.ServerDHParamsOk{EncryptedAnswer: []byte("a secret")}
	slog.New(slog.NewJSONHandler(&log, nil)).Info("got", "message", v, "raw", tl.Raw("a secret"))
	fmt.Fprintf(&log, "%v %+v %#v %s", v, v, v, v)
	if strings.Contains(log.String(), "secret") || !strings.Contains(log.String(), "server_DH_params_ok") ||
		strings.Contains(log.String(), "YSBzZWNyZXQ") {
		t.Errorf("printed %s", log.String())
	}
}

func FuzzParse(f *testing.F) {
	f.Add(unhex(f, realReqPQ))
	f.Add(unhex(f, realResPQ))
	f.Add(unhex(f, realDHGenOK))
	f.Add(unhex(f, container))
	f.Add((&mt.FutureSalts{Salts: make([]mt.FutureSalt, 2)}).Append(nil))
	f.Add((&mt.RPCResult{Result: (&mt.RPCError{ErrorMessage: "FLOOD_WAIT_3"}).Append(nil)}).Append(nil))
	f.Fuzz(func(t *testing.T, input []byte) {
		v := mt.New(tl.Raw(input).ID())
		if v == nil || tl.Unmarshal(input, v) != nil {
			return
		}
		// What was parsed can be appended; padding and unknown flags aside, it is the input.
		b, err := tl.Marshal(nil, v)
		if err != nil || len(b) > len(input) {
			t.Fatalf("%s: %d bytes became %d, %v", v.TypeName(), len(input), len(b), err)
		}
		again := mt.New(v.TypeID())
		if err := tl.Unmarshal(b, again); err != nil || !bytes.Equal(again.Append(nil), b) {
			t.Fatalf("%s: appended %x, which does not read back: %v", v.TypeName(), b, err)
		}
	})
}

func BenchmarkContainer(b *testing.B) {
	input := unhex(b, container)
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		var c mt.MsgContainer
		var r tl.Reader
		for b.Loop() {
			r.Reset(input)
			if c.Parse(&r); r.End() != nil {
				b.Fatal(r.Err())
			}
		}
	})
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		var c mt.MsgContainer
		if err := tl.Unmarshal(input, &c); err != nil {
			b.Fatal(err)
		}
		var buf []byte
		for b.Loop() {
			buf = c.Append(buf[:0])
		}
	})
}
