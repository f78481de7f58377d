//go:build unix

package pgstore

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/pgstore/pgtest"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

func testBegin(t *testing.T, p place) {
	stores := make([]*Store, 8)
	var wg sync.WaitGroup
	for i := range stores {
		wg.Go(func() {
			var err error
			if stores[i], err = Open(t.Context(), p.options()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, s := range stores {
		if s != nil {
			_ = s.Close()
		}
	}
	if n := p.server.SQL(fmt.Sprintf("select count(*) from %s.fleet", p.schema)); n != "1" {
		t.Errorf("%s fleets were made", n)
	}
}

func testMasterKey(t *testing.T, p place) {
	p.open(t)
	o := p.options()
	o.Key, o.KeySource = seal.MasterKey{9}, seal.KeySource{File: "/etc/other.key"}
	var wrong *persistence.MasterKeyError
	if _, err := Open(t.Context(), o); !errors.As(err, &wrong) || wrong.Source != "/etc/other.key" {
		t.Errorf("got %v", err)
	}
}

func testNewer(t *testing.T, p place) {
	_ = p.open(t).Close()
	p.server.SQL(fmt.Sprintf("insert into %s.versions (version_id, is_applied) values (99, true)", p.schema))
	var newer *SchemaError
	if _, err := Open(t.Context(), p.options()); !errors.As(err, &newer) || newer.Version != 99 || newer.Known < 1 || newer.Schema != p.schema {
		t.Errorf("got %v", err)
	}
}

func testMistakes(t *testing.T, p place) {
	server := p.server
	server.SQL(`create role plain login; create role weak login`)
	server.SQL(`revoke create on database postgres from public`)
	server.SQL(`create schema granted authorization plain`)
	defer server.SQL(`drop schema granted cascade; drop role plain; drop role weak`)
	dsn := func(change string) persistence.SecretText { return persistence.SecretText(server.DSN() + " " + change) }
	for _, c := range []struct {
		name string
		o    Options
		want string
	}{
		{"nothing listens", Options{URL: "postgres://fleet:hunter2@127.0.0.1:1/postgres"}, "persistence: the store does not answer: failed to connect to "},
		{"several hosts, and nothing listens", Options{URL: "postgres://fleet:hunter2@127.0.0.1:1,127.0.0.1:2/postgres"}, "persistence: the store does not answer: failed to connect to "},
		{"no such database", Options{URL: dsn("dbname=nothing password=hunter2")}, "there is no such database: make it with `createdb nothing`, or name another one"},
		{"no such user", Options{URL: dsn("user=nobody password=hunter2")}, `it does not let the user "nobody" in`},
		{"no right to make a schema", Options{URL: dsn("user=weak password=hunter2")}, "the user \"weak\" may not do that: give it a schema of its own with `create schema mtfleet authorization weak`"},
		{"a schema of its own", Options{URL: dsn("user=plain password=hunter2"), Schema: "granted"}, ""},
		{"read-only", Options{URL: dsn("options='-c default_transaction_read_only=on' password=hunter2")}, "it is read-only, a standby perhaps"},
		{"a broken URL", Options{URL: "postgres://fleet:hunter2@[::1/postgres"}, "the connection string cannot be read"},
		{"broken words", Options{URL: "password=hunter2 host"}, "the connection string cannot be read"},
		{"a port that is none", Options{URL: "postgres://fleet:hunter2@host:hunter2/postgres"}, "the connection string cannot be read"},
		{"no such certificate", Options{URL: "host=localhost sslmode=verify-full sslrootcert=/nowhere/ca.pem password=hunter2"}, "names a file that cannot be read: open /nowhere/ca.pem"},
		{"a schema that is none", Options{URL: dsn(""), Schema: `a"b`}, "a schema has 1 to 63 characters"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log bytes.Buffer
			c.o.Key, c.o.Logger = testKey, slog.New(slog.NewTextHandler(&log, nil))
			s, err := Open(t.Context(), c.o)
			if err == nil {
				_ = s.Close()
			}
			switch {
			case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			if text := fmt.Sprintf("%v %+v %#v %+v %s", err, err, err, c.o, log.String()); strings.Contains(text, "hunter2") {
				t.Errorf("the password is in %s", text)
			}
			if err != nil && strings.ContainsAny(err.Error(), "\n\t") {
				t.Errorf("several lines: %q", err)
			}
		})
	}
}

// Some providers do not let users ask for the server's timeline.
func testNoTimeline(t *testing.T, p place) {
	server := p.server
	server.SQL(`create role plain login; create schema mtfleet authorization plain; revoke execute on function pg_walfile_name(pg_lsn) from public`)
	var log bytes.Buffer
	s, err := Open(t.Context(), Options{URL: persistence.SecretText(server.DSN() + " user=plain"), Key: testKey, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mustPut(t, s, join(t, s, "a"), meta("alice", "1", "x"))
	if n := strings.Count(log.String(), "does not tell its timeline"); n != 1 {
		t.Errorf("it was said %d times: %s", n, log.String())
	}
}

func TestCloseAnswersWhoWaits(t *testing.T) {
	server := pgtest.Start(t)
	p := newPlace(server)
	o := p.options()
	o.Patience = 600 * time.Millisecond
	s := p.openWith(t, o)
	owner := join(t, s, "a")
	server.Freeze()
	defer server.Thaw()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := put(s, owner, meta("alice", "1", "x")); !errors.As(err, new(*persistence.UnreachableError)) && !errors.Is(err, persistence.ErrClosed) {
				t.Errorf("a commit: %v", err)
			}
		})
		wg.Go(func() {
			if _, err := s.Load("alice"); !errors.As(err, new(*persistence.UnreachableError)) && !errors.Is(err, persistence.ErrClosed) {
				t.Errorf("a look: %v", err)
			}
		})
	}
	began := time.Now()
	if err := s.Close(); err != nil || time.Since(began) > 10*o.Patience {
		t.Errorf("closing took %v: %v", time.Since(began), err)
	}
	wg.Wait()
	if err := s.Renew(t.Context(), owner); !errors.Is(err, persistence.ErrClosed) {
		t.Errorf("a renewal: %v", err)
	}
	if _, open := <-s.Hints(); open {
		if _, open = <-s.Hints(); open {
			t.Error("hints are not closed")
		}
	}
}
