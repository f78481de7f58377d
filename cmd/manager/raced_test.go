//go:build race

package main

// raced: a detector of races needs one error of each class, not all of them, and
// makes each of them ten times as slow.
const raced = true
