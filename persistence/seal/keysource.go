package seal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

// keyCommandWait is how long a command has to print the key: a KMS on another
// continent takes a second or two.
const keyCommandWait = 30 * time.Second

// maxKeyText is more than any form of a key takes.
const maxKeyText = 1 << 10

// keyOfCommand has a program print the key. What it says is in no error: it may be
// the key.
func keyOfCommand(args []string, wait time.Duration) (MasterKey, KeySource, error) {
	source := KeySource{Other: "the command " + args[0]}
	fail := func(format string, args ...any) (MasterKey, KeySource, error) {
		return MasterKey{}, source, &persistence.MasterKeyError{Source: source.Other, Reason: fmt.Sprintf(format, args...)}
	}
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var out limited
	cmd.Stdout = &out
	cmd.WaitDelay = time.Second // for those it started, which may hold its output open
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return fail("it had not ended after %v: run it by itself to see why", wait)
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return fail("there is no such program")
	case errors.As(err, &exit):
		return fail("it failed (%v): run it by itself to see what it says", exit)
	case err != nil:
		return fail("it did not run: %v", bare(err))
	case out.more:
		return fail("it prints more than a key: its standard output must be that alone")
	}
	defer clear(out.text.Bytes())
	key, err := ParseMasterKey(out.text.String(), source.Other)
	return key, source, err
}

// limited keeps the beginning of what is written.
type limited struct {
	text bytes.Buffer
	more bool
}

func (l *limited) Write(b []byte) (int, error) {
	if l.more = l.more || l.text.Len()+len(b) > maxKeyText; !l.more {
		l.text.Write(b)
	}
	return len(b), nil
}

// keyOfCredential reads what systemd has handed to this process alone.
func keyOfCredential(dir, name string) (MasterKey, KeySource, error) {
	source := KeySource{Other: "the credential " + name}
	fail := func(reason string) (MasterKey, KeySource, error) {
		return MasterKey{}, source, &persistence.MasterKeyError{Source: source.Other, Reason: reason}
	}
	if dir == "" {
		return fail("systemd gave this process no credentials (CREDENTIALS_DIRECTORY is not set): put LoadCredential=" + name + ":/path/of/the/key in its unit")
	}
	if filepath.Base(name) != name {
		return fail("that is no name of a credential")
	}
	key, err := readKeyFile(filepath.Join(dir, name), &source)
	if errors.Is(err, fs.ErrNotExist) {
		return fail("it is not among those that systemd gave this process: put LoadCredential=" + name + ":/path/of/the/key in its unit")
	}
	return key, source, err
}

// readKeyFile reads a key file that nobody may read but its owner and, where that
// is root or this user, one group: such a file is root's to give, and an ACL that
// names a user shows as its group's mode.
func readKeyFile(path string, source *KeySource) (MasterKey, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return MasterKey{}, err
	}
	if err != nil {
		return MasterKey{}, fileError(path, err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		owner, group, known := owners(info)
		switch {
		case mode&0o037 != 0 || !known:
			return MasterKey{}, &persistence.MasterKeyError{Source: path, Reason: fmt.Sprintf("other users can reach the file (mode %04o): run chmod 600 on it", mode)}
		case owner != 0 && owner != os.Geteuid():
			return MasterKey{}, &persistence.MasterKeyError{Source: path, Reason: fmt.Sprintf("its group can read it (mode %04o), and it belongs to user %d: only root's and your own may be shared so; run chown on it, or chmod 600", mode, owner)}
		}
		source.Shared = fmt.Sprintf("group %d, or whom an ACL names (mode %04o)", group, mode)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return MasterKey{}, fileError(path, err)
	}
	return ParseMasterKey(string(text), path)
}
