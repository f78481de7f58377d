//go:build unix

package endtoend

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/mtfleet/mtfleet/mtproto/dc"
)

func TestOnlyATestDCOnLoopbackMayBeLoaded(t *testing.T) {
	loopback := dc.Option{DC: 1, Addr: netip.MustParseAddrPort("127.0.0.1:4430")}
	for name, c := range map[string]struct {
		table dc.Table
		want  string
	}{
		"production":              {dc.Production(), "not on loopback"},
		"Telegram's test servers": {dc.TestServers(), "not on loopback"},
		"one address elsewhere":   {dc.Table{Options: []dc.Option{loopback, {DC: 2, Addr: netip.MustParseAddrPort("192.0.2.1:443")}}}, "not on loopback"},
		"Telegram's key":          {dc.Table{Options: []dc.Option{loopback}, Keys: dc.Production().Keys}, "Telegram's"},
		"its test key":            {dc.Table{Options: []dc.Option{loopback}, Keys: dc.TestServers().Keys}, "Telegram's"},
		"no key":                  {dc.Table{Options: []dc.Option{loopback}}, "no RSA key"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := target(c.table); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the target was refused with %v, want %q", err, c.want)
			}
		})
	}
}
