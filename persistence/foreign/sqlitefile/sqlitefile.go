package sqlitefile

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/mtfleet/mtfleet/persistence/foreign"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// patience bounds what a crafted file can cost: reading one row takes milliseconds.
const patience = 10 * time.Second

// maxAccounts is how many rows with a key a file may have. Both libraries write one.
const maxAccounts = 1

// Parse reads the session in a Telethon or Pyrogram .session file. It blocks for the disk, at most ten seconds. It fails
// with a *foreign.Error, which has nothing of the file's contents in it.
func Parse(path string) (foreign.Session, error) {
	dsn, err := source(path)
	if err != nil {
		return foreign.Session{}, err
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return foreign.Session{}, unreadable(err)
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := read(ctx, db)
	if err == nil {
		err = s.Check()
	}
	if err != nil {
		s.Wipe()
		return foreign.Session{}, err
	}
	return s, nil
}

// source checks that path is an SQLite file and says how to open it. Without a log beside it the file is opened as one
// that nobody changes, so that SQLite makes no file of its own next to it.
func source(path string) (string, error) {
	head := make([]byte, 20)
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() { // opening a pipe would wait for its writer
		return "", cannot(foreign.ReasonUnrecognised, "it is not a file")
	}
	file, err := os.Open(path)
	if err != nil {
		return "", cannot(foreign.ReasonMalformed, "the file cannot be opened: "+reason(err))
	}
	defer func() { _ = file.Close() }()
	if _, err := io.ReadFull(file, head); err != nil || !foreign.IsSQLite(head) {
		return "", cannot(foreign.ReasonUnrecognised, "it is not an SQLite file")
	}
	if filled(path + "-journal") {
		return "", cannot(foreign.ReasonMalformed, "its program ended in the middle of a change (there is a -journal beside it): start that program once and stop it, then try again")
	}
	full, err := filepath.Abs(path)
	if err != nil {
		return "", cannot(foreign.ReasonMalformed, "its path cannot be resolved: "+reason(err))
	}
	q := url.Values{"_pragma": {"query_only(1)", "trusted_schema(0)", "cell_size_check(1)"}}
	if filled(path + "-wal") {
		q.Set("mode", "ro")
	} else {
		q.Set("immutable", "1")
	}
	// SQLite reads % escapes, and takes ? and # for the end of the path.
	return "file:" + (&url.URL{Path: filepath.ToSlash(full)}).EscapedPath() + "?" + q.Encode(), nil
}

// filled says whether a file exists and holds anything.
func filled(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Size() > 0
}

// read finds out whose file it is by the columns of its table, and reads the row.
func read(ctx context.Context, db *sql.DB) (foreign.Session, error) {
	columns, err := columnsOf(ctx, db)
	if err != nil {
		return foreign.Session{}, err
	}
	s := foreign.Session{}
	// Kurigram's files have both columns since version 7 of their schema.
	switch {
	case !columns["dc_id"] || !columns["auth_key"]:
		return s, cannot(foreign.ReasonUnrecognised, "it is an SQLite file of something else: it has no table sessions with a DC and a key")
	case columns["test_mode"]:
		s.Format = foreign.PyrogramSQLite
	case columns["server_address"]:
		s.Format = foreign.TelethonSQLite
	default:
		return s, cannot(foreign.ReasonUnrecognised, "its table sessions is neither Telethon's nor Pyrogram's")
	}
	err = row(ctx, db, columns, &s)
	return s, err
}

// columnsOf lists the columns of the table sessions. A view of that name is no table: what it does on being read was
// chosen by who made the file.
func columnsOf(ctx context.Context, db *sql.DB) (map[string]bool, error) {
	columns := map[string]bool{}
	rows, err := db.QueryContext(ctx, `SELECT c.name FROM sqlite_master AS m, pragma_table_info('sessions') AS c
		WHERE m.type = 'table' AND m.name = 'sessions' LIMIT 64`)
	if err != nil {
		return nil, unreadable(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, unreadable(err)
		}
		columns[name] = true
	}
	if err := rows.Err(); err != nil {
		return nil, unreadable(err)
	}
	return columns, nil
}

// row reads the one row with a key. Only a value of a key's size is fetched, however large the one in the file is.
func row(ctx context.Context, db *sql.DB, columns map[string]bool, s *foreign.Session) error {
	column := func(name string) string {
		if columns[name] {
			return name
		}
		return "NULL"
	}
	query := `SELECT dc_id, CASE WHEN length(auth_key) = 256 THEN CAST(auth_key AS BLOB) END, length(auth_key),
		substr(CAST(` + column("server_address") + ` AS TEXT), 1, 256), ` + column("port") + `, ` + column("api_id") + `, ` +
		column("test_mode") + `, ` + column("user_id") + `, ` + column("is_bot") + `
		FROM sessions WHERE length(auth_key) > 0 LIMIT 2`
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return unreadable(err)
	}
	defer func() { _ = rows.Close() }()
	found := 0
	for rows.Next() {
		if found++; found > maxAccounts {
			return of(s.Format, foreign.ReasonAmbiguous, "sessions", "it has keys for several DCs, and does not say which is the account's")
		}
		var v values
		defer clear(v.key)
		if err := rows.Scan(&v.dc, &v.key, &v.size, &v.host, &v.port, &v.api, &v.test, &v.user, &v.bot); err != nil {
			return of(s.Format, foreign.ReasonMalformed, "sessions", "its row does not hold what it should: the file is damaged")
		}
		if err := v.fill(s); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return unreadable(err)
	}
	if found == 0 {
		return of(s.Format, foreign.ReasonKey, "sessions", "there is no auth key in it: the session was saved before it signed in")
	}
	return nil
}

