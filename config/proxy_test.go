package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestAProxyIsShownWithoutWhatOpensIt(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     `proxy = ""`,
		"socks5://joe:hunter2@proxy.example:1": `proxy = "socks5://proxy.example:1", without its secrets`,
		"hunter2":                              `proxy = "[secret]"`,
	} {
		c := Default()
		c.Proxy = Secret(text)
		shown := c.Explain() + fmt.Sprintf("%v %+v", *c, c)
		if !strings.Contains(shown, want+"  (default)\n") || strings.Contains(shown, "hunter2") || strings.Contains(shown, "joe") {
			t.Errorf("%q is shown as %s", text, shown)
		}
	}
}
