//go:build unix

package seal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

func TestTheMasterKeyOfACommand(t *testing.T) {
	good := strings.Repeat("ab", 32)
	sh := func(script string, args ...string) []string {
		return append([]string{"/bin/sh", "-c", script, "sh"}, args...)
	}
	for _, c := range []struct {
		name    string
		command []string
		want    string // of the error
	}{
		{"one that prints it", sh(`echo "$1"`, good), ""},
		{"one that talks beside it", sh(`echo hunter2 >&2; echo "$1"`, good), ""},
		{"arguments that a shell would read", []string{"/bin/echo", good, "$HOME"}, "it is not 32 bytes in hex or base64"},
		{"one that fails", sh(`echo hunter2; echo hunter2 >&2; exit 3`), "it failed (exit status 3): run it by itself to see what it says"},
		{"one that prints something else", sh(`echo hunter2`), "it is not 32 bytes in hex or base64"},
		{"one that prints nothing", sh(`:`), "it is not 32 bytes in hex or base64"},
		{"one that prints without end", sh(`yes hunter2 | head -c 1000000`), "it prints more than a key"},
		{"one that is not there", []string{"/no/such/program"}, "there is no such program"},
		{"a name that is not in PATH", []string{"no-such-program-of-mtfleet"}, "there is no such program"},
		{"one that may not be run", []string{os.DevNull}, "it did not run: permission denied"},
	} {
		key, source, err := LoadMasterKey(KeyOptions{Command: c.command, File: "/not/looked/at"})
		if c.want == "" {
			if err != nil || key[0] != 0xab || source.File != "" || source.String() != "the command /bin/sh" {
				t.Errorf("%s: %v, %v", c.name, source, err)
			}
			continue
		}
		var mk *persistence.MasterKeyError
		if !errors.As(err, &mk) || mk.Source != "the command "+c.command[0] || !strings.HasPrefix(mk.Reason, c.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
}

func TestACommandThatHangsIsGivenUp(t *testing.T) {
	_, _, err := keyOfCommand([]string{"/bin/sh", "-c", "sleep 100 & sleep 100"}, 50*time.Millisecond)
	if want := "persistence: master key from the command /bin/sh: it had not ended after 50ms: run it by itself to see why"; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestTheMasterKeyOfACredential(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "store.key"), []byte(strings.Repeat("ab", 32)+"\n"), 0o400); err != nil {
		t.Fatal(err)
	}
	key, source, err := LoadMasterKey(KeyOptions{Credential: "store.key", CredentialDir: dir, File: "/not/looked/at"})
	if err != nil || key[0] != 0xab || source.String() != "the credential store.key" {
		t.Errorf("%v, %v", source, err)
	}
	for _, c := range []struct{ name, dir, credential, want string }{
		{"without systemd", "", "store.key", "systemd gave this process no credentials (CREDENTIALS_DIRECTORY is not set): put LoadCredential=store.key:"},
		{"one that is not there", dir, "other", "it is not among those that systemd gave this process"},
		{"a path", dir, "../store.key", "that is no name of a credential"},
	} {
		_, _, err := LoadMasterKey(KeyOptions{Credential: c.credential, CredentialDir: c.dir})
		var mk *persistence.MasterKeyError
		if !errors.As(err, &mk) || !strings.HasPrefix(mk.Reason, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "other")); err == nil {
		t.Error("a credential was made")
	}
}

func TestWhoMayReadAKeyFile(t *testing.T) {
	const me, other = -1, 12345
	for _, c := range []struct {
		name   string
		mode   os.FileMode
		owner  int
		shared string
		want   string // of the error
	}{
		{"its owner alone", 0o600, me, "", ""},
		{"its owner alone, who may not write it", 0o400, me, "", ""},
		{"a group too, and it is ours", 0o440, me, "group 54321, or whom an ACL names (mode 0440)", ""},
		{"a group too, and we may write it", 0o640, me, "group 54321, or whom an ACL names (mode 0640)", ""},
		{"a group too, and it is somebody else's", 0o440, other, "", "its group can read it (mode 0440), and it belongs to user 12345"},
		{"a group that may write it", 0o660, me, "", "other users can reach the file (mode 0660): run chmod 600 on it"},
		{"a group that may run it", 0o550, me, "", "other users can reach the file (mode 0550)"},
		{"everybody", 0o444, me, "", "other users can reach the file (mode 0444)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "store.key")
			if err := os.WriteFile(path, []byte(strings.Repeat("ab", 32)), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chown(path, c.owner, 54321); err != nil {
				t.Skipf("only root can give a file away: %v", err)
			}
			if err := os.Chmod(path, c.mode); err != nil {
				t.Fatal(err)
			}
			_, source, err := LoadMasterKey(KeyOptions{File: path})
			var mk *persistence.MasterKeyError
			switch {
			case c.want == "" && err != nil, c.want != "" && (!errors.As(err, &mk) || !strings.HasPrefix(mk.Reason, c.want)):
				t.Errorf("got %v, want %s", err, c.want)
			case source.Shared != c.shared:
				t.Errorf("it is shared with %q", source.Shared)
			}
		})
	}
}
