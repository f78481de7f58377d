// Package bench has what measurements of the manager share: whom they may load,
// what the process spends and holds, how long calls take, and the floor that no
// client can go below. The commands of `manager bench` and benchmarks/endtoend
// measure with it, so that their figures mean the same.
//
// The test DC runs in a process of its own: what is measured here is the client's.
package bench
