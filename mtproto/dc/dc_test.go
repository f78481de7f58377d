package dc

import (
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestWire(t *testing.T) {
	for _, tt := range []struct {
		name        string
		id          ID
		test, media bool
		want        int
	}{
		{"production is the number itself", 2, false, false, 2},
		{"test servers are shifted", 2, true, false, 10002},
		{"media is negative", 4, false, true, -4},
		{"media of the test servers is both", 2, true, true, -10002},
		{"a CDN has a number of its own", 203, false, false, 203},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Wire(tt.id, tt.test, tt.media)
			if got != tt.want {
				t.Errorf("Wire = %d, want %d", got, tt.want)
			}
			id, test, media, ok := ParseWire(got)
			if !ok || id != tt.id || test != tt.test || media != tt.media {
				t.Errorf("ParseWire(%d) = %v, %v, %v, %v", got, id, test, media, ok)
			}
		})
	}
	for _, bad := range []int{0, 10000, 20000, -10000, 1 << 40, -1 << 63} {
		if id, _, _, ok := ParseWire(bad); ok {
			t.Errorf("ParseWire(%d) = %v, want none", bad, id)
		}
	}
}

// fingerprint is the rule of the protocol: the last 8 bytes of the SHA-1 of
// n and e as TL strings.
func fingerprint(key *rsa.PublicKey) int64 {
	tlString := func(b []byte) []byte {
		var out []byte
		if len(b) < 254 {
			out = append(out, byte(len(b)))
		} else {
			out = append(out, 254, byte(len(b)), byte(len(b)>>8), byte(len(b)>>16))
		}
		out = append(out, b...)
		for len(out)%4 != 0 {
			out = append(out, 0)
		}
		return out
	}
	sum := sha1.Sum(append(tlString(key.N.Bytes()), tlString(big.NewInt(int64(key.E)).Bytes())...))
	return int64(binary.LittleEndian.Uint64(sum[12:]))
}

func TestBuiltinTablesAreUsable(t *testing.T) {
	for _, tt := range []struct {
		name        string
		table       Table
		dcs         []ID
		fingerprint int64
	}{
		{"production", Production(), []ID{1, 2, 3, 4, 5}, productionFingerprint},
		{"test servers", TestServers(), []ID{1, 2, 3}, testFingerprint},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.table.Check(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.dcs, tt.table.DCs()); diff != "" {
				t.Errorf("DCs (-want +got):\n%s", diff)
			}
			for _, id := range tt.dcs {
				for _, target := range tt.table.Select(Want{DC: id}) {
					if !target.Addr.Addr().Is4() || target.Media {
						t.Errorf("%v: an ordinary connection would go to %v", id, target)
					}
				}
				all := tt.table.Select(Want{DC: id, IPv6: true})
				if !slices.ContainsFunc(all, func(target Target) bool { return target.Addr.Addr().Is6() }) {
					t.Errorf("%v: it has no IPv6 address", id)
				}
			}
			block, _ := pem.Decode([]byte(tt.table.Keys[0]))
			key, err := x509.ParsePKCS1PublicKey(block.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			if got := fingerprint(key); got != tt.fingerprint || !IsTelegramFingerprint(got) {
				t.Errorf("fingerprint %x, want %x", uint64(got), uint64(tt.fingerprint))
			}
		})
	}
}

func TestTelegramFingerprints(t *testing.T) {
	wire := func(b ...byte) int64 { return int64(binary.LittleEndian.Uint64(b)) }
	for _, tt := range []struct {
		name             string
		fingerprint      int64
		ours, production bool
	}{
		{"the production key", wire(0x85, 0xFD, 0x64, 0xDE, 0x85, 0x1D, 0x9D, 0xD0), true, true},
		{"the key of the test servers", wire(0x03, 0x26, 0x8D, 0x20, 0xDF, 0x98, 0x58, 0xB2), true, false},
		{"an obsolete key", wire(0xA5, 0xB7, 0xF7, 0x09, 0x35, 0x5F, 0xC3, 0x0B), true, true},
		{"another obsolete key", wire(0x21, 0x6B, 0xE8, 0x6C, 0x02, 0x2B, 0xB4, 0xC3), true, true},
		{"anybody's key", 1234, false, false},
	} {
		if got := IsTelegramFingerprint(tt.fingerprint); got != tt.ours {
			t.Errorf("%s: IsTelegramFingerprint = %v", tt.name, got)
		}
		if got := IsProductionFingerprint(tt.fingerprint); got != tt.production {
			t.Errorf("%s: IsProductionFingerprint = %v", tt.name, got)
		}
	}
}

func option(id ID, addr string, mark func(*Option)) Option {
	o := Option{DC: id, Addr: netip.MustParseAddrPort(addr)}
	if mark != nil {
		mark(&o)
	}
	return o
}

