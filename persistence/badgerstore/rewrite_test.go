package badgerstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

// rewriteEnv makes the test binary the child of the tests of a rewrite: its value
// is the step at which the child kills itself, and the store's directory.
const rewriteEnv = "BADGERSTORE_REWRITE"

var newKey = seal.MasterKey{4, 5, 6}

func rewriteChild() {
	var at int
	var dir string
	if _, err := fmt.Sscan(os.Getenv(rewriteEnv), &at, &dir); err != nil {
		fmt.Println(err)
		os.Exit(3)
	}
	n := 0
	_, err := Rewrite(context.Background(), RewriteOptions{Dir: dir, Key: testKey, To: newKey, Now: restoredAt, reached: func() {
		if n++; n == at {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// rewriteAndDie lets a child rewrite a store until a step, and tells whether it
// was through before that.
func rewriteAndDie(t *testing.T, dir string, at int) (through bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s", rewriteEnv, at, dir))
	out, err := cmd.Output()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return true
	case errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL:
		return false
	}
	t.Fatalf("the child ended with %v: %s", err, out)
	return false
}

// opens returns the keys with which a store opens, and what it holds then.
func opens(t *testing.T, dir string) (old, changed bool, held persistence.Tally) {
	t.Helper()
	for _, key := range []seal.MasterKey{testKey, newKey} {
		s, err := Open(Options{Dir: dir, Key: key})
		var wrong *persistence.MasterKeyError
		if errors.As(err, &wrong) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		held = s.opened.chain.at.after.tally()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if key == testKey {
			old = true
		} else {
			changed = true
		}
	}
	return old, changed, held
}

// TestARewriteThatIsKilledAtAnyStepLeavesOneKey: SIGKILL at each of its steps, the
// move of every single file among them. Then the store opens with one of the two
// keys, with everything in it, and the rewrite can be done to its end.
func TestARewriteThatIsKilledAtAnyStepLeavesOneKey(t *testing.T) {
	home := t.TempDir()
	master := filepath.Join(home, "master")
	s, err := Open(Options{Dir: master, Key: testKey})
	if err != nil {
		t.Fatal(err)
	}
	owner := claim(t, s)
	for i := range 20 {
		put(t, s, owner, signedIn(persistence.AccountID("a"+strconv.Itoa(i)))...)
	}
	want := s.opened.chain.at.after.tally()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	seenOld, seenNew := 0, 0
	for at := 1; ; at++ {
		dir := filepath.Join(home, strconv.Itoa(at))
		copyStore(t, master, dir)
		if s, err = Open(Options{Dir: dir, Key: testKey, Adopt: true}); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		through := rewriteAndDie(t, dir, at)
		if rewriteBegun(dir) {
			if _, err := Check(CheckOptions{Dir: dir, Key: newKey}); !errors.As(err, new(*persistence.InvalidError)) {
				t.Errorf("step %d: a check in the midst of it says %v", at, err)
			}
		}
		old, changed, held := opens(t, dir)
		if old == changed || held != want {
			t.Fatalf("step %d: the old key opens it: %v, the new one: %v; it holds %v, not %v", at, old, changed, held, want)
		}
		if old {
			seenOld++
			if through {
				t.Fatal("it is through, and the old key opens it")
			}
			if r, err := Rewrite(t.Context(), RewriteOptions{Dir: dir, Key: testKey, To: newKey, Now: restoredAt}); err != nil || r.Holds != want {
				t.Fatalf("step %d: the rewrite after the kill: %+v, %v", at, r, err)
			}
			if old, changed, held = opens(t, dir); old || !changed || held != want {
				t.Fatalf("step %d: after a rewrite the old key opens it: %v, the new one: %v; it holds %v", at, old, changed, held)
			}
		} else {
			seenNew++
		}
		list, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			if e.IsDir() || e.Name() == rewriteMarker {
				t.Errorf("step %d: %s is left", at, e.Name())
			}
		}
		if r, err := Check(CheckOptions{Dir: dir, Key: newKey}); err != nil || r.Damage != nil || len(r.Broken) > 0 || r.Copied {
			t.Errorf("step %d: %+v, %v", at, r, err)
		}
		if through {
			break
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	if seenOld < 3 || seenNew < 5 {
		t.Errorf("the old key was found %d times, the new one %d times", seenOld, seenNew)
	}
}

func TestNothingOfTheOldKeyIsLeftAfterARewrite(t *testing.T) {
	dir := closed(t, 3)
	if _, err := Rewrite(t.Context(), RewriteOptions{Dir: dir, Key: testKey, To: newKey, Now: restoredAt}); err != nil {
		t.Fatal(err)
	}
	old, err := newSealer(testKey)
	if err != nil {
		t.Fatal(err)
	}
	header, err := old.Seal(checkRecord())
	if err != nil {
		t.Fatal(err)
	}
	header = header[:seal.HeaderLen-2] // the format and the id of the key
	for name, b := range files(t, dir) {
		if strings.Contains(b, string(header)) {
			t.Errorf("%s has something that was sealed with the old key", name)
		}
	}
}

func TestARewriteOfBrokenRecordsIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	put(t, s, claim(t, s), signedIn("alice")...)
	key := persistence.PermKeyKey("alice", 2)
	raw(t, s, recordName(key), func(b []byte) []byte { b[len(b)-20] ^= 1; return b })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := Rewrite(t.Context(), RewriteOptions{Dir: dir, Key: testKey, To: newKey, Now: restoredAt})
	if keys := persistence.BadKeys(err); len(keys) != 1 || keys[0] != key {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(join(dir, rewrittenDir)); err == nil {
		t.Error("the new store is left")
	}
	s = mustOpen(t, dir)
	put(t, s, claim(t, s), signedIn("alice")...) // which mends it
	raw(t, s, recordName(persistence.TempKeyKey("alice", 2, 3)), func(b []byte) []byte { b[len(b)-20] ^= 1; return b })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// What is made anew is no reason to refuse.
	r, err := Rewrite(t.Context(), RewriteOptions{Dir: dir, Key: testKey, To: newKey, Now: restoredAt})
	if err != nil || r.Dropped != 1 || r.Holds != (persistence.Tally{Accounts: 1, PermKeys: 1, Records: 2}) {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestARewriteThatIsInterruptedChangesNothing(t *testing.T) {
	dir := closed(t, 3)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Rewrite(ctx, RewriteOptions{Dir: dir, Key: testKey, To: newKey, Now: restoredAt}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(join(dir, rewrittenDir)); err == nil {
		t.Error("the new store is left")
	}
	mustOpen(t, dir)
}

func TestARewriteGivesDiskBack(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	owner := claim(t, s)
	// A table of records that were changed again and again.
	for n := range 60 {
		put(t, s, owner, note("alice", "a", 200<<10+n), note("alice", "b", 200<<10))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Rewrite(t.Context(), RewriteOptions{Dir: dir, Key: testKey, To: testKey, Now: time.Now()})
	if err != nil || r.Holds.Records != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	if r.After > r.Before-5<<20 {
		t.Errorf("it took %s and takes %s", persistence.Size(r.Before), persistence.Size(r.After))
	}
	if records, err := mustOpen(t, dir).Load("alice"); err != nil || len(records) != 2 {
		t.Errorf("%v, %v", records, err)
	}
}
