//go:build unix

package pgstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/pgstore/pgtest"
	"github.com/mtfleet/mtfleet/persistence/storetest"
)

func join(t *testing.T, s *Store, name string) persistence.Owner {
	t.Helper()
	o, err := s.Join(t.Context(), info(name, 10*time.Second, 2*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func put(s *Store, o persistence.Owner, recs ...persistence.Record) error {
	c := persistence.Commit{Owner: o, Put: recs}
	if len(recs) > 0 {
		if has, err := s.Load(recs[0].Account); err == nil && len(has) == 0 {
			c.Absent = []persistence.Key{recs[0].Key} // it begins the account
		}
	}
	return s.Commit(c)
}

func mustPut(t *testing.T, s *Store, o persistence.Owner, recs ...persistence.Record) {
	t.Helper()
	if err := put(s, o, recs...); err != nil {
		t.Fatal(err)
	}
}

func data(t *testing.T, s *Store, id persistence.AccountID) (all []string) {
	t.Helper()
	recs, err := s.Load(id)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range recs {
		all = append(all, string(r.Data))
	}
	return all
}

func stale(err error) bool { return errors.As(err, new(*persistence.StaleOwnerError)) }

// A node that has slept through its lease goes on writing while another takes what
// it has: after the answer to Take nothing of it is accepted.
func testTakeover(t *testing.T, p place) {
	a, b := p.open(t), p.open(t)
	first := join(t, a, "a")
	const accounts, writers = 40, 8
	ids := make([]persistence.AccountID, accounts)
	for i := range ids {
		ids[i] = persistence.AccountID(fmt.Sprint("acc-", i))
		mustPut(t, a, first, meta(ids[i], "1", "0"), meta(ids[i], "2", "0"))
	}
	p.pass(13 * time.Second)
	second := join(t, b, "b")
	taken := make([]atomic.Bool, accounts)
	var accepted, refused atomic.Int64
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for w := range writers {
		wg.Go(func() {
			for n := 1; ; n++ {
				for i := w; i < accounts; i += writers {
					was := taken[i].Load() // before it is asked
					text := fmt.Sprint(n)
					err := put(a, first, meta(ids[i], "1", text), meta(ids[i], "2", text))
					switch {
					case err == nil && was:
						t.Errorf("%s: a commit was accepted after it was taken", ids[i])
					case err == nil:
						accepted.Add(1)
					case stale(err):
						refused.Add(1)
					default:
						t.Error(err)
					}
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for from := 0; from < accounts; from += 5 {
		got, err := b.Take(t.Context(), second, ids[from:from+5])
		if err != nil || len(got) != 5 {
			t.Fatalf("took %v, %v", got, err)
		}
		for i := from; i < from+5; i++ {
			taken[i].Store(true)
			before := data(t, b, ids[i])
			if before[0] != before[1] {
				t.Errorf("half of a commit: %v", before)
			}
			mustPut(t, b, second, meta(ids[i], "3", before[0]))
		}
	}
	close(stop)
	wg.Wait()
	for _, id := range ids {
		if d := data(t, a, id); d[0] != d[1] || d[0] != d[2] {
			t.Errorf("%s was written after it was taken: %v", id, d)
		}
	}
	if accepted.Load() == 0 || refused.Load() == 0 {
		t.Errorf("%d accepted and %d refused: the test tests nothing", accepted.Load(), refused.Load())
	}
}

// The server is killed again and again while many commit: callers wait, everything
// they were told of is there, and of no commit there is half.
func TestTheServerIsKilledAmongCommits(t *testing.T) {
	server := pgtest.Start(t)
	p := newPlace(server)
	o := p.options()
	o.Patience = 30 * time.Second
	s := p.openWith(t, o)
	owner, err := s.Claim("a")
	if err != nil {
		t.Fatal(err)
	}
	const writers = 16
	told := make([]int, writers)
	stop, made := make(chan struct{}), make(chan struct{}, 1<<16)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			id := persistence.AccountID(fmt.Sprint("w", w))
			for n := 1; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				one := meta(id, "n"+strconv.Itoa(n), "x")
				err := s.Commit(persistence.Commit{Owner: owner, Put: []persistence.Record{one, meta(id, "1", strconv.Itoa(n)), meta(id, "2", strconv.Itoa(n))}, Absent: []persistence.Key{one.Key}})
				if err != nil {
					t.Errorf("commit %d of %s: %v", n, id, err)
					return
				}
				told[w] = n
				made <- struct{}{}
			}
		})
	}
	some := func() {
		for range 10 * writers {
			select {
			case <-made:
			case <-time.After(o.Patience):
				t.Fatal("no commit is made any more")
			}
		}
	}
	for range 4 {
		some()
		server.Restart()
	}
	some()
	close(stop)
	wg.Wait()
	server.Restart()
	sum := 0
	for w := range writers {
		recs, err := s.Load(persistence.AccountID(fmt.Sprint("w", w)))
		if err != nil {
			t.Fatal(err)
		}
		last := strconv.Itoa(told[w])
		if len(recs) != told[w]+2 || string(recs[0].Data) != last || string(recs[1].Data) != last {
			t.Errorf("writer %d was told of %d, and there are %d records, of %s and %s", w, told[w], len(recs)-2, recs[0].Data, recs[1].Data)
		}
		sum += told[w]
	}
	t.Logf("%d commits through 5 kills", sum)
}

// The connection is cut at every moment of a commit that must be the first.
func TestTheAnswerToACommitIsLost(t *testing.T) {
	server := pgtest.Start(t)
	p := newPlace(server)
	between := newProxy(t, server.Socket())
	s := p.openWith(t, between.options(p.options()))
	owner := join(t, s, "a")
	mustPut(t, s, owner, meta("alice", "0", "x")) // statements are prepared
	batches := func() string { return server.SQL("select sum(batches) from " + p.schema + ".writers") }
	for n := range 6 {
		before, _ := strconv.Atoi(batches())
		between.loseAnswer(n, false)
		rec, other := meta("alice", fmt.Sprint("first-", n), "x"), meta("alice", "0", "x")
		var wg sync.WaitGroup
		wg.Go(func() { // refused, whatever becomes of its neighbours
			err := s.Commit(persistence.Commit{Owner: owner, Put: []persistence.Record{other}, Absent: []persistence.Key{other.Key}})
			if !errors.As(err, new(*persistence.PresentError)) {
				t.Errorf("after %d answers: the second first: %v", n, err)
			}
		})
		if err := s.Commit(persistence.Commit{Owner: owner, Put: []persistence.Record{rec}, Absent: []persistence.Key{rec.Key}}); err != nil {
			t.Errorf("after %d answers: %v", n, err)
		}
		wg.Wait()
		after, _ := strconv.Atoi(batches())
		if after-before < 1 || after-before > 2 {
			t.Errorf("after %d answers: %d transactions were made", n, after-before)
		}
	}
}

// A transaction whose client fell silent between its two halves holds its locks no
// longer than it may, and is not made twice.
func TestAConnectionGoesSilentInACommit(t *testing.T) {
	server := pgtest.Start(t)
	p := newPlace(server)
	between := newProxy(t, server.Socket())
	o := between.options(p.options())
	o.Patience = 6 * time.Second
	s := p.openWith(t, o)
	owner := join(t, s, "a")
	mustPut(t, s, owner, meta("alice", "1", "one"))
	for n := range 2 {
		between.loseAnswer(n, true)
		began := time.Now()
		mustPut(t, s, owner, meta("alice", "1", "two"))
		if took := time.Since(began); took < o.Patience/attempts || took > o.Patience {
			t.Errorf("after %d answers it took %v", n, took)
		}
		mustPut(t, s, owner, meta("alice", "1", fmt.Sprint("three ", n)))
		if d := data(t, s, "alice"); d[0] != fmt.Sprint("three ", n) {
			t.Errorf("alice is %v", d)
		}
	}
}

func TestTheDatabaseIsAwayForLong(t *testing.T) {
	server := pgtest.Start(t)
	p := newPlace(server)
	o := p.options()
	o.Patience = 2 * time.Second // a server that has just started may be slow to let somebody in
	s := p.openWith(t, o)
	owner := join(t, s, "a")
	mustPut(t, s, owner, meta("alice", "1", "x"))
	for _, away := range []struct {
		name       string
		down, back func()
	}{{"it is stopped", server.Stop, server.Start}, {"it hangs", server.Freeze, server.Thaw}} {
		away.down()
		began := time.Now()
		var wg sync.WaitGroup
		for what, call := range map[string]func() error{
			"commit":   func() error { return put(s, owner, meta("alice", "1", "y")) },
			"load":     func() error { _, err := s.Load("alice"); return err },
			"accounts": func() error { _, err := s.Accounts(); return err },
			"probe":    func() error { _, err := s.Probe(); return err },
			"renew":    func() error { return s.Renew(t.Context(), owner) },
			"join":     func() error { _, err := s.Join(t.Context(), info("b", time.Second, 0)); return err },
		} {
			wg.Go(func() {
				if err := call(); !errors.As(err, new(*persistence.UnreachableError)) {
					t.Errorf("%s, %s: %v", away.name, what, err)
				}
			})
		}
		wg.Wait()
		if took := time.Since(began); took > 10*o.Patience {
			t.Errorf("%s: the calls took %v", away.name, took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if err := s.Renew(ctx, owner); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: a renewal with a deadline: %v", away.name, err)
		}
		cancel()
		away.back()
		if err := s.Renew(t.Context(), owner); err != nil {
			t.Errorf("%s: after it: %v", away.name, err)
		}
		mustPut(t, s, owner, meta("alice", "1", "z"))
		if _, err := s.Probe(); err != nil {
			t.Error(err)
		}
	}
}

// What is changed after a copy was made is lost when that takes over: a release and the
// taking after it are among that.
func TestItFailsOver(t *testing.T) {
	storetest.RunFailover(t, func(t *testing.T) storetest.Servers {
		server, copied := pgtest.Start(t), pgtest.New(t)
		p := newPlace(server)
		return storetest.Servers{
			Database: storetest.Database{
				Open: func() (persistence.Cluster, error) { return Open(t.Context(), p.options()) },
				Pass: p.pass,
			},
			Copy: func() { server.Backup(copied) },
			TakeOver: func(restored bool) {
				server.Kill()
				if !restored {
					copied.Standby(server)
					copied.Promote()
				}
				copied.MoveTo(server)
			},
		}
	})
}

// held wants alice to be free after the longest lease and its grace, and not before.
func held(t *testing.T, p place, s *Store, o persistence.Owner) {
	t.Helper()
	take := func() []persistence.AccountID {
		free, err := s.Free(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Take(t.Context(), o, []persistence.AccountID{"alice"})
		if err != nil || len(free) != len(got) {
			t.Fatalf("free are %v, and it took %v, %v", free, got, err)
		}
		return got
	}
	if got := take(); got != nil {
		t.Errorf("took %v at once", got)
	}
	p.pass(6 * time.Second)
	if got := take(); got != nil {
		t.Errorf("took %v within the longest lease", got)
	}
	p.pass(7 * time.Second)
	if err := s.Renew(t.Context(), o); err != nil {
		t.Error(err)
	}
	if got := take(); len(got) != 1 {
		t.Errorf("took %v in the end", got)
	}
}

// A standby takes over that has everything. Nobody can know that it has: accounts of
// a node whose lease has ended wait for the longest one all the same.
func TestAStandbyTakesOver(t *testing.T) {
	server, standby := pgtest.Start(t), pgtest.New(t)
	p := newPlace(server)
	a := p.open(t)
	first := join(t, a, "a")
	mustPut(t, a, first, meta("alice", "1", "a"))
	server.Backup(standby)
	standby.Standby(server)
	var access *AccessError
	if _, err := Open(t.Context(), Options{URL: persistence.SecretText(standby.DSN()), Schema: p.schema, Key: testKey}); !errors.As(err, &access) {
		t.Errorf("a standby is opened: %v", err)
	}
	server.Kill()
	standby.Promote()
	standby.MoveTo(server)
	if err := a.Renew(t.Context(), first); err != nil {
		t.Fatalf("the node goes on: %v", err)
	}
	mustPut(t, a, first, meta("alice", "1", "on"))
	if err := a.Leave(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	b := p.open(t)
	second := join(t, b, "b")
	if second.Epoch < first.Epoch+persistence.EpochLeap {
		t.Errorf("epoch %d after %d", second.Epoch, first.Epoch)
	}
	held(t, p, b, second)
}

// The clock of the server is set ahead by more than all leases. For the test, it is
// what a node remembers of it that is set back.
func testClock(t *testing.T, p place) {
	ahead := func(s *Store) {
		s.high.mu.Lock()
		defer s.high.mu.Unlock()
		s.high.at.clock = s.high.at.clock.Add(-13 * time.Second)
	}
	a, b, c := p.open(t), p.open(t), p.open(t)
	first, second, third := join(t, a, "a"), join(t, b, "b"), join(t, c, "c")
	mustPut(t, a, first, meta("alice", "1", "x"))
	p.pass(13 * time.Second)
	ahead(b)
	if got, err := b.Take(t.Context(), second, []persistence.AccountID{"alice"}); err != nil || got != nil {
		t.Errorf("it took %v, %v", got, err)
	}
	if got, err := c.Take(t.Context(), third, []persistence.AccountID{"alice"}); err != nil || got != nil {
		t.Errorf("one that has noticed nothing took %v, %v", got, err)
	}
	if err := a.Renew(t.Context(), first); err != nil {
		t.Errorf("whose accounts they are renews: %v", err)
	}
	p.pass(13 * time.Second)
	ahead(c)
	if err := c.Renew(t.Context(), third); err != nil {
		t.Errorf("a renewal: %v", err)
	}
	held(t, p, b, second)
}

// Two nodes at once begin one account, and write one record that must be the first.
func testFirst(t *testing.T, p place) {
	stores := []*Store{p.open(t), p.open(t)}
	var owners []persistence.Owner
	for i, s := range stores {
		owners = append(owners, join(t, s, fmt.Sprint("n", i)))
	}
	for round := range 30 {
		shared := meta(persistence.FleetID, fmt.Sprint("r", round), "x")
		begun := meta(persistence.AccountID(fmt.Sprint("acc-", round)), "1", "x")
		var won, began atomic.Int32
		var wg sync.WaitGroup
		for i, s := range stores {
			wg.Go(func() {
				err := s.Commit(persistence.Commit{Owner: owners[i], Put: []persistence.Record{shared}, Absent: []persistence.Key{shared.Key}})
				switch {
				case err == nil:
					won.Add(1)
				case !errors.As(err, new(*persistence.PresentError)):
					t.Error(err)
				}
			})
			wg.Go(func() {
				switch err := put(s, owners[i], begun); {
				case err == nil:
					began.Add(1)
				case !stale(err):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 || began.Load() != 1 {
			t.Fatalf("%d were the first, and %d began the account", won.Load(), began.Load())
		}
	}
}

// How long accounts are held is up to the leases there are.
func testLongest(t *testing.T, p place) {
	s := p.open(t)
	longest := func(want time.Duration, when string) {
		t.Helper()
		if got := p.server.SQL("select longest from " + p.schema + ".fleet"); got != fmt.Sprint(want.Microseconds()) {
			t.Errorf("%s the longest is %s", when, got)
		}
	}
	for _, term := range []time.Duration{10 * time.Second, time.Minute, time.Second} {
		if _, err := s.Join(t.Context(), info("n"+term.String(), term, time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	longest(61*time.Second, "of three")
	p.pass(2 * time.Minute)
	join(t, s, "a")
	longest(12*time.Second, "when they are over")
}

func testSnapshot(t *testing.T, p place) {
	s := p.open(t)
	owner := join(t, s, "a")
	for i := range 50 {
		id := persistence.AccountID(fmt.Sprintf("acc-%02d", i))
		mustPut(t, s, owner, persistence.Account{ID: id}.Record(), persistence.PermKey{DC: 2}.Record(id))
	}
	p.server.SQL(fmt.Sprintf(`update %s.records set data = 'x' where account = 'acc-07' and kind = 1`, p.schema))
	var m persistence.Moment
	var found persistence.Tally
	var keys []string
	var bad []error
	err := s.Snapshot(t.Context(), func(at persistence.Moment) error { m = at; return nil }, func(r persistence.Record, err error) error {
		if found.Records == 0 { // it is not seen
			mustPut(t, s, owner, meta("acc-99", "1", "late"))
		}
		found.Add(r.Key)
		keys = append(keys, fmt.Sprintf("%s/%02d/%s", r.Account, r.Kind, r.Sub))
		if err != nil {
			bad = append(bad, err)
		}
		return nil
	})
	if err != nil || found != m.Holds || m.Holds != (persistence.Tally{Accounts: 50, PermKeys: 50, Records: 100}) || !slices.IsSorted(keys) {
		t.Errorf("%v: found %v of %v", err, found, m.Holds)
	}
	if keys := persistence.BadKeys(persistence.JoinRecords(bad...)); len(keys) != 1 || keys[0] != persistence.AccountKey("acc-07") {
		t.Errorf("bad are %v", bad)
	}
	if m.Commit == 0 || m.Epoch != owner.Epoch || len(m.Store) != 32 {
		t.Errorf("the moment is %+v", m)
	}
	enough := errors.New("enough")
	if err := s.Snapshot(t.Context(), func(persistence.Moment) error { return nil }, func(persistence.Record, error) error { return enough }); err != enough {
		t.Errorf("ended early with %v", err)
	}
	if n, err := s.DiskUse(); err != nil || n < 50_000 {
		t.Errorf("it takes %d bytes, %v", n, err)
	}
}
