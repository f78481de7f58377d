//go:build unix

package endtoend

import (
	"crypto/rand"
	"runtime"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/bench"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/badgerstore"
	"github.com/mtfleet/mtfleet/persistence/seal"
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
			var signIns, floors bench.Meter
			for left := b.N; left > 0; left -= block {
				n := min(left, block)
				signIns.Start()
				w.signIn(b, n, c.width, actors.AccountOptions{NoPFS: !c.pfs})
				signIns.Stop()
				floors.Start()
				f.Keys(n*keys, workers)
				floors.Stop()
			}
			b.ReportMetric(ms(signIns.Sum.CPU, b.N), "cpu-ms/signin")
			b.ReportMetric(ms(floors.Sum.CPU, b.N), "floor-ms/signin")
			b.ReportMetric(float64(signIns.Sum.CPU)/float64(floors.Sum.CPU), "x-floor")
			b.ReportMetric(float64(signIns.Sum.Mallocs)/float64(b.N), "allocs/signin")
			b.ReportMetric(float64(signIns.Sum.Bytes)/float64(b.N)/1024, "KiB/signin")
			b.ReportMetric(0, "ns/op") // includes the server and the floor
		})
	}
}

// BenchmarkFloor is the floor of one key taken apart, each by the primitive
// that the handshake uses; and once more with a pause before each key, as a
// handshake that waits for its server has it.
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
		{"exp", f.Exp}, {"fixed-base-exp", f.ExpG}, {"rsa-pad", f.RSAPad}, {"factorize", f.Factorize}, {"all", f.Key},
		{"all,after-a-pause", func(i int) { time.Sleep(5 * time.Millisecond); f.Key(i) }},
	} {
		b.Run(part.name, func(b *testing.B) {
			var m bench.Meter
			m.Start()
			for i := range b.N {
				part.do(i)
			}
			m.Stop()
			b.ReportMetric(ms(m.Sum.CPU, b.N), "cpu-ms/op")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func newFloor(b *testing.B, key *crypt.PublicKey) *bench.Floor {
	b.Helper()
	f, err := bench.NewFloor(key)
	if err != nil {
		b.Fatal(err)
	}
	return f
}

func openBadger(b *testing.B) persistence.Store {
	b.Helper()
	key := seal.MasterKey{1}
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
