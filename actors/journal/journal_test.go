package journal

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

func put(u Urgency, records ...persistence.Record) Job[string] {
	return Job[string]{Work: Work{Commit: persistence.Commit{Put: records}, Urgency: u}}
}

// written shows what a job writes: "a=1 b=2 -c".
func written(q Work) string {
	var parts []string
	for _, r := range q.Commit.Put {
		parts = append(parts, r.Sub+"="+string(r.Data))
	}
	for _, key := range q.Commit.Delete {
		parts = append(parts, "-"+key.Sub)
	}
	if q.Kind != Commit {
		parts = append(parts, fmt.Sprint("kind ", q.Kind))
	}
	return strings.Join(parts, " ")
}

// drive is a journal and a clock.
type drive struct {
	t   *testing.T
	j   Journal[string]
	now time.Time
}

// does checks what the journal does now.
func (d *drive) does(want string) {
	d.t.Helper()
	q, ok := d.j.Next(d.now)
	if got := written(q.Work); got != want || ok != (want != "") {
		d.t.Fatalf("the journal writes %q (%v), want %q", got, ok, want)
	}
	if again, ok := d.j.Next(d.now); ok {
		d.t.Fatalf("two jobs at once: %q", written(again.Work))
	}
}

// ends says how it went, and checks whether that was the end of the job.
func (d *drive) ends(err error, over bool) {
	d.t.Helper()
	if _, _, got := d.j.Ended(d.now, Done{Err: err}); got != over {
		d.t.Fatalf("the job is over: %v, want %v", got, over)
	}
}

