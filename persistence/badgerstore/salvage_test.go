package badgerstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

var salvageDay = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func mustSalvage(t *testing.T, dir string) *SalvageReport {
	t.Helper()
	r, err := Salvage(SalvageOptions{Dir: dir, Key: testKey, Now: salvageDay})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// wantIn opens a store and wants whole accounts in it.
func wantIn(t *testing.T, dir string, want ...string) *Store {
	t.Helper()
	s := mustOpen(t, dir)
	ids, err := s.Accounts()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, id := range ids {
		records, err := s.Load(id)
		if state, decodeErr := persistence.DecodeState(records); err == nil && decodeErr == nil && state.Account != nil && len(state.PermKeys) > 0 {
			got = append(got, string(id))
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("whole accounts are %v, want %v", got, want)
	}
	return s
}

func names(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("a%d", i))
	}
	return out
}

func TestOneBitInTheLogCostsNothing(t *testing.T) {
	dir := killed(t, 10, false) // the copy has half of the accounts
	flipAt(t, dir, "r/a7/\x04") // a temp key, which is in no copy
	before := files(t, dir)
	r := mustSalvage(t, dir)
	if r.Saved.Accounts != 10 || r.Saved.PermKeys != 10 || r.Complete || r.Why != "its latest commits are missing" {
		t.Errorf("%+v", r)
	}
	if a := r.Accounts[8]; a.ID != "a8" || a.Behind != 3 || a.FromStore != 0 {
		t.Errorf("a8 lay behind the damage: %+v", a)
	}
	wantIn(t, dir, names(10)...)
	// The damaged files are as they were.
	kept := files(t, r.Kept)
	for name, b := range before {
		if kept[name] != b {
			t.Errorf("%s is not kept", name)
		}
	}
}

func TestWhatTheLogLostComesFromTheCopy(t *testing.T) {
	dir := killed(t, 10, false)
	flipAt(t, dir, "r/a2/\x03")
	r := mustSalvage(t, dir)
	// The copy's perm key is the one that was lost, and the head proves it.
	if !r.Complete || r.Accounts[2].FromCopy != 1 || r.Accounts[2].Behind != 2 {
		t.Errorf("%+v", r)
	}
	wantIn(t, dir, names(10)...)
}

func TestWhatNothingHasIsCountedAndNamedWhereItCanBe(t *testing.T) {
	dir := killed(t, 10, false)
	flipAt(t, dir, "r/a7/\x03")
	r := mustSalvage(t, dir)
	if r.Complete || !slices.Equal(r.Accounts[7].Missing, []string{"perm key of DC 2"}) {
		t.Errorf("%+v", r)
	}
	if accounts, permKeys := r.Unnamed(); accounts != 0 || permKeys != 1 {
		t.Errorf("missing are %d accounts, %d perm keys", accounts, permKeys)
	}
	// Without any file of Badger's the copy alone is left.
	dir = killed(t, 10, false)
	for name := range files(t, dir) {
		if name != copyFileName && name != headFileName {
			remove(t, filepath.Join(dir, name))
		}
	}
	r = mustSalvage(t, dir)
	if accounts, permKeys := r.Unnamed(); accounts != 5 || permKeys != 5 || r.Complete {
		t.Errorf("missing are %d accounts, %d perm keys of %+v", accounts, permKeys, r)
	}
	wantIn(t, dir, names(5)...)
}

func TestATableThatCannotBeReadComesFromTheCopy(t *testing.T) {
	for _, harm := range []func([]byte) []byte{
		func(b []byte) []byte { return b[:len(b)/2] },
		func(b []byte) []byte { b[len(b)-2] ^= 1; return b },
		func(b []byte) []byte { b[len(b)/3] ^= 1; return b },
		func([]byte) []byte { return nil },
	} {
		dir := closed(t, 20)
		edit(t, newestTable(t, dir), harm)
		r := mustSalvage(t, dir)
		if r.Saved.Accounts != 20 || r.Saved.PermKeys != 20 {
			t.Errorf("%+v", r)
		}
		s := mustOpen(t, dir)
		if ids, err := s.Accounts(); err != nil || len(ids) != 20 {
			t.Errorf("accounts are %v, %v", ids, err)
		}
	}
}

func TestATableThatTheManifestForgotIsComplete(t *testing.T) {
	dir := closed(t, 10)
	edit(t, filepath.Join(dir, "MANIFEST"), func(b []byte) []byte { return b[:len(b)-1] })
	if r := mustSalvage(t, dir); !r.Complete || r.Saved != r.Should {
		t.Errorf("%+v", r)
	}
	wantIn(t, dir, names(10)...)
}

