package dc

import (
	"errors"
	"strings"
	"testing"
)

func TestWebSocketURLs(t *testing.T) {
	for _, tt := range []struct{ in, address, out string }{
		{"wss://venus.web.telegram.org/apiws", "venus.web.telegram.org:443", "wss://venus.web.telegram.org/apiws"},
		{"WSS://Relay.Example:8443", "relay.example:8443", "wss://relay.example:8443/"},
		{"wss://[2001:db8::1]/a/b", "[2001:db8::1]:443", "wss://[2001:db8::1]/a/b"},
		{"ws://127.0.0.1:4430/apiws_test", "127.0.0.1:4430", "ws://127.0.0.1:4430/apiws_test"},
		{"ws://[::1]/apiws", "[::1]:80", "ws://[::1]/apiws"},
		{"wss://h/%3F%0A", "h:443", "wss://h/%3F%0A"},
	} {
		w, err := ParseWebSocketURL(tt.in)
		if err != nil || w.Address() != tt.address || w.String() != tt.out {
			t.Errorf("%s: %v, %v, %v", tt.in, w.Address(), w, err)
		}
	}
	for in, want := range map[string]string{
		"":                                     "empty",
		"wss://h/" + strings.Repeat("a", 1024): "longer than 1024",
		"venus.web.telegram.org/apiws":         "no URL",
		"wss:///apiws":                         "no URL",
		"wss://h:x/":                           "no URL",
		"wss://a,b/":                           "no URL",
		"wss://[fe80::1%25eth0]/":              "no URL",
		"wss:h":                                "no URL",
		"wss://joe:hunter2@h/apiws":            "more than a host",
		"wss://h/apiws?token=hunter2":          "more than a host",
		"wss://h/apiws?":                       "more than a host",
		"wss://h/apiws#hunter2":                "more than a host",
		"https://h/apiws":                      "scheme",
		"ws://venus.web.telegram.org/":         "loopback",
		"ws://localhost/":                      "loopback",
		"ws://192.0.2.1/":                      "loopback",
		"wss://h:0/":                           "port",
		"wss://h:65536/":                       "port",
	} {
		_, err := ParseWebSocketURL(in)
		var bad *WebSocketURLError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q", in, err, want)
		}
	}
}

func TestTheBuiltInWebSockets(t *testing.T) {
	for _, tt := range []struct {
		all   []WebSocket
		table Table
		path  string
	}{{ProductionWebSockets(), Production(), "/apiws"}, {TestServersWebSockets(), TestServers(), "/apiws_test"}} {
		for _, id := range tt.table.DCs() {
			for _, media := range []bool{false, true} {
				list := SelectWebSockets(tt.all, id, media)
				if len(list) != 1 || list[0].DC != id || list[0].Media != media {
					t.Fatalf("%v, media %v: %v", id, media, list)
				}
				w, err := ParseWebSocketURL(list[0].URL)
				if err != nil || !w.Secure || w.Path != tt.path || strings.Contains(w.Host, "-1.") != media {
					t.Errorf("%v: %v, %v", list[0], w, err)
				}
			}
		}
	}
	plain := []WebSocket{{DC: 2, URL: "a"}, {DC: 3, URL: "b"}, {DC: 2, URL: "c"}}
	for _, media := range []bool{false, true} {
		if got := SelectWebSockets(plain, 2, media); len(got) != 2 || got[1].URL != "c" {
			t.Errorf("where there is none for media alone: %v", got)
		}
	}
	if got := SelectWebSockets([]WebSocket{{DC: 2, Media: true}}, 2, false); len(got) != 0 {
		t.Errorf("one for media alone is taken for all: %v", got)
	}
}

// FuzzParseWebSocketURL holds that what is accepted is the same when it is written
// again, and that nothing without TLS leaves this machine.
func FuzzParseWebSocketURL(f *testing.F) {
	for _, s := range []string{"wss://h:1/a", "ws://127.0.0.1/", "wss://u:p@h/", "wss://[::1]:9/%2f", "ws://[::ffff:127.0.0.1]/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		w, err := ParseWebSocketURL(text)
		if err != nil {
			return
		}
		again, err := ParseWebSocketURL(w.String())
		if err != nil || again != w {
			t.Fatalf("%q: %+v becomes %+v, %v", text, w, again, err)
		}
		if !w.Secure && !w.Loopback() || strings.ContainsAny(w.Address()+w.Path, " \r\n\x00") {
			t.Fatalf("%q is accepted as %+v", text, w)
		}
	})
}
