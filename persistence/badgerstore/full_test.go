package badgerstore

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

// fullEnv makes the test binary the child of the tests on a full disk: its value
// is the store's directory. cyclesEnv is how often the disk is filled, and padEnv
// how large the records are: a longer run says more, and with records of some KB
// logs change all the time, which is what space.go cannot make safe altogether.
const (
	fullEnv   = "BADGERSTORE_FULL_DIR"
	cyclesEnv = "BADGERSTORE_FULL_CYCLES"
	padEnv    = "BADGERSTORE_FULL_PAD"
)

const (
	fullWriters = 20
	fullPause   = 10 * time.Millisecond // of a writer between commits: about 1 MB/s in all
)

// fullChild commits until its standard input closes; what is refused it tries
// again. It prints what was acknowledged and what was refused, and closes the
// store.
func fullChild() {
	s, err := Open(Options{Dir: os.Getenv(fullEnv), Key: testKey})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	owner, err := s.Claim("child")
	if err != nil {
		fmt.Println("error", err)
		return
	}
	stop := make(chan struct{})
	go func() { defer close(stop); _, _ = io.Copy(io.Discard, os.Stdin) }()
	var wg sync.WaitGroup
	for w := range fullWriters {
		wg.Go(func() { fullWriter(s, owner, w, stop) })
	}
	wg.Wait()
	fmt.Println("closed", s.Close())
}

func fullWriter(s *Store, owner persistence.Owner, w int, stop chan struct{}) {
	id := persistence.AccountID(fmt.Sprintf("w%d", w))
	size, _ := strconv.Atoi(os.Getenv(padEnv))
	pad := bytes.Repeat([]byte{byte(w)}, max(size, 100))
	for n := 1; ; {
		put := []persistence.Record{
			persistence.Updates{Pts: int32(n)}.Record(id),
			{Key: persistence.Key{Account: id, Kind: persistence.KindMeta, Sub: strconv.Itoa(n % 4)}, Version: 1, Data: pad},
		}
		err := s.Commit(persistence.Commit{Owner: owner, Put: put})
		var full *persistence.FullError
		var disk *persistence.DiskError
		switch {
		case err == nil:
			fmt.Printf("ack %d %d\n", w, n)
			n++
			time.Sleep(fullPause)
		case errors.As(err, &full), errors.As(err, &disk):
			fmt.Printf("refused %d %v\n", w, err)
			time.Sleep(20 * time.Millisecond)
		default:
			fmt.Println("error", err)
			return
		}
		select {
		case <-stop:
			return
		default:
		}
	}
}

// fullRun is one child and what it has said.
type fullRun struct {
	cmd   *exec.Cmd
	stdin io.Closer
	ended chan struct{}

	mu      sync.Mutex
	acked   [fullWriters]int
	refused int
	why     string   // the last refusal
	said    []string // anything else
	stderr  bytes.Buffer
}

func startFull(t *testing.T, dir string) *fullRun {
	t.Helper()
	r := &fullRun{cmd: exec.Command(os.Args[0]), ended: make(chan struct{})}
	r.cmd.Env = append(os.Environ(), fullEnv+"="+dir)
	r.cmd.Stderr = &r.stderr
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if r.stdin, err = r.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(r.ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			r.hear(lines.Text())
		}
		_ = r.cmd.Wait()
	}()
	t.Cleanup(func() { _ = r.cmd.Process.Kill(); <-r.ended })
	return r
}

func (r *fullRun) hear(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var w, n int
	if _, err := fmt.Sscanf(line, "ack %d %d", &w, &n); err == nil {
		r.acked[w] = n
		return
	}
	if strings.HasPrefix(line, "refused") {
		r.refused, r.why = r.refused+1, line
		return
	}
	r.said = append(r.said, line)
}

func (r *fullRun) lives(t *testing.T) {
	t.Helper()
	select {
	case <-r.ended:
		text := r.stderr.String()
		t.Fatalf("the process ended: %v, %q\n%.2000s", r.cmd.ProcessState, r.said, text)
	default:
	}
}