func TestWhatWasDeletedStaysDeleted(t *testing.T) {
	dir := closed(t, 10)
	s, err := Open(Options{Dir: dir, Key: testKey, copyDelay: -1})
	if err != nil {
		t.Fatal(err)
	}
	var del []persistence.Key
	for _, r := range signedIn("a3") {
		del = append(del, r.Key)
	}
	if err := s.Commit(persistence.Commit{Owner: claim(t, s), Delete: del}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// The table with the deletion is gone, the one with the account is there.
	remove(t, newestTable(t, dir))
	mustSalvage(t, dir)
	wantIn(t, dir, append(names(3), names(10)[4:]...)...)
}

func TestABrokenRecordIsHealedFromTheCopy(t *testing.T) {
	dir := closed(t, 3)
	s := mustOpen(t, dir)
	raw(t, s, recordName(persistence.PermKeyKey("a1", 2)), func(b []byte) []byte { b[seal.HeaderLen+30] ^= 1; return b })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r := mustSalvage(t, dir)
	if !r.Complete || r.Accounts[1].FromCopy != 1 || r.Accounts[1].Missing != nil || r.Should != r.Saved || r.Why != "records cannot be read" {
		t.Errorf("%+v", r)
	}
	wantIn(t, dir, names(3)...)
}

func TestASalvageOfAWholeStoreDoesNothing(t *testing.T) {
	dir := closed(t, 3)
	before := files(t, dir)
	if r := mustSalvage(t, dir); !r.Whole || !r.Complete || r.Kept != "" || r.Saved.Accounts != 3 {
		t.Errorf("%+v", r)
	}
	if fmt.Sprint(before) != fmt.Sprint(files(t, dir)) {
		t.Error("files were changed")
	}
}

func TestADryRunChangesNothing(t *testing.T) {
	dir := killed(t, 10, true)
	flipAt(t, dir, "r/a2/\x03")
	before := files(t, dir)
	r, err := Salvage(SalvageOptions{Dir: dir, Key: testKey, DryRun: true, Now: salvageDay})
	if err != nil || r.Whole || r.Kept != "" || r.Saved.Accounts != 10 {
		t.Errorf("%+v, %v", r, err)
	}
	if fmt.Sprint(before) != fmt.Sprint(files(t, dir)) {
		t.Error("files were changed")
	}
	if _, err := os.Stat(filepath.Join(dir, salvagedDir)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a new store was begun: %v", err)
	}
}

func TestASalvageThatWasEndedHalfWayGoesOn(t *testing.T) {
	for cut := range 12 {
		dir := killed(t, 4, true)
		flipAt(t, dir, "r/a2/\x03")
		w := &wreck{dir: dir, sealer: testSealer(t), digest: testDigester(t)}
		if err := w.look(Options{Dir: dir, Key: testKey}); err != nil {
			t.Fatal(err)
		}
		content, _, err := w.best()
		if err != nil {
			t.Fatal(err)
		}
		if err := w.build(filepath.Join(dir, salvagedDir), content); err != nil {
			t.Fatal(err)
		}
		w.close()
		// What a swap does, up to some rename.
		kept := damagedPrefix + "x"
		if err := os.Mkdir(filepath.Join(dir, kept), 0o700); err != nil {
			t.Fatal(err)
		}
		left := cut
		half := func(marker, from, to string) bool {
			if err := writeFile(filepath.Join(dir, salvageMarker), []byte(marker+" "+kept)); err != nil {
				t.Fatal(err)
			}
			for name := range files(t, from) {
				if name == salvageMarker {
					continue
				}
				if left--; left < 0 {
					return false
				}
				if err := os.Rename(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
					t.Fatal(err)
				}
			}
			return true
		}
		if half("out", dir, filepath.Join(dir, kept)) {
			half("in", filepath.Join(dir, salvagedDir), dir)
		}
		var d *persistence.DamagedError
		if _, err := Open(Options{Dir: dir, Key: testKey}); !errors.As(err, &d) || d.Why != "a salvage was begun and not ended" {
			t.Fatalf("cut after %d renames, and Open says %v", cut, err)
		}
		if r := mustSalvage(t, dir); filepath.Base(r.Kept) != kept {
			t.Errorf("%+v", r)
		}
		if err := wantIn(t, dir, names(4)...).Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestASalvagedStoreKeepsItsOwnersOut(t *testing.T) {
	dir := killed(t, 4, true)
	flipAt(t, dir, "r/a0/\x03")
	remove(t, filepath.Join(dir, "MANIFEST"))
	mustSalvage(t, dir)
	s := mustOpen(t, dir)
	next := claim(t, s)
	if next.Epoch != 2 {
		t.Errorf("the claim after a salvage is %v", next)
	}
	var so *persistence.StaleOwnerError
	if err := s.Commit(persistence.Commit{Owner: persistence.Owner{Node: "node", Epoch: 1}}); !errors.As(err, &so) {
		t.Errorf("the owner of before writes: %v", err)
	}
}

func TestSalvageRefusals(t *testing.T) {
	dir := closed(t, 2)
	for name, c := range map[string]struct {
		o    SalvageOptions
		want string
	}{
		"no directory":        {SalvageOptions{Key: testKey}, "the store has no directory"},
		"nothing there":       {SalvageOptions{Dir: t.TempDir(), Key: testKey}, "there is no store in"},
		"another master key":  {SalvageOptions{Dir: dir, Key: seal.MasterKey{9}}, "it is not the key that the store in"},
		"a missing directory": {SalvageOptions{Dir: filepath.Join(dir, "none"), Key: testKey}, "no such file"},
	} {
		if _, err := Salvage(c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := mustOpen(t, dir)
	var le *persistence.LockedError
	if _, err := Salvage(SalvageOptions{Dir: dir, Key: testKey}); !errors.As(err, &le) {
		t.Errorf("a store in use: %v", err)
	}
	_ = s
}
