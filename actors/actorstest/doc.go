// Package actorstest is what tests of the fleet share: a test cluster in
// memory, a manager for it, accounts signed in, and an Auditor that holds a run
// against the promises. It is for tests and benchmarks only; no program imports
// it, and it is no part of what mtfleet offers.
//
// Helpers that take a testing.TB fail the test and clean up with it. They wait
// by channels and timers alone, so that they work in a testing/synctest bubble,
// where minutes pass at once. The Auditor takes no testing.TB: a simulation uses
// it too.
package actorstest
