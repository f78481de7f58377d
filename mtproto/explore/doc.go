// Package explore proves the engines that keep keys and logins by trying
// everything: its tests drive pfs, guest and standing together against a table
// of keys that answers as a DC does, in every order of inputs, with answers lost
// or given twice, keys and bindings forgotten, connections lost, waits ordered, a
// crash before and after each save, and a clock set wrong, up to a number of such
// faults and of steps. States that are the same, whatever led to them, are met once.
//
// At home there is a second slot of temp keys, for media. The owner may ask for
// rotations: that is no fault, and nothing is forgiven for it, so they have a count
// of their own; two, for the second to meet what the first has left behind.
//
//	go test ./mtproto/explore                                  # seconds
//	go test ./mtproto/explore -run TestDeep -deep -states 10000000 -faults 3 -timeout 3h
//
// A violation is printed as the shortest way to it, a step in a line. It has no
// other code than tests.
package explore
