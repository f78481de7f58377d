package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mtfleet/mtfleet/tl/schema"
)

// repeatable lists the functions that only read, sorted by name. The words of the configuration propose them, its
// lists once and repeat overrule the words. An entry that changes nothing is an error, so that the lists stay as
// short as their review and a renamed function is noticed.
func (m *model) repeatable() ([]string, error) {
	functions := make(map[string]bool)
	proposals := make(map[string]int)
	var names []string
	for _, d := range m.all {
		if !d.Function {
			continue
		}
		functions[d.Name] = true
		word, proposed := m.cfg.readingWord(d)
		switch {
		case proposed && m.cfg.repeat[d.Name]:
			return nil, fmt.Errorf("repeat %s: the word %s says so already", d.Name, word)
		case !proposed && m.cfg.once[d.Name]:
			return nil, fmt.Errorf("once %s: no word says otherwise", d.Name)
		case proposed && !m.cfg.once[d.Name], m.cfg.repeat[d.Name]:
			names = append(names, d.Name)
		}
		if proposed {
			proposals[word]++
		}
	}
	for _, word := range m.cfg.reads {
		if proposals[word] == 0 {
			return nil, fmt.Errorf("reads %s: no function begins so", word)
		}
	}
	for _, list := range []map[string]bool{m.cfg.once, m.cfg.repeat} {
		for _, name := range slices.Sorted(maps.Keys(list)) {
			if !functions[name] {
				return nil, fmt.Errorf("%s is judged and not a function of the schema", name)
			}
		}
	}
	slices.Sort(names)
	return names, nil
}

// readingWord returns the word of the configuration that the name of a function, without its namespace, begins with.
func (c *config) readingWord(d *schema.Definition) (string, bool) {
	name := strings.TrimPrefix(d.Name, namespace(d.Name)+".")
	for _, word := range c.reads {
		if rest, ok := strings.CutPrefix(name, word); ok && (rest == "" || rest[0] >= 'A' && rest[0] <= 'Z') {
			return word, true
		}
	}
	return "", false
}

// emitRepeatable writes the names of the functions that may be repeated.
func emitRepeatable(f *goFile, m *model) error {
	names, err := m.repeatable()
	if err != nil {
		return err
	}
	functions, bytes := 0, 0
	for _, d := range m.all {
		if d.Function {
			functions++
		}
	}
	for _, name := range names {
		bytes += len(name)
	}
	f.p("// repeatable names the functions that only read, %d of %d, sorted: %d bytes of names and %d of headers.",
		len(names), functions, bytes, 16*len(names))
	f.p("var repeatable = [...]string{")
	for _, name := range names {
		f.p("\t%q,", name)
	}
	f.p("}")
	return nil
}
