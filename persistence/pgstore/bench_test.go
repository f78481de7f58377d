//go:build unix

package pgstore

import (
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/badgerstore"
	"github.com/mtfleet/mtfleet/persistence/pgstore/pgtest"
)

// cpu is what this process has used of the processor, and with who its ended
// children.
func cpu(b *testing.B, who int) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkCommit is durable commits of one record of 2 KB, by so many callers at
// once. cpu-us is of this process for one commit; server-us is of the server, which
// is ended to know it.
func BenchmarkCommit(b *testing.B) {
	for _, callers := range []int{1, 32, 256, 2000} {
		for _, store := range []string{"badger", "postgres"} {
			b.Run(fmt.Sprintf("store=%s/callers=%d", store, callers), func(b *testing.B) {
				var s persistence.Store
				var server *pgtest.Server
				var err error
				if store == "badger" {
					s, err = badgerstore.Open(badgerstore.Options{Dir: b.TempDir(), Key: testKey})
				} else {
					server = pgtest.Start(b, "fsync=on")
					s, err = Open(b.Context(), newPlace(server).options())
				}
				if err != nil {
					b.Fatal(err)
				}
				owner, err := s.Claim("bench")
				if err != nil {
					b.Fatal(err)
				}
				children := cpu(b, syscall.RUSAGE_CHILDREN) // what made the server is over
				text := persistence.Secret(make([]byte, 2<<10))
				before := cpu(b, syscall.RUSAGE_SELF)
				b.ResetTimer()
				work := make(chan int)
				var wg sync.WaitGroup
				for range callers {
					wg.Go(func() {
						for n := range work {
							r := meta(persistence.AccountID(fmt.Sprint("acc-", n%10_000)), "1", "")
							r.Data = text
							if err := s.Commit(persistence.Commit{Owner: owner, Put: []persistence.Record{r}}); err != nil {
								b.Error(err)
							}
						}
					})
				}
				for n := range b.N {
					work <- n
				}
				close(work)
				wg.Wait()
				b.StopTimer()
				per := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(b.N) }
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
				b.ReportMetric(per(cpu(b, syscall.RUSAGE_SELF)-before), "cpu-us")
				_ = s.Close()
				if server != nil {
					server.Stop()
					b.ReportMetric(per(cpu(b, syscall.RUSAGE_CHILDREN)-children), "server-us")
				}
			})
		}
	}
}

// BenchmarkSize is the disk that 10,000 accounts of the usual records take.
func BenchmarkSize(b *testing.B) {
	const accounts = 10_000
	s := newPlace(pgtest.Start(b)).open(b)
	owner, err := s.Claim("bench")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		var wg sync.WaitGroup
		for part := range 100 {
			wg.Go(func() {
				for n := part; n < accounts; n += 100 {
					id := persistence.AccountID(fmt.Sprintf("acc-%05d", n))
					err := s.Commit(persistence.Commit{Owner: owner, Put: []persistence.Record{
						persistence.Account{ID: id, PFS: true}.Record(), persistence.PermKey{DC: 2}.Record(id), persistence.TempKey{DC: 2}.Record(id),
						persistence.Session{DC: 2}.Record(id), persistence.Updates{}.Record(id),
					}})
					if err != nil {
						b.Error(err)
					}
				}
			})
		}
		wg.Wait()
	}
	n, err := s.DiskUse()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(n)/1e6, "MB")
	b.ReportMetric(float64(n)/accounts, "bytes/account")
}

// BenchmarkOwners is what owning costs the database: a renewal, one account read, and
// 10,000 accounts that change hands.
func BenchmarkOwners(b *testing.B) {
	const accounts = 10_000
	p := newPlace(pgtest.Start(b, "fsync=on"))
	s, ctx := p.open(b), b.Context()
	join := func(name string) persistence.Owner {
		o, err := s.Join(ctx, info(name, 10*time.Minute, 0))
		if err != nil {
			b.Fatal(err)
		}
		return o
	}
	o := join("a")
	ids := make([]persistence.AccountID, accounts)
	for from := 0; from < accounts; from += 1000 {
		var recs []persistence.Record
		for i := from; i < from+1000; i++ {
			ids[i] = persistence.AccountID(fmt.Sprintf("acc-%05d", i))
			recs = append(recs, meta(ids[i], "1", "x"))
		}
		if err := put(s, o, recs...); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("renew", func(b *testing.B) {
		for b.Loop() {
			if err := s.Renew(ctx, o); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("load", func(b *testing.B) {
		n := 0
		for b.Loop() {
			if _, err := s.Load(ids[n%accounts]); err != nil {
				b.Fatal(err)
			}
			n++
		}
	})
	b.Run("take one and release it", func(b *testing.B) {
		for b.Loop() {
			if err := s.Release(ctx, o, ids[:1]); err != nil {
				b.Fatal(err)
			}
			if got, err := s.Take(ctx, o, ids[:1]); err != nil || len(got) != 1 {
				b.Fatal(got, err)
			}
		}
	})
	b.Run("leave with 10,000 and take them", func(b *testing.B) {
		for b.Loop() {
			if err := s.Leave(ctx, o); err != nil {
				b.Fatal(err)
			}
			o = join("a")
			if got, err := s.Take(ctx, o, ids); err != nil || len(got) != accounts {
				b.Fatal(len(got), err)
			}
		}
	})
}

// BenchmarkMillion is what ten nodes with a million accounts ask all the time, and
// what is asked when one of them ends. The rows are made by the server.
func BenchmarkMillion(b *testing.B) {
	p := newPlace(pgtest.Start(b, "fsync=on"))
	s, ctx := p.open(b), b.Context()
	owners := make([]persistence.Owner, 10)
	for i := range owners {
		var err error
		if owners[i], err = s.Join(ctx, info(fmt.Sprint("n", i), 10*time.Minute, 0)); err != nil {
			b.Fatal(err)
		}
	}
	p.server.SQL(fmt.Sprintf(`insert into %s.accounts
select 'acc-' || lpad(i::text, 7, '0'), 'n' || i %% 10, i %% 10 + 1, now() from generate_series(1, 1000000) i`, p.schema))
	p.server.SQL("vacuum analyze " + p.schema + ".accounts") // as the server does by itself
	for _, c := range []struct {
		name string
		ask  func() error
	}{
		{"renew", func() error { return s.Renew(ctx, owners[0]) }},
		{"nodes", func() error { _, err := s.Nodes(ctx, false); return err }},
		{"nodes, counted", func() error { _, err := s.Nodes(ctx, true); return err }},
		{"free", func() error { _, err := s.Free(ctx, 1024); return err }},
		{"owned", func() error { _, err := s.Owned(ctx, owners[0]); return err }},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if err := c.ask(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("a node leaves with 100,000 and they are taken", func(b *testing.B) {
		left := 0
		for b.Loop() {
			if left++; left == len(owners) {
				b.Skip("there is no other node left")
			}
			if err := s.Leave(ctx, owners[left]); err != nil {
				b.Fatal(err)
			}
			for {
				free, err := s.Free(ctx, 256)
				if err != nil {
					b.Fatal(err)
				}
				if len(free) == 0 {
					break
				}
				var ids []persistence.AccountID
				for _, f := range free {
					ids = append(ids, f.ID)
				}
				if _, err := s.Take(ctx, owners[0], ids); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
