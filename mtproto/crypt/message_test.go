package crypt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
)

// packetVectors are whole packets: self-made, of other implementations, and one of a real server.
func packetVectors(t testing.TB) []packetVector {
	real := readVectors(t, "server_packet.txt")
	hello := unhex("efbeaddeaddeefbe efbeedfeedfeefbe 3412efbeefbe3412 09030000 10000000") // salt, session, msg_id, seqno 777, length
	hello = append(append(hello, "hello, world!!!!"...), unhex("29afd26df40fb8ed10b6b4ad6d56ef5d")...)
	text := append([]byte("Hello, world! This data should remain secure!"), make([]byte, 19)...)
	return []packetVector{
		{"mtcute client", key1(t), Client, hello, unhex("40fa5bb7cb56a895f6f5a88914892aadf87c68031cc953ba29d68e118021f329be386a620d49f3ad3a50c60dcef3733f214e8cefa3e403c11d193637d4971dc1 5db7f74b26fd16cb0e8fee30bf7e3f68858fe82927e2cd06")},
		{"mtcute server", key1(t), Server, hello, unhex("40fa5bb7cb56a8950c394b884f1529efc42fea22d972fea650a714ce6d2d1bdb3d98ff5929b8768c401771a69795f36a7e720dcafac2efbccd0ba368e8a7f48b 07362cac1a32ffcabe188b51a36cc4d54e1d0633cf9eaf35")},
		{"ping", key0(t), Client,
			unhex("887766554433221100ffeeddccbbaa9904000000fdc0ab65010000000c000000ec77be7aefcdab8967452301a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3"),
			unhex("32d1586ea457dfc8f65354742a8dc695ac7ffced17e19857f2b46d25a9f6f5676732031bd1af6f0677052c897da78c39502017c2c6fe316b0a9e01ff9b1e1034 68a90705ac0ca94431683867a89c7b30dffdb35ceb7bfda7")},
		{"pong", key0(t), Server,
			unhex("887766554433221100ffeeddccbbaa9901000000fec0ab650200000014000000c573773404000000fdc0ab65efcdab8967452301b0b1b2b3b4b5b6b7b8b9babb"),
			unhex("32d1586ea457dfc81f86518ae3c6800926abac8c2959a895c5781971f44a7dde14239c85ca4cd60c8b6f7d63d0b72d9df4b4c72590323379dd8c8d49e2139872 48ddef845e8285c30d25dbd0becc43ba9a0bc4f1ee6ef993")},
		{"grammers client", key0(t), Client, text, unhex("32d1586ea457dfc8a81729d46db54019a2bfd7f744f9b96c4f716cfdc4477db2a2c15f6ddb85235fb9552f1d8407c6aaea00cc844c5a1bf6ac44b79b5edc2a23 868b3d6073a590992c0f2975243d563ea180d218ee757c9a")},
		{"real server", mustKey(t, real["auth_key"]), Server, real["plaintext"], real["packet"]},
	}
}

type packetVector struct {
	name              string
	key               *AuthKey
	from              Side
	plaintext, packet []byte
}

func TestPacketVectors(t *testing.T) {
	for _, v := range packetVectors(t) {
		packet := append(make([]byte, headerSize), v.plaintext...)
		seal(v.key, v.from, packet)
		wantBytes(t, v.name+" encrypted", packet, v.packet)

		if id, ok := PacketKeyID(v.packet); !ok || id != v.key.ID() {
			t.Errorf("%s: key id %s, %v", v.name, id, ok)
		}
		plaintext, err := Decrypt([]byte("before"), v.key, v.from, v.packet)
		if err != nil {
			t.Fatalf("%s: %v", v.name, err)
		}
		wantBytes(t, v.name+" decrypted", plaintext, append([]byte("before"), v.plaintext...))
		for junk := 1; junk < 16; junk++ {
			got, err := Decrypt(nil, v.key, v.from, append(bytes.Clone(v.packet), make([]byte, junk)...))
			if err != nil || !bytes.Equal(got, v.plaintext) {
				t.Errorf("%s with %d bytes of transport padding: %v", v.name, junk, err)
			}
		}
	}
}

