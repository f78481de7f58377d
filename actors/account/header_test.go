package account

import (
	"testing"

	"github.com/mtfleet/mtfleet/mtproto/proxy"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// The server is told of an MTProxy, as all apps tell it, and of no other.
func TestTheServerIsToldOfAnMTProxy(t *testing.T) {
	for _, v := range []struct {
		url  string
		told bool
	}{
		{"", false},
		{"socks5://joe:hunter2@proxy.example:1080", false},
		{"http://proxy.example:3128", false},
		{"mtproxy://proxy.example:443?secret=00112233445566778899aabbccddeeff", true},
	} {
		var via *proxy.Server
		if v.url != "" {
			s, err := proxy.Parse(v.url)
			if err != nil {
				t.Fatal(err)
			}
			via = &s
		}
		b, err := header(App{APIID: 1, APIHash: "x", DeviceModel: "d", SystemVersion: "s", AppVersion: "a"}, via)
		if err != nil {
			t.Fatal(err)
		}
		r := tl.NewReader(tl.AppendUint32(b, tg.HelpGetConfigRequestID))
		var layer tg.InvokeWithLayerRequest
		layer.Parse(r)
		r = tl.NewReader(layer.Query)
		var init tg.InitConnectionRequest
		init.Parse(r)
		if err := r.End(); err != nil {
			t.Fatal(err)
		}
		if init.Proxy.Set != v.told || v.told && (init.Proxy.Value.Address != "proxy.example" || init.Proxy.Value.Port != 443) {
			t.Errorf("%s: told %+v", v.url, init.Proxy)
		}
	}
}
