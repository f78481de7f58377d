package bench

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
)

func TestATestDCOnLoopbackAloneMayBeLoaded(t *testing.T) {
	here := dc.Option{DC: 1, Addr: netip.MustParseAddrPort("127.0.0.1:4430")}
	key, err := serve.NewRSAKey(rand.NewChaCha8([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	public := []string{string(key.Public().PEM())}
	for name, c := range map[string]struct {
		table dc.Table
		want  string // empty: it may be loaded
	}{
		"a test DC":               {dc.Table{Options: []dc.Option{here}, Keys: public}, ""},
		"production":              {dc.Production(), "not on loopback"},
		"Telegram's test servers": {dc.TestServers(), "not on loopback"},
		"one address elsewhere":   {dc.Table{Options: []dc.Option{here, {DC: 2, Addr: netip.MustParseAddrPort("192.0.2.1:443")}}, Keys: public}, "not on loopback"},
		"a proxy's address":       {dc.Table{Options: []dc.Option{{DC: 1, Addr: netip.MustParseAddrPort("10.0.0.1:1080")}}, Keys: public}, "not on loopback"},
		"Telegram's key":          {dc.Table{Options: []dc.Option{here}, Keys: append(public, dc.Production().Keys...)}, "Telegram's"},
		"its test key":            {dc.Table{Options: []dc.Option{here}, Keys: dc.TestServers().Keys}, "Telegram's"},
		"no key":                  {dc.Table{Options: []dc.Option{here}}, "no RSA key"},
		"a key that is none":      {dc.Table{Options: []dc.Option{here}, Keys: []string{"key"}}, "RSA key"},
		"no DC":                   {dc.Table{}, "no DC"},
	} {
		t.Run(name, func(t *testing.T) {
			switch keys, err := Target(c.table); {
			case c.want == "" && (err != nil || len(keys) != 1):
				t.Errorf("it was refused with %v, %d keys", err, len(keys))
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("it was refused with %v, want %q", err, c.want)
			}
		})
	}
}
