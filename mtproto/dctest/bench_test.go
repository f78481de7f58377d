package dctest_test

import (
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
)

// BenchmarkEcho is one call of 64 bytes through the core, the hand-made client's share included.
func BenchmarkEcho(b *testing.B) {
	w := newWorld(b, func(c *dctest.Config) { c.EchoRecords = 1 })
	p := w.withPerm(2).inited()
	q := echoOf(1)
	q.Payload = make([]byte, 64)
	var got int64
	for b.Loop() {
		w.now = w.now.Add(10 * time.Microsecond)
		w.c.Packet(w.now, p.id, p.Packet(p.Query(w.now, q)), false)
		w.settle()
		_, list, err := p.Open(p.wire().packets[0])
		if err != nil {
			b.Fatal(err)
		}
		p.wire().packets = nil
		got = list[len(list)-1].ID
		if b.N%16 == 0 {
			p.ack(got)
			p.wire().packets = nil
		}
	}
}

// BenchmarkHandshake is the server's and the client's work for one key.
func BenchmarkHandshake(b *testing.B) {
	w := newWorld(b, nil)
	p := w.connect(2)
	for b.Loop() {
		if _, err := p.tryKey(false, 0); err != nil {
			b.Fatal(err)
		}
	}
}