// sleeps until the journal's deadline, which is after the given time.
func (d *drive) sleeps(want time.Duration) {
	d.t.Helper()
	at := d.j.Deadline()
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
			d.j.Add(put(Once, note("a", "1")))
			d.j.Add(Job[string]{Work: Work{Kind: Load}})
			d.j.Add(put(Must, note("b", "2")))
			d.does("a=1")
			d.ends(nil, true)
			d.does("kind 1")
			d.ends(nil, true)
			d.does("b=2")
			d.ends(nil, true)
			d.does("")
		}},
		{"small changes are gathered, the latest of each counts", func(d *drive) {
			d.j.Soon(d.now, note("salt", "1"))
			d.does("")
			d.now = d.now.Add(time.Second)
			d.j.Soon(d.now, note("salt", "2"))
			d.j.Soon(d.now, note("place", "7"))
			d.sleeps(FlushAfter - time.Second)
			d.does("salt=2 place=7")
			d.ends(nil, true)
			d.does("")
			if at := d.j.Deadline(); !at.IsZero() {
				t.Errorf("an idle journal wants to go on at %v", at)
			}
		}},
		{"what is gathered goes along with the next commit", func(d *drive) {
			d.j.Soon(d.now, note("salt", "1"))
			d.j.Add(put(Should, note("a", "1")))
			d.does("a=1 salt=1")
			d.ends(nil, true)
			d.now = d.now.Add(time.Hour)
			d.does("")
		}},
		{"a pause does not wait for the flush", func(d *drive) {
			d.j.Soon(d.now, note("place", "1"))
			d.j.Hurry(d.now)
			d.does("place=1")
			d.ends(nil, true)
		}},
		{"what is gathered is void when a commit decides about the same record", func(d *drive) {
			d.j.Soon(d.now, note("place", "1"))
			d.j.Soon(d.now, note("salt", "1"))
			d.j.Add(Job[string]{Work: Work{Commit: persistence.Commit{Delete: []persistence.Key{note("place", "").Key}}, Urgency: Must}})
			d.does("salt=1 -place")
			d.ends(nil, true)
		}},
		{"what is gathered after such a commit was asked for comes after it", func(d *drive) {
			d.j.Add(put(Once, note("a", "1")))
			d.does("a=1")
			d.j.Add(Job[string]{Work: Work{Commit: persistence.Commit{Delete: []persistence.Key{note("place", "").Key}}, Urgency: Must}})
			d.j.Soon(d.now, note("place", "2"))
			d.ends(nil, true)
			d.does("-place")
			d.ends(nil, true)
			d.sleeps(FlushAfter)
			d.does("place=2")
			d.ends(nil, true)
		}},
		{"who asks once is told of a refusal", func(d *drive) {
			d.j.Add(put(Once, note("a", "1")))
			d.j.Add(put(Once, note("b", "1")))
			d.does("a=1")
			d.ends(errFull, true)
			d.does("b=1")
			d.ends(nil, true)
			d.now = d.now.Add(time.Hour)
			d.does("")
		}},
		{"what must be written is tried until it is, and nothing passes it", func(d *drive) {
			d.j.Add(put(Must, note("a", "1")))
			d.j.Add(put(Should, note("b", "1")))
			d.does("a=1")
			for range 3 {
				d.ends(errFull, false)
				d.does("")
				d.sleeps(Retry)
				d.does("a=1")
			}
			d.ends(nil, true)
			d.does("b=1")
			d.ends(nil, true)
		}},
		{"what should be written is written when it can be, and holds nobody", func(d *drive) {
			d.j.Add(put(Should, note("wait", "1")))
			d.does("wait=1")
			d.ends(errFull, true)
			d.does("")
			d.sleeps(Retry)
			d.does("wait=1")
			d.ends(errFull, true)
			d.j.Add(put(Once, note("b", "1")))
			d.does("b=1 wait=1")
			d.ends(nil, true)
			d.now = d.now.Add(time.Hour)
			d.does("")
		}},
		{"a refused deletion is not forgotten either", func(d *drive) {
			d.j.Add(Job[string]{Work: Work{Commit: persistence.Commit{Delete: []persistence.Key{note("wait", "").Key}}, Urgency: Should}})
			d.does("-wait")
			d.ends(errFull, true)
			d.sleeps(Retry)
			d.does("-wait")
			d.ends(nil, true)
		}},
		{"what was refused does not come back over what is newer", func(d *drive) {
			d.j.Add(put(Should, note("wait", "old")))
			d.does("wait=old")
			d.j.Add(put(Should, note("wait", "new")))
			d.ends(errFull, true)
			d.does("wait=new")
			d.ends(nil, true)
			d.now = d.now.Add(time.Hour)
			d.does("")
		}},
		{"gathered changes that went along with a refused commit are kept, unless newer ones came", func(d *drive) {
			d.j.Soon(d.now, note("salt", "1"))
			d.j.Soon(d.now, note("place", "1"))
			d.j.Add(put(Must, note("a", "1")))
			d.does("a=1 salt=1 place=1")
			d.j.Soon(d.now, note("place", "2"))
			d.ends(errFull, false)
			d.sleeps(Retry)
			d.does("a=1 place=2 salt=1")
			d.ends(nil, true)
		}},
		{"nothing of a closed binding is written any more", func(d *drive) {
			f := &Fence{}
			before := put(Once, note("key", "1"))
			before.From = f
			if !d.j.Add(before) {
				t.Error("an open fence let nothing pass")
			}
			f.Closed = true
			after := put(Once, note("key", "2"))
			after.From = f
			if d.j.Add(after) {
				t.Error("a closed fence let something pass")
			}
			d.does("key=1")
			d.ends(nil, true)
			d.does("")
		}},
		{"an erasure makes what is gathered of a login void, and keeps what outlives it", func(d *drive) {
			place := persistence.Updates{Pts: 1}.Record("a")
			d.j.Soon(d.now, place)
			d.j.Soon(d.now, note("salt", "1"))
			d.j.Add(Job[string]{Work: Work{Kind: Erase, Account: "a", Urgency: Must}})
			d.does("kind 2")
			d.ends(nil, true)
			d.sleeps(FlushAfter)
			d.does("salt=1")
			d.ends(nil, true)
			d.j.Soon(d.now, note("salt", "2"))
			d.j.Add(Job[string]{Work: Work{Kind: Erase, Account: "a", All: true, Urgency: Must}})
			d.does("kind 2")
			d.ends(nil, true)
			d.now = d.now.Add(time.Hour)
			d.does("")
		}},
		{"what is left when the account stops is handed over, in order", func(d *drive) {
			first := put(Once, note("a", "1"))
			first.For = "first"
			d.j.Add(first)
			second := put(Must, note("b", "1"))
			second.For = "second"
			d.j.Add(second)
			d.j.Soon(d.now, note("salt", "1"))
			d.does("a=1 salt=1")
			d.j.Soon(d.now, note("salt", "2"))
			var got []string
			store := &refusing{persistence.NewMemory(), new(bool)}
			owner, err := store.Claim("node")
			if err != nil {
				t.Fatal(err)
			}
			disk := NewDisks(store, owner, nil).Of("a")
			disk.bad = true // the job under way was refused
			d.j.Rest()(disk.Turn(), func(name string, err error) { got = append(got, fmt.Sprint(name, " ", err)) })
			if fmt.Sprint(got) != "[first <nil> second <nil>  <nil>]" {
				t.Errorf("told were %q", got)
			}
			if got := written(Work{Commit: persistence.Commit{Put: disk.Do(Work{Kind: Load, Account: "a"}).Records}}); got != "a=1 b=1 salt=2" {
				t.Errorf("on disk is %q", got)
			}
			if d.j.Rest() != nil {
				t.Error("there is more")
			}
		}},
		{"what went along with keys that are refused is owed when the account stops", func(d *drive) {
			d.j.Soon(d.now, note("place", "1"))
			d.j.Add(put(Once, note("key", "1")))
			d.does("key=1 place=1")
			refused := true
			memory := persistence.NewMemory()
			owner, err := memory.Claim("node")
			if err != nil {
				t.Fatal(err)
			}
			disk := NewDisks(refusing{memory, &refused}, owner, nil).Of("a")
			disk.bad = true
			d.j.Rest()(disk.Turn(), func(string, error) {})
			refused = false
			if got := written(Work{Commit: join(persistence.Commit{}, disk.Do(Work{Kind: Load, Account: "a"}).Left)}); got != "place=1" {
				t.Errorf("left is %q", got)
			}
		}},
		{"a store that does not answer is asked for records again", func(d *drive) {
			d.j.Add(Job[string]{Work: Work{Kind: Load, Account: "a"}})
			if _, ok := d.j.Next(d.now); !ok {
				t.Fatal("nothing is read")
			}
			if _, _, over := d.j.Ended(d.now, Done{Err: &persistence.UnreachableError{Err: errFull}}); over {
				t.Error("who waits for records was told that there are none")
			}
			if at := d.j.Deadline(); !at.Equal(d.now.Add(Retry)) {
				t.Errorf("it is asked again at %v", at)
			}
		}},
		{"a removal that the store refuses gives back what it would have replaced", func(d *drive) {
			d.j.Add(put(Should, note("state", "duplicated")))
			d.does("state=duplicated")
			d.ends(errFull, true)
			d.j.Soon(d.now, note("salt", "1"))
			d.j.Add(Job[string]{Work: Work{Kind: Erase, Account: "a", All: true, Urgency: Once}})
			d.does("kind 2")
			d.j.Soon(d.now, note("salt", "2"))
			d.ends(errFull, true)
			d.sleeps(Retry)
			d.does("salt=2 state=duplicated")
			d.ends(nil, true)
			d.now = d.now.Add(time.Hour)
			d.does("")
		}},
		{"a removal that is done takes what was owed with it", func(d *drive) {
			d.j.Add(put(Should, note("state", "duplicated")))
			d.does("state=duplicated")
			d.ends(errFull, true)
			d.j.Add(Job[string]{Work: Work{Kind: Erase, Account: "a", All: true, Urgency: Once}})
			d.does("kind 2")
			d.ends(nil, true)
			d.now = d.now.Add(time.Hour)
			d.does("")
		}},
		{"what is refused while a removal waits is owed when that is refused too", func(d *drive) {
			d.j.Add(put(Should, note("state", "duplicated")))
			d.does("state=duplicated")
			for range 2 {
				d.j.Add(Job[string]{Work: Work{Kind: Erase, Account: "a", All: true, Urgency: Once}})
			}
			d.ends(errFull, true)
			for range 2 {
				d.does("kind 2")
				d.ends(errFull, true)
			}
			d.sleeps(Retry)
			d.does("state=duplicated")
		}},
		{"what is read shows what is owed and gathered over what the store has", func(d *drive) {
			d.j.Add(put(Should, note("state", "paused")))
			d.does("state=paused")
			d.ends(errFull, true)
			d.j.Add(Job[string]{Work: Work{Commit: persistence.Commit{Delete: []persistence.Key{note("wait", "").Key}}}})
			d.does("state=paused -wait")
			d.ends(errFull, true)
			for id, want := range map[persistence.AccountID]string{"a": "salt=1 state=paused", "b": "state=online wait=1 salt=1"} {
				d.j.Add(Job[string]{Work: Work{Kind: Load, Account: id}})
				d.does("kind 1")
				_, records, _ := d.j.Ended(d.now, Done{Records: []persistence.Record{note("state", "online"), note("wait", "1"), note("salt", "1")}})
				if got := written(Work{Commit: persistence.Commit{Put: records}}); got != want {
					t.Errorf("of %q is read %q, want %q", id, got, want)
				}
			}
		}},
		{"what an earlier journal could not write is owed, and shown, by the next", func(d *drive) {
			d.j.Add(Job[string]{Work: Work{Kind: Load, Account: "a"}})
			d.does("kind 1")
			state := note("state", "duplicated")
			_, records, _ := d.j.Ended(d.now, Done{Records: []persistence.Record{note("state", "online")}, Left: []Change{{Key: state.Key, Put: &state}}})
			if got := written(Work{Commit: persistence.Commit{Put: records}}); got != "state=duplicated" {
				t.Errorf("read is %q", got)
			}
			d.sleeps(Retry)
			d.does("state=duplicated")
		}},
		{"more than a commit may hold is written by several", func(d *drive) {
			for i := range persistence.MaxCommitItems + 1 {
				d.j.Soon(d.now, note(fmt.Sprint(i), "1"))
			}
			d.now = d.now.Add(FlushAfter)
			for _, want := range []int{persistence.MaxCommitItems, 1} {
				q, _ := d.j.Next(d.now)
				if n := len(q.Commit.Put); n != want {
					t.Errorf("a commit of %d records, want %d", n, want)
				}
				d.ends(nil, true)
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
	d := NewDisks(store, owner, nil).Of("a")
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
		done := d.Do(Work{Kind: Load, Account: "a"})
		if done.Err != nil {
			t.Fatal(done.Err)
		}
		var names []string
		for _, r := range done.Records {
			names = append(names, strings.TrimSpace(r.Kind.String()+" "+r.Sub))
		}
		return strings.Join(names, ", ")
	}
	do := func(w Work) {
		t.Helper()
		if err := d.Do(w).Err; err != nil {
			t.Fatal(err)
		}
	}
	fill()
	do(Work{Kind: Erase, Account: "a", Commit: persistence.Commit{Put: []persistence.Record{persistence.Account{ID: "a"}.Record()}}})
	if got, want := left(), "account, perm key 4.revoked, wait m, meta token"; got != want {
		t.Errorf("after a logout there are %s, want %s", got, want)
	}
	fill()
	do(Work{Kind: Retire, Account: "a", DC: 2, At: epoch})
	if got, want := left(), "account, perm key 2.revoked, perm key 4.revoked, session 2, updates, guest 4, wait m, meta token"; got != want {
		t.Errorf("after a revocation there are %s, want %s", got, want)
	}
	back := Work{Kind: Restore, Account: "a", DC: 2, Commit: persistence.Commit{Put: []persistence.Record{persistence.Account{ID: "a", State: "connecting"}.Record()}}}
	do(back)
	if got, want := left(), "account, perm key 2, perm key 4.revoked, session 2, updates, guest 4, wait m, meta token"; got != want {
		t.Errorf("after the key was taken back there are %s, want %s", got, want)
	}
	var none *NoKeyError
	if err := d.Do(back).Err; !errors.As(err, &none) || !none.Newer {
		t.Errorf("with a key in its place: %v", err)
	}
	back.DC = 5
	if err := d.Do(back).Err; !errors.As(err, &none) || none.Newer || none.DC != 5 {
		t.Errorf("without a retired key: %v", err)
	}
	do(Work{Kind: Erase, Account: "a", All: true})
	if got := left(); got != "" {
		t.Errorf("after a removal there are %s", got)
	}
}

// TestWhatAStoppedAccountLeaves: what is owed passes from an account's actor to
// the next one in this process, whatever the store says meanwhile.
func TestWhatAStoppedAccountLeaves(t *testing.T) {
	memory := persistence.NewMemory()
	owner, err := memory.Claim("node")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		refused bool
		rest    []Work
		busy    bool // the first of rest was under way
		want    string
		told    int
	}{
		{"nothing was refused", false, []Work{put(Should, note("state", "paused")).Work}, false, "", 1},
		{"a state was refused", true, []Work{put(Should, note("state", "paused")).Work}, false, "state=paused", 1},
		{"a state was refused, under way", true, []Work{put(Should, note("state", "paused")).Work}, true, "state=paused", 1},
		{"a state was written, under way", false, []Work{put(Should, note("state", "paused")).Work}, true, "", 0},
		{"the newer counts", true, []Work{put(Should, note("state", "paused")).Work, put(Must, note("state", "revoked")).Work}, false, "state=revoked", 2},
		{"keys of a binding, which does nothing with them before", true, []Work{put(Once, note("key", "1")).Work}, false, "", 1},
		{"a removal, whose asker is told", true, []Work{{Kind: Erase, Account: "a", All: true, Urgency: Once}}, false, "", 1},
		{"a retirement, to which the state leads again", true, []Work{{Kind: Retire, Account: "a", Urgency: Must}}, false, "", 1},
	} {
		refused := c.refused
		d := NewDisks(refusing{memory, &refused}, owner, nil).Of("a")
		if c.busy {
			d.Do(c.rest[0])
		}
		told := 0
		d.Turn().leave(c.rest, c.busy, func(i int, err error) {
			if told++; (err != nil) != c.refused {
				t.Errorf("%s: %d ended with %v", c.name, i, err)
			}
		})
		if told != c.told {
			t.Errorf("%s: %d were told", c.name, told)
		}
		refused = false
		for i, want := range []string{"", c.want, ""} { // once, and to the account's own journal
			id := persistence.AccountID("a")
			if i == 0 {
				id = persistence.FleetID
			}
			done := d.Do(Work{Kind: Load, Account: id})
			if got := written(Work{Commit: join(persistence.Commit{}, done.Left)}); got != want || done.Err != nil {
				t.Errorf("%s: load %d says that %q is left, want %q (%v)", c.name, i, got, want, done.Err)
			}
		}
	}
}

