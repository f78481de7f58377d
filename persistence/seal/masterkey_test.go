package seal

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mtfleet/mtfleet/persistence"
)

func TestMasterKeyIsMadeAtFirstUseAndKept(t *testing.T) {
	dir := t.TempDir()
	o := KeyOptions{File: filepath.Join(dir, "keys", "store.key"), StoreDir: filepath.Join(dir, "store")}
	key, source, err := LoadMasterKey(o)
	if err != nil || !source.Created || source.File != o.File || key == (MasterKey{}) {
		t.Fatalf("first use: %v, %v", source, err)
	}
	info, err := os.Stat(o.File)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the file: %v, %v", info.Mode(), err)
	}
	if left, _ := os.ReadDir(filepath.Dir(o.File)); len(left) != 1 {
		t.Errorf("files beside the key: %v", left)
	}
	again, source, err := LoadMasterKey(o)
	if err != nil || source.Created || again != key {
		t.Fatalf("second use: %v, %v", source, err)
	}
	other, _, err := LoadMasterKey(KeyOptions{File: filepath.Join(dir, "other.key")})
	if err != nil || other == key {
		t.Fatalf("two files, one key: %v", err)
	}
}

func TestMasterKeyIsMadeOnceByManyProcesses(t *testing.T) {
	o := KeyOptions{File: filepath.Join(t.TempDir(), "store.key")}
	keys := make([]MasterKey, 8)
	created := make([]bool, 8)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			key, source, err := LoadMasterKey(o)
			if err != nil {
				t.Error(err)
			}
			keys[i], created[i] = key, source.Created
		})
	}
	wg.Wait()
	n := 0
	for i := range keys {
		if keys[i] != keys[0] {
			t.Error("two keys were made")
		}
		if created[i] {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d callers were told that they made the key", n)
	}
}

func TestMasterKeyTexts(t *testing.T) {
	key := MasterKey{1, 2, 0xfb, 0xff}
	for _, text := range []string{
		hex.EncodeToString(key[:]), strings.ToUpper(hex.EncodeToString(key[:])), base64.StdEncoding.EncodeToString(key[:]),
		base64.RawStdEncoding.EncodeToString(key[:]), base64.URLEncoding.EncodeToString(key[:]), " " + hex.EncodeToString(key[:]) + "\n",
	} {
		got, source, err := LoadMasterKey(KeyOptions{Env: text, File: "/not/looked/at"})
		if err != nil || got != key || source.File != "" || source.String() != KeyEnv {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestMasterKeyRefusals(t *testing.T) {
	dir := t.TempDir()
	store := filepath.Join(dir, "store")
	if err := os.Mkdir(store, 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil { // whatever the umask
			t.Fatal(err)
		}
		return path
	}
	good := strings.Repeat("ab", 32)
	link := filepath.Join(dir, "link")
	if err := os.Symlink(store, link); err != nil {
		t.Fatal(err)
	}
	for _, v := range []struct {
		name string
		o    KeyOptions
		want string
	}{
		{"environment, too short", KeyOptions{Env: "abcd"}, "MTFLEET_STORE_KEY: it is not 32 bytes in hex or base64 (`openssl rand -hex 32` makes one)"},
		{"nothing", KeyOptions{}, "the configuration: set store.key_file or MTFLEET_STORE_KEY"},
		{"readable by others", KeyOptions{File: write("open.key", good, 0o644)}, dir + "/open.key: other users can reach the file (mode 0644): run chmod 600 on it"},
		{"garbage", KeyOptions{File: write("bad.key", "hunter2", 0o600)}, dir + "/bad.key: it is not 32 bytes in hex or base64 (`openssl rand -hex 32` makes one)"},
		{"empty", KeyOptions{File: write("empty.key", "", 0o600)}, dir + "/empty.key: it is not 32 bytes in hex or base64 (`openssl rand -hex 32` makes one)"},
		{"inside the store", KeyOptions{File: store + "/store.key", StoreDir: store}, store + "/store.key: the key file must lie outside the store's directory, so that a copy of the store does not include it"},
		{"inside by a link", KeyOptions{File: link + "/store.key", StoreDir: store}, link + "/store.key: the key file must lie outside the store's directory, so that a copy of the store does not include it"},
		{"missing, and the store is there", KeyOptions{File: dir + "/gone.key", StoreDir: store, Sealed: "the store in " + store}, dir + "/gone.key: the file is missing, and the store in " + store + " was sealed with the key it held: put it back, or set MTFLEET_STORE_KEY"},
		{"a directory in its place", KeyOptions{File: dir}, dir + ": "},
	} {
		_, _, err := LoadMasterKey(v.o)
		var mk *persistence.MasterKeyError
		if !errors.As(err, &mk) || !strings.HasPrefix(err.Error(), "persistence: master key from "+v.want) {
			t.Errorf("%s:\ngot  %v\nwant %s", v.name, err, v.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error repeats the key", v.name)
		}
	}
	if _, err := os.Stat(dir + "/gone.key"); err == nil {
		t.Error("a new key was made for an old store")
	}
}

func TestWhoOnlyLooksMakesNoKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	_, source, err := LoadMasterKey(KeyOptions{File: path, StoreDir: t.TempDir(), Existing: true})
	if !errors.As(err, new(*persistence.MasterKeyError)) || source.Created {
		t.Errorf("%+v, %v", source, err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it was made: %v", err)
	}
}

func TestTheNextKeyComesFromWhereItIsSaid(t *testing.T) {
	dir := t.TempDir()
	storeDir := filepath.Join(dir, "data")
	if err := os.MkdirAll(storeDir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(storeDir, "MANIFEST"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const text = "0102030405060708091011121314151617181920212223242526272829303132"
	want, err := ParseMasterKey(text, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "key"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for from, o := range map[string]KeyOptions{
		"NEXT":                    {Env: text, EnvName: "NEXT"},
		KeyEnv:                    {Env: text},
		"the credential key":      {Credential: "key", CredentialDir: dir},
		filepath.Join(dir, "key"): {File: filepath.Join(dir, "key")},
	} {
		o.StoreDir = storeDir
		key, source, err := LoadNextKey(o)
		if err != nil || key != want || source.String() != from {
			t.Errorf("%s: %v, from %s", from, err, source)
		}
	}
	// A new file is made though there is a store, which has another key.
	_, source, err := LoadNextKey(KeyOptions{File: filepath.Join(dir, "new"), StoreDir: storeDir})
	if err != nil || !source.Created {
		t.Errorf("a new file: %+v, %v", source, err)
	}
}
