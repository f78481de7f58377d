package badgerstore

import (
	"fmt"
	"os"
	"path/filepath"
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
			value, err := s.sealer.Seal(rec)
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
	c := &committer{db: s.db, sealer: s.sealer, owner: s.owner, chain: s.opened.chain, room: s.space.room}
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

// BenchmarkStart measures what a start costs with 10,000 accounts of five records
// each, closed before: opening with a head and without, by turns, and writing the
// sealed copy.
func BenchmarkStart(b *testing.B) {
	const accounts = 10_000
	dir := b.TempDir()
	s, err := Open(Options{Dir: dir, Key: testKey, copyDelay: -1})
	if err != nil {
		b.Fatal(err)
	}
	owner := claim(b, s)
	for i := 0; i < accounts; i += 100 {
		var records []persistence.Record
		for j := range 100 {
			id := persistence.AccountID(fmt.Sprintf("account-%d", i+j))
			records = append(records, signedIn(id)...)
			records = append(records, persistence.Updates{Pts: 1}.Record(id), persistence.Session{DC: 2, Salts: make([]persistence.Salt, 4)}.Record(id))
		}
		put(b, s, owner, records...)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	var opens [2][]time.Duration
	var copies []time.Duration
	for b.Loop() {
		for i, noHead := range []bool{true, false} {
			begun := time.Now()
			s, err := Open(Options{Dir: dir, Key: testKey, noHead: noHead, copyDelay: -1})
			if err != nil {
				b.Fatal(err)
			}
			opens[i] = append(opens[i], time.Since(begun))
			if !noHead {
				begun = time.Now()
				if err := writeCopy(dir, s.db, s.sealer, s.opened.chain.digest); err != nil {
					b.Fatal(err)
				}
				copies = append(copies, time.Since(begun))
			}
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		}
	}
	info, err := os.Stat(filepath.Join(dir, copyFileName))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(median(opens[0]).Microseconds())/1000, "ms/open-without")
	b.ReportMetric(float64(median(opens[1]).Microseconds())/1000, "ms/open-with")
	b.ReportMetric(float64(median(copies).Microseconds())/1000, "ms/copy")
	b.ReportMetric(float64(info.Size())/1e6, "MB/copy")
}