// TestWhatIsWrittenSinceIsNewerThanWhatWasLeft: the next actor may begin before
// the last one has left what it could not write.
func TestWhatIsWrittenSinceIsNewerThanWhatWasLeft(t *testing.T) {
	memory, refused := persistence.NewMemory(), true
	owner, err := memory.Claim("node")
	if err != nil {
		t.Fatal(err)
	}
	d := NewDisks(refusing{memory, &refused}, owner, nil).Of("a")
	d.Turn().leave([]Work{put(Should, note("state", "paused")).Work, put(Should, note("wait", "1")).Work}, false, func(int, error) {})
	refused = false
	if err := d.Do(put(Should, note("state", "duplicated")).Work).Err; err != nil {
		t.Fatal(err)
	}
	if got := written(Work{Commit: join(persistence.Commit{}, d.Do(Work{Kind: Load, Account: "a"}).Left)}); got != "wait=1" {
		t.Errorf("left is %q", got)
	}
}

// What a stopping account leaves comes before what is asked for later, however late it
// is begun.
func TestATurnIsKept(t *testing.T) {
	memory := persistence.NewMemory()
	owner, err := memory.Claim("node")
	if err != nil {
		t.Fatal(err)
	}
	d := NewDisks(memory, owner, nil).Of("a")
	turn := d.Turn()
	read := make(chan Done)
	go func() { read <- d.Do(Work{Kind: Load, Account: "a"}) }()
	turn.leave([]Work{put(Should, note("state", "paused")).Work}, false, func(int, error) {})
	if got := written(Work{Commit: persistence.Commit{Put: (<-read).Records}}); got != "state=paused" {
		t.Errorf("read was %q", got)
	}
}