// progress waits until every writer has got further.
func (r *fullRun) progress(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	before := r.acked
	r.mu.Unlock()
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		r.lives(t)
		r.mu.Lock()
		all := true
		for w, n := range r.acked {
			all = all && n > before[w]
		}
		r.mu.Unlock()
		if all {
			return
		}
		if time.Since(begun) > 20*time.Second {
			r.mu.Lock()
			defer r.mu.Unlock()
			t.Fatalf("there is room again, and nothing is written: %s", r.why)
		}
	}
}

// denial waits until a commit was refused.
func (r *fullRun) denial(t *testing.T) {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		r.lives(t)
		r.mu.Lock()
		refused, acked := r.refused, r.acked
		r.mu.Unlock()
		if refused > 0 {
			return
		}
		if time.Since(begun) > 20*time.Second {
			t.Fatalf("the disk is full, and nothing was refused: %v acknowledged", acked)
		}
	}
}

func mountSmall(t *testing.T, kind string) string {
	t.Helper()
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("mounting a small file system needs Linux and root")
	}
	dir := t.TempDir()
	run := func(name string, args ...string) {
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Skipf("%s %v: %v: %s", name, args, err, out)
		}
	}
	if kind == "tmpfs" {
		run("mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", dir)
	} else {
		image := filepath.Join(t.TempDir(), "image")
		f, err := os.Create(image)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(f.Truncate(64<<20), f.Close()); err != nil {
			t.Fatal(err)
		}
		run("mkfs."+kind, "-q", "-F", image)
		run("mount", "-o", "loop", image, dir)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir
}

// fill takes what is free for a while, and again what becomes free meanwhile.
func fill(t *testing.T, dir string, hold time.Duration) (free func()) {
	t.Helper()
	path := filepath.Join(dir, "filler")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 1<<20)
	for begun := time.Now(); ; {
		n, err := f.Write(block)
		if err == nil || n > 0 {
			continue
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		if len(block) > 4096 {
			block = block[:4096]
		} else if time.Since(begun) > hold {
			return func() { _ = os.Remove(path) }
		}
	}
}

func TestADiskThatFillsUpAgainAndAgainLosesNothing(t *testing.T) {
	for _, kind := range []string{"tmpfs", "ext4"} {
		t.Run(kind, func(t *testing.T) {
			dir := mountSmall(t, kind)
			store := filepath.Join(dir, "store")
			r := startFull(t, store)
			r.progress(t)
			cycles, _ := strconv.Atoi(os.Getenv(cyclesEnv))
			cycles = max(cycles, 4)
			for i := range cycles {
				free := fill(t, dir, 200*time.Millisecond)
				r.lives(t)
				if i == cycles-1 {
					r.denial(t) // a busy machine may have filled and freed the disk between two commits
				}
				free()
				r.progress(t)
				time.Sleep(rand.N(200 * time.Millisecond))
			}
			r.mu.Lock()
			refused, said := r.refused, r.said
			r.mu.Unlock()
			if refused == 0 || len(said) > 0 {
				t.Errorf("%d commits were refused, and the child said %q", refused, said)
			}
			_ = r.cmd.Process.Kill()
			<-r.ended
			free := fill(t, dir, 0)
			var full *persistence.FullError
			if _, err := Open(Options{Dir: store, Key: testKey}); !errors.As(err, &full) || full.Free >= full.Needed {
				t.Errorf("opening it on a full disk: %v", err)
			}
			free()
			wantAcked(t, store, r)
		})
	}
}

// wantAcked opens the store and wants all in it that was acknowledged.
func wantAcked(t *testing.T, dir string, r *fullRun) {
	t.Helper()
	s, err := Open(Options{Dir: dir, Key: testKey})
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for w, n := range r.acked {
		records, err := s.Load(persistence.AccountID(fmt.Sprintf("w%d", w)))
		if err != nil {
			t.Fatal(err)
		}
		state, err := persistence.DecodeState(records)
		if err != nil || state.Updates == nil {
			t.Fatalf("writer %d: %+v, %v", w, state, err)
		}
		if pts := int(state.Updates.Pts); pts != n && pts != n+1 {
			t.Errorf("writer %d: acknowledged %d, stored %d", w, n, pts)
		}
		total += n
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	t.Logf("%d commits acknowledged, %d refused", total, r.refused)
}
