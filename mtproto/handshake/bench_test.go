package handshake

import (
	"io"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/tl/mt"
)

// stopwatch adds up the time spent in one thing among others.
type stopwatch time.Duration

func (w *stopwatch) time(f func()) {
	began := time.Now()
	f()
	*w += stopwatch(time.Since(began))
}

// costs are what one handshake took, and what its arithmetic takes when nothing else is done: the floor. The floor is
// measured on the same numbers, between the handshakes, so that a busy machine slows both alike.
type costs struct{ client, server, exp, expG, rsaPad, factor stopwatch }

func (c *costs) floor() stopwatch { return c.exp + c.expG + c.rsaPad + c.factor }

// measure makes one key. All of the client is timed: parsing, hashing, drawing numbers, and its work.
func measure(t testing.TB, rand io.Reader, temp bool, c *costs) {
	cc, sc := clientConfig(0), serverConfig(0)
	cc.Rand, cc.Temp, sc.Rand = rand, temp, rand
	server, err := NewServer(sc)
	if err != nil {
		t.Fatal(err)
	}
	var client *Client
	c.client.time(func() {
		client = NewClient(cc)
		client.Start(start)
	})
	var pq uint64
	var ga []byte
	for {
		var out Output
		var ok bool
		c.client.time(func() { out, ok = client.Next() })
		if !ok {
			t.Fatal("the handshake stands still")
		}
		switch out.Kind {
		case OutWork:
			c.client.time(func() { client.Done(start, out.Work()) })
		case OutPacket:
			var r Reply
			c.server.time(func() {
				for r = server.Receive(start, out.Packet); r.Work != nil; r = server.Done(start, r.Work()) {
				}
			})
			c.client.time(func() { client.Receive(start, r.Packet) })
			pq, ga = client.pq, client.ga
		case OutDone:
			c.measureFloor(t, rand, pq, ga)
			return
		case OutFailed:
			t.Fatal(out.Err)
		}
	}
}

// measureFloor does once each what no client can do without, with the primitives the client uses.
func (c *costs) measureFloor(t testing.TB, rand io.Reader, pq uint64, ga []byte) {
	b := make([]byte, 256)
	if _, err := io.ReadFull(rand, b); err != nil {
		t.Fatal(err)
	}
	inner := (&mt.PQInnerDataDC{PQ: minimal(pq), P: make([]byte, 4), Q: make([]byte, 4)}).Append(nil)
	c.factor.time(func() { crypt.Factorize(pq) })
	c.rsaPad.time(func() { _, _ = crypt.RSAPad(rand, privateKey().Public(), inner) })
	c.expG.time(func() { wellKnown().ExpG(b) })
	c.exp.time(func() { wellKnown().Exp(ga, b) })
}

// BenchmarkKey reports the client's time per key beside its floor: one bigmod Exp, one fixed-base exponentiation, one
// RSA_PAD, one factorisation. ns/op is meaningless here: it includes the server and the floor.
func BenchmarkKey(b *testing.B) {
	for _, kind := range []string{"perm", "temp"} {
		b.Run(kind, func(b *testing.B) {
			rand := seeded(90)
			wellKnown()
			privateKey()
			var c costs
			for b.Loop() {
				measure(b, rand, kind == "temp", &c)
			}
			ms := func(w stopwatch, unit string) {
				b.ReportMetric(float64(w)/float64(b.N)/float64(time.Millisecond), unit)
			}
			ms(c.client, "client-ms/key")
			ms(c.server, "server-ms/key")
			ms(c.floor(), "floor-ms/key")
			ms(c.exp, "floor-exp-ms")
			ms(c.expG, "floor-fixed-base-ms")
			ms(c.rsaPad, "floor-rsa-pad-ms")
			ms(c.factor, "floor-factor-ms")
			b.ReportMetric(float64(c.client)/float64(c.floor()), "client/floor")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// A key must cost the client at most 1.5 times its floor. The least of several measurements is compared, so that a busy
// machine does not decide.
func TestKeyCostsLittleMoreThanItsFloor(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time")
	}
	rand := seeded(91)
	var best float64
	for range 10 {
		var c costs
		measure(t, rand, true, &c)
		if ratio := float64(c.client) / float64(c.floor()); best == 0 || ratio < best {
			best = ratio
		}
	}
	if best > 1.5 {
		t.Errorf("a key costs %.2f times its floor", best)
	}
}
