package sqlitefile

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/mtfleet/mtfleet/persistence/foreign"
)

// made writes a file by SQL and answers its path.
func made(t *testing.T, statements ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.session")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	return path
}

const (
	telethonTable = "CREATE TABLE sessions (dc_id INTEGER PRIMARY KEY, server_address TEXT, port INTEGER, auth_key BLOB, takeout_id INTEGER)"
	pyrogramTable = "CREATE TABLE sessions (dc_id INTEGER PRIMARY KEY, api_id INTEGER, test_mode INTEGER, auth_key BLOB, date INTEGER, user_id INTEGER, is_bot INTEGER)"
	key           = "randomblob(256)"
)

func content(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func file(t *testing.T, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.session")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMalformedFilesAreRefusedWithTheReason(t *testing.T) {
	telethon := func(values string) string {
		return made(t, telethonTable, "INSERT INTO sessions VALUES ("+values+", NULL)")
	}
	pyrogram := func(values string) string { return made(t, pyrogramTable, "INSERT INTO sessions VALUES ("+values+")") }
	good := content(t, "telethon.session")
	torn := append([]byte(nil), good...)
	for i := 4096; i < len(torn); i++ {
		torn[i] ^= 0x5a
	}
	journal := file(t, good)
	if err := os.WriteFile(journal+"-journal", []byte("something"), 0o600); err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	endless := "CREATE VIEW sessions AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT i AS dc_id, '' AS server_address, 1 AS port, x'00' AS auth_key FROM n"
	for name, c := range map[string]struct {
		path   string
		format foreign.Format
		reason foreign.Reason
	}{
		"no file":                          {filepath.Join(t.TempDir(), "none.session"), "", foreign.ReasonMalformed},
		"a folder":                         {t.TempDir(), "", foreign.ReasonUnrecognised},
		"a pipe":                           {pipe, "", foreign.ReasonUnrecognised},
		"an empty file":                    {file(t, nil), "", foreign.ReasonUnrecognised},
		"a text":                           {file(t, []byte("1ApWapzIBuwABAgMEBQYHCAkK")), "", foreign.ReasonUnrecognised},
		"a head and nothing else":          {file(t, good[:100]), "", foreign.ReasonMalformed},
		"the first page alone":             {file(t, good[:4096]), "", foreign.ReasonMalformed},
		"pages of noise":                   {file(t, torn), "", foreign.ReasonMalformed},
		"a program that died in a change":  {journal, "", foreign.ReasonMalformed},
		"no tables":                        {made(t, "CREATE TABLE a (b)"), "", foreign.ReasonUnrecognised},
		"a table sessions of others":       {made(t, "CREATE TABLE sessions (id, token)"), "", foreign.ReasonUnrecognised},
		"only a DC and a key":              {made(t, "CREATE TABLE sessions (dc_id, auth_key)"), "", foreign.ReasonUnrecognised},
		"an endless view":                  {made(t, endless), "", foreign.ReasonUnrecognised},
		"telethon: before a sign-in":       {file(t, content(t, "telethon-new.session")), foreign.TelethonSQLite, foreign.ReasonKey},
		"telethon: no row":                 {made(t, telethonTable), foreign.TelethonSQLite, foreign.ReasonKey},
		"telethon: a short key":            {telethon("2, '149.154.167.50', 443, randomblob(255)"), foreign.TelethonSQLite, foreign.ReasonKey},
		"telethon: a key of 100 MB":        {telethon("2, '149.154.167.50', 443, zeroblob(100000000)"), foreign.TelethonSQLite, foreign.ReasonKey},
		"telethon: a key of zeros":         {telethon("2, '149.154.167.50', 443, zeroblob(256)"), foreign.TelethonSQLite, foreign.ReasonKey},
		"telethon: DC 0":                   {telethon("0, '149.154.167.50', 443, " + key), foreign.TelethonSQLite, foreign.ReasonDC},
		"telethon: a DC above 32 bits":     {telethon("4294967298, '149.154.167.50', 443, " + key), foreign.TelethonSQLite, foreign.ReasonDC},
		"telethon: a port that is a word":  {telethon("2, '149.154.167.50', 'https', " + key), foreign.TelethonSQLite, foreign.ReasonMalformed},
		"telethon: no port":                {telethon("2, '149.154.167.50', NULL, " + key), foreign.TelethonSQLite, foreign.ReasonMalformed},
		"telethon: an address of a MB":     {telethon("2, hex(zeroblob(1000000)), 443, " + key), foreign.TelethonSQLite, foreign.ReasonMalformed},
		"telethon: two keys":               {made(t, telethonTable, "INSERT INTO sessions VALUES (1, '1.1.1.1', 1, randomblob(256), 0), (2, '1.1.1.2', 1, randomblob(256), 0)"), foreign.TelethonSQLite, foreign.ReasonAmbiguous},
		"pyrogram: before a sign-in":       {file(t, content(t, "pyrogram-new.session")), foreign.PyrogramSQLite, foreign.ReasonKey},
		"pyrogram: a user that is a word":  {pyrogram("2, 1, 0, " + key + ", 0, 'me', 0"), foreign.PyrogramSQLite, foreign.ReasonMalformed},
		"pyrogram: a negative user":        {pyrogram("2, 1, 0, " + key + ", 0, -5, 0"), foreign.PyrogramSQLite, foreign.ReasonMalformed},
		"pyrogram: a negative app":         {pyrogram("2, -1, 0, " + key + ", 0, 5, 0"), foreign.PyrogramSQLite, foreign.ReasonMalformed},
		"pyrogram: DC 5 of the test ones":  {pyrogram("5, 1, 1, " + key + ", 0, 5, 0"), foreign.PyrogramSQLite, foreign.ReasonDC},
		"pyrogram: a key that is a number": {pyrogram("2, 1, 0, 17, 0, 5, 0"), foreign.PyrogramSQLite, foreign.ReasonKey},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Parse(c.path)
			var e *foreign.Error
			if !errors.As(err, &e) {
				t.Fatalf("the error is %T: %v", err, err)
			}
			if e.Format != c.format || e.Reason != c.reason {
				t.Errorf("refused as %q, %q: %v\nwant %q, %q", e.Format, e.Reason, e, c.format, c.reason)
			}
			if strings.ContainsAny(e.Error(), "\n\r") || strings.Contains(e.Error(), c.path) {
				t.Errorf("the error is no line, or has the path: %q", e.Error())
			}
			if s.Key != (foreign.Key{}) {
				t.Error("a key came with the error")
			}
		})
	}
}

