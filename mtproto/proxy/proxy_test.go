package proxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const key = "00112233445566778899aabbccddeeff"

func TestURLsAndLinksAreRead(t *testing.T) {
	ee := "ee" + key + "6578616d706c652e636f6d"
	for _, v := range []struct{ text, name, url string }{
		{"socks5://10.0.0.1:1080", "socks5://10.0.0.1:1080", ""},
		{" socks5h://joe:pa%3Ass@proxy.example:1080/ ", "socks5://proxy.example:1080", "socks5://joe:pa%3Ass@proxy.example:1080"},
		{"SOCKS5://[::1]:9050", "socks5://[::1]:9050", "socks5://[::1]:9050"},
		{"http://joe:secret@proxy.example:3128", "http://proxy.example:3128", ""},
		{"http://joe@proxy.example:3128", "http://proxy.example:3128", "http://joe:@proxy.example:3128"},
		{"mtproxy://proxy.example:443?secret=" + key, "mtproxy://proxy.example:443", ""},
		{"mtproxy://proxy.example:443?secret=dd" + key, "mtproxy://proxy.example:443", ""},
		{"mtproxy://proxy.example:443?secret=" + ee, "mtproxy://proxy.example:443", ""},
		{"tg://proxy?server=proxy.example&port=443&secret=dd" + key, "mtproxy://proxy.example:443", "mtproxy://proxy.example:443?secret=dd" + key},
		{"https://t.me/proxy?server=proxy.example&port=443&secret=7gARIjNEVWZ3iJmqu8zd7v9leGFtcGxlLmNvbQ", "mtproxy://proxy.example:443", "mtproxy://proxy.example:443?secret=" + ee},
		{"t.me/proxy?server=10.0.0.1&port=443&secret=ABEiM0RVZneImaq7zN3u/w==", "mtproxy://10.0.0.1:443", "mtproxy://10.0.0.1:443?secret=" + key},
		{"tg://proxy?server=10.0.0.1&port=443&secret=++++++++++++++++++++++==", "mtproxy://10.0.0.1:443", "mtproxy://10.0.0.1:443?secret=fbefbefbefbefbefbefbefbefbefbefb"},
		{"tg://socks?server=10.0.0.1&port=1080&user=joe&pass=secret", "socks5://10.0.0.1:1080", "socks5://joe:secret@10.0.0.1:1080"},
	} {
		s, err := Parse(v.text)
		if err != nil {
			t.Errorf("%s: %v", v.text, err)
			continue
		}
		if v.url == "" {
			v.url = v.text
		}
		if s.String() != v.name || s.URL() != v.url {
			t.Errorf("%s is %s, written %s", v.text, s, s.URL())
		}
		if again, err := Parse(s.URL()); err != nil || again != s {
			t.Errorf("%s does not survive URL: %v", v.text, err)
		}
	}
}

func TestWhatIsNoProxyIsRefusedWithoutQuotingIt(t *testing.T) {
	for _, v := range []struct{ text, want string }{
		{"", "empty"},
		{"socks5://joe:hunter2@" + strings.Repeat("x", maxText), "too long"},
		{"proxy.example:1080", "no URL"},
		{"socks5://joe:hunter2@proxy.example", "needs a port"},
		{"socks5://joe:hunter2@proxy.example:0", "needs a port"},
		{"socks5://joe:hunter2@proxy.example:hunter2", "no URL"},
		{"socks5://joe:hunter2@:1080", "needs a host"},
		{"socks5://joe:hunter2@proxy.example:1080/hunter2", "a path"},
		{"socks5://joe:hunter2@proxy.example:1080?hunter2", "a ? behind"},
		{"socks5://joe:hunter2@proxy.example:1080#hunter2", "no URL"},
		{"socks5://:hunter2@proxy.example:1080", "no user"},
		{"socks5://joe:hunter2" + strings.Repeat("x", 255) + "@proxy.example:1080", "255 bytes"},
		{"http://joe%3Ahunter2:x@proxy.example:1080", "no colon"},
		{"http://joe:hunter2%0d%0aX-Evil:1@proxy.example:1080", "control characters"},
		{"https://joe:hunter2@proxy.example:443", "reached by TLS"},
		{"socks4://hunter2@proxy.example:1080", "no scheme"},
		{"mtproxy://proxy.example:443", "MTProxy secret"},
		{"mtproxy://proxy.example:443?secret=hunter2!", "MTProxy secret"},
		{"mtproxy://proxy.example:443?secret=ee" + key, "0xee needs a domain"},
		{"mtproxy://proxy.example:443?secret=ee" + key + "00ff", "not ASCII"},
		{"mtproxy://hunter2@proxy.example:443?secret=" + key, "no user"},
		{"tg://resolve?server=a&port=1&secret=hunter2", "no proxy"},
		{"https://t.me/hunter2?server=a&port=1", "no proxy"},
		{"tg://proxy?server=a%20hunter2&port=1&secret=" + key, "neither a name"},
	} {
		s, err := Parse(v.text)
		var bad *Error
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), v.want) {
			t.Errorf("%s: %v, %v", v.text, s, err)
		}
		if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), key)) {
			t.Errorf("the error quotes a secret: %v", err)
		}
	}
}

func TestPrintingAProxyShowsNoSecret(t *testing.T) {
	for _, text := range []string{"socks5://joe:hunter2@a.example:1", "http://joe:hunter2@a.example:1", "mtproxy://a.example:1?secret=dd" + key} {
		s, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		list, _ := json.Marshal([]any{s, &s, map[string]Server{"x": s}})
		shown := fmt.Sprintf("%v %+v %#v %s %q %x %d %v", s, s, s, &s, s, s, s, Via{Server: &s}) + string(list)
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "p", s, "q", &s)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "p", s, "q", &s)
		shown += log.String()
		for _, secret := range []string{"joe", "hunter2", key, "0, 17, 34", "0 17 34"} {
			if strings.Contains(shown, secret) {
				t.Errorf("%q shows in %s", secret, shown)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"socks5://joe:pa%3Ass@[::1]:1080", "http://a:1", "mtproxy://a:443?secret=dd" + key, "t.me/proxy?server=a&port=1&secret=" + key, "tg://socks?server=a&port=1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		if err != nil {
			var bad *Error
			if !errors.As(err, &bad) || strings.ContainsAny(err.Error(), "\r\n") {
				t.Fatalf("error %v", err)
			}
			return
		}
		again, err := Parse(s.URL())
		if err != nil || again != s {
			t.Fatalf("%q is written %q, which is %v, %v", text, s.URL(), again, err)
		}
	})
}
