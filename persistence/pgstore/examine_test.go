//go:build unix

package pgstore

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

func testExamine(t *testing.T, p place) {
	examine := func(o Options) Look {
		t.Helper()
		l, err := Examine(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	tables := func() string {
		return p.server.SQL(fmt.Sprintf(`select count(*) from pg_tables where schemaname = '%s'`, p.schema))
	}
	o := p.options()
	l := examine(o)
	if there, err := Exists(t.Context(), o); err != nil || there || !l.Missing || !l.MayMake || !l.Local || l.Encrypted || l.ReadOnly || !l.Timeline || l.FSync || !l.FullPages || l.Commit != "on" || l.Standbys != "" {
		t.Errorf("before there is a store: %v %v %+v", there, err, l)
	}
	if l.Ahead < -time.Second || l.Ahead > time.Second || l.Within > time.Second || l.Free < MaxConns || l.Free > 100 || !strings.HasPrefix(l.ServerVersion, "1") {
		t.Errorf("of the server: %+v", l)
	}
	existing := o
	existing.Existing = true
	if _, err := Open(t.Context(), existing); !errors.As(err, new(*NoStoreError)) || tables() != "0" {
		t.Errorf("opening makes none: %v", err)
	}
	s := p.open(t)
	owner, err := s.Claim("tool")
	if err != nil {
		t.Fatal(err)
	}
	fill(t, s, owner, persistence.Account{ID: "alice", UserID: 7, SignedIn: true}.Record())
	if l = examine(o); !strings.HasPrefix(l.Claimed, "mtfleet, process ") || l.Version != l.Known || l.Known < 2 || l.Place != s.Place() || l.Bytes < 8192 || len(l.Lacks) > 0 {
		t.Errorf("of a store that is claimed: %+v", l)
	}
	if len(l.Accounts) != 1 || l.Accounts[0].UserID != 7 || l.Wrong != nil {
		t.Errorf("the accounts are %+v, %v", l.Accounts, l.Wrong)
	}
	node, err := s.Join(t.Context(), info("n", time.Minute, time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Take(t.Context(), node, []persistence.AccountID{"alice"}); err != nil {
		t.Fatal(err)
	}
	wrong := o
	wrong.Key = seal.MasterKey{5}
	if l = examine(wrong); !errors.As(l.Wrong, new(*persistence.MasterKeyError)) || l.Accounts != nil || len(l.Nodes) != 1 || l.Nodes[0].Name != "n" || l.Nodes[0].Accounts != 1 || l.Nodes[0].Left <= 0 || l.Claimed != "" {
		t.Errorf("with another key: %+v", l)
	}
	p.server.SQL(fmt.Sprintf(`create role reader_%[1]s login connection limit 3; grant usage on schema %[1]s to reader_%[1]s; grant select on all tables in schema %[1]s to reader_%[1]s`, p.schema))
	t.Cleanup(func() { p.server.SQL(fmt.Sprintf(`drop owned by reader_%[1]s; drop role reader_%[1]s`, p.schema)) })
	reader := o
	reader.URL += persistence.SecretText(" user=reader_" + p.schema)
	if l = examine(reader); !slices.Contains(l.Lacks, "delete on records") || slices.Contains(l.Lacks, "select on records") || l.Free > 3 || l.MayMake {
		t.Errorf("of a user that may read: %+v", l)
	}
	p.server.SQL(fmt.Sprintf(`insert into %s.versions (version_id, is_applied) values (900, true)`, p.schema))
	if l = examine(o); l.Version != 900 || l.Nodes != nil {
		t.Errorf("of a newer program: %+v", l)
	}
	mistaken := o
	mistaken.URL = persistence.SecretText(strings.Replace(p.server.DSN(), "dbname=", "dbname=none", 1))
	if _, err := Examine(t.Context(), mistaken); err == nil {
		t.Error("there is no such database, and it was looked at")
	}
}
