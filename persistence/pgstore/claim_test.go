//go:build unix

package pgstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

// holderEnv has TestClaimHolder be another process with a claim.
const holderEnv = "PGSTORE_TEST_HOLDER"

// TestClaimHolder claims a store in a process of its own, and holds it until it is
// killed.
func TestClaimHolder(t *testing.T) {
	dsn, schema, ok := strings.Cut(os.Getenv(holderEnv), "|")
	if !ok {
		t.Skip("it is a part of another test")
	}
	s, err := Open(t.Context(), Options{URL: persistence.SecretText(dsn), Schema: schema, Key: testKey, Program: "manager account login"})
	if err == nil {
		_, err = s.Claim("local")
	}
	fmt.Println("claimed:", err)
	select {}
}

// holder starts one and waits until it has the claim.
func (p place) holder(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestClaimHolder$")
	cmd.Env = append(os.Environ(), holderEnv+"="+p.server.DSN()+"|"+p.schema)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != "claimed: <nil>" {
		t.Fatalf("the holder says %q, %v", line, err)
	}
	return cmd
}

func testClaimKilled(t *testing.T, p place) {
	o := p.options()
	o.Patience = 900 * time.Millisecond // a third of it a claim waits
	s := p.openWith(t, o)
	cmd := p.holder(t)
	want := fmt.Sprintf("manager account login, process %d on ", cmd.Process.Pid)
	var claimed, joined *persistence.ClaimedError
	_, err := s.Claim("second")
	_, joinErr := s.Join(t.Context(), info("n", time.Minute, time.Second))
	if !errors.As(err, &claimed) || !strings.HasPrefix(claimed.By, want) || claimed.Place != s.Place() {
		t.Errorf("the second claim: %v", err)
	}
	if !errors.As(joinErr, &joined) || !strings.HasPrefix(joined.By, want) {
		t.Errorf("a node joins: %v", joinErr)
	}
	if _, err := s.Accounts(); err != nil {
		t.Errorf("it cannot be read: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	owner, err := s.Claim("second")
	for until := time.Now().Add(10 * time.Second); err != nil && time.Now().Before(until); { // the server has to notice
		owner, err = s.Claim("second")
	}
	if err != nil {
		t.Fatal(err)
	}
	fill(t, s, owner, meta("alice", "a", "1"))
	// It was killed, and the sockets of a machine that is cut off may live a while.
	if err := s.ConfirmClaim(t.Context()); !errors.As(err, new(*persistence.ClaimedError)) {
		t.Errorf("accounts may be used at once: %v", err)
	}
}

// The server lets go of a claim of which the process does not hear.
func testClaimLost(t *testing.T, p place) {
	s, other := p.open(t), p.open(t)
	owner, err := s.Claim("tool")
	if err != nil {
		t.Fatal(err)
	}
	fill(t, s, owner, meta("alice", "a", "1"))
	if err := s.ConfirmClaim(t.Context()); err != nil {
		t.Errorf("a claim that is held: %v", err)
	}
	if err := other.ConfirmClaim(t.Context()); !errors.As(err, new(*persistence.StaleOwnerError)) {
		t.Errorf("a claim that never was: %v", err)
	}
	p.server.SQL(`select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'mtfleet, process%' and pid <> pg_backend_pid()`)
	fill(t, s, owner, meta("alice", "a", "nobody else came")) // as the tables have it
	node, err := other.Join(t.Context(), info("n", time.Minute, time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(persistence.Commit{Owner: owner, Put: []persistence.Record{meta("alice", "a", "late")}}); !errors.As(err, new(*persistence.StaleOwnerError)) {
		t.Errorf("a claim that is lost commits: %v", err)
	}
	if free, err := other.Free(t.Context(), 10); err != nil || len(free) != 0 {
		t.Errorf("at once %v can be taken, %v", free, err)
	}
	if err := s.ConfirmClaim(t.Context()); !errors.As(err, new(*persistence.StaleOwnerError)) {
		t.Errorf("it does not find out: %v", err)
	}
	p.pass(ClaimTerm)
	if taken, err := other.Take(t.Context(), node, []persistence.AccountID{"alice"}); err != nil || len(taken) != 1 {
		t.Errorf("afterwards %v was taken, %v", taken, err)
	}
	if _, err := s.Claim("tool"); !errors.As(err, new(*persistence.NodesRunError)) {
		t.Errorf("claimed again beside a node: %v", err)
	}
	third := p.open(t) // the failed claim holds nothing
	if _, err := third.Join(t.Context(), info("m", time.Minute, time.Second)); err != nil {
		t.Error(err)
	}
}

// Rows of writers that are no nodes go, and what they count stays.
func testWriters(t *testing.T, p place) {
	s := p.open(t)
	commits := func() (n uint64) {
		err := s.Snapshot(t.Context(), func(m persistence.Moment) error {
			n = m.Commit
			return nil
		}, func(persistence.Record, error) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	rows := func() string { return p.server.SQL(fmt.Sprintf(`select count(*) from %s.writers`, p.schema)) }
	var want uint64
	for i := range 20 {
		tool := p.open(t)
		owner, err := tool.Claim(fmt.Sprintf("pod-%d", i))
		if err != nil {
			t.Fatal(err)
		}
		fill(t, tool, owner, meta("alice", "a", fmt.Sprint(i)))
		want++
		if err := tool.Close(); err != nil {
			t.Fatal(err)
		}
		if i%5 != 4 {
			continue
		}
		node, err := s.Join(context.Background(), info(fmt.Sprintf("node-%d", i), time.Minute, time.Second))
		if err != nil {
			t.Fatal(err)
		}
		fill(t, s, node, meta(persistence.FleetID, "a", fmt.Sprint(i)))
		want++
		if err := s.Leave(context.Background(), node); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Join(context.Background(), info("last", time.Minute, time.Second)); err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(rows()); got != "1" {
		t.Errorf("of all writers %s rows are left", got)
	}
	if got := commits(); got != want {
		t.Errorf("%d transactions are counted, %d were made", got, want)
	}
}
