package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/badgerstore"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

var made = time.Date(2026, 11, 27, 7, 0, 0, 0, time.UTC)

func identity(t testing.TB) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func options(ids ...*age.X25519Identity) Options {
	o := Options{Program: "v1", Now: made}
	for _, id := range ids {
		o.Recipients = append(o.Recipients, id.Recipient())
	}
	return o
}

// listed is a store that shows a list.
type listed struct {
	records []persistence.Record
	bad     map[persistence.Key]error
}

func (l listed) Snapshot(_ context.Context, begin func(persistence.Moment) error, each func(persistence.Record, error) error) error {
	if err := begin(persistence.Moment{Store: "0badcafe", Commit: 9, Epoch: 3}); err != nil {
		return err
	}
	for _, r := range l.records {
		if err := each(r, l.bad[r.Key]); err != nil {
			return err
		}
	}
	return nil
}

const secret = "the-secret-of-alice"

// account has a record of each kind, in order.
func account(id persistence.AccountID) []persistence.Record {
	return []persistence.Record{
		persistence.Account{ID: id, SignedIn: true, HomeDC: 2}.Record(),
		persistence.Login{Flow: "phone", State: []byte(secret)}.Record(id),
		persistence.PermKey{DC: 2, KeyID: 1}.Record(id),
		persistence.TempKey{DC: 2, KeyID: 3}.Record(id),
		persistence.Session{DC: 2, KeyID: 3}.Record(id),
		persistence.Updates{Pts: 7}.Record(id),
		persistence.Guest{DC: 4}.Record(id),
		persistence.Wait{Method: "auth.sendCode", Length: time.Hour}.Record(id),
	}
}

func write(t testing.TB, store persistence.Snapshotter, o Options) ([]byte, *Report) {
	t.Helper()
	var out bytes.Buffer
	r, err := Write(t.Context(), &out, store, o)
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), r
}

func read(b []byte, ids ...age.Identity) (records []persistence.Record, report Report, err error) {
	r, err := Open(bytes.NewReader(b), ids)
	if err != nil {
		return nil, report, err
	}
	err = r.Each(context.Background(), func(rec persistence.Record) error { records = append(records, rec); return nil })
	return records, r.Report(), err
}

// TestABackupHoldsWhatBelongsToNoAccount over both stores: what is under each of the
// shared names, the audit log among it, comes back byte by byte.
func TestABackupHoldsWhatBelongsToNoAccount(t *testing.T) {
	key := seal.MasterKey{1}
	disk, err := badgerstore.Open(badgerstore.Options{Dir: t.TempDir() + "/badger", Key: key})
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	entry := persistence.AuditEntry{Who: "uid 0", What: "StoreService/Backup", Outcome: "ok", At: made}.Follow(persistence.AuditEntry{})
	log := persistence.AuditPage{Entries: []persistence.AuditEntry{entry}}.Record()
	last := persistence.LastBackup{At: made, Commit: 7, File: "/fleet.age"}.Record()
	records := append(account("alice"), log, last)
	shared := map[persistence.AccountID]int{}
	for name, store := range map[string]interface {
		persistence.Store
		persistence.Snapshotter
	}{"memory": persistence.NewMemory(), "disk": disk} {
		owner, err := store.Claim("test")
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Commit(persistence.Commit{Owner: owner, Put: records}); err != nil {
			t.Fatal(err)
		}
		id := identity(t)
		b, _ := write(t, store, options(id))
		got, report, err := read(b, id)
		if err != nil || report.Holds.Records != len(records)-2 { // a temp key and a session stay out
			t.Fatalf("%s: %+v, %v", name, report, err)
		}
		for _, want := range []persistence.Record{log, last} {
			if i := slices.IndexFunc(got, func(r persistence.Record) bool { return r.Key == want.Key }); i < 0 || !bytes.Equal(got[i].Data, want.Data) {
				t.Errorf("%s: %v is not in the backup as it was", name, want.Key)
			}
			shared[want.Account]++
		}
	}
	for _, id := range persistence.SharedIDs() {
		if shared[id] != 2 {
			t.Errorf("nothing of %s was looked for", id)
		}
	}
}

