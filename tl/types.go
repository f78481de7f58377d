package tl

import "strings"

// TypeNamed returns the number of the TL type with the name, TypeAny if the table has none.
func (t *Table) TypeNamed(name string) Type {
	n := TypeFunction + 1
	for rest := t.types; rest != ""; n++ {
		first, tail, _ := strings.Cut(rest, "\n")
		if first == name {
			return n
		}
		rest = tail
	}
	return TypeAny
}
