package serve_test

import (
	"errors"
	mathrand "math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/mtproto/transport"
)

// TDLib tries several ports of a DC in turn: one DC listens on all that it is given, and lists them.
func TestADCListensOnSeveralPorts(t *testing.T) {
	s := start(t, serve.Config{Core: dctest.Config{DCs: 2}, Addrs: map[int][]string{2: {"127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"}}})
	var addrs []string
	for _, d := range s.Descriptor().DCs {
		if d.ID == 2 {
			addrs = append(addrs, net.JoinHostPort(d.IP, strconv.Itoa(d.Port)))
		}
	}
	if slices.Sort(addrs); len(slices.Compact(addrs)) != 3 || !slices.Contains(addrs, s.Addr(2)) {
		t.Fatalf("addresses %v, the first %s", addrs, s.Addr(2))
	}
	for _, addr := range addrs {
		dialAddr(t, addr).makeKey(2, false)
	}
	// They close and open together.
	if err := s.StopDC(2, true); err != nil {
		t.Fatal(err)
	}
	for _, addr := range addrs {
		if c, err := net.Dial("tcp", addr); err == nil {
			_ = c.Close()
			t.Errorf("%s is open while the DC is down", addr)
		}
	}
	if err := s.StartDC(2); err != nil {
		t.Fatal(err)
	}
	for _, addr := range addrs {
		dialAddr(t, addr).makeKey(2, false)
	}
}

func TestAddressesThatCannotBe(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	taken := busy.Addr().String()
	for name, addrs := range map[string][]string{
		"one of them in use": {"127.0.0.1:0", taken},
		"one twice":          {"127.0.0.1:4431", "127.0.0.1:4431"},
		"one not loopback":   {"127.0.0.1:0", "192.0.2.1:443"},
		"too many":           slices.Repeat([]string{"127.0.0.1:0"}, 17),
	} {
		s, err := serve.Start(serve.Config{Addrs: map[int][]string{1: addrs}})
		if refused := (*serve.AddrError)(nil); !errors.As(err, &refused) || refused.DC != 1 {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			_ = s.Close()
		}
	}
}

func dialAddr(t *testing.T, addr string) *peer {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return dial(t, c, transport.Config{Kind: transport.Intermediate})
}

// One key in sixteen has a fingerprint that begins with a zero, and mtcute cannot find it.
func TestRSAKeysAreFoundByEveryClient(t *testing.T) {
	seeded := func() *mathrand.ChaCha8 { return mathrand.NewChaCha8([32]byte{68}) }
	bad, err := crypt.GeneratePrivateKey(seeded())
	if err != nil || uint64(bad.Public().Fingerprint())>>60 != 0 {
		t.Fatalf("fingerprint %x, %v; the seed was chosen for a zero", uint64(bad.Public().Fingerprint()), err)
	}
	key, err := serve.NewRSAKey(seeded())
	if err != nil || uint64(key.Public().Fingerprint())>>60 == 0 {
		t.Errorf("fingerprint %x, %v", uint64(key.Public().Fingerprint()), err)
	}
	if _, err := serve.NewRSAKey(strings.NewReader("")); err == nil {
		t.Error("a key without randomness")
	}
}
