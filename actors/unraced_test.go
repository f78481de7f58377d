//go:build !race

package actors_test

const raced = false
