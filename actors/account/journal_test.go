package account

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

var epoch = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

var errFull = errors.New("the disk is full")

func note(sub, data string) persistence.Record {
	return persistence.Record{Key: persistence.Key{Account: "a", Kind: persistence.KindMeta, Sub: sub}, Version: 1, Data: persistence.Secret(data)}
}

func put(u urgency, records ...persistence.Record) job {
	return job{commit: persistence.Commit{Put: records}, urgency: u}
}

// written shows what a job writes: "a=1 b=2 -c".
func written(q job) string {
	var parts []string
	for _, r := range q.commit.Put {
		parts = append(parts, r.Sub+"="+string(r.Data))
	}
	for _, key := range q.commit.Delete {
		parts = append(parts, "-"+key.Sub)
	}
	if q.kind != jobCommit {
		parts = append(parts, fmt.Sprint("kind ", q.kind))
	}
	return strings.Join(parts, " ")
}

// drive is a journal and a clock.
type drive struct {
	t   *testing.T
	j   journal
	now time.Time
}

// does checks what the journal does now.
func (d *drive) does(want string) {
	d.t.Helper()
	q, ok := d.j.next(d.now)
	if got := written(q); got != want || ok != (want != "") {
		d.t.Fatalf("the journal writes %q (%v), want %q", got, ok, want)
	}
	if again, ok := d.j.next(d.now); ok {
		d.t.Fatalf("two jobs at once: %q", written(again))
	}
}

// ends says how it went, and checks whether that was the end of the job.
func (d *drive) ends(err error, over bool) {
	d.t.Helper()
	if _, got := d.j.ended(d.now, err); got != over {
		d.t.Fatalf("the job is over: %v, want %v", got, over)
	}
}

// sleeps until the journal's deadline, which is after the given time.
func (d *drive) sleeps(want time.Duration) {
	d.t.Helper()
	at := d.j.deadline()
	if at.IsZero() || at.Sub(d.now) != want {
		d.t.Fatalf("the journal wants to go on in %v, want %v", at.Sub(d.now), want)
	}
	d.now = at
}