func TestABackupHoldsEverythingButTempKeysAndSessions(t *testing.T) {
	one, other := identity(t), identity(t)
	all := append(account("alice"), account("bob")...)
	var want []persistence.Record
	for _, r := range all {
		if r.Kind != persistence.KindTempKey && r.Kind != persistence.KindSession {
			want = append(want, r)
		}
	}
	b, written := write(t, listed{records: all}, options(one, other))
	for _, id := range []age.Identity{one, other} {
		records, report, err := read(b, id)
		report.Bytes = written.Bytes // which is not told by what is read
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(records, want, func(a, b persistence.Record) bool {
			return a.Key == b.Key && a.Version == b.Version && bytes.Equal(a.Data, b.Data)
		}) {
			t.Errorf("got  %v\nwant %v", records, want)
		}
		if fmt.Sprintf("%+v", report) != fmt.Sprintf("%+v", *written) {
			t.Errorf("read    %+v\nwritten %+v", report, *written)
		}
		if report.Store != "0badcafe" || report.Commit != 9 || report.Epoch != 3 || !report.Created.Equal(made) || report.Program != "v1" ||
			report.Holds != (persistence.Tally{Accounts: 2, PermKeys: 2, Records: 12}) || strings.Join(report.LeftOut, ", ") != "temp key, session" {
			t.Errorf("the report is %+v", report)
		}
	}
}

func TestABackupIsOfNoUseWithoutAnIdentity(t *testing.T) {
	b, _ := write(t, listed{records: account("alice")}, options(identity(t)))
	for _, plain := range []string{secret, "alice", magic} {
		if bytes.Contains(b, []byte(plain)) {
			t.Errorf("%q can be read", plain)
		}
	}
	if _, _, err := read(b, identity(t)); !errors.As(err, new(*IdentityError)) {
		t.Errorf("with another identity: %v", err)
	}
	if _, err := Write(t.Context(), io.Discard, listed{}, Options{}); !errors.As(err, new(*KeyError)) {
		t.Errorf("to nobody: %v", err)
	}
}