func TestDecryptRefuses(t *testing.T) {
	v := packetVectors(t)[2]
	flip := func(i int) []byte {
		p := bytes.Clone(v.packet)
		p[i] ^= 1
		return p
	}
	tests := []struct {
		name   string
		packet []byte
		from   Side
		want   error
	}{
		{"nothing", nil, Client, ErrShortPacket},
		{"a header alone", v.packet[:24], Client, ErrShortPacket},
		{"two blocks", v.packet[:24+32], Client, ErrShortPacket},
		{"another key id", flip(0), Client, ErrKeyID},
		{"another msg_key", flip(8), Client, ErrMsgKey},
		{"a changed first block", flip(24), Client, ErrMsgKey},
		{"a changed last byte", flip(len(v.packet) - 1), Client, ErrMsgKey},
		{"a block cut off", v.packet[:len(v.packet)-16], Client, ErrMsgKey},
		{"the other direction", v.packet, Server, ErrMsgKey},
	}
	for _, test := range tests {
		dst := make([]byte, 3, 500)
		got, err := Decrypt(dst, v.key, test.from, test.packet)
		var de *DecryptError
		if !errors.As(err, &de) || !errors.Is(err, test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
		if len(got) != 3 || !bytes.Equal(got[:200], make([]byte, 200)) {
			t.Errorf("%s: left decrypted bytes behind", test.name)
		}
	}
	if _, ok := PacketKeyID(make([]byte, 7)); ok {
		t.Error("7 bytes have a key id")
	}
}

func TestEncryptedMessageComesBackPadded(t *testing.T) {
	k, rand := key1(t), seeded(1)
	sizes := map[int]bool{}
	for n := 32; n < 200; n += 4 {
		plaintext := ascending(n)
		packet, err := AppendEncrypted([]byte{1, 2, 3}, k, Client, plaintext, rand)
		if err != nil {
			t.Fatal(err)
		}
		wantBytes(t, "prefix", packet[:3], []byte{1, 2, 3})
		got, err := Decrypt(nil, k, Client, packet[3:])
		if err != nil {
			t.Fatal(err)
		}
		wantBytes(t, "plaintext", got[:n], plaintext)
		padding := len(got) - n
		if padding < 12 || padding > 1024 || len(got)%16 != 0 {
			t.Errorf("%d bytes got %d of padding", n, padding)
		}
		sizes[padding/16] = true
	}
	if len(sizes) < 8 {
		t.Errorf("42 messages have only %d amounts of padding", len(sizes))
	}
	dst := []byte{1, 2, 3}
	got, err := AppendEncrypted(dst, k, Client, ascending(32), io.LimitReader(rand, 20))
	if !errors.Is(err, io.ErrUnexpectedEOF) || len(got) != 3 {
		t.Errorf("failing randomness: %d bytes, %v", len(got), err)
	}
}

func TestQuickAckToken(t *testing.T) {
	v := packetVectors(t)[2]
	if got := QuickAckToken(v.key, v.from, v.plaintext); got != 0x92bc05b8 {
		t.Errorf("token %#x", got)
	}
}

func TestBindVector(t *testing.T) {
	descending := make([]byte, 256)
	for i := range descending {
		descending[i] = byte(255 - i)
	}
	perm := mustKey(t, descending)
	if perm.ID().String() != "96d1b10e8f724a13" {
		t.Fatal("perm key id", perm.ID())
	}
	inner := unhex("65f7a375070605040302010032d1586ea457dfc896d1b10e8f724a13706050403020100080857467")
	const msgID = 0x65abc0fd00000008
	got, err := EncryptBind(perm, msgID, inner, bytes.NewReader(bytes.Repeat([]byte{0xcd}, 24)))
	if err != nil {
		t.Fatal(err)
	}
	wantBytes(t, "encrypted_message", got, unhex("96d1b10e8f724a13dfa7ae20d1fe9cee052ddc0b08243b5830c598731e360288de0a36921a778539ac5c591e59406cdf0c91282900d5ba0af06bd3a244b56897 daf965b02ecdecf44850667fe59c72e23bfd2342604d730aeb38ddf0a9bdae89dd0a631d726a6db2"))

	id, seqno, back, err := DecryptBind(perm, got)
	if err != nil || id != msgID || seqno != 0 {
		t.Errorf("msg_id %#x seqno %d: %v", id, seqno, err)
	}
	wantBytes(t, "inner", back, inner)

	for i := range got[:BindMessageSize-16] { // the last block holds inner bytes 32..40 and padding
		bad := bytes.Clone(got)
		bad[i] ^= 0x10
		if _, _, _, err := DecryptBind(perm, bad); !errors.Is(err, ErrBindMessage) {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
	for _, bad := range [][]byte{nil, got[:103], append(bytes.Clone(got), 0)} {
		if _, _, _, err := DecryptBind(perm, bad); !errors.Is(err, ErrBindMessage) {
			t.Errorf("%d bytes: %v", len(bad), err)
		}
	}
	if _, err := EncryptBind(perm, 1, inner[:39], seeded(1)); err == nil {
		t.Error("39 bytes of inner accepted")
	}
	if _, err := EncryptBind(perm, 1, inner, bytes.NewReader(make([]byte, 23))); err == nil {
		t.Error("failing randomness unnoticed")
	}
}

// FuzzDecrypt: no packet panics, and what decrypts was sealed with the key.
func FuzzDecrypt(f *testing.F) {
	for _, v := range packetVectors(f) {
		f.Add(v.packet)
	}
	f.Add([]byte{})
	k := key0(f)
	f.Fuzz(func(t *testing.T, packet []byte) {
		for _, from := range []Side{Client, Server, -7, 9} {
			plaintext, err := Decrypt(nil, k, from, packet)
			if err != nil {
				continue
			}
			again := append(make([]byte, headerSize), plaintext...)
			seal(k, from, again)
			if !bytes.Equal(again, packet[:len(again)]) {
				t.Fatalf("decrypted packet does not encrypt to itself")
			}
		}
		if len(packet) >= 8 {
			binary.LittleEndian.PutUint64(packet, uint64(k.ID()))
			_, _, _, _ = DecryptBind(k, packet)
		}
	})
}
