package doctor

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/pgstore"
)

// Database is what a look at the database of a store told.
type Database struct {
	Place string // of the store: schema and database
	Look  pgstore.Look
	Err   error // why it could not be looked at
	// Open: a manager answers at the control socket that has it.
	Open bool
}

// clockApart is how far a server's clock may be from ours without a word.
const clockApart = 2 * time.Second

// CheckDatabase tells whether the database of a store is there, gives what a node
// needs, and keeps what it was told. What is wrong with the key is the key's business.
func CheckDatabase(d Database) []Finding {
	l := &d.Look
	if d.Err != nil {
		return []Finding{databaseAway(d)}
	}
	found := []Finding{ok("database", "PostgreSQL %s answers: %s", l.ServerVersion, d.Place)}
	if l.ReadOnly {
		found[0] = Finding{Check: "database", Level: Error, What: fmt.Sprintf("%s is read-only, a standby perhaps", l.Server),
			Why: "a store that takes no commits keeps no account", Mend: "manager --set store.postgres.url=URL_OF_THE_PRIMARY doctor"}
	}
	if !l.Encrypted && !l.Local {
		found = append(found, Finding{Check: "database", Level: Warning, What: "the connection to " + l.Host + " is not encrypted",
			Why: "records are sealed, but names of accounts and what logs the user in can be read on the way", Mend: "manager --set store.postgres.url='...?sslmode=verify-full' doctor"})
	}
	found = append(found, tables(d)...)
	found = append(found, serverClock(l), durability(l), connections(d))
	if !l.Timeline {
		found = append(found, Finding{Check: "failover", Level: Note, What: fmt.Sprintf("the server does not tell the user %s its timeline", l.User),
			Why: "after a failover that lost transactions, accounts wait for no lease that was forgotten with them unless its node is heard of first", Mend: "psql -c 'grant pg_monitor to " + l.User + "'"})
	}
	return append(found, nodesOf(l)...)
}

func databaseAway(d Database) Finding {
	f := Finding{Check: "database", Level: Error, What: trimmed(d.Err), Why: "connections last for the lease of a node, and then it is silent", Mend: "pg_isready -d URL"}
	var access *pgstore.AccessError
	if errors.As(d.Err, &access) {
		f.Why = "a node cannot start without its store"
	}
	if errors.As(d.Err, new(*persistence.InvalidError)) {
		f.Why, f.Mend = "a node cannot start without its store", "manager config show"
	}
	return f
}

// tables tells whether the store is there, for this program and this user.
func tables(d Database) []Finding {
	l := &d.Look
	f := Finding{Check: "store", Level: Error}
	switch {
	case l.Missing && l.MayMake:
		return []Finding{ok(f.Check, "there is none yet in %s", d.Place)}
	case l.Missing:
		f.What = fmt.Sprintf("there is none yet in %s, and the user %s may not make one", d.Place, l.User)
		f.Why, f.Mend = "the first node makes it", "psql -c 'create schema SCHEMA authorization "+l.User+"'"
	case len(l.Lacks) > 0:
		f.What = fmt.Sprintf("the user %s may not %s", l.User, some(l.Lacks))
		f.Why, f.Mend = "a node writes all tables of its store", "psql -c 'grant all on all tables in schema SCHEMA to "+l.User+"'"
	case l.Version > l.Known:
		f.What = fmt.Sprintf("the tables have version %d, and this program knows %d", l.Version, l.Known)
		f.Why, f.Mend = "a newer program has changed them, which this one cannot use: install that one", "manager version"
	case l.Version < l.Known:
		f.Level, f.What = Note, fmt.Sprintf("the tables have version %d, and this program changes them to %d when it starts", l.Version, l.Known)
		f.Why, f.Mend = "a program of before does not start on them afterwards; what runs goes on", "manager version"
	case l.Move != nil:
		f.What = trimmed(&persistence.MovedError{Place: d.Place, Move: *l.Move})
		f.Why, f.Mend = "two managers with the same keys lose their accounts: adopt it only when the other one is gone for good", "manager store adopt"
		if l.Move.Partial {
			f.Why, f.Mend = "it lacks records", "manager store copy --to FILE"
		}
	case l.Wrong != nil:
		return nil
	default:
		what := "it would open"
		if d.Open {
			what = "it is open"
		}
		return []Finding{ok(f.Check, "%s, with %s in %s, tables of version %d", what, counted(len(l.Accounts), "account"), persistence.Size(l.Bytes), l.Version)}
	}
	return []Finding{f}
}

func serverClock(l *pgstore.Look) Finding {
	apart := max(l.Ahead, -l.Ahead)
	if apart-l.Within <= clockApart {
		return ok("database clock", "it agrees with ours to %v", max(apart, l.Within, time.Millisecond).Round(time.Millisecond))
	}
	way := "ahead of"
	if l.Ahead < 0 {
		way = "behind"
	}
	return Finding{Check: "database clock", Level: Warning, What: fmt.Sprintf("the server's clock is %v %s ours", apart.Round(100*time.Millisecond), way),
		Why: "leases are counted by the server alone, but who reads logs of both is misled, and a clock that is set right ends or holds leases", Mend: "timedatectl   # on both machines"}
}

