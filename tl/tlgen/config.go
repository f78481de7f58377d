package main

import (
	"fmt"
	"go/token"
	"strings"
)

// config is a parsed tlgen.txt.
type config struct {
	pkg       string
	schemas   []string
	imports   bool // types of package tl/tg are used, not repeated
	roots     []string
	own       map[string]bool // generated though tl/tg has it
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
	publish   string            // where a copy of the configuration goes
	files     map[string]string // TL type -> name of the file for its constructors
	notes     map[string]string
	lines     map[string]int // key and name -> the line that has them
}

// keys are the words that a line of a tlgen.txt begins with, and the fewest arguments of each.
var keys = map[string]int{
	"package": 1, "schema": 1, "import": 1, "root": 1, "own": 1, "omit": 1, "hand": 1, "raw": 1, "view": 0, "table": 1,
	"pts": 1, "layers": 1, "policy": 1, "publish": 1, "file": 2, "note": 2,
}

// parseConfig reads the text of a tlgen.txt. Its errors begin with file and line.
func parseConfig(text string) (*config, error) {
	c := &config{
		own: make(map[string]bool), omit: make(map[string]bool), hand: make(map[string]bool), raw: make(map[string]bool),
		extra: make(map[string][]string), ptsExcept: make(map[string]bool), files: make(map[string]string),
		notes: make(map[string]string), lines: make(map[string]int),
	}
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		for _, name := range words[1:] {
			if c.lines[words[0]+" "+name] == 0 {
				c.lines[words[0]+" "+name] = i + 1
			}
		}
		if err := c.set(words[0], words[1:]); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", configName, i+1, err)
		}
	}
	if c.imports && len(c.schemas) == 0 {
		c.schemas = []string{"api.tl"}
	}
	if c.pkg == "" || len(c.schemas) == 0 || len(c.roots) == 0 {
		return nil, fmt.Errorf("%s: it needs a line \"package NAME\", a line \"import tg\" or \"schema FILE\", and a line \"root NAME...\"", configName)
	}
	return c, nil
}

func (c *config) set(key string, args []string) error {
	least, ok := keys[key]
	switch {
	case !ok:
		return fmt.Errorf("unknown key %q", key)
	case len(args) < least && least == 1:
		return fmt.Errorf("%s needs an argument", key)
	case len(args) < least:
		return fmt.Errorf("%s needs %d arguments", key, least)
	}
	switch key {
	case "package":
		if !token.IsIdentifier(args[0]) {
			return fmt.Errorf("package %s: that is no name of a Go package", args[0])
		}
		c.pkg = args[0]
	case "schema":
		c.schemas = append(c.schemas, args...)
	case "import":
		if len(args) != 1 || args[0] != "tg" {
			return fmt.Errorf("import %s: only tg can be imported", strings.Join(args, " "))
		}
		c.imports = true
	case "root":
		c.roots = append(c.roots, args...)
	case "own":
		add(c.own, args)
	case "omit":
		add(c.omit, args)
	case "hand":
		add(c.omit, args)
		add(c.hand, args)
	case "raw":
		add(c.raw, args)
	case "view":
		c.view = true
	case "table":
		c.table = true
		c.extra[args[0]] = append(c.extra[args[0]], args[1:]...)
	case "pts":
		c.pts = args[0]
		add(c.ptsExcept, args[1:]) // after the word except
	case "layers":
		c.layers = args[0]
	case "policy":
		c.policy = args[0]
	case "publish":
		c.publish = args[0]
	case "file":
		for _, name := range args[1:] {
			c.files[name] = args[0]
		}
	case "note":
		c.notes[args[0]] = strings.Join(args[1:], " ")
	}
	return nil
}

func add(to map[string]bool, names []string) {
	for _, name := range names {
		to[name] = true
	}
}

// wrong is an error about a name in the configuration: file and line, the key and the name, and what is wrong.
func (c *config) wrong(key, name, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s %s: %w", configName, c.lines[key+" "+name], key, name, fmt.Errorf(format, args...))
}
