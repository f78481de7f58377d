//go:build race

package actors_test

// raced: the race detector makes arithmetic ten times slower.
const raced = true
