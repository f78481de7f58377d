//go:build unix

package endtoend

import (
	"crypto/rand"
	"io"
	"math/big"
	"runtime"
	"sync"
	"testing"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/badgerstore"
)

// block is how many sign-ins and floors alternate, so that both meet the
// machine in the same mood.
const block = 16

// BenchmarkSignIn is a bot's whole sign-in, from Add until the account is
// online: connect, perm key, with PFS also temp key and bind,
// importBotAuthorization, the state of updates, and every commit on the way.
// "alone" is one at a time, "crowd" 8 at once.
func BenchmarkSignIn(b *testing.B) {
	for _, c := range []struct {
		name   string
		pfs    bool
		width  int
		badger bool
	}{
		{"alone,pfs=off", false, 1, false},
		{"alone,pfs=on", true, 1, false},
		{"crowd,pfs=off", false, 8, false},
		{"crowd,pfs=on", true, 8, false},
		{"crowd,pfs=on,badger", true, 8, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			store := persistence.Store(persistence.NewMemory())
			if c.badger {
				store = openBadger(b)
			}
			w := newWorld(b, store)
			f := newFloor(b, w.key)
			keys, workers := 1, 1
			if c.pfs {
				keys = 2
			}
			if c.width > 1 {
				workers = runtime.GOMAXPROCS(0)
			}
			w.signIn(b, 2, 1, actors.AccountOptions{NoPFS: !c.pfs}) // what is made once is made
			var signIns, floors meter
			for left := b.N; left > 0; left -= block {
				n := min(left, block)
				signIns.start()
				w.signIn(b, n, c.width, actors.AccountOptions{NoPFS: !c.pfs})
				signIns.stop()
				floors.start()
				f.run(n*keys, workers)
				floors.stop()
			}
			b.ReportMetric(ms(signIns.sum.cpu, b.N), "cpu-ms/signin")
			b.ReportMetric(ms(floors.sum.cpu, b.N), "floor-ms/signin")
			b.ReportMetric(float64(signIns.sum.cpu)/float64(floors.sum.cpu), "x-floor")
			b.ReportMetric(float64(signIns.sum.mallocs)/float64(b.N), "allocs/signin")
			b.ReportMetric(float64(signIns.sum.bytes)/float64(b.N)/1024, "KiB/signin")
			b.ReportMetric(0, "ns/op") // includes the server and the floor
		})
	}
}

// BenchmarkFloor is the floor of one key taken apart, each by the primitive
// that the handshake uses.
func BenchmarkFloor(b *testing.B) {
	private, err := crypt.GeneratePrivateKey(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	f := newFloor(b, private.Public())
	for _, part := range []struct {
		name string
		do   func(i int)
	}{
		{"exp", f.exp}, {"fixed-base-exp", f.expG}, {"rsa-pad", f.rsaPad}, {"factorize", f.factorize}, {"all", f.one},
	} {
		b.Run(part.name, func(b *testing.B) {
			var m meter
			m.start()
			for i := range b.N {
				part.do(i)
			}
			m.stop()
			b.ReportMetric(ms(m.sum.cpu, b.N), "cpu-ms/op")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// floor is the arithmetic of keys without anything around it.
type floor struct {
	group *crypt.Group
	key   *crypt.PublicKey
	ga    []byte   // a server's public value
	b     [][]byte // secret exponents
	pq    []uint64
}

// innerSize is the length of p_q_inner_data_dc, which RSA_PAD wraps.
const innerSize = 96

func newFloor(b *testing.B, key *crypt.PublicKey) *floor {
	b.Helper()
	f := &floor{group: crypt.WellKnownGroup(), key: key}
	for range 64 {
		f.pq = append(f.pq, prime(b)*prime(b))
		e := make([]byte, crypt.KeySize)
		if _, err := io.ReadFull(rand.Reader, e); err != nil {
			b.Fatal(err)
		}
		f.b = append(f.b, e)
	}
	f.ga = f.group.ExpG(f.b[0])
	return f
}

// prime draws one of 31 bits, as servers do for pq.
func prime(b *testing.B) uint64 {
	for {
		n, err := rand.Int(rand.Reader, big.NewInt(1<<30))
		if err != nil {
			b.Fatal(err)
		}
		if n.SetBit(n, 30, 1); n.ProbablyPrime(16) {
			return n.Uint64()
		}
	}
}

func (f *floor) exp(i int)       { f.group.Exp(f.ga, f.b[i%len(f.b)]) }
func (f *floor) expG(i int)      { f.group.ExpG(f.b[i%len(f.b)]) }
func (f *floor) factorize(i int) { crypt.Factorize(f.pq[i%len(f.pq)]) }
func (f *floor) rsaPad(int) {
	if _, err := crypt.RSAPad(rand.Reader, f.key, make([]byte, innerSize)); err != nil {
		panic(err) // the key and the length are right, and crypto/rand does not fail
	}
}

// one is what one key costs at least.
func (f *floor) one(i int) {
	f.factorize(i)
	f.rsaPad(i)
	f.expG(i)
	f.exp(i)
}

// run does the arithmetic of n keys on so many goroutines.
func (f *floor) run(n, workers int) {
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				f.one(i)
			}
		})
	}
	wg.Wait()
}

func openBadger(b *testing.B) persistence.Store {
	b.Helper()
	key := badgerstore.MasterKey{1}
	s, err := badgerstore.Open(badgerstore.Options{Dir: b.TempDir(), Key: key})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}
