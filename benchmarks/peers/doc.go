// Package peers holds mtfleet against another implementation of MTProto, in
// both directions: gotd/td signs in to our test DC, and our manager signs in to
// gotd's test server. What only our own client and our own server agree on
// shows here.
//
// There is nothing to import: the package is tests and benchmarks. It is a Go
// module of its own, so that nobody who uses mtfleet downloads gotd/td, whose
// exact version is in go.mod. Everything runs on loopback.
//
//	go test ./...                                  about a minute: one test waits for a key to be rotated
//	go test -run '^$' -bench . -benchtime 5x ./... what README.md records
package peers