// durability tells what a crash, and what a failover, may lose.
func durability(l *pgstore.Look) Finding {
	f := Finding{Check: "durability", Level: Error}
	switch {
	case !l.FSync:
		f.What, f.Why, f.Mend = "fsync is off", "a machine that loses its power loses the database, with every perm key in it", "psql -c 'alter system set fsync = on'"
	case !l.FullPages:
		f.What, f.Why, f.Mend = "full_page_writes is off", "a page that is half written when the power fails is lost", "psql -c 'alter system set full_page_writes = on'"
	case l.Standbys == "":
		f.Level, f.What = Note, "no standby follows synchronously (synchronous_standby_names is empty)"
		f.Why, f.Mend = "when the server is lost, so are the last transactions: a perm key of an account that signed in then, for example", "psql -c \"alter system set synchronous_standby_names = 'NAME'\""
	case l.Commit == "local":
		f.Level, f.What = Warning, "synchronous_commit is local, so commits do not wait for the standbys "+l.Standbys
		f.Why, f.Mend = "a failover may lose the last transactions, perm keys among them", "psql -c 'alter system set synchronous_commit = on'"
	default:
		return ok(f.Check, "commits are on disk, and on the standbys %s", l.Standbys)
	}
	return f
}

// connections tells whether a node gets those that it opens.
func connections(d Database) Finding {
	l := &d.Look
	wants := l.Wants
	if d.Open { // it has them
		wants = 1
	}
	if l.Free < wants {
		return Finding{Check: "connections", Level: Warning, What: fmt.Sprintf("%d more are free for the user %s, and a node opens up to %d", max(l.Free, 0), l.User, l.Wants),
			Why: "a node that gets none does not renew its lease, and is silent", Mend: "psql -c 'show max_connections' -c \"select count(*), usename from pg_stat_activity group by 2\""}
	}
	return ok("connections", "%d more are free, a node opens up to %d", l.Free, l.Wants)
}

func nodesOf(l *pgstore.Look) (found []Finding) {
	var live []string
	for _, n := range l.Nodes {
		switch {
		case n.Left > 0:
			live = append(live, n.Name)
		case n.Accounts > 0:
			found = append(found, Finding{Check: "nodes", Level: Warning, What: fmt.Sprintf("node %s is dead or does not reach the store, for %v, and owns %s yet", n.Name, (-n.Left).Round(time.Second), counted(n.Accounts, "account")),
				Why: "they stand still until another node takes them", Mend: "manager node list"})
		}
	}
	switch {
	case l.Claimed != "":
		found = append(found, Finding{Check: "nodes", Level: Note, What: "none runs: a command has the store for itself: " + l.Claimed,
			Why: "no node joins before that has ended", Mend: "manager status"})
	case len(live) > 0:
		found = append(found, ok("nodes", "these have a lease: %s", strings.Join(live, ", ")))
	}
	return found
}

// NodeAddress is what became of a look at the address on which a node listens.
type NodeAddress struct {
	Listen, Advertised string
	Err                error // of listening there; nil where that was not tried, or can be done
	Runs               bool  // this node runs, and listens there
}

// CheckNode tells whether the other nodes will believe this one, by its certificate, and
// whether it can listen for them. certErr is what they would say.
func CheckNode(node, cert string, certErr error, until, caUntil, now time.Time, a NodeAddress) []Finding {
	const soon = 14 * 24 * time.Hour
	f := Finding{Check: "node certificate", Level: Error, What: trimmed(certErr), Why: "other nodes neither believe nor answer it", Mend: "openssl x509 -noout -subject -dates -ext subjectAltName -in " + Quoted(cert)}
	switch {
	case certErr != nil:
	case until.Sub(now) < soon, caUntil.Sub(now) < soon:
		f.Level, f.What = Warning, fmt.Sprintf("%s is good until %s, and its authority until %s", cert, until.Format(time.DateOnly), caUntil.Format(time.DateOnly))
		f.Why = "then other nodes neither believe nor answer it: put a new one in its place, which is read without a restart"
	default:
		f = ok(f.Check, "%s is that of the node %s until %s, its authority until %s", cert, node, until.Format(time.DateOnly), caUntil.Format(time.DateOnly))
	}
	found := []Finding{f}
	switch {
	case a.Err != nil:
		found = append(found, Finding{Check: "node address", Level: Error, What: fmt.Sprintf("it cannot listen on %s: %s", a.Listen, bareNet(a.Err)),
			Why: "other nodes do not reach the accounts of one that does not listen, and it does not start", Mend: "ss -ltnp"})
	case a.Runs:
		found = append(found, ok("node address", "it listens on %s, and others are told %s", a.Listen, a.Advertised))
	default:
		found = append(found, ok("node address", "it can listen on %s, and others are told %s", a.Listen, a.Advertised))
	}
	return found
}
