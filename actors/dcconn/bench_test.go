package dcconn

import (
	"context"
	"crypto/rand"
	"io"
	"net"
	"net/netip"
	goruntime "runtime"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/actors/wire"
	"github.com/mtfleet/mtfleet/mtproto"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
)

// BenchmarkIdleConns reports what an idle connection under a key costs in heap
// and stack, everything from the actor to the Go side of the socket included,
// and the test's end of the socket too.
func BenchmarkIdleConns(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	const n = 1000
	accepted := make(chan net.Conn, n)
	go func() {
		for {
			s, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.ReadFull(s, make([]byte, 100)) // the first ping
			accepted <- s
		}
	}()
	table := dc.Table{Options: []dc.Option{{DC: home, Addr: netip.MustParseAddrPort(l.Addr().String())}}}
	value := make([]byte, crypt.KeySize)
	for b.Loop() {
		sys := runtime.NewSystem(runtime.Options{})
		fast := governor.Rate{PerSecond: 1e6, Burst: 1e6}
		network := wire.New(wire.Config{Rand: rand.Reader})
		env := &Env{
			Network:  network,
			Governor: runtime.SpawnRoot[governor.Message](sys, governor.New(governor.Limits{Connects: fast, ConnectsPerDC: fast}, nil)),
			Table:    func() dc.Table { return table },
		}
		var servers []net.Conn
		before := liveBytes()
		for range n {
			_, _ = rand.Read(value)
			key, err := crypt.NewAuthKey(value)
			if err != nil {
				b.Fatal(err)
			}
			r := runtime.SpawnRoot[Message](sys, newConn(env, Config{DC: home, Notify: func(Event) {}}))
			r.Send(Run{Key: key, Session: mtproto.Config{
				Rand: rand.Reader, Salts: []mtproto.Salt{{Value: 1}}, OffsetKnown: true, Perm: true,
			}})
		}
		for range n {
			servers = append(servers, <-accepted)
		}
		time.Sleep(3 * time.Second) // until the governor knows that they work
		b.ReportMetric(float64(int64(liveBytes()-before))/n, "B/conn")
		if err := sys.Close(context.Background()); err != nil {
			b.Fatal(err)
		}
		for _, s := range servers {
			s.Close()
		}
		if err := network.Wait(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

func liveBytes() uint64 {
	goruntime.GC()
	goruntime.GC()
	var m goruntime.MemStats
	goruntime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
