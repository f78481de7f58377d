package tg

import "slices"

// Repeatable reports whether a method, named as in the schema, only reads: it may be sent again when it is not known
// whether the server ran it. Everything else may not, unknown methods and the wrappers around queries included.
//
// Which methods those are is a review of every function of the schema, policy.txt; the name says nothing, and a function
// that nobody has judged fails the generation.
func Repeatable(method string) bool {
	_, found := slices.BinarySearch(repeatable[:], method)
	return found
}
