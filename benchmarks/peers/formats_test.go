package peers

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	gotdsession "github.com/gotd/td/session"
	"github.com/gotd/td/session/tdesktop"

	sessions "github.com/mtfleet/mtfleet/persistence/foreign"
)

// formatsSession is nobody's account.
func formatsSession(t *testing.T) sessions.Session {
	s := sessions.Session{DC: 2, Test: sessions.No, Addr: "149.154.167.50:443", UserID: 777000123, Bot: sessions.No, APIID: 12345}
	if _, err := rand.Read(s.Key[:]); err != nil {
		t.Fatal(err)
	}
	return s
}

func encoded(t *testing.T, f sessions.Format, s sessions.Session) []byte {
	t.Helper()
	text, err := sessions.Encode(f, s)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// tdataFolder writes a session as a tdata folder on the disk.
func tdataFolder(t *testing.T, s sessions.Session, passcode string) string {
	t.Helper()
	files, err := sessions.EncodeDir(sessions.TData, []sessions.Session{s}, []byte(passcode), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(t.TempDir(), "tdata")
	for name, content := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestGotdReadsWhatIsWrittenForTelethonGotdAndTelegramDesktop(t *testing.T) {
	s := formatsSession(t)
	t.Run("telethon", func(t *testing.T) {
		d, err := gotdsession.TelethonSession(string(encoded(t, sessions.Telethon, s)))
		if err != nil {
			t.Fatal(err)
		}
		if d.DC != s.DC || d.Addr != s.Addr || !bytes.Equal(d.AuthKey, s.Key[:]) {
			t.Errorf("gotd read DC %d at %s, the keys are equal: %t", d.DC, d.Addr, bytes.Equal(d.AuthKey, s.Key[:]))
		}
	})
	t.Run("gotd", func(t *testing.T) {
		var storage gotdsession.StorageMemory
		if err := storage.StoreSession(context.Background(), encoded(t, sessions.GoTD, s)); err != nil {
			t.Fatal(err)
		}
		loader := gotdsession.Loader{Storage: &storage}
		d, err := loader.Load(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if d.DC != s.DC || d.Addr != s.Addr || !bytes.Equal(d.AuthKey, s.Key[:]) {
			t.Errorf("gotd read DC %d at %s", d.DC, d.Addr)
		}
		if err := loader.Save(context.Background(), d); err != nil {
			t.Fatal(err)
		}
		text, err := storage.LoadSession(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		back, err := sessions.ParseText(text)
		if err != nil {
			t.Fatal(err)
		}
		if back.Format != sessions.GoTD || back.Key != s.Key || back.DC != s.DC || back.Addr != s.Addr {
			t.Errorf("what gotd saved is read as %+v", back)
		}
	})
	for _, passcode := range []string{"", "correct horse"} {
		t.Run("tdata, passcode "+passcode, func(t *testing.T) {
			accounts, err := tdesktop.Read(tdataFolder(t, s, passcode), []byte(passcode))
			if err != nil {
				t.Fatal(err)
			}
			if len(accounts) != 1 || int64(accounts[0].Authorization.UserID) != s.UserID || accounts[0].Authorization.MainDC != s.DC {
				t.Fatalf("gotd read %d accounts", len(accounts))
			}
			if key := accounts[0].Authorization.Keys[s.DC]; !bytes.Equal(key[:], s.Key[:]) {
				t.Error("gotd read another key")
			}
		})
	}
}

// TestTheJavaScriptLibrariesReadWhatIsWrittenForThem asks GramJS, mtcute and mtcute's converter.
func TestTheJavaScriptLibrariesReadWhatIsWrittenForThem(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no Node on this machine")
	}
	if _, err := os.Stat("js/node_modules/@mtcute/convert"); err != nil {
		t.Skip("the clients are not installed: run `npm ci --ignore-scripts` in js")
	}
	s := formatsSession(t)
	key := hex.EncodeToString(s.Key[:])
	type answer struct {
		DC   int    `json:"dc"`
		Addr string `json:"addr"`
		Test bool   `json:"test"`
		User int64  `json:"user"`
		Bot  bool   `json:"bot"`
		App  int    `json:"app"`
		Key  string `json:"key"`
	}
	tdata := func(passcode string) []byte {
		text, err := json.Marshal(map[string]string{"path": tdataFolder(t, s, passcode), "passcode": passcode})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for _, c := range []struct {
		name, format string
		text         []byte
		want         answer
	}{
		{"telethon", "telethon", encoded(t, sessions.Telethon, s), answer{DC: 2, Addr: s.Addr}},
		{"gramjs", "gramjs", encoded(t, sessions.GramJS, s), answer{DC: 2, Addr: s.Addr}},
		{"pyrogram", "pyrogram", encoded(t, sessions.Pyrogram, s), answer{DC: 2, User: s.UserID, App: s.APIID}},
		{"mtcute", "mtcute", encoded(t, sessions.MTCute, s), answer{DC: 2, Addr: s.Addr, User: s.UserID}},
		{"mtkruto", "mtkruto", encoded(t, sessions.MTKruto, s), answer{DC: 2}},
		{"tdata", "tdata", tdata(""), answer{DC: 2, User: s.UserID}},
		{"tdata with a passcode", "tdata", tdata("correct horse"), answer{DC: 2, User: s.UserID}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := exec.Command(node, "sessions.mjs", "read", c.format)
			cmd.Dir = "js"
			cmd.Stdin = bytes.NewReader(c.text)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			var got answer
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			c.want.Key = key
			if got != c.want {
				same := got.Key == key
				got.Key, c.want.Key = "", ""
				t.Errorf("read %+v, want %+v, the key is the same: %t", got, c.want, same)
			}
		})
	}
}
