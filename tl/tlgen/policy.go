package main

import (
	"fmt"
	"slices"
	"strings"
)

// The two judgements of a policy file.
const (
	policyOnce       = "once"
	policyRepeatable = "repeatable"
)

// repeatable reads the text of a policy file, one judgement a line ("once messages.sendMessage  # why"), and lists the
// functions that may be repeated, sorted by name. A function of the schema without a line is an error, as is a line
// without a function: whoever brings a new layer judges what it brings, and nothing is guessed from a name.
func (m *model) repeatable(file, text string) ([]string, error) {
	judged := make(map[string]int) // function -> its line
	var names []string
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		at := fmt.Sprintf("%s:%d", file, i+1)
		if len(words) != 2 || words[0] != policyOnce && words[0] != policyRepeatable {
			return nil, fmt.Errorf("%s: want the word once or repeatable, and a function", at)
		}
		name := words[1]
		switch d := m.byName[name]; {
		case d == nil || !d.Function:
			return nil, fmt.Errorf("%s: %s is no function of the schema", at, name)
		case judged[name] != 0:
			return nil, fmt.Errorf("%s: %s is judged already, in line %d", at, name, judged[name])
		}
		judged[name] = i + 1
		if words[0] == policyRepeatable {
			names = append(names, name)
		}
	}
	for _, d := range m.all {
		if d.Function && judged[d.Name] == 0 {
			return nil, fmt.Errorf("%s: %s is not judged: read what it does, and write it down as once or repeatable", file, d.Name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// emitRepeatable writes the names of the functions that may be repeated.
func emitRepeatable(f *goFile, m *model, names []string) {
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
}
