package tljson

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/mtfleet/mtfleet/tl"
)

// Methods gives the names of all functions of the schema, sorted.
func (c *Codec) Methods() iter.Seq[string] {
	return func(yield func(string) bool) {
		for index, name := range c.names.All() {
			if _, typ, _ := c.table.At(index); typ == tl.TypeFunction && !yield(name) {
				return
			}
		}
	}
}

// maxNearest is how many names are offered for a wrong one.
const maxNearest = 3

// Nearest returns the methods whose names are most like the one given, best first: those that are the same but for
// capital letters or the part before the dot, else those a few letters away. Often there is none.
func (c *Codec) Nearest(method string) []string {
	if len(method) > maxQuote {
		return nil
	}
	type likeness struct {
		name string
		far  int
	}
	var near []likeness
	wrong := strings.ToLower(method)
	wrongLast := wrong[strings.LastIndexByte(wrong, '.')+1:]
	for name := range c.Methods() {
		lower := strings.ToLower(name)
		last := lower[strings.LastIndexByte(lower, '.')+1:]
		far := distance(wrong, lower)
		switch {
		case lower == wrong:
			far = 0
		case last == wrongLast:
			far = 1
		case far > 1+len(wrong)/6:
			continue
		}
		near = append(near, likeness{name, far})
	}
	slices.SortStableFunc(near, func(a, b likeness) int { return cmp.Compare(a.far, b.far) })
	var names []string
	for _, n := range near[:min(len(near), maxNearest)] {
		if n.far > near[0].far {
			break
		}
		names = append(names, n.name)
	}
	return names
}

// distance is how many letters have to be put in, left out or changed to make b of a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// maxListed is how many constructors an error names.
const maxListed = 6

// constructorsOf says which constructors a type has, for an error.
func (c *Codec) constructorsOf(typ tl.Type) string {
	if typ == tl.TypeAny {
		return "the name of a constructor or method is expected"
	}
	var names []string
	for index, name := range c.names.All() {
		if _, got, _ := c.table.At(index); got == typ {
			names = append(names, name)
		}
	}
	if more := len(names) - maxListed; more > 0 {
		names = append(names[:maxListed], fmt.Sprintf("%d more", more))
	}
	return fmt.Sprintf("a value of type %s is expected (%s)", c.table.TypeName(typ), strings.Join(names, ", "))
}

// fieldsOf says which fields a constructor has, for an error.
func (c *Codec) fieldsOf(index int) string {
	_, _, ops := c.table.At(index)
	fields := c.names.Fields(index)
	var names []string
	for {
		cond, ok := fields.Next()
		if !ok {
			return strings.Join(names, ", ")
		}
		if cond == 0 {
			var op tl.Op
			_, op, _, ops = tl.NextField(ops)
			if _, word := op.FlagWord(); word {
				continue
			}
		}
		names = append(names, fields.Name())
	}
}
