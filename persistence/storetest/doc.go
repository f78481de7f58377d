// Package storetest tests implementations of persistence.Store, and helps to
// test what is built on one.
//
// [Run] is the conformance suite: every store passes it. [Failing] is a store
// whose commits fail when the test says so, and [Crashing] one whose process
// dies in the middle of a commit and which then holds what was durable.
package storetest
