package tg

import "slices"

// Repeatable reports whether a method, named as in the schema, only reads: it may be sent again when it is not known
// whether the server ran it. Everything else may not, unknown methods and the wrappers around queries included.
//
// Which methods those are is decided when the table is generated, by the word a name begins with and by the lists
// of exceptions in tlgen.txt, which somebody read the documentation for; the name says nothing at run time.
func Repeatable(method string) bool {
	_, found := slices.BinarySearch(repeatable[:], method)
	return found
}
