package pgstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mtfleet/mtfleet/persistence"
)

// AccessError says that the server is there and does not give what the store
// needs: its configuration, or the store's, is to be changed.
type AccessError struct {
	Server string // "the database fleet of 10.0.0.5:5432"
	Do     string // what is wrong and what to do
	Err    error  // what the server says
}

// Error says what to do, and what the server says.
func (e *AccessError) Error() string {
	return fmt.Sprintf("persistence: the store in %s cannot be used: %s (%v)", e.Server, e.Do, e.Err)
}

// Unwrap returns what the server says.
func (e *AccessError) Unwrap() error { return e.Err }

// The SQLSTATEs that are told apart.
const (
	codeReadOnly       = "25006"
	codeIdleTooLong    = "25P03"
	codeBadPassword    = "28P01"
	codeBadLogin       = "28000"
	codeNoDatabase     = "3D000"
	codeNoSchema       = "3F000"
	codeSerialization  = "40001"
	codeDeadlock       = "40P01"
	codeNotAllowed     = "42501"
	codeNoFunction     = "42883"
	codeNoTable        = "42P01"
	codeDiskFull       = "53100"
	codeTooMany        = "53300"
	codeNotNow         = "55000" // not in this state: recovery is in progress
	codeLocked         = "55P03"
	codeCanceled       = "57014"
	classConnection    = "08"
	classServerStopped = "57P" // shut down, crashed, starting
)

func sqlState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// explain makes an error of the driver one of the store. What another error is, it
// leaves.
func explain(cfg *pgx.ConnConfig, err error) error {
	do := ""
	switch code := sqlState(err); {
	case code == codeBadPassword, code == codeBadLogin:
		do = fmt.Sprintf("it does not let the user %q in: check the password and the user, and the server's pg_hba.conf", cfg.User)
	case code == codeNoDatabase:
		do = fmt.Sprintf("there is no such database: make it with `createdb %s`, or name another one", cfg.Database)
	case code == codeNotAllowed:
		do = fmt.Sprintf("the user %q may not do that: give it a schema of its own with `create schema %s authorization %s`", cfg.User, schemaOf(cfg), cfg.User)
	case code == codeReadOnly:
		do = "it is read-only, a standby perhaps: name the primary, or all servers with target_session_attrs=read-write"
	case code == codeNoTable, code == codeNoSchema:
		do = "its tables are gone: restore the database from its backup"
	case code == codeDiskFull:
		do = "its disk is full: make room there"
	case lost(err):
		return &persistence.UnreachableError{Err: plain(err)}
	case code != "":
		do = "it refused a statement"
	default:
		return err
	}
	return &AccessError{Server: serverName(cfg), Do: do, Err: plain(err)}
}

// plain is what is to be said of an error of the driver. A ConnectError of several
// hosts has a line for each.
func plain(err error) error {
	text := strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", ";")
	return &said{strings.ReplaceAll(text, "\t", " "), err}
}

type said struct {
	text string
	err  error
}

func (s *said) Error() string { return s.text }
func (s *said) Unwrap() error { return s.err }

// lost reports whether the same may go well when it is tried again: there was no
// answer, or one that passes.
func lost(err error) bool {
	var pg *pgconn.PgError
	switch {
	case errors.As(err, new(*refusal)), errors.As(err, new(*SchemaError)), errors.As(err, new(*AccessError)), errors.As(err, new(*persistence.MasterKeyError)):
		return false
	case errors.Is(err, errAgain), errors.As(err, new(*amiss)):
		return true
	case errors.As(err, &pg):
		switch pg.Code {
		case codeReadOnly, codeIdleTooLong, codeSerialization, codeDeadlock, codeTooMany, codeNotNow, codeLocked, codeCanceled:
			return true
		}
		return strings.HasPrefix(pg.Code, classConnection) || strings.HasPrefix(pg.Code, classServerStopped)
	}
	// Everything else the driver says of a connection. What was said of rows that
	// do not scan is a mistake of ours, and repeating it does no harm.
	return true
}

// refusal is the store's own answer, in the name of the database.
type refusal struct{ err error }

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

func refuse(err error) error { return &refusal{err} }

// errClaimLost says that a connection has lost a lock of its session, which no server
// lets it.
var errClaimLost = errors.New("the lock is gone")

// errAgain asks for another try on another view of the database.
var errAgain = errors.New("the owners in the database were put right")

// writable refuses a server that only reads.
func writable(ctx context.Context, conn *pgconn.PgConn) error {
	r := conn.ExecParams(ctx, `select pg_is_in_recovery() or current_setting('transaction_read_only') = 'on'`, nil, nil, nil, nil).Read()
	switch {
	case r.Err != nil:
		return r.Err
	case len(r.Rows) != 1 || string(r.Rows[0][0]) != "f":
		return &pgconn.PgError{Severity: "FATAL", Code: codeReadOnly, Message: "the server is read-only"}
	}
	return nil
}

// serverName names the database for people. It has no user and no password.
func serverName(cfg *pgx.ConnConfig) string {
	return fmt.Sprintf("the database %s of %s:%d", cfg.Database, cfg.Host, cfg.Port)
}

// parseError says what is wrong with a connection string, and nothing of what is
// in it.
func parseError(err error) error {
	why := "the connection string cannot be read: it is a URL as postgres://user@host:5432/database, or words as host=... dbname=... user=..."
	var path *fs.PathError
	if errors.As(err, &path) {
		why = fmt.Sprintf("the connection string names a file that cannot be read: %v", path)
	}
	return &persistence.InvalidError{Reason: why}
}
