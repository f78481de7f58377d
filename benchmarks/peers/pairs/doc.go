// Command pairs puts mtfleet and other clients through the same scenarios against the
// same test DC, in turns in one run, and prints what each took and how ours compares.
//
//	go run ./pairs                          all scenarios, three rounds
//	go run ./pairs --only calls --rounds 5  one of them
//	go run ./pairs --json                   one object as the last line
//
// The test DC runs in this process. Each turn of a client is a process of its own,
// which measures itself: CPU is user and system time, memory what /proc says after the
// garbage has been returned. Clients are gotd/td, mtfleet, and mtcute where Node is
// there and the packages in ../js are installed. All dial loopback addresses only.
package main
