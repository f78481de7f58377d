// Package serve gives the test cluster of package dctest sockets, a clock and goroutines, as net/http/httptest does for
// handlers.
//
//	cluster, err := serve.Start(serve.Config{Persons: 10, Bots: 5})
//	defer cluster.Close()
//	describe := cluster.Descriptor() // addresses, RSA public key, phone numbers and codes, bot tokens
//
// Every DC listens on a loopback address of its own and speaks all transports (abridged, intermediate, padded, full, and
// obfuscated2 around them). Clients in the same process may use Dialer instead, which needs no socket and works in a
// testing/synctest bubble. One goroutine owns the core; each connection has a reader and, while there is something to
// write, a writer; heavy arithmetic runs on a bounded pool. Close returns when all of them are gone.
//
// The methods of Cluster are the control surface: faults, the ledger, pushes, what people write and read (Say, Post,
// Messages), stopping and starting a DC. They may be called from any goroutine.
//
// A bot's own test plays in virtual time: examples/echobot has one. Inside the bubble are the cluster (MemoryOnly, its
// Dialer, an RSAKey that was made before) and a store in memory (persistence.NewMemory), for Badger's goroutines wait for a
// disk. API methods that are missing are added by Register of package api.
//
// It listens on loopback addresses only, and its RSA key is generated or given, never Telegram's.
package serve
