package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mtfleet/mtfleet/persistence"
)

// CheckStoreDir tells whether the store's directory is there, ours and ours alone.
func CheckStoreDir(dir string) Finding {
	f := Finding{Check: "store directory", Level: Error, Why: "a manager cannot start without its store"}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.Level, f.What = Note, "there is none yet in "+dir
		f.Why, f.Mend = "the first account makes it", "manager account add NAME"
	case err != nil:
		f.What, f.Mend = trimmed(err), "ls -ld "+Quoted(dir)
	case !info.IsDir():
		f.What, f.Mend = dir+" is a file", "mv "+Quoted(dir)+" "+Quoted(dir+".old")
	case !ours(info):
		f.What, f.Mend = dir+" belongs to another user", "sudo chown -R $(id -u) "+Quoted(dir)
	case info.Mode().Perm()&0o700 != 0o700:
		f.What, f.Mend = fmt.Sprintf("%s is closed to us (mode %04o)", dir, info.Mode().Perm()), "chmod 700 "+Quoted(dir)
	case info.Mode().Perm()&0o077 != 0:
		f.Level, f.What = Warning, fmt.Sprintf("others can reach %s (mode %04o)", dir, info.Mode().Perm())
		f.Why, f.Mend = "its records are sealed, but who copies it has a copy of everything but the key", "chmod -R go= "+Quoted(dir)
	default:
		return ok(f.Check, "%s (mode %04o)", dir, info.Mode().Perm())
	}
	return f
}

// Store is what a look at a store told.
type Store struct {
	Dir      string
	Missing  bool  // there is none yet
	Refusal  error // what opening it would say; nil when it would open
	Accounts int
	// Open: who answers at the control socket has it, whose word counts instead.
	Open bool
}

// CheckStore tells whether the store would open. What is wrong with the key is the
// key's business.
func CheckStore(s Store) []Finding {
	f := Finding{Check: "store", Level: Error, What: words(s.Refusal)}
	var locked *persistence.LockedError
	switch {
	case s.Open:
		return []Finding{ok(f.Check, "it is open, with %s", counted(s.Accounts, "account"))}
	case s.Missing:
		return []Finding{ok(f.Check, "there is none yet in %s", s.Dir)}
	case s.Refusal == nil:
		return []Finding{ok(f.Check, "it would open, with %s", counted(s.Accounts, "account"))}
	case errors.As(s.Refusal, new(*persistence.MasterKeyError)):
		return nil
	case errors.As(s.Refusal, &locked):
		f.Level, f.What = Warning, "another process has the store in "+s.Dir+", and no manager answers"
		f.Why, f.Mend = "a store has one manager at a time: a second one does not start", "fuser -v "+Quoted(s.Dir)
		if locked.PID != 0 {
			f.What = fmt.Sprintf("process %d has the store in %s, and no manager answers", locked.PID, s.Dir)
			f.Mend = fmt.Sprintf("ps -fp %d", locked.PID)
		}
	case errors.As(s.Refusal, new(*persistence.CopiedError)):
		f.Why, f.Mend = "two managers with the same keys lose their accounts: adopt it only when no other one uses it", "manager store adopt"
	case errors.As(s.Refusal, new(*persistence.MovedError)):
		f.Why, f.Mend = "two managers with the same keys lose their accounts: adopt it only when the store that it was moved to is gone for good", "manager store adopt"
	case errors.As(s.Refusal, new(*persistence.DamagedError)):
		f.Why, f.Mend = "a manager does not start on a store that has less than it should", "manager store salvage --dry-run"
	case errors.As(s.Refusal, new(*persistence.VersionError)):
		f.Why, f.Mend = "a newer program wrote it, which this one cannot read: install that one", "manager version"
	default:
		f.Why, f.Mend = "a manager does not start on a store that cannot be read", "ls -l "+Quoted(s.Dir)
	}
	return []Finding{f}
}

// warnDisk is when the alert DiskReserve fires too.
const warnDisk = 4

// CheckDisk tells whether the store has room. The error is of looking for it.
func CheckDisk(dir string, room persistence.Room, err error) Finding {
	f := Finding{Check: "disk", Level: Error, Mend: "df -h " + Quoted(existing(dir)),
		Why: "on a full disk the store takes nothing: no sign-in begins, and what accounts learn is lost with a restart"}
	var files *persistence.FullError
	switch {
	case errors.As(err, &files) && files.Inodes:
		f.What, f.Mend = trimmed(err), "df -i "+Quoted(existing(dir))
	case err != nil:
		f.What = trimmed(err)
	case room.Free < 0:
		return ok(f.Check, "how much is free cannot be told here")
	case room.Free < room.Needed:
		f.What = fmt.Sprintf("%s are free for %s, %s are needed", persistence.Size(room.Free), dir, persistence.Size(room.Needed))
	case room.Free < warnDisk*room.Needed:
		f.Level = Warning
		f.What = fmt.Sprintf("%s are free for %s, and below %s it takes nothing any more", persistence.Size(room.Free), dir, persistence.Size(room.Needed))
	default:
		return ok(f.Check, "%s are free, %s are needed", persistence.Size(room.Free), persistence.Size(room.Needed))
	}
	return f
}

// existing is the nearest directory that is there.
func existing(dir string) string {
	for {
		_, err := os.Stat(dir)
		up := filepath.Dir(dir)
		if err == nil || up == dir {
			return dir
		}
		dir = up
	}
}

// trimmed is an error without the name of the package that it is of.
func trimmed(err error) string {
	if err == nil {
		return ""
	}
	s := err.Error()
	for _, prefix := range []string{"persistence: ", "wire: ", "handshake: ", "control: "} {
		s = strings.TrimPrefix(s, prefix)
	}
	return s
}
