package badgerstore

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/mtfleet/mtfleet/persistence"
)

// crashEnv makes the test binary the child of the crash test: its value is the
// store's directory.
const crashEnv = "BADGERSTORE_CRASH_DIR"

const crashWriters = 8

// crashPair is what the n-th commit of a writer puts: two records that must
// never disagree.
func crashPair(writer, n int) []persistence.Record {
	id := persistence.AccountID(fmt.Sprintf("w%d", writer))
	return []persistence.Record{
		persistence.Updates{Pts: int32(n)}.Record(id),
		persistence.Session{DC: 2, KeyID: int64(n)}.Record(id),
	}
}

// crashChild commits until it is killed, and prints each commit once it has been
// acknowledged.
func crashChild() {
	s, err := Open(Options{Dir: os.Getenv(crashEnv), Key: testKey})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	owner, err := s.Claim("child")
	if err != nil {
		fmt.Println("error", err)
		return
	}
	var wg sync.WaitGroup
	for w := range crashWriters {
		wg.Go(func() {
			for n := 1; ; n++ {
				if err := s.Commit(persistence.Commit{Owner: owner, Put: crashPair(w, n)}); err != nil {
					fmt.Println("error", err)
					return
				}
				fmt.Printf("ack %d %d\n", w, n) // one write: lines do not mix
			}
		})
	}
	wg.Wait()
}

func TestEveryAcknowledgedCommitSurvivesSIGKILL(t *testing.T) {
	dir := t.TempDir()
	for round := range 3 {
		acked := runAndKill(t, dir, 100*(round+1))
		s := mustOpen(t, dir)
		for w, n := range acked {
			records, err := s.Load(persistence.AccountID(fmt.Sprintf("w%d", w)))
			if err != nil {
				t.Fatal(err)
			}
			state, err := persistence.DecodeState(records)
			if err != nil || state.Updates == nil || len(state.Sessions) != 1 {
				t.Fatalf("writer %d: %+v, %v", w, state, err)
			}
			pts, key := int(state.Updates.Pts), int(state.Sessions[0].KeyID)
			if pts != key {
				t.Errorf("writer %d: half a commit: %d and %d", w, pts, key)
			}
			// One more may have become durable without having been heard of.
			if pts != n && pts != n+1 {
				t.Errorf("writer %d: acknowledged %d, stored %d", w, n, pts)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// runAndKill runs a child, kills it in the middle of its work, and returns the
// last acknowledged commit of each writer.
func runAndKill(t *testing.T, dir string, after int) map[int]int {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acked := map[int]int{}
	lines, count := bufio.NewScanner(out), 0
	for lines.Scan() {
		var w, n int
		if _, err := fmt.Sscanf(lines.Text(), "ack %d %d", &w, &n); err != nil {
			if strings.HasPrefix(lines.Text(), "error") {
				t.Errorf("child: %s", lines.Text())
			}
			continue // cut by the kill
		}
		acked[w] = n
		if count++; count == after {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the child ended by itself")
	}
	if count < after {
		t.Fatalf("the child acknowledged only %d commits", count)
	}
	return acked
}
