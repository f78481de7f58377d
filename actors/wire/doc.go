// Package wire makes connections to DCs and moves packets over them: it races
// the addresses of a DC, frames and obfuscates, reads with a limited number of
// credits and writes from a bounded queue. What carries the bytes is TCP, directly
// or through a proxy, or a WebSocket over that.
//
// It is not an actor and knows none: it delivers packets to a [Handler], and
// everything it decides by itself is to close a connection. It does not look
// into packets, except to recognise the transport's own error codes
// (https://core.telegram.org/mtproto/mtproto-transports#transport-errors).
//
//	cancel := network.Dial(targets, dc, done) // done(conn, err) follows
//	conn.Start(handler)                       // a goroutine reads, while there is something to read
//	n := conn.Room()                          // what may be sent now
//	err = conn.Send(packet)                   // never blocks
//	conn.Release(n)                           // a packet of n bytes is dealt with
//	conn.Close()
//	network.Wait(ctx)                         // at the end of everything
//
// An idle connection costs its socket and the codec; no read buffer, no writer, no
// ciphers. Over plain TCP on Linux it has no goroutine, see lot.go; elsewhere one with
// a shallow stack. In a WebSocket it also costs the buffers of the library and of
// TLS, see BenchmarkCarriers.
package wire