// values is a row of sessions.
type values struct {
	dc   sql.NullInt64
	key  []byte
	size int64
	host sql.NullString
	port sql.NullInt64
	api  sql.NullInt64
	test sql.NullInt64
	user sql.NullInt64
	bot  sql.NullInt64
}

func (v *values) fill(s *foreign.Session) error {
	if len(v.key) != len(s.Key) {
		return of(s.Format, foreign.ReasonKey, "auth_key", "it has another size than the 256 bytes of an auth key: the file is damaged")
	}
	copy(s.Key[:], v.key)
	s.DC, s.UserID, s.APIID = clip(v.dc), v.user.Int64, clip(v.api)
	s.Test, s.Bot = yesNo(v.test), yesNo(v.bot)
	if v.host.Valid && v.host.String != "" {
		if err := s.SetAddress(v.host.String, clip(v.port)); err != nil {
			return err
		}
	}
	s.Dropped = append(s.Dropped, "the peers and the place in the updates that the library has seen")
	return nil
}

// clip makes an int of what should be a small number; what is none becomes one that every check refuses.
func clip(n sql.NullInt64) int {
	if n.Int64 < -1 || n.Int64 > 1<<31-1 {
		return -1
	}
	return int(n.Int64)
}

func yesNo(n sql.NullInt64) foreign.Tristate {
	switch {
	case !n.Valid:
		return foreign.Unknown
	case n.Int64 == 0:
		return foreign.No
	}
	return foreign.Yes
}

func of(f foreign.Format, r foreign.Reason, where, what string) error {
	return &foreign.Error{Format: f, Reason: r, Where: where, What: what}
}

func cannot(r foreign.Reason, what string) error { return of("", r, "", what) }

// unreadable hides what SQLite says, for its messages may quote the file.
func unreadable(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return cannot(foreign.ReasonTooLarge, "reading it took longer than ten seconds: it is no ordinary session file")
	}
	return cannot(foreign.ReasonMalformed, "SQLite cannot read it: it is damaged, or was copied while its program was writing; stop the program and copy it again")
}

// reason is what the system said, without the path, which the caller has.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return err.Error()
}
