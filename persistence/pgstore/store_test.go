//go:build unix

package pgstore

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/pgstore/pgtest"
	"github.com/mtfleet/mtfleet/persistence/seal"
	"github.com/mtfleet/mtfleet/persistence/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testKey = seal.MasterKey{1, 2, 3}

// place is a schema of a server that several tests share.
type place struct {
	server *pgtest.Server
	schema string
}

var places atomic.Int64

func newPlace(server *pgtest.Server) place {
	return place{server, fmt.Sprintf("fleet_%d", places.Add(1))}
}

func (p place) options() Options {
	return Options{URL: persistence.SecretText(p.server.DSN()), Schema: p.schema, Key: testKey}
}

func (p place) open(t testing.TB) *Store {
	t.Helper()
	return p.openWith(t, p.options())
}

func (p place) openWith(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// pass lets the database's clock go on: everything in it lies further back.
func (p place) pass(d time.Duration) {
	by := fmt.Sprintf("interval '%d microseconds'", d.Microseconds())
	p.server.SQL(fmt.Sprintf(`set search_path = %s;
update nodes set joined = joined - %[2]s, lease_until = lease_until - %[2]s, over_at = over_at - %[2]s;
update accounts set since = since - %[2]s; update fleet set hold_until = hold_until - %[2]s`, p.schema, by))
}

// What leaves the server as it was shares one: to make one takes seconds.
func TestOnOneServer(t *testing.T) {
	server := pgtest.Start(t)
	t.Run("it is a store", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) storetest.Open {
			p := newPlace(server)
			return func() (persistence.Store, error) { return Open(t.Context(), p.options()) }
		})
	})
	t.Run("it is a cluster", func(t *testing.T) {
		storetest.RunCluster(t, func(t *testing.T) storetest.Database {
			p := newPlace(server)
			return storetest.Database{
				Open: func() (persistence.Cluster, error) { return Open(t.Context(), p.options()) },
				Pass: p.pass,
			}
		})
	})
	for _, c := range []struct {
		name string
		test func(*testing.T, place)
	}{
		{"a stale owner commits among a takeover", testTakeover},
		{"the server's clock is set ahead", testClock},
		{"two nodes are the first at once", testFirst},
		{"how long accounts are held is up to the leases there are", testLongest},
		{"what is read is as of one moment", testSnapshot},
		{"a backup of it is restored", testBackup},
		{"many begin at once", testBegin},
		{"another master key is refused", testMasterKey},
		{"tables of a newer program are left alone", testNewer},
		{"mistakes are named", testMistakes},
		{"nothing starts on what was moved", testMove},
		{"nothing starts on half a copy", testCopy},
		{"a server does not tell its timeline", testNoTimeline},
		{"who has everything is killed", testClaimKilled},
		{"who has everything loses it unheard", testClaimLost},
		{"it is sealed with another master key", testRekey},
		{"it is looked at and not changed", testExamine},
		{"rows of writers that are gone", testWriters},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, newPlace(server)) })
	}
}

func meta(id persistence.AccountID, sub, data string) persistence.Record {
	return persistence.Record{
		Key:     persistence.Key{Account: id, Kind: persistence.KindMeta, Sub: sub},
		Version: 1, Data: persistence.Secret(data),
	}
}

func info(name string, term, grace time.Duration) persistence.NodeInfo {
	return persistence.NodeInfo{Name: name, Capacity: 1, Term: term, Grace: grace}
}
