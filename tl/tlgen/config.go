package main

import (
	"fmt"
	"strings"
)

// config is a parsed tlgen.txt.
type config struct {
	pkg       string
	schemas   []string
	roots     []string
	omit      map[string]bool
	hand      map[string]bool // omitted too, but New and the printing methods know them
	raw       map[string]bool
	view      bool
	table     bool
	extra     map[string][]string // schema file -> definitions that join the table
	pts       string              // the type whose pts fields are tabulated
	ptsExcept map[string]bool
	layers    string
	policy    string            // the file that judges every function
	files     map[string]string // TL type -> name of the file for its constructors
	notes     map[string]string
}

// parseConfig reads the text of a tlgen.txt.
func parseConfig(text string) (*config, error) {
	c := &config{
		omit: make(map[string]bool), hand: make(map[string]bool), raw: make(map[string]bool), extra: make(map[string][]string),
		ptsExcept: make(map[string]bool), files: make(map[string]string), notes: make(map[string]string),
	}
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if err := c.set(words[0], words[1:]); err != nil {
			return nil, fmt.Errorf("tlgen.txt:%d: %w", i+1, err)
		}
	}
	if c.pkg == "" || len(c.schemas) == 0 || len(c.roots) == 0 {
		return nil, fmt.Errorf("tlgen.txt: package, schema and root are required")
	}
	return c, nil
}

func (c *config) set(key string, args []string) error {
	if len(args) == 0 && key != "view" {
		return fmt.Errorf("%s needs an argument", key)
	}
	switch key {
	case "package":
		c.pkg = args[0]
	case "schema":
		c.schemas = append(c.schemas, args...)
	case "root":
		c.roots = append(c.roots, args...)
	case "omit":
		for _, name := range args {
			c.omit[name] = true
		}
	case "hand":
		for _, name := range args {
			c.omit[name], c.hand[name] = true, true
		}
	case "raw":
		for _, name := range args {
			c.raw[name] = true
		}
	case "view":
		c.view = true
	case "table":
		c.table = true
		c.extra[args[0]] = append(c.extra[args[0]], args[1:]...)
	case "pts":
		c.pts = args[0]
		for _, name := range args[1:] { // after the word except
			c.ptsExcept[name] = true
		}
	case "layers":
		c.layers = args[0]
	case "policy":
		c.policy = args[0]
	case "file":
		for _, name := range args[1:] {
			c.files[name] = args[0]
		}
	case "note":
		c.notes[args[0]] = strings.Join(args[1:], " ")
	default:
		return fmt.Errorf("unknown key %q", key)
	}
	return nil
}
