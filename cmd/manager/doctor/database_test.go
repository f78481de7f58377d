package doctor

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/pgstore"
)

// well is a database of which there is nothing to say.
func well() Database {
	return Database{Place: `schema "fleet" of the database fleet of db:5432`, Look: pgstore.Look{
		Server: "the database fleet of db:5432", Host: "db", User: "fleet", ServerVersion: "15.3", Encrypted: true, MayMake: true, Version: 2, Known: 2, Timeline: true,
		Within: time.Millisecond, FSync: true, FullPages: true, Commit: "on", Standbys: "b", Free: 90, Wants: 9, Bytes: 1 << 20,
		Nodes: []pgstore.LookNode{{Name: "a", Left: 10 * time.Second, Accounts: 3}, {Name: "old", Left: -time.Hour}},
	}}
}

func TestWhatADatabaseLacksIsNamed(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*Database)
		level Level
		want  string
	}{
		{"nothing", func(*Database) {}, OK, "these have a lease: a"},
		{"it does not answer", func(d *Database) { d.Err = &persistence.UnreachableError{Err: errors.New("connection refused")} }, Error, "the store does not answer: connection refused"},
		{"it does not let the user in", func(d *Database) {
			d.Err = &pgstore.AccessError{Server: "it", Do: "check the password", Err: errors.New("no")}
		}, Error, "check the password"},
		{"the connection string is none", func(d *Database) { d.Err = &persistence.InvalidError{Reason: "it cannot be read"} }, Error, "it cannot be read"},
		{"it only reads", func(d *Database) { d.Look.ReadOnly = true }, Error, "is read-only"},
		{"anybody can listen", func(d *Database) { d.Look.Encrypted = false }, Warning, "the connection to db is not encrypted"},
		{"it is on this machine", func(d *Database) { d.Look.Encrypted, d.Look.Local = false, true }, OK, "PostgreSQL 15.3 answers"},
		{"no store yet", func(d *Database) { d.Look.Missing = true }, OK, "there is none yet in schema"},
		{"no store, and none can be made", func(d *Database) { d.Look.Missing, d.Look.MayMake = true, false }, Error, "the user fleet may not make one"},
		{"rights", func(d *Database) { d.Look.Lacks = []string{"delete on records"} }, Error, "the user fleet may not delete on records"},
		{"a newer program was here", func(d *Database) { d.Look.Version = 9 }, Error, "the tables have version 9, and this program knows 2"},
		{"an older program was here", func(d *Database) { d.Look.Version = 1 }, Note, "the tables have version 1, and this program changes them to 2"},
		{"it was moved", func(d *Database) { d.Look.Move = &persistence.Move{Other: "/data"} }, Error, "was moved to /data"},
		{"half a copy", func(d *Database) { d.Look.Move = &persistence.Move{Other: "/data", Partial: true} }, Error, "is not whole"},
		{"it was restored", func(d *Database) { d.Look.Move = &persistence.Move{Other: "the backup x.age", Store: "s"} }, Error, "was restored at"},
		{"a clock that is ahead", func(d *Database) { d.Look.Ahead = 3 * time.Second }, Warning, "the server's clock is 3s ahead of ours"},
		{"a clock that is behind", func(d *Database) { d.Look.Ahead = -time.Minute }, Warning, "the server's clock is 1m0s behind ours"},
		{"a clock that nobody can tell", func(d *Database) { d.Look.Ahead, d.Look.Within = 3*time.Second, 2*time.Second }, OK, "it agrees with ours to 3s"},
		{"fsync", func(d *Database) { d.Look.FSync = false }, Error, "fsync is off"},
		{"full pages", func(d *Database) { d.Look.FullPages = false }, Error, "full_page_writes is off"},
		{"no standby", func(d *Database) { d.Look.Standbys = "" }, Note, "no standby follows synchronously"},
		{"commits that do not wait", func(d *Database) { d.Look.Commit = "local" }, Warning, "synchronous_commit is local"},
		{"few connections", func(d *Database) { d.Look.Free = 8 }, Warning, "8 more are free for the user fleet, and a node opens up to 9"},
		{"few connections, and the node has its own", func(d *Database) { d.Look.Free, d.Open = 8, true }, OK, "8 more are free"},
		{"no timeline", func(d *Database) { d.Look.Timeline = false }, Note, "does not tell the user fleet its timeline"},
		{"a node that died", func(d *Database) { d.Look.Nodes[1].Accounts = 2 }, Warning, "node old is dead or does not reach the store, for 1h0m0s, and owns 2 accounts yet"},
		{"a command", func(d *Database) { d.Look.Claimed = "manager account login, process 7 on here" }, Note, "a command has the store for itself: manager account login, process 7 on here"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := well()
			c.spoil(&d)
			found := CheckDatabase(d)
			if got := Worst(found); got != c.level {
				t.Errorf("the worst is %v, want %v: %v", got, c.level, found)
			}
			said := false
			for _, f := range found {
				said = said || strings.Contains(f.What, c.want)
				if f.Level > OK && (f.Why == "" || f.Mend == "") {
					t.Errorf("it does not say why, or what to do: %+v", f)
				}
			}
			if !said {
				t.Errorf("%q is not said: %+v", c.want, found)
			}
		})
	}
	d := well()
	d.Look.Wrong = &persistence.MasterKeyError{}
	for _, f := range CheckDatabase(d) {
		if f.Check == "store" {
			t.Errorf("a wrong key is the key's business: %+v", f)
		}
	}
}

func TestWhatANodeNeeds(t *testing.T) {
	now := time.Now()
	year := now.Add(365 * 24 * time.Hour)
	at := NodeAddress{Listen: "192.0.2.7:9466", Advertised: "192.0.2.7:9466"}
	busy := at
	busy.Err = errors.New("address already in use")
	for _, c := range []struct {
		name             string
		err              error
		until, authority time.Time
		at               NodeAddress
		level            Level
		want             string
	}{
		{"all is well", nil, year, year, at, OK, "it can listen on"},
		{"the name of another", errors.New("it is not one of the node a"), now, now, at, Error, "it is not one of the node a"},
		{"it ends soon", nil, now.Add(24 * time.Hour), year, at, Warning, "is good until"},
		{"its authority ends soon", nil, year, now.Add(24 * time.Hour), at, Warning, "and its authority until"},
		{"somebody else listens", nil, year, year, busy, Error, "it cannot listen on 192.0.2.7:9466"},
	} {
		found := CheckNode("a", "a.pem", c.err, c.until, c.authority, now, c.at)
		said := false
		for _, f := range found {
			said = said || strings.Contains(f.What, c.want)
		}
		if Worst(found) != c.level || !said {
			t.Errorf("%s: %+v", c.name, found)
		}
	}
}
