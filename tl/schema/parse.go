package schema

import (
	"fmt"
	"strconv"
	"strings"
)

// SyntaxError is a line that is not TL.
type SyntaxError struct {
	// Line is its number, from 1.
	Line int
	// Reason says what is wrong with it.
	Reason string
}

// Error implements error.
func (e *SyntaxError) Error() string { return fmt.Sprintf("schema: line %d: %s", e.Line, e.Reason) }

// maxVectorDepth is how deep Vector<Vector<...>> may go; no known schema exceeds 1.
const maxVectorDepth = 4

// Parse reads .tl text: one definition a line, comments from // to the end of the line, and the separators
// ---types--- and ---functions---. Errors are *SyntaxError.
func Parse(text string) (*Schema, error) {
	s := &Schema{}
	function := false
	for i, line := range strings.Split(text, "\n") {
		line, comment, _ := strings.Cut(line, "//")
		if _, n, ok := strings.Cut(comment, "LAYER "); ok {
			layer, err := strconv.ParseUint(strings.TrimSpace(n), 10, 16)
			if err != nil {
				return nil, &SyntaxError{Line: i + 1, Reason: "the layer is not a number"}
			}
			s.Layer = int(layer)
		}
		switch line = strings.TrimSpace(line); line {
		case "":
			continue
		case "---types---", "---functions---":
			function = line == "---functions---"
			continue
		}
		d, err := parseDefinition(line)
		if err != nil {
			return nil, &SyntaxError{Line: i + 1, Reason: err.Error()}
		}
		d.Line, d.Function = i+1, function
		s.Definitions = append(s.Definitions, d)
	}
	return s, nil
}

func parseDefinition(line string) (d Definition, err error) {
	body, ok := strings.CutSuffix(line, ";")
	if !ok {
		return d, fmt.Errorf("no semicolon at the end")
	}
	left, right, ok := strings.Cut(body, "=")
	if !ok {
		return d, fmt.Errorf("no = before the result type")
	}
	words := strings.Fields(left)
	if len(words) == 0 {
		return d, fmt.Errorf("no name")
	}
	name, id, hasID := strings.Cut(words[0], "#")
	if !isName(name) {
		return d, fmt.Errorf("%q is not a name", name)
	}
	d.Name = name
	if hasID {
		n, err := strconv.ParseUint(id, 16, 32)
		if err != nil {
			return d, fmt.Errorf("%q is not a constructor id", id)
		}
		d.ID, d.HasID = uint32(n), true
	}
	words = words[1:]
	if len(words) > 0 && strings.HasPrefix(words[0], "{") {
		if d.Generic, ok = strings.CutSuffix(words[0][1:], ":Type}"); !ok || !isName(d.Generic) {
			return d, fmt.Errorf("%q is not a type variable", words[0])
		}
		words = words[1:]
	}
	if len(words) == 1 && words[0] == "?" {
		d.Builtin, words = true, nil
	}
	if d.Fields, err = parseFields(words); err != nil {
		return d, err
	}
	if d.Result, err = parseType(strings.TrimSpace(right), 0); err != nil {
		return d, fmt.Errorf("result: %w", err)
	}
	return d, nil
}

func parseFields(words []string) ([]Field, error) {
	var fields []Field
	names := make(map[string]bool) // name -> is a word of flags
	for _, word := range words {
		f, err := parseField(word)
		if err != nil {
			return nil, err
		}
		if _, ok := names[f.Name]; ok {
			return nil, fmt.Errorf("field %s appears twice", f.Name)
		}
		if f.Optional() && !names[f.Flags] {
			return nil, fmt.Errorf("field %s depends on %s, which is no word of flags before it", f.Name, f.Flags)
		}
		names[f.Name] = f.IsFlags()
		fields = append(fields, f)
	}
	return fields, nil
}

func parseField(word string) (f Field, err error) {
	name, typ, ok := strings.Cut(word, ":")
	if !ok || !isName(name) {
		return f, fmt.Errorf("%q is not a field", word)
	}
	f.Name = name
	if cond, rest, ok := strings.Cut(typ, "?"); ok {
		flags, bit, ok := strings.Cut(cond, ".")
		n, err := strconv.ParseUint(bit, 10, 8)
		if !ok || err != nil || n > 31 || !isName(flags) {
			return f, fmt.Errorf("field %s: %q is not a condition", name, cond)
		}
		f.Flags, f.Bit = flags, int(n)
		typ = rest
	}
	if f.Type, err = parseType(typ, 0); err != nil {
		return f, fmt.Errorf("field %s: %w", name, err)
	}
	switch {
	case f.Type.Name == "true" && !f.Optional():
		return f, fmt.Errorf("field %s: type true only makes sense with a condition", name)
	case f.IsFlags() && f.Optional():
		return f, fmt.Errorf("field %s: a word of flags cannot be optional", name)
	}
	return f, nil
}

func parseType(s string, depth int) (t Type, err error) {
	if depth > maxVectorDepth {
		return t, fmt.Errorf("vectors nested too deep")
	}
	if s == "#" {
		return Type{Name: "#"}, nil
	}
	if head, inner, ok := strings.Cut(s, "<"); ok && (head == "Vector" || head == "vector") {
		if inner, ok = strings.CutSuffix(inner, ">"); !ok {
			return t, fmt.Errorf("%q lacks a >", s)
		}
		elem, err := parseType(inner, depth+1)
		if err != nil {
			return t, err
		}
		if elem.Name == "#" || elem.Name == "true" || elem.Variable {
			return t, fmt.Errorf("a vector cannot hold %s", elem)
		}
		return Type{Name: head, Elem: &elem}, nil
	}
	t.Name, t.Bare = strings.CutPrefix(s, "%")
	if !t.Bare {
		t.Name, t.Variable = strings.CutPrefix(s, "!")
	}
	if !isName(t.Name) {
		return t, fmt.Errorf("%q is not a type", s)
	}
	return t, nil
}

// isName reports whether s consists of letters, digits and underscores, in parts joined by dots, each of which
// starts with a letter.
func isName(s string) bool {
	for _, part := range strings.Split(s, ".") {
		for i := 0; i < len(part); i++ {
			c := part[i]
			letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
			if !letter && (i == 0 || c != '_' && (c < '0' || c > '9')) {
				return false
			}
		}
		if part == "" {
			return false
		}
	}
	return true
}
