// Package control serves the controls of a test cluster over HTTP with JSON, so that a test in any language can read the
// ledger, the violations and the codes, let something go wrong, push an update or scan a QR code.
//
//	l, err := control.Listen("127.0.0.1:0")
//	server := control.Serve(cluster, l)
//	defer server.Close() // before the cluster
//
// docs/testdc.md shows every path with the JSON it prints; tests hold that page and the shapes. GET only looks, POST and
// DELETE do something. What cannot be done is one JSON object {"error", "field", "allowed"} that names the field at fault
// and what may stand there. Fields and parameters that a path does not have are refused, for a misspelt one would be a
// test that tests nothing.
//
// It is for tests on one machine: Listen takes loopback addresses only, a Host that is no name of this machine is refused
// (a web page that had its own name point here would send that), requests of web pages are refused, and no header lets
// a page read an answer. There is no other protection: whoever may connect may do everything.
//
// Bounds: a body has at most 8 MiB (a verdict over 100,000 keys takes 4), 64 requests are answered at a time and more of
// them wait, 32 of them may wait for codes or messages, a page of a list has at most 10,000 records, and one copy of the ledger (1<<20
// records of some 120 bytes in each list) is made at a time.
package control