func TestADiskThatWasDroppedWritesNothing(t *testing.T) {
	memory := persistence.NewMemory()
	owner, err := memory.Claim("node")
	if err != nil {
		t.Fatal(err)
	}
	refused := true
	disks := NewDisks(refusing{memory, &refused}, owner, nil)
	old := disks.Of("a")
	old.Turn().leave([]Work{put(Should, note("state", "paused")).Work}, false, func(int, error) {})
	disks.Drop("a")
	refused = false
	if err := old.Do(put(Must, note("state", "revoked")).Work).Err; !errors.Is(err, ErrDropped) {
		t.Errorf("it writes: %v", err)
	}
	done := disks.Of("a").Do(Work{Kind: Load, Account: "a"})
	if len(done.Left)+len(done.Records) > 0 || done.Err != nil {
		t.Errorf("it goes on with %+v", done)
	}
}

// refusing is a store that takes no commit while it is told so.
type refusing struct {
	persistence.Store
	refuses *bool
}

func (s refusing) Load(id persistence.AccountID) ([]persistence.Record, error) {
	if *s.refuses {
		return nil, errFull
	}
	return s.Store.Load(id)
}

func (s refusing) Commit(c persistence.Commit) error {
	if *s.refuses {
		return errFull
	}
	return s.Store.Commit(c)
}