func TestTheJournal(t *testing.T) {
	for _, c := range []struct {
		name string
		play func(d *drive)
	}{
		{"jobs are done one at a time, in the order they came", func(d *drive) {
			d.j.add(put(once, note("a", "1")))
			d.j.add(job{kind: jobLoad})
			d.j.add(put(must, note("b", "2")))
			d.does("a=1")
			d.ends(nil, true)
			d.does("kind 1")
			d.ends(nil, true)
			d.does("b=2")
			d.ends(nil, true)
			d.does("")
		}},
		{"small changes are gathered, the latest of each counts", func(d *drive) {
			d.j.soon(d.now, note("salt", "1"))
			d.does("")
			d.now = d.now.Add(time.Second)
			d.j.soon(d.now, note("salt", "2"))
			d.j.soon(d.now, note("place", "7"))
			d.sleeps(flushAfter - time.Second)
			d.does("salt=2 place=7")
			d.ends(nil, true)
			d.does("")
			if at := d.j.deadline(); !at.IsZero() {
				t.Errorf("an idle journal wants to go on at %v", at)
			}
		}},
		{"what is gathered goes along with the next commit", func(d *drive) {
			d.j.soon(d.now, note("salt", "1"))
			d.j.add(put(should, note("a", "1")))
			d.does("a=1 salt=1")
			d.ends(nil, true)
			d.now = d.now.Add(time.Hour)
			d.does("")
		}},
		{"a pause does not wait for the flush", func(d *drive) {
			d.j.soon(d.now, note("place", "1"))
			d.j.hurry(d.now)
			d.does("place=1")
			d.ends(nil, true)
		}},
		{"what is gathered is void when a commit decides about the same record", func(d *drive) {
			d.j.soon(d.now, note("place", "1"))
			d.j.soon(d.now, note("salt", "1"))
			d.j.add(job{commit: persistence.Commit{Delete: []persistence.Key{note("place", "").Key}}, urgency: must})
			d.does("salt=1 -place")
			d.ends(nil, true)
		}},
		{"what is gathered after such a commit was asked for comes after it", func(d *drive) {
			d.j.add(put(once, note("a", "1")))
			d.does("a=1")
			d.j.add(job{commit: persistence.Commit{Delete: []persistence.Key{note("place", "").Key}}, urgency: must})
			d.j.soon(d.now, note("place", "2"))
			d.ends(nil, true)
			d.does("-place")
			d.ends(nil, true)
			d.sleeps(flushAfter)
			d.does("place=2")
			d.ends(nil, true)
		}},
		{"who asks once is told of a refusal", func(d *drive) {
			d.j.add(put(once, note("a", "1")))
			d.j.add(put(once, note("b", "1")))
			d.does("a=1")
			d.ends(errFull, true)
			d.does("b=1")
			d.ends(nil, true)
			d.now = d.now.Add(time.Hour)
			d.does("")
		}},
		{"what must be written is tried until it is, and nothing passes it", func(d *drive) {
			d.j.add(put(must, note("a", "1")))
			d.j.add(put(should, note("b", "1")))
			d.does("a=1")
			for range 3 {
				d.ends(errFull, false)
				d.does("")
				d.sleeps(storeRetry)
				d.does("a=1")
			}
			d.ends(nil, true)
			d.does("b=1")
			d.ends(nil, true)
		}},
		{"what should be written is written when it can be, and holds nobody", func(d *drive) {
			d.j.add(put(should, note("wait", "1")))
			d.does("wait=1")
			d.ends(errFull, true)
			d.does("")
			d.sleeps(storeRetry)
			d.does("wait=1")
			d.ends(errFull, true)
			d.j.add(put(once, note("b", "1")))
			d.does("b=1 wait=1")
			d.ends(nil, true)
			d.now = d.now.Add(time.Hour)
			d.does("")
		}},
		{"a refused deletion is not forgotten either", func(d *drive) {
			d.j.add(job{commit: persistence.Commit{Delete: []persistence.Key{note("wait", "").Key}}, urgency: should})
			d.does("-wait")
			d.ends(errFull, true)
			d.sleeps(storeRetry)
			d.does("-wait")
			d.ends(nil, true)
		}},
		{"what was refused does not come back over what is newer", func(d *drive) {
			d.j.add(put(should, note("wait", "old")))
			d.does("wait=old")
			d.j.add(put(should, note("wait", "new")))
			d.ends(errFull, true)
			d.does("wait=new")
			d.ends(nil, true)
			d.now = d.now.Add(time.Hour)
			d.does("")
		}},
		{"gathered changes that went along with a refused commit are kept, unless newer ones came", func(d *drive) {
			d.j.soon(d.now, note("salt", "1"))
			d.j.soon(d.now, note("place", "1"))
			d.j.add(put(must, note("a", "1")))
			d.does("a=1 salt=1 place=1")
			d.j.soon(d.now, note("place", "2"))
			d.ends(errFull, false)
			d.sleeps(storeRetry)
			d.does("a=1 place=2 salt=1")
			d.ends(nil, true)
		}},
		{"nothing of a closed binding is written any more", func(d *drive) {
			f := &fence{}
			before := put(once, note("key", "1"))
			before.from = f
			if !d.j.add(before) {
				t.Error("an open fence let nothing pass")
			}
			f.closed = true
			after := put(once, note("key", "2"))
			after.from = f
			if d.j.add(after) {
				t.Error("a closed fence let something pass")
			}
			d.does("key=1")
			d.ends(nil, true)
			d.does("")
		}},
		{"an erasure makes what is gathered of a login void, and keeps what outlives it", func(d *drive) {
			place := persistence.Updates{Pts: 1}.Record("a")
			d.j.soon(d.now, place)
			d.j.soon(d.now, note("salt", "1"))
			d.j.add(job{kind: jobErase, account: "a", urgency: must})
			d.does("kind 2")
			d.ends(nil, true)
			d.sleeps(flushAfter)
			d.does("salt=1")
			d.ends(nil, true)
			d.j.soon(d.now, note("salt", "2"))
			d.j.add(job{kind: jobErase, account: "a", all: true, urgency: must})
			d.does("kind 2")
			d.ends(nil, true)
			d.now = d.now.Add(time.Hour)
			d.does("")
		}},
		{"what is left when the account stops is handed over, in order", func(d *drive) {
			d.j.add(put(once, note("a", "1")))
			d.j.add(put(must, note("b", "1")))
			d.j.soon(d.now, note("salt", "1"))
			d.does("a=1 salt=1")
			d.j.soon(d.now, note("salt", "2"))
			var got []string
			for _, q := range d.j.rest() {
				got = append(got, written(q))
			}
			if fmt.Sprint(got) != "[b=1 salt=2]" {
				t.Errorf("left are %q", got)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) { c.play(&drive{t: t, now: epoch}) })
	}
}

func TestWhatIsErased(t *testing.T) {
	store := persistence.NewMemory()
	owner, err := store.Claim("node")
	if err != nil {
		t.Fatal(err)
	}
	d := &disk{store: store, owner: owner}
	rec := persistence.Account{ID: "a", SignedIn: true, HomeDC: 2}
	fill := func() {
		t.Helper()
		if err := d.commit(persistence.Commit{Put: []persistence.Record{
			rec.Record(), persistence.PermKey{DC: 2}.Record("a"), persistence.PermKey{DC: 4, Revoked: epoch}.Record("a"),
			persistence.TempKey{DC: 2}.Record("a"), persistence.Session{DC: 2}.Record("a"), persistence.Updates{Pts: 1}.Record("a"),
			persistence.Guest{DC: 4}.Record("a"), persistence.Wait{Method: "m"}.Record("a"), note("token", "t"),
		}}); err != nil {
			t.Fatal(err)
		}
	}
	left := func() string {
		t.Helper()
		records, err := d.do(job{kind: jobLoad, account: "a"})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, r := range records {
			names = append(names, strings.TrimSpace(r.Kind.String()+" "+r.Sub))
		}
		return strings.Join(names, ", ")
	}
	do := func(q job) {
		t.Helper()
		if _, err := d.do(q); err != nil {
			t.Fatal(err)
		}
	}
	fill()
	do(job{kind: jobErase, account: "a", commit: persistence.Commit{Put: []persistence.Record{persistence.Account{ID: "a"}.Record()}}})
	if got, want := left(), "account, perm key 4.revoked, wait m, meta token"; got != want {
		t.Errorf("after a logout there are %s, want %s", got, want)
	}
	fill()
	do(job{kind: jobRetire, account: "a", dc: 2, at: epoch})
	if got, want := left(), "account, perm key 2.revoked, perm key 4.revoked, session 2, updates, guest 4, wait m, meta token"; got != want {
		t.Errorf("after a revocation there are %s, want %s", got, want)
	}
	do(job{kind: jobErase, account: "a", all: true})
	if got := left(); got != "" {
		t.Errorf("after a removal there are %s", got)
	}
}
