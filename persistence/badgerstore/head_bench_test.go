package badgerstore

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/mtfleet/mtfleet/persistence"
)

// BenchmarkGroup measures what the head costs: groups of 64 commits, each a perm
// key and a place in the updates, by turns into a store without a head and one
// with it, so that both have the same disk and the same neighbours. The figures
// are medians; ratio is with over without.
func BenchmarkGroup(b *testing.B) {
	for _, size := range []int{1, 64} {
		b.Run(fmt.Sprintf("of-%d", size), func(b *testing.B) {
			stores := [2]*groupStore{newGroupStore(b, true, size), newGroupStore(b, false, size)}
			var times [2][]time.Duration
			n := 0
			for b.Loop() {
				n++
				for i, s := range stores {
					begun := time.Now()
					s.commit(b, n)
					times[i] = append(times[i], time.Since(begun))
				}
			}
			without, with := median(times[0]), median(times[1])
			b.ReportMetric(float64(without.Microseconds()), "us/group-without")
			b.ReportMetric(float64(with.Microseconds()), "us/group-with")
			b.ReportMetric(float64(with)/float64(without), "ratio")
		})
	}
}

type groupStore struct {
	*Store
	owner persistence.Owner
	size  int
	next  int
}

func newGroupStore(b *testing.B, noHead bool, size int) *groupStore {
	s, err := Open(Options{Dir: b.TempDir(), Key: testKey, noHead: noHead, copyDelay: -1})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return &groupStore{s, claim(b, s), size, 0}
}

// commit runs one group through a committer of its own, as if its requests had
// been waiting; the store's own has nothing to do.
func (s *groupStore) commit(b *testing.B, n int) {
	queue := make(chan *request, s.size)
	requests := make([]*request, s.size)
	for i := range requests {
		id := persistence.AccountID(fmt.Sprintf("account-%d", (s.next+i)%2000))
		r := &request{commit: persistence.Commit{Owner: s.owner, Put: []persistence.Record{
			persistence.PermKey{DC: 2}.Record(id), persistence.Updates{Pts: int32(n)}.Record(id),
		}}, done: make(chan error, 1)}
		for _, rec := range r.commit.Put {
			value, err := s.sealer.seal(rec)
			if err != nil {
				b.Fatal(err)
			}
			r.entries = append(r.entries, badger.NewEntry(recordName(rec.Key), value))
		}
		requests[i] = r
		queue <- r
	}
	s.next += s.size
	close(queue)
	c := &committer{db: s.db, sealer: s.sealer, owner: s.owner, chain: s.opened.chain}
	c.run(queue)
	for _, r := range requests {
		if err := <-r.done; err != nil {
			b.Fatal(err)
		}
	}
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}
