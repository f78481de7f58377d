package mtproto

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/tl"
)

func unhex(tb testing.TB, text string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// A packet that a real server sent, with its key, published as a test vector by grammers: a container of
// new_session_created and pong.
const (
	realKey = `5d2e7d65f49ec28bd029a88761ea27b8a4c79f12226525443e7d7c596ef3303530db2107e89aa997c7a0164ab694187adeff156bd6ef7118
a1962347753c0e7e89a0354b8ec364f9997e71bc6923fb86e8e43491e010606a6ce845e2fa01940977ef0aa32adf5a97dbf6d428ec0434d717a2d3ad19622cc0
5887642113c7965ffb862a3e3ccb0ab95addda57f89245dbd76b492348f8e94bd5a7c0e0b84808523cfd1ea80b32fe9ad198bc2e103fceb7d52492ecc0273a28
674bc923eee59265ab17a002df1f4aa2c59b819a5e5e1d105ec117336f5c76c6b187037d4b4270cee9cc21071d97e9bca220c6d7b01b998cf2e5cdb9a50ecda1
852a36e635690c8e`
	realPacket = `7a7183c2c10e4f4df945fa9a9abd35e7c3840b61f045304f39674c19c0e209784f50f6226a073529d675c92cbf0bfa8c99a79b3f39c72a
5d9a026d431ab7407ca04ecc55187d6c45f17871524edd90cea02ed728e14d7cb18aea2a636158f09459a9437710d894c79f368c4e8164b7647ea98612aefe94
2c5d92121acb8db02dccceb66d0f8720ac12a06db0582bfd955be34f365118e3bab8cd080ce6b45b28eac56dcd2a29374e`
	realPing = 0x5e308b91ad33fdc4
)

func TestRealServerPacket(t *testing.T) {
	key, err := crypt.NewAuthKey(unhex(t, realKey))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(0, msgID(realPing).nanos()).UTC()
	s, err := NewSession(Config{Rand: seeded(1)}, key)
	if err != nil {
		t.Fatal(err)
	}
	s.sessionID = int64(binary.LittleEndian.Uint64(unhex(t, "60f2c4822443ad68")))
	s.Connected(now)
	s.ping.waiting, s.ping.msgID, s.ping.nonce = true, realPing, 0x300864
	s.records.add(sentRecord{id: realPing, kind: sentPing})

	s.Receive(now.Add(time.Second), unhex(t, realPacket))
	if s.ping.waiting {
		t.Error("the pong was not taken")
	}
	salt := int64(binary.LittleEndian.Uint64(unhex(t, "fc826a02248b28fd")))
	if got, _ := s.salts.current(s.clock.unix(s.now)); got != salt {
		t.Errorf("salt %x, want %x", got, salt)
	}
	if len(s.acks.ids) != 1 || s.acks.ids[0] != 0x5e308b91c2c1a801 {
		t.Errorf("acknowledges %x, want new_session_created alone", s.acks.ids)
	}
	var kinds []string
	for o, ok := s.Next(); ok; o, ok = s.Next() {
		kinds = append(kinds, o.Kind.String())
	}
	if got := strings.Join(kinds, " "); got != "clock gap packet save" {
		t.Errorf("outputs %s", got)
	}
}

// A container of ping and msgs_ack, byte for byte.
func TestContainerBytes(t *testing.T) {
	want := unhex(t, `dcf8f1730200000004000000fdc0ab65010000000c000000ec77be7aefcdab896745230108000000fdc0ab65020000001400000059b4d662
15c4b51c0100000001000000fcc0ab65`)
	s, err := NewSession(Config{Rand: seeded(1)}, testKey(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	p := s.startPacket()
	p.header(0x65abc0fd00000004, 1)
	p.buf = tl.AppendInt64(tl.AppendUint32(p.buf, 0x7abe77ec), 0x0123456789abcdef)
	p.close()
	p.header(0x65abc0fd00000008, 2)
	p.buf = appendIDs(p.buf, idMsgsAck, []msgID{0x65abc0fc00000001})
	p.close()
	p.first = 0x65abc0fd00000004
	s.ids.last = 0x65abc0fd00000008
	packet := s.seal(&p)
	plain, err := crypt.Decrypt(nil, s.key, crypt.Client, packet)
	if err != nil {
		t.Fatal(err)
	}
	if got := plain[innerHeaderSize : innerHeaderSize+len(want)]; !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
	if size := binary.LittleEndian.Uint32(plain[28:]); int(size) != len(want) {
		t.Errorf("length %d, want %d", size, len(want))
	}
}
