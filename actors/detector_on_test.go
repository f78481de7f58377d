//go:build race

package actors

// raceDetector: it makes arithmetic ten times slower, and finds in part of the
// simulated runs what it would find in all: they run on one goroutine.
const raceDetector = true