func TestSelect(t *testing.T) {
	table := Table{Options: []Option{
		option(2, "10.0.0.1:443", func(o *Option) { o.Static = true }),
		option(2, "10.0.0.2:8888", func(o *Option) { o.ThisPortOnly = true }),
		option(2, "[fd00::2]:443", func(o *Option) { o.IPv6, o.ThisPortOnly = true, true }),
		option(2, "10.0.0.3:443", func(o *Option) { o.MediaOnly, o.ThisPortOnly = true, true }),
		option(4, "127.0.0.1:9004", nil),
		option(5, "10.0.5.1:443", func(o *Option) { o.Secret = make([]byte, 16) }),
		option(5, "10.0.5.2:443", func(o *Option) { o.TCPOnly, o.ThisPortOnly = true, true }),
		option(203, "10.2.0.3:443", func(o *Option) { o.CDN, o.ThisPortOnly = true, true }),
	}}
	for _, tt := range []struct {
		name string
		want Want
		got  []string
	}{
		{"a stable address is the last resort, other ports after all", Want{DC: 2},
			[]string{"10.0.0.2:8888", "10.0.0.1:443", "10.0.0.1:80", "10.0.0.1:5222"}},
		{"a proxy gets the stable address first", Want{DC: 2, Proxied: true},
			[]string{"10.0.0.1:443", "10.0.0.2:8888", "10.0.0.1:80", "10.0.0.1:5222"}},
		{"IPv6 comes only when allowed", Want{DC: 2, IPv6: true},
			[]string{"10.0.0.2:8888", "10.0.0.1:443", "[fd00::2]:443", "10.0.0.1:80", "10.0.0.1:5222"}},
		{"media has its own addresses and no others", Want{DC: 2, Media: true}, []string{"10.0.0.3:443"}},
		{"media falls back to the ordinary ones", Want{DC: 4, Media: true}, []string{"127.0.0.1:9004"}},
		{"loopback is never tried at other ports", Want{DC: 4}, []string{"127.0.0.1:9004"}},
		{"nor is an address with a secret", Want{DC: 5}, []string{"10.0.5.1:443", "10.0.5.2:443"}},
		{"a CDN is found only when asked for", Want{DC: 203, CDN: true}, []string{"10.2.0.3:443"}},
		{"and not otherwise", Want{DC: 203}, nil},
		{"an unknown DC has no addresses", Want{DC: 9}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, target := range table.Select(tt.want) {
				got = append(got, target.Addr.String())
			}
			if diff := cmp.Diff(tt.got, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for _, target := range table.Select(Want{DC: 5}) {
		if !target.Obfuscated {
			t.Errorf("%v must be obfuscated", target.Addr)
		}
	}
	if targets := table.Select(Want{DC: 2, Media: true}); !targets[0].Media {
		t.Error("a media address is not marked as one")
	}
}

func TestUpdate(t *testing.T) {
	before := Table{Keys: []string{"key"}, Options: []Option{
		option(1, "10.0.0.1:443", nil),
		option(2, "10.0.0.2:443", nil),
		option(3, "10.0.0.3:443", nil),
	}}
	after, rejected := before.Update([]Option{
		option(2, "10.9.0.2:443", nil),
		option(2, "[fd00::2]:443", nil),
		option(3, "10.9.0.3:443", func(o *Option) { o.MediaOnly = true }),
		option(0, "10.9.0.9:443", nil),
		option(4, "0.0.0.0:443", nil),
		option(4, "10.9.0.4:0", nil),
		option(4, "10.9.0.4:443", func(o *Option) { o.Secret = []byte("SECRET") }),
		{DC: 4},
	})
	want := []Option{
		option(2, "10.9.0.2:443", nil),
		option(2, "[fd00::2]:443", func(o *Option) { o.IPv6 = true }),
		option(3, "10.9.0.3:443", func(o *Option) { o.MediaOnly = true }),
		option(1, "10.0.0.1:443", nil),
		option(3, "10.0.0.3:443", nil),
	}
	if diff := cmp.Diff(want, after.Options, cmpopts.EquateComparable(netip.AddrPort{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("options (-want +got):\n%s", diff)
	}
	if len(rejected) != 5 {
		t.Errorf("%d options were rejected, want 5: %v", len(rejected), rejected)
	}
	for _, err := range rejected {
		var oe *OptionError
		if !errors.As(err, &oe) || strings.Contains(fmt.Sprintf("%v %+v %#v", err, oe.Option, oe.Option), "SECRET") {
			t.Errorf("bad error %v", err)
		}
	}
	if before.Options[1].Addr.String() != "10.0.0.2:443" || len(before.Options) != 3 {
		t.Error("Update wrote to the old table")
	}
	if diff := cmp.Diff(before.Keys, after.Keys); diff != "" {
		t.Errorf("Update changed the keys: %s", diff)
	}
}

func TestBesideTheServersAddresses(t *testing.T) {
	configured := []Option{
		option(2, "127.0.0.9:9002", nil),
		option(2, "10.9.0.2:443", nil),
		option(2, "127.0.0.9:9012", func(o *Option) { o.MediaOnly = true }),
		option(203, "127.0.0.9:9203", func(o *Option) { o.CDN = true }),
		option(4, "127.0.0.9:9004", nil),
		option(4, "127.0.0.8:9004", nil),
	}
	server, _ := Table{}.Update([]Option{
		option(2, "10.9.0.2:443", func(o *Option) { o.TCPOnly = true }),
		option(2, "10.9.0.2:80", nil),
		option(2, "[fd00::2]:443", nil),
		option(2, "10.9.0.3:443", func(o *Option) { o.MediaOnly = true }),
	})
	before := len(server.Options)
	both := server.Beside(configured)
	for _, tt := range []struct {
		name string
		want Want
		got  []string
	}{
		{"the server's come first, each once", Want{DC: 2, IPv6: true}, []string{
			"10.9.0.2:443", "10.9.0.2:80", "127.0.0.9:9002", "[fd00::2]:443", "[fd00::2]:80", "10.9.0.2:5222", "[fd00::2]:5222",
		}},
		{"media stays apart", Want{DC: 2, Media: true}, []string{"10.9.0.3:443", "127.0.0.9:9012", "10.9.0.3:80", "10.9.0.3:5222"}},
		{"and so does a CDN", Want{DC: 203, CDN: true}, []string{"127.0.0.9:9203"}},
		{"a DC the server does not name keeps all of its own", Want{DC: 4}, []string{"127.0.0.9:9004", "127.0.0.8:9004"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, target := range both.Select(tt.want) {
				got = append(got, target.Addr.String())
			}
			if diff := cmp.Diff(tt.got, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if first := both.Select(Want{DC: 2})[0]; !first.Obfuscated {
		t.Error("how an address is to be spoken to is the server's to say")
	}
	if len(server.Options) != before {
		t.Error("Beside wrote to the old table")
	}
}

func TestAlternate(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"nothing", "", ""},
		{"one family", "4a 4b 4c", "4a 4b 4c"},
		{"both, the first one first", "4a 4b 4c 6a", "4a 6a 4b 4c"},
		{"IPv6 first", "6a 6b 4a 4b 4c", "6a 4a 6b 4b 4c"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			addrs := map[byte]string{'4': "10.0.0.", '6': "fd00::"}
			var in []Target
			var names []string
			for name := range strings.FieldsSeq(tt.in) {
				addr := netip.MustParseAddr(addrs[name[0]] + string('1'+name[1]-'a'))
				in = append(in, Target{Addr: netip.AddrPortFrom(addr, uint16(name[1]))})
			}
			for _, target := range Alternate(in) {
				family := "6"
				if target.Addr.Addr().Is4() {
					family = "4"
				}
				names = append(names, family+string(rune(target.Addr.Port())))
			}
			if got := strings.Join(names, " "); got != tt.want {
				t.Errorf("%q becomes %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestUpdateIsBounded(t *testing.T) {
	var many []Option
	for i := range 2 * MaxOptions {
		many = append(many, option(ID(1+i), "10.0.0.1:443", nil))
	}
	after, rejected := Production().Update(many)
	if len(after.Options) != MaxOptions || len(rejected) != MaxOptions {
		t.Errorf("%d options kept and %d rejected", len(after.Options), len(rejected))
	}
	if err := (Table{Options: many}).Check(); err == nil {
		t.Error("Check accepts a table that is too big")
	}
	if err := (Table{}).Check(); err == nil {
		t.Error("Check accepts an empty table")
	}
	var oe *OptionError
	if err := (Table{Options: []Option{{DC: 1}}}).Check(); !errors.As(err, &oe) {
		t.Errorf("Check = %v", err)
	}
}

func TestHasExcludesCDN(t *testing.T) {
	table := Table{Options: []Option{option(203, "10.0.0.1:443", func(o *Option) { o.CDN = true }), option(2, "10.0.0.2:443", nil)}}
	if table.Has(203) || !table.Has(2) || table.Has(3) {
		t.Error("Has is wrong about who may live where")
	}
}

func TestLoopback(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1:1":                true,
		"127.9.8.7:1":                true,
		"[::1]:1":                    true,
		"[::ffff:127.0.0.1]:1":       true,
		"10.0.0.1:1":                 false,
		"149.154.167.51:443":         false,
		"[::ffff:149.154.167.51]:80": false,
		"0.0.0.0:1":                  false,
	} {
		if got := Loopback(netip.MustParseAddrPort(addr)); got != want {
			t.Errorf("Loopback(%s) = %v", addr, got)
		}
	}
	if Loopback(netip.AddrPort{}) {
		t.Error("no address is taken for loopback")
	}
}
