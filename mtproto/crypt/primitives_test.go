package crypt

import (
	"crypto/aes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestIGEVectors(t *testing.T) {
	// The classic OpenSSL vector has an AES-128 key, which only the inner function takes.
	block, err := aes.NewCipher(ascending(16))
	if err != nil {
		t.Fatal(err)
	}
	iv := [32]byte(ascending(32))
	buf := make([]byte, 32)
	encryptIGE(block, &iv, buf)
	wantBytes(t, "AES-128 encrypt", buf, unhex("1a8519a6557be652e9da8e43da4ef4453cf456b4ca488aa383c79c98b34797cb"))
	decryptIGE(block, &iv, buf)
	wantBytes(t, "AES-128 decrypt", buf, make([]byte, 32))

	key := [32]byte(ascending(32))
	buf = ascending(32)
	if err := EncryptIGE(&key, &iv, buf); err != nil {
		t.Fatal(err)
	}
	wantBytes(t, "AES-256 encrypt", buf, unhex("e28112a53e5c89c7b1ea8071c133699fd4e86b26c4bac9fc5af1ab8ce27a44a4"))
	buf = ascending(32)
	if err := DecryptIGE(&key, &iv, buf); err != nil {
		t.Fatal(err)
	}
	wantBytes(t, "AES-256 decrypt", buf, unhex("e5777afacd7b2c16f7ac40cae61ef603fee6098fb8a8860ab9ee672cd7e5bacc"))
}

func TestIGERefusesBrokenBlocks(t *testing.T) {
	var key, iv [32]byte
	for _, n := range []int{1, 15, 17, 31} {
		buf := ascending(n)
		if err := EncryptIGE(&key, &iv, buf); !errors.Is(err, ErrBlockSize) {
			t.Errorf("encrypting %d bytes: %v", n, err)
		}
		if err := DecryptIGE(&key, &iv, buf); !errors.Is(err, ErrBlockSize) {
			t.Errorf("decrypting %d bytes: %v", n, err)
		}
		wantBytes(t, "refused buffer", buf, ascending(n))
	}
}

func TestIGEDoesNotAllocatePerBlock(t *testing.T) {
	var key, iv [32]byte
	small, large := make([]byte, 16), make([]byte, 16<<10)
	count := func(buf []byte) float64 {
		return testing.AllocsPerRun(20, func() { _ = EncryptIGE(&key, &iv, buf); _ = DecryptIGE(&key, &iv, buf) })
	}
	if a, b := count(small), count(large); a != b {
		t.Errorf("one block costs %v allocations, 1024 blocks %v", a, b)
	}
}

func TestKeyDerivationVectors(t *testing.T) {
	msgKey0 := [16]byte(ascending(16))
	msgKey1 := [16]byte(unhex("25d701f2a29205526757825a99eb2d32"))
	type derive func(*AuthKey, Side, *[16]byte) (key, iv [32]byte)
	tests := []struct {
		name    string
		k       *AuthKey
		msgKey  *[16]byte
		f       derive
		from    Side
		key, iv string
	}{
		{"K0 v2 client", key0(t), &msgKey0, deriveV2, Client, "704ed09c8b41668ae8f99d244738f71dbddc44469b6bbd4aa8573dd042bd059e", "4d266000a550edabbf4c7ce40fd0043cc92230184cd317a5cc9c2482fd3b9318"},
		{"K0 v2 server", key0(t), &msgKey0, deriveV2, Server, "217725799b245806458174a1fcfbc883906807b15033fdd0ea2b4d69cf9c364e", "669a6538917a4fa56ca32360a431c9160be4ad887140980dab91ce7bdc47ffbc"},
		{"K0 v1 client", key0(t), &msgKey0, DeriveV1, Client, "17d7295ca9213d1ab656acdb1ad48b2ea7f3a8f7095098d5508b900bbd5fccfc", "2d7d16a65a84108e9805656caa474501cc580aa2edc33abfd0bfad785464d1c6"},
		{"K0 v1 server", key0(t), &msgKey0, DeriveV1, Server, "bb17b07eb91110647098b069bd1a9b6fe5c4bcc3c31f8e67e831d07a61085f68", "5197fc1e25b41fe36f18b5a3a8b2b36cb2cb061f1f157b3514fe42e74fb58359"},
		{"K1 v2 client", key1(t), &msgKey1, deriveV2, Client, "af3f8e1ffa75f4c981eec33a3e5bbaa2ea48f9bb93e91597627eb1f67960a0c9", "9874d77f95155b35221bff94b7df4594c6996e2a62e44fcb7d93c8c4e41b79ee"},
		{"K1 v2 server", key1(t), &msgKey1, deriveV2, Server, "d4b378e1e0525f10ff9d4c42807ccce5b30a033a8088c0b922b5259421751648", "4d7194f42f0135d2fd83050b403265b4c40ee3e9e9fba56f0f4d8ea6bcb121f5"},
		{"K1 v1 client", key1(t), &msgKey1, DeriveV1, Client, "1fc7b40b1d9ffbdaf4d652525a748864259698f89214abf27c0d36cb9d4cd5db", "7251fbda39ec5e6e089f15ded5963b03d6d8d0f7078898431fc7b40b1d9ffbda"},
		{"K1 v1 server", key1(t), &msgKey1, DeriveV1, Server, "af0e4e01318654be40ab42b125909d43b44bdeef571ff1a5dfb81474ae26d467", "15c9ba6021d2c5cf04f0842540ae216a970b4eac8f46ef01af0e4e01318654be"},
	}
	for _, test := range tests {
		key, iv := test.f(test.k, test.from, test.msgKey)
		wantBytes(t, test.name+" key", key[:], unhex(test.key))
		wantBytes(t, test.name+" iv", iv[:], unhex(test.iv))
	}
	m := msgKeyV1([]byte("bind-message-test-payload"))
	wantBytes(t, "v1 msg_key", m[:], unhex("fc11a3669566de22b87f66550dc3de6d"))
}

