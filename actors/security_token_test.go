package actors_test

import (
	"bytes"
	"encoding/base64"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/badgerstore"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

// futureTokens are those that an account's records hold for a number, the newest
// first.
func futureTokens(t *testing.T, store persistence.Store, id, phone string) (tokens [][]byte) {
	t.Helper()
	for _, rec := range stored(t, store, id).Meta {
		if rec.Sub == "future-auth-token" {
			kept := login.DecodeFutures(rec.Version, rec.Data)
			tokens = append(tokens, kept.For(phone)...)
		}
	}
	return tokens
}

// TestALogoutKeepsItsTokenSealed: it can stand for a code at the next sign-in, so
// whoever reads the disk must not have it.
func TestALogoutKeepsItsTokenSealed(t *testing.T) {
	dir, key := t.TempDir(), seal.MasterKey{1}
	store, err := badgerstore.Open(badgerstore.Options{Dir: dir, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	s := cluster(t, small)
	m, err := actors.Open(options(s, store))
	if err != nil {
		t.Fatal(err)
	}
	p := s.Descriptor().Phones[0]
	a := signInPhone(t, m, "alice", p, actors.AccountOptions{})
	wait(t, a, actors.Online)
	before := futureTokens(t, store, "alice", p.Number)
	if err := a.LogOut(soon(t)); err != nil {
		t.Fatal(err)
	}
	closeManager(t, m)
	tokens := futureTokens(t, store, "alice", p.Number)
	if len(tokens) != len(before)+1 || len(tokens[0]) < 16 {
		t.Fatalf("%d tokens were kept before the logout, %d after it", len(before), len(tokens))
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	looked := 0
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		looked++
		for _, token := range tokens {
			text := base64.StdEncoding.EncodeToString(token)
			if bytes.Contains(b, token[:16]) || bytes.Contains(b, []byte(text[:16])) {
				t.Errorf("%s has a token as it is", filepath.Base(path))
			}
		}
		return err
	})
	if err != nil || looked == 0 {
		t.Errorf("%d files were read: %v", looked, err)
	}
	again, err := badgerstore.Open(badgerstore.Options{Dir: dir, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if after := futureTokens(t, again, "alice", p.Number); len(after) != len(tokens) || !bytes.Equal(after[0], tokens[0]) {
		t.Errorf("opened again the store has %d tokens, want %d", len(after), len(tokens))
	}
}