func TestRecordsThatCannotBeReadAreNamed(t *testing.T) {
	id := identity(t)
	all := account("alice")
	bad := all[2].Key
	b, written := write(t, listed{all, map[persistence.Key]error{
		bad:        &persistence.CorruptError{Key: bad, Why: "its seal does not open"},
		all[3].Key: &persistence.CorruptError{Key: all[3].Key, Why: "a temp key, which nobody misses"},
	}}, options(id))
	_, report, err := read(b, id)
	want := []Lost{{"alice", `perm key "2"`, "its seal does not open"}}
	if err != nil || !slices.Equal(report.Lost, want) || !slices.Equal(written.Lost, want) || report.Holds.PermKeys != 0 || report.Holds.Accounts != 1 {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestEveryDamageOfABackupIsFound(t *testing.T) {
	id := identity(t)
	b, _ := write(t, listed{records: append(account("alice"), account("bob")...)}, options(id))
	damagedBy := func(name string, b []byte) {
		t.Helper()
		if _, _, err := read(b, id); !errors.As(err, new(*DamagedError)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for n := range b {
		damagedBy(fmt.Sprintf("cut after %d bytes", n), b[:n])
	}
	for i := range b {
		c := bytes.Clone(b)
		c[i] ^= 1
		if _, _, err := read(c, id); err == nil {
			t.Errorf("a bit of byte %d of %d was changed", i, len(b))
		}
	}
	damagedBy("something behind it", append(bytes.Clone(b), 0))
	damagedBy("another age file", sealed(t, id, []byte("hello, this is no backup of anything")))
}

func sealed(t testing.TB, id *age.X25519Identity, plain []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := age.Encrypt(&out, id.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(plain)
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// plain makes the inside of a backup.
func plain(t testing.TB, fill func(*writer) error) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := newWriter(&out)
	if err = errors.Join(err, fill(w)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestWhatWasNotWrittenByWriteIsRefused(t *testing.T) {
	head := Header{Format: 1, Program: "v1"}
	rec := account("alice")[0]
	for _, c := range []struct {
		name string
		fill func(*writer) error
		want string
	}{
		{"no end", func(w *writer) error { return errors.Join(w.json('h', head), w.record(rec)) }, "it ends too early"},
		{"a record that the end does not count", func(w *writer) error {
			return errors.Join(w.json('h', head), w.record(rec), w.end(persistence.Tally{}, 0))
		}, "it should hold 0 accounts, 0 perm keys and 0 records in all, and 1 account, "},
		{"a lost record that the end does not count", func(w *writer) error {
			return errors.Join(w.json('h', head), w.json('x', Lost{}), w.end(persistence.Tally{}, 0))
		}, "it should hold"},
		{"another digest", func(w *writer) error { return errors.Join(w.json('h', head), w.json('e', end{SHA256: "00"})) }, "its digest is not"},
		{"a record twice", func(w *writer) error { return errors.Join(w.json('h', head), w.record(rec), w.record(rec)) }, "not in order"},
		{"a header that moves the cursor", func(w *writer) error { return w.json('h', Header{Format: 1, Program: "\x1b[2J"}) }, "its header cannot be read"},
		{"a lost record that moves the cursor", func(w *writer) error { return errors.Join(w.json('h', head), w.json('x', Lost{Why: "\x1b[2J"})) }, "lacks cannot be read"},
		{"no header", func(w *writer) error { return w.record(rec) }, "its header cannot be read"},
		{"an unknown part", func(w *writer) error { return errors.Join(w.json('h', head), w.json('q', head)) }, "unknown kind 113"},
		{"a record without a version", func(w *writer) error {
			return errors.Join(w.json('h', head), w.record(persistence.Record{Key: rec.Key}))
		}, "a record in it cannot be read"},
		{"a record of an unknown kind", func(w *writer) error {
			return errors.Join(w.json('h', head), w.record(persistence.Record{Key: persistence.Key{Account: "a", Kind: 99}, Version: 1}))
		}, "is it of a newer version"},
		{"something behind the end", func(w *writer) error {
			return errors.Join(w.json('h', head), w.end(persistence.Tally{}, 0), w.json('h', head))
		}, "behind its end"},
		{"an impossible length", func(w *writer) error { return errors.Join(w.json('h', head), w.write([]byte{'r', 255, 255, 255, 255})) }, "impossible length"},
	} {
		r, err := open(bytes.NewReader(plain(t, c.fill)))
		if err == nil {
			err = r.Each(t.Context(), func(persistence.Record) error { return nil })
		}
		if !errors.As(err, new(*DamagedError)) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	_, err := open(bytes.NewReader(plain(t, func(w *writer) error { return w.json('h', Header{Format: 2, Program: "v9"}) })))
	if want := "persistence: the backup has format 2, and this program knows formats up to 1: use version v9 of it or a later one"; err == nil || err.Error() != want {
		t.Errorf("a newer format: %v", err)
	}
}

func TestKeysOfAge(t *testing.T) {
	id := identity(t)
	pq, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	if list, err := ParseRecipients([]string{id.Recipient().String(), pq.Recipient().String()}); err != nil || len(list) != 2 {
		t.Errorf("%v, %v", list, err)
	}
	for name, text := range map[string]string{
		"a secret key": id.String(), "a secret key in small letters": strings.ToLower(id.String()), "nothing": "", "another word": "hunter2",
		"two in one": id.Recipient().String() + "\n" + id.Recipient().String(),
	} {
		_, err := ParseRecipients([]string{text})
		if !errors.As(err, new(*KeyError)) || text != "" && strings.Contains(strings.ToLower(err.Error()), strings.ToLower(text)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if ids, err := ParseIdentities(strings.NewReader("# made today\n"+id.String()+"\n"), "k"); err != nil || len(ids) != 1 {
		t.Errorf("%v, %v", ids, err)
	}
	for _, text := range []string{"", "hunter2", id.Recipient().String()} {
		if _, err := ParseIdentities(strings.NewReader(text), "keys.txt"); !errors.As(err, new(*KeyError)) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// endless is a store of so many records that its backup would be noticed in memory.
type endless struct{ n int }

func (e endless) Snapshot(_ context.Context, begin func(persistence.Moment) error, each func(persistence.Record, error) error) error {
	if err := begin(persistence.Moment{}); err != nil {
		return err
	}
	data := make([]byte, 64<<10)
	for i := range e.n {
		key := persistence.Key{Account: "alice", Kind: persistence.KindMeta, Sub: fmt.Sprintf("%08d", i)}
		if err := each(persistence.Record{Key: key, Version: 1, Data: data}, nil); err != nil {
			return err
		}
	}
	return nil
}

func TestABackupOfAnySizeTakesLittleMemory(t *testing.T) {
	const size = 256 << 20
	id := identity(t)
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := Write(t.Context(), w, endless{size >> 16}, options(id))
		_ = w.CloseWithError(err)
		done <- err
	}()
	in, err := Open(r, []age.Identity{id})
	if err != nil {
		t.Fatal(err)
	}
	var most uint64
	n := 0
	err = in.Each(t.Context(), func(persistence.Record) error {
		if n++; n%512 == 0 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
		return nil
	})
	if err = errors.Join(err, <-done); err != nil || n != size>>16 {
		t.Fatal(n, err)
	}
	if most > 32<<20 {
		t.Errorf("%d bytes of heap for a backup of %d", most, size)
	}
}

// TestABackupUnderLoadIsRestoredAsItWas writes backups of a store that takes
// commits, and makes stores of them with a master key of their own.
func TestABackupUnderLoadIsRestoredAsItWas(t *testing.T) {
	dir := t.TempDir()
	store, err := badgerstore.Open(badgerstore.Options{Dir: dir + "/first", Key: seal.MasterKey{1}})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	owner, err := store.Claim("node")
	if err != nil {
		t.Fatal(err)
	}
	// The two records of an account never disagree.
	commit := func(id persistence.AccountID, n int32) {
		err := store.Commit(persistence.Commit{Owner: owner, Put: []persistence.Record{
			persistence.Updates{Pts: n}.Record(id), persistence.Guest{DC: int(n)%5 + 1, Refusals: int(n)}.Record(id),
			persistence.Account{ID: id, UserID: int64(n)}.Record(),
		}})
		if err != nil {
			t.Error(err)
		}
	}
	stop, ended := make(chan struct{}), make(chan struct{})
	for _, id := range []persistence.AccountID{"a", "b", "c"} {
		commit(id, 1)
	}
	go func() {
		defer close(ended)
		for n := int32(2); ; n++ {
			select {
			case <-stop:
				return
			default:
				commit([]persistence.AccountID{"a", "b", "c"}[rand.IntN(3)], n)
			}
		}
	}()
	id := identity(t)
	for i := range 5 {
		b, _ := write(t, store, options(id))
		in, err := Open(bytes.NewReader(b), []age.Identity{id})
		if err != nil {
			t.Fatal(err)
		}
		to, key := fmt.Sprintf("%s/restored%d", dir, i), seal.MasterKey{9}
		if _, err := badgerstore.Restore(badgerstore.RestoreOptions{Dir: to, Key: key, Epoch: in.Report().Epoch, Now: made, Records: func(put func(persistence.Record) error) error { return in.Each(t.Context(), put) }}); err != nil {
			t.Fatal(err)
		}
		again, err := badgerstore.Open(badgerstore.Options{Dir: to, Key: key, Adopt: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []persistence.AccountID{"a", "b", "c"} {
			records, err := again.Load(id)
			state, decodeErr := persistence.DecodeState(records)
			if err = errors.Join(err, decodeErr); err != nil || state.Updates == nil || state.Account == nil || int64(state.Updates.Pts) != state.Account.UserID {
				t.Errorf("%s: half a commit: %+v, %v", id, state, err)
			}
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	<-ended
}

func FuzzPlain(f *testing.F) {
	f.Add(plain(f, func(w *writer) error {
		err := w.json('h', Header{Format: 1})
		for _, r := range account("alice") {
			err = errors.Join(err, w.record(r))
		}
		return errors.Join(err, w.json('x', Lost{Account: "bob"}), w.end(persistence.Tally{Accounts: 1, PermKeys: 1, Records: 8}, 1))
	}))
	f.Add([]byte(magic + "h\x02\x00\x00\x00{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := open(bytes.NewReader(b))
		if err != nil {
			return
		}
		n := 0
		err = r.Each(t.Context(), func(rec persistence.Record) error {
			n++
			if err := rec.Check(); err != nil {
				t.Fatal(err)
			}
			return nil
		})
		if err == nil && n != r.Report().Holds.Records {
			t.Fatalf("%d records, and the report says %v", n, r.Report().Holds)
		}
	})
}