func TestTmpKeyVectors(t *testing.T) {
	tests := []struct{ newNonce, serverNonce, key, iv string }{
		{"3bf48b2d3152f383d82d1f2b32ac7fb5", "8af24c551836e5ed7002f5857e6e71b2", "b0b5ffeadff0249fa6292f5ae0351556fd6619ba5dd4809601669292456d3e5a", "13fef5bfd8c46b12dfd1753013b86cc012e1ce8ed6f8ecdd7bf36f3a3bf48b2d"},
		{"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "000102030405060708090a0b0c0d0e0f", "0758f1533b615d24f6e8a94a6fcbee0a55eaab2217d7295ca9213d1a2d7d16a6", "5a84108e9805656ce864070e166e6218f6783e8511471a5ab7802cf200010203"},
	}
	for _, test := range tests {
		key, iv := tmpKeyIV(unhex(test.newNonce), unhex(test.serverNonce))
		wantBytes(t, "tmp_aes_key", key[:], unhex(test.key))
		wantBytes(t, "tmp_aes_iv", iv[:], unhex(test.iv))
	}
}

func TestSampleHandshakeHashes(t *testing.T) {
	v := readVectors(t, "sample.txt")
	k := mustKey(t, v["auth_key"])
	newNonce, serverNonce := [32]byte(v["new_nonce"]), [16]byte(v["server_nonce"])

	key, iv := TmpKeyIV(&newNonce, &serverNonce)
	wantBytes(t, "tmp_aes_key", key[:], v["tmp_aes_key"])
	wantBytes(t, "tmp_aes_iv", iv[:], v["tmp_aes_iv"])
	aux := k.AuxHash()
	wantBytes(t, "aux hash", aux[:], v["auth_key_aux_hash"])
	if k.ID() != 2277584007508191114 || k.ID().String() != "8ae7a271969a9b1f" {
		t.Errorf("key id %d %s", int64(k.ID()), k.ID())
	}
	for n, name := range map[byte]string{1: "new_nonce_hash1", 2: "new_nonce_hash2", 3: "new_nonce_hash3"} {
		hash := NewNonceHash(n, &newNonce, aux)
		wantBytes(t, name, hash[:], v[name])
	}
	hash := FailNonceHash(&newNonce)
	wantBytes(t, "fail hash", hash[:], v["fail_nonce_hash"])
	if salt := FirstSalt(&newNonce, &serverNonce); salt != -97066050441302190 {
		t.Errorf("first salt %d", salt)
	}
}

func TestAuthKey(t *testing.T) {
	k := key0(t)
	aux := k.AuxHash()
	wantBytes(t, "aux hash", aux[:], unhex("4916d6bdb7f78e68"))
	if k.ID().String() != "32d1586ea457dfc8" || key1(t).ID().String() != "40fa5bb7cb56a895" {
		t.Errorf("ids %s, %s", k.ID(), key1(t).ID())
	}
	if !k.Equal(key0(t)) || k.Equal(key1(t)) {
		t.Error("Equal is wrong")
	}
	k.Bytes()[0] = 1 // a copy: must not change the key
	wantBytes(t, "bytes", k.Bytes(), ascending(256))
	for _, n := range []int{0, 255, 257} {
		if _, err := NewAuthKey(make([]byte, n)); !errors.Is(err, ErrKeySize) {
			t.Errorf("key of %d bytes: %v", n, err)
		}
	}
	k.Wipe()
	wantBytes(t, "wiped", k.Bytes(), make([]byte, 256))
}

func TestSecretsDoNotPrint(t *testing.T) {
	k := key0(t)
	priv := testKey(t)
	const secret, secretDec = "0a0b0c", "10 11 12"
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		for _, x := range []any{k, *k, priv, *priv, struct{ K any }{k}, []*AuthKey{k}} {
			s := fmt.Sprintf(verb, x)
			if strings.Contains(strings.ToLower(s), secret) || strings.Contains(s, secretDec) || len(s) > 100 {
				t.Errorf("%s of %T prints %s", verb, x, s)
			}
		}
	}
	b, err := json.Marshal(map[string]any{"key": k, "rsa": priv})
	if want := `{"key":"AuthKey(32d1586ea457dfc8)","rsa":"` + priv.String() + `"}`; err != nil || string(b) != want {
		t.Errorf("json %s, %v", b, err)
	}
}
