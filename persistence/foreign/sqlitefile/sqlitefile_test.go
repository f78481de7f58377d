package sqlitefile

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/mtfleet/mtfleet/persistence/foreign"
)

// The files in testdata are made by testdata/make.py: Telethon's by Telethon, the others by the schemas of Pyrogram and
// its forks.

func sample() foreign.Session {
	s := foreign.Session{Format: foreign.PyrogramSQLite, DC: 2, Test: foreign.No, UserID: 777000123, Bot: foreign.No, APIID: 12345,
		Dropped: []string{"the peers and the place in the updates that the library has seen"}}
	for i := range s.Key {
		s.Key[i] = byte(i)
	}
	return s
}

func TestSessionFilesOfEveryVersionAreRead(t *testing.T) {
	for file, change := range map[string]func(*foreign.Session){
		"telethon.session": func(s *foreign.Session) {
			s.Format, s.Addr, s.UserID, s.Bot, s.APIID = foreign.TelethonSQLite, "149.154.167.50:443", 0, foreign.Unknown, 0
		},
		"pyrogram-2.session":   func(s *foreign.Session) { s.APIID = 0 },
		"pyrogram-3.session":   nil,
		"pyrogram-4.session":   nil,
		"pyrogram-6.session":   nil,
		"pyrogram-7.session":   func(s *foreign.Session) { s.Addr = "149.154.167.51:443" },
		"pyrogram-wal.session": nil,
	} {
		t.Run(file, func(t *testing.T) {
			want := sample()
			if change != nil {
				change(&want)
			}
			dir := t.TempDir()
			path := filepath.Join(dir, "an odd?name#100%.session")
			content, err := os.ReadFile(filepath.Join("testdata", file))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, content, 0o400); err != nil {
				t.Fatal(err)
			}
			got, err := Parse(path)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("read  %+v\nwant  %+v (the keys are equal: %t)", got, want, got.Key == want.Key)
			}
			left, err := os.ReadDir(dir)
			if err != nil || len(left) != 1 {
				t.Errorf("reading left %d files in the folder (%v), there was one", len(left), err)
			}
		})
	}
}
