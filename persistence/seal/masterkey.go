package seal

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/mtfleet/mtfleet/persistence"
)

// KeyEnv is the environment variable that may hold the master key.
const KeyEnv = "MTFLEET_STORE_KEY"

const redacted = "[master key]"

// MasterKey is what every record's seal comes from. It does not print.
type MasterKey [32]byte

// String hides the key.
func (MasterKey) String() string { return redacted }

// Format hides the key from every verb of fmt.
func (MasterKey) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// LogValue hides the key.
func (MasterKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// ParseMasterKey reads 32 bytes in hex (64 digits) or base64. The error is a
// *persistence.MasterKeyError and does not repeat the text.
func ParseMasterKey(text, source string) (MasterKey, error) {
	text = strings.TrimSpace(text)
	for _, decode := range []func(string) ([]byte, error){
		hex.DecodeString, base64.StdEncoding.DecodeString, base64.RawStdEncoding.DecodeString,
		base64.URLEncoding.DecodeString, base64.RawURLEncoding.DecodeString,
	} {
		if b, err := decode(text); err == nil && len(b) == len(MasterKey{}) {
			return MasterKey(b), nil
		}
	}
	return MasterKey{}, &persistence.MasterKeyError{Source: source, Reason: "it is not 32 bytes in hex or base64 (`openssl rand -hex 32` makes one)"}
}

// KeyOptions says where the master key is.
type KeyOptions struct {
	// Env is the value of KeyEnv. When it is not empty it is the key, and nothing
	// else is looked at.
	Env string
	// EnvName is the variable that Env is the value of; empty: KeyEnv.
	EnvName string
	// Command is a program and its arguments, which no shell reads: what it prints
	// is the key. It has 30 seconds. When it is not empty, Credential and File are
	// not looked at.
	Command []string
	// Credential is the name of a systemd credential, and CredentialDir the value
	// of CREDENTIALS_DIRECTORY. When it is not empty, File is not looked at.
	Credential, CredentialDir string
	// File is the path of the key file. It is made when it does not exist, and
	// must lie outside StoreDir: whoever copies the store should not get the
	// key with it.
	File string
	// StoreDir is the store's directory, empty for one that has none.
	StoreDir string
	// Sealed names the store that was sealed with the key already, as in "the store
	// in /var/lib/mtfleet"; empty when there is none yet. A missing key file is an
	// error then: a new key could not open that store.
	Sealed string
	// Existing is for who only looks: a missing file is an error, and none is made.
	Existing bool
}

// KeySource says where a master key came from.
type KeySource struct {
	File    string // absolute path; empty when it did not come from a file of the operator's
	Other   string // what else it came from; empty for a file and for the environment
	Created bool   // the file was made just now: tell the operator to keep a copy
	// Shared says who can read the file besides its owner; empty for nobody.
	Shared string
}

// String names the source in errors.
func (s KeySource) String() string {
	switch {
	case s.Other != "":
		return s.Other
	case s.File == "":
		return KeyEnv
	}
	return s.File
}

// LoadMasterKey reads the master key, or makes one at first use. The error is a
// *persistence.MasterKeyError.
func LoadMasterKey(o KeyOptions) (MasterKey, KeySource, error) {
	if o.Env != "" {
		source := KeySource{Other: o.EnvName}
		key, err := ParseMasterKey(o.Env, source.String())
		return key, source, err
	}
	if len(o.Command) > 0 {
		return keyOfCommand(o.Command, keyCommandWait)
	}
	if o.Credential != "" {
		return keyOfCredential(o.CredentialDir, o.Credential)
	}
	if o.File == "" {
		return MasterKey{}, KeySource{}, &persistence.MasterKeyError{Source: "the configuration", Reason: "set store.key_file or " + KeyEnv}
	}
	source, err := keyFile(o.File, o.StoreDir)
	if err != nil {
		return MasterKey{}, source, err
	}
	path := source.File
	key, err := readKeyFile(path, &source)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, source, err
	}
	if o.Sealed != "" {
		return MasterKey{}, source, &persistence.MasterKeyError{Source: path, Reason: fmt.Sprintf("the file is missing, and %s was sealed with the key it held: put it back, or set %s", o.Sealed, KeyEnv)}
	}
	if o.Existing {
		return MasterKey{}, source, &persistence.MasterKeyError{Source: path, Reason: "there is no key yet: the first command that opens the store makes one"}
	}
	return createKeyFile(path)
}

// LoadNextKey returns the master key that a store gets in place of the one it has,
// from where the options say. A file is made when it does not exist, though there is
// a store. The error is a *persistence.MasterKeyError.
func LoadNextKey(o KeyOptions) (MasterKey, KeySource, error) {
	if o.Env != "" || len(o.Command) > 0 || o.Credential != "" {
		return LoadMasterKey(o)
	}
	source, err := keyFile(o.File, o.StoreDir)
	if err != nil {
		return MasterKey{}, source, err
	}
	key, err := readKeyFile(source.File, &source)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, source, err
	}
	return createKeyFile(source.File)
}

// keyFile says where a key file is, and refuses one within the store.
func keyFile(file, storeDir string) (KeySource, error) {
	path, err := filepath.Abs(file)
	if err != nil {
		return KeySource{}, fileError(file, err)
	}
	source := KeySource{File: path}
	if inside(path, storeDir) {
		return source, &persistence.MasterKeyError{Source: path, Reason: "the key file must lie outside the store's directory, so that a copy of the store does not include it"}
	}
	return source, nil
}

// createKeyFile makes a key that is durable before it seals anything. Two
// processes may try at once: the one that links its file first wins, and the
// other one reads that file.
func createKeyFile(path string) (MasterKey, KeySource, error) {
	var key MasterKey
	if _, err := rand.Read(key[:]); err != nil {
		return key, KeySource{}, fileError(path, err)
	}
	source := KeySource{File: path, Created: true}
	err := func() error {
		dir := filepath.Dir(path)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		f, err := os.CreateTemp(dir, ".store-key-*") // mode 0600
		if err != nil {
			return err
		}
		defer os.Remove(f.Name())
		_, err = fmt.Fprintln(f, hex.EncodeToString(key[:]))
		if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
			return err
		}
		if err := os.Link(f.Name(), path); err != nil {
			return err
		}
		return syncDir(dir)
	}()
	if errors.Is(err, fs.ErrExist) {
		key, err = readKeyFile(path, &source)
		source.Created = false
		return key, source, err
	}
	if err != nil {
		return MasterKey{}, source, fileError(path, err)
	}
	return key, source, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func fileError(path string, err error) error {
	return &persistence.MasterKeyError{Source: path, Reason: bare(err).Error()}
}

// bare is the error without the path, which is named already.
func bare(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// inside tells whether path lies in dir, also by way of symbolic links.
func inside(path, dir string) bool {
	if dir == "" {
		return false
	}
	for _, resolve := range []func(string) string{absolute, resolved} {
		rel, err := filepath.Rel(resolve(dir), filepath.Join(resolve(filepath.Dir(path)), filepath.Base(path)))
		if err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
			return true
		}
	}
	return false
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

func resolved(path string) string {
	path = absolute(path)
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}
