package handshake

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/tl/mt"
)

// drain takes the outputs of a client, running work at once, and returns the bodies it sent.
func drain(t *testing.T, c *Client, now time.Time) (bodies [][]byte, result *Result) {
	t.Helper()
	for out, ok := c.Next(); ok; out, ok = c.Next() {
		switch out.Kind {
		case OutPacket:
			body, err := parsePlain(out.Packet, msgIDClient)
			if err != nil {
				t.Fatal(err)
			}
			bodies = append(bodies, body)
		case OutWork:
			c.Done(now, out.Work())
		case OutDone:
			result = out.Result
		case OutFailed:
			t.Fatal(out.Err)
		}
	}
	return bodies, result
}

func answerPacket(body []byte) []byte { return appendPlain(nil, 5, body) }

// A handshake with a real server, byte for byte, with the randomness of the recording.
func TestRecordedHandshake(t *testing.T) {
	v := readVectors(t, "recorded.txt")
	step2, step3 := v["step2_random"], v["step3_random"]
	now := time.Unix(1693436740, 0)
	c := NewClient(ClientConfig{
		Keys: publicKeys(t, "test_servers.pem"), Group: wellKnown(),
		// In the order of the handshake: nonce, new_nonce, data padding, temp_key, b, padding. Nothing else is read.
		Rand: bytes.NewReader(bytes.Join([][]byte{v["nonce"], step2[:32], step2[32 : 32+96], step2[32+192:], step3[:256], step3[256:268]}, nil)),
	})
	c.omitDC = true

	expect := func(what string, want []byte) {
		t.Helper()
		bodies, _ := drain(t, c, now)
		if len(bodies) != 1 {
			t.Fatalf("%s: %d packets", what, len(bodies))
		}
		wantBytes(t, what, bodies[0], want)
	}
	c.Start(now)
	expect("req_pq_multi", v["request"])
	c.Receive(now, answerPacket(v["resPQ"]))
	expect("req_DH_params", v["req_DH_params"])
	wantBytes(t, "tmp_aes_key", c.tmpKey[:], v["tmp_aes_key"])
	wantBytes(t, "tmp_aes_iv", c.tmpIV[:], v["tmp_aes_iv"])
	c.Receive(now, answerPacket(v["server_DH_params_ok"]))
	expect("set_client_DH_params", v["set_client_DH_params"])
	c.Receive(now, answerPacket(v["dh_gen_ok"]))
	_, result := drain(t, c, now)
	if result == nil {
		t.Fatal("no result")
	}
	wantBytes(t, "auth key", result.Key.Bytes(), v["auth_key"])
	if result.Key.ID().String() != "9cfd4a95546f4614" || result.ServerSalt != 4459407212920268508 || result.TimeOffset != 0 ||
		result.Fingerprint != -5595554452916591101 || !result.ExpiresAt.IsZero() || result.Proven != nil {
		t.Errorf("result %+v", result)
	}
}

// The sample of the documentation. Its RSA block cannot be computed again, because its temp_key is not published.
func TestSampleHandshake(t *testing.T) {
	v := readVectors(t, "sample.txt")
	now := time.Unix(0x65abc0fc, 0x0df764) // the sample's first msg_id
	c := NewClient(ClientConfig{
		Keys: publicKeys(t, "production.pem"), Group: wellKnown(), DC: 2,
		Rand: &script{rest: seeded(1), bySize: map[int][][]byte{16: {v["nonce"]}, 32: {v["new_nonce"]}, 256: {v["b"]}, 12: {v["client_padding"]}}},
	})
	c.Start(now)
	out, _ := c.Next()
	wantBytes(t, "request packet", out.Packet, bytes.Join([][]byte{make([]byte, 8), v["request_msg_id"], {20, 0, 0, 0, 0xf1, 0x8e, 0x7e, 0xbe}, v["nonce"]}, nil))

	nonces := append(bytes.Clone(v["nonce"]), v["server_nonce"]...)
	var fingerprints []int64
	for fp := v["fingerprints"]; len(fp) > 0; fp = fp[8:] {
		fingerprints = append(fingerprints, int64(binary.LittleEndian.Uint64(fp)))
	}
	resPQ := (&mt.ResPQ{Nonce: c.nonce, ServerNonce: [16]byte(v["server_nonce"]), PQ: v["pq"], ServerPublicKeyFingerprints: fingerprints}).Append(nil)
	wantBytes(t, "nonces of resPQ", resPQ[4:36], nonces)

	// The sample's lengths count random bytes behind the object: 184 for 80, 668 for 632, 112 for 52.
	junk := func(body []byte, length int) []byte {
		msgID := int64(binary.LittleEndian.Uint64(v["answer_msg_id"]))
		return appendPlain(nil, msgID, append(body, bytes.Repeat([]byte{0x5a}, length-len(body))...))
	}
	c.Receive(now, junk(resPQ, 184))
	bodies, _ := drain(t, c, now)
	var req mt.ReqDHParamsRequest
	if n, err := parse(bodies[0], &req); err != nil || n != len(bodies[0]) {
		t.Fatal(err)
	}
	wantBytes(t, "p", req.P, v["p"])
	wantBytes(t, "q", req.Q, v["q"])
	if req.PublicKeyFingerprint != -3414540481677951611 || len(req.EncryptedData) != 256 {
		t.Errorf("fingerprint %d, %d bytes", req.PublicKeyFingerprint, len(req.EncryptedData))
	}

	c.Receive(now, junk((&mt.ServerDHParamsOk{Nonce: c.nonce, ServerNonce: c.serverNonce, EncryptedAnswer: v["encrypted_answer"]}).Append(nil), 668))
	bodies, _ = drain(t, c, now)
	var set mt.SetClientDHParamsRequest
	if n, err := parse(bodies[0], &set); err != nil || n != len(bodies[0]) {
		t.Fatal(err)
	}
	wantBytes(t, "encrypted_data", set.EncryptedData, v["encrypted_data"])

	c.Receive(now, junk((&mt.DHGenOk{Nonce: c.nonce, ServerNonce: c.serverNonce, NewNonceHash1: [16]byte(v["new_nonce_hash1"])}).Append(nil), 112))
	_, result := drain(t, c, now)
	if result == nil {
		t.Fatal("no result")
	}
	wantBytes(t, "auth key", result.Key.Bytes(), v["auth_key"])
	if result.ServerSalt != -97066050441302190 || result.TimeOffset.Round(time.Second) != time.Second {
		t.Errorf("salt %d, offset %v", result.ServerSalt, result.TimeOffset)
	}
}

// The server's half of the sample: with the sample's tmp key it reads what the sample's client sent.
func TestSampleServerReadsClient(t *testing.T) {
	v := readVectors(t, "sample.txt")
	key, iv := [32]byte(v["tmp_aes_key"]), [32]byte(v["tmp_aes_iv"])
	var inner mt.ClientDHInnerData
	if err := openHashed(v["encrypted_data"], &key, &iv, &inner); err != nil {
		t.Fatal(err)
	}
	wantBytes(t, "g_b", inner.GB, v["g_b"])
	var answer mt.ServerDHInnerData
	if err := openHashed(v["encrypted_answer"], &key, &iv, &answer); err != nil {
		t.Fatal(err)
	}
	wantBytes(t, "g_a", answer.GA, v["g_a"])
	again, err := sealHashed(answer.Append(nil), &key, &iv, bytes.NewReader(v["answer_padding"]))
	if err != nil {
		t.Fatal(err)
	}
	wantBytes(t, "encrypted_answer", again, v["encrypted_answer"])
}
