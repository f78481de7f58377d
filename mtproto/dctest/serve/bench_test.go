package serve_test

import (
	"sync/atomic"
	"testing"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/mtproto/transport"
)

// BenchmarkEcho is calls of 64 bytes over loopback TCP from many connections at once, the clients' share included.
func BenchmarkEcho(b *testing.B) {
	s, err := serve.Start(serve.Config{Core: dctest.Config{
		AnonymousEcho: true, EchoRecords: 1, Keys: []*crypt.PrivateKey{rsaKey()}, Group: group(),
	}})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	app := s.Descriptor().Apps[0].ID
	var ids atomic.Int64
	b.SetParallelism(16)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		p := dialTCP(b, s, 1, transport.Intermediate, false)
		defer p.conn.Close()
		p.makeKey(1, false)
		p.call(wrap(app, &echo.EchoRequest{}))
		q := &echo.EchoRequest{Payload: make([]byte, 64)}
		for pb.Next() {
			q.ID = ids.Add(1)
			p.call(q.Append(nil))
		}
	})
}
