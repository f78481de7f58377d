package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/proxy"
)

// Explain describes every setting for a person: its value, where the value comes
// from, what it means and which variable sets it. Secrets are not shown.
func (c *Config) Explain() string {
	var b strings.Builder
	for i, s := range c.Explained() {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s = %s  (%s)\n", s.Name, s.Value, s.Source)
		for _, line := range wrap(s.About, 76) {
			b.WriteString("    " + line + "\n")
		}
		b.WriteString("    " + s.Env + "\n")
	}
	return b.String()
}

// Setting is one setting as it is explained.
type Setting struct {
	Name   string `json:"name"`
	Value  string `json:"value"`  // as YAML would have it, on one line; secrets are not shown
	Source string `json:"source"` // as Source.String has it
	About  string `json:"about"`
	Env    string `json:"env"` // the variable that sets it
}

// Explained is what Explain says, for a program.
func (c *Config) Explained() []Setting {
	var all []Setting
	for _, f := range fields {
		all = append(all, Setting{f.path, show(f.at(c)), c.Source(f.path).String(), f.doc, f.env()})
	}
	return all
}

// Source returns where the value of a setting comes from.
func (c *Config) Source(setting string) Source { return c.sources[setting] }

// show writes a value as YAML would, on one line.
func show(at any) string {
	switch v := at.(type) {
	case *string:
		return strconv.Quote(*v)
	case *[]string:
		var parts []string
		for _, s := range *v {
			parts = append(parts, strconv.Quote(s))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case *filePath:
		return strconv.Quote(string(*v))
	case *Secret:
		return strconv.Quote(v.String())
	case *proxyURL:
		s, err := proxy.Parse(string(*v))
		if err != nil {
			return strconv.Quote(Secret(*v).String())
		}
		return strconv.Quote(s.String()) + ", without its secrets"
	case *int:
		return strconv.Itoa(*v)
	case *time.Duration:
		return v.String()
	case *bool:
		return strconv.FormatBool(*v)
	case *[]DC:
		var parts []string
		for _, dc := range *v {
			parts = append(parts, fmt.Sprintf("{id: %d, addr: %q}", dc.ID, dc.Addr))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case *[]RSAKey:
		var parts []string
		for _, key := range *v {
			parts = append(parts, strconv.Quote(key.String()))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case *[]WebSocket:
		var parts []string
		for _, w := range *v {
			parts = append(parts, w.show())
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case *Certificates:
		return strconv.Quote(v.String())
	case *[]Caller:
		var parts []string
		for _, c := range *v {
			parts = append(parts, fmt.Sprintf("{name: %s, role: %s}", c.Name, c.Role))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case *[]Webhook:
		var parts []string
		for _, w := range *v {
			parts = append(parts, fmt.Sprintf("{name: %s, url: %s/..., enabled: %v}", w.Name, w.host(), w.Enabled))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return "?"
}

// wrap breaks a text into lines of at most width bytes.
func wrap(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