func TestAFileWhoseChangesAreStillInItsLogIsReadWithThem(t *testing.T) {
	path := filepath.Join(t.TempDir(), "live.session")
	db, err := sql.Open("sqlite", path+"?_pragma=journal_mode(WAL)&_pragma=wal_autocheckpoint(0)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, s := range []string{pyrogramTable, "INSERT INTO sessions VALUES (2, 12345, 0, " + key + ", 0, 777000123, 1)"} {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(path + "-wal"); err != nil || info.Size() == 0 {
		t.Fatalf("there is no log: %v", err)
	}
	s, err := Parse(path)
	if err != nil {
		t.Fatal(err)
	}
	if s.UserID != 777000123 || s.Bot != foreign.Yes || s.APIID != 12345 {
		t.Errorf("read %+v", s)
	}
}

// FuzzParse feeds damaged files to SQLite and to what is made of its answers.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"pyrogram-3.session", "pyrogram-7.session"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, 100, byte(1))
	}
	dir := f.TempDir()
	path := filepath.Join(dir, "fuzzed.session")
	f.Fuzz(func(t *testing.T, b []byte, at int, value byte) {
		if at >= 0 && at < len(b) {
			b = append([]byte(nil), b...)
			b[at] ^= value
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Parse(path)
		var e *foreign.Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("the error is %T: %v", err, err)
		}
		if err == nil && s.Check() != nil {
			t.Fatal("a session was answered that does not hold")
		}
	})
}
