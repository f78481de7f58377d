package config

import (
	"os"
	"regexp"
	"strings"
)

// Postgres says in which database of PostgreSQL the state is kept, in place of the
// data directory: one that several nodes share.
type Postgres struct {
	// URL is the connection string, a secret for the password that it may hold, and
	// URLFile the file with it; one of them.
	URL     Secret
	URLFile string
	// Schema is where the tables are.
	Schema string
}

// Used reports whether the state is kept there.
func (p Postgres) Used() bool { return p.URL != "" || p.URLFile != "" }

// Connection returns the connection string. The error is the file's.
func (p Postgres) Connection() (Secret, error) {
	if p.URLFile == "" {
		return p.URL, nil
	}
	text, err := os.ReadFile(p.URLFile)
	return Secret(strings.TrimSpace(string(text))), err
}

var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

func (v *validator) postgres() {
	p := v.c.Store.Postgres
	if p.URL != "" && p.URLFile != "" {
		v.fail("store.postgres.url_file", "store.postgres.url is set too: say one of them")
	}
	if !schemaName.MatchString(p.Schema) || strings.HasPrefix(p.Schema, "pg_") {
		v.fail("store.postgres.schema", "%q is no name of a schema: it has 1 to 63 characters of a-z, 0-9 and _, and begins with no digit and not with pg_", p.Schema)
	}
	if v.c.Cluster.Node != "" && !p.Used() {
		v.fail("store.postgres.url", "cluster.node is set, and a data directory is of one manager alone: name the database that the nodes share")
	}
}
