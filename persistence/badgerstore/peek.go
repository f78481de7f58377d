package badgerstore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

// lockName is the file that says who has the store.
const lockName = "LOCK"

// PeekOptions says what store to look at.
type PeekOptions struct {
	// Dir, Key and KeySource are those of Options.
	Dir       string
	Key       seal.MasterKey
	KeySource seal.KeySource
}

// Peeked is what can be told of a store without opening it.
type Peeked struct {
	// Refusal is what Open would say; nil when it would open the store. It is a
	// *persistence.LockedError where another process has it: nothing below is known
	// then. A *persistence.CopiedError or
	// *persistence.MovedError leaves the accounts to be read.
	Refusal error
	// Accounts are the account records that open, by their ids.
	Accounts []persistence.Account
}

// Peek looks at a store and changes nothing, not the file with its lock's owner
// either. It blocks until it has read everything, about a second for 10,000
// accounts; who opens the store meanwhile finds it locked. The error is
// fs.ErrNotExist when there is no store.
func Peek(o PeekOptions) (p Peeked, err error) {
	if !exists(o.Dir) {
		return p, fs.ErrNotExist
	}
	s, err := newSealer(o.Key)
	if err != nil {
		return p, err
	}
	d, err := newDigester(o.Key)
	if err != nil {
		return p, err
	}
	release, err := shareDir(o.Dir)
	if err != nil {
		p.Refusal = err
		return p, nil
	}
	defer func() { err = errors.Join(err, release()) }()
	in, err := inspect(Options{Dir: o.Dir, Key: o.Key, KeySource: o.KeySource, Adopt: true}, s, d)
	switch {
	case err != nil:
		p.Refusal = err
		return p, nil
	case in.moved:
		last, ok := in.slots.top()
		if !ok {
			last = in.stored
		}
		p.Refusal = &persistence.CopiedError{Dir: o.Dir, ID: last.id.String()}
	}
	if m, err := readMove(o.Dir); err != nil || m != nil {
		p.Refusal = errors.Join(err, movedError(o.Dir, m))
	}
	raw, err := readStrictly(o.Dir)
	defer raw.close()
	if err != nil {
		p.Refusal = err
		return p, nil
	}
	for name, e := range raw.newest {
		k, ok := parseName([]byte(name))
		if !ok || e.deleted || k.Kind != persistence.KindAccount {
			continue
		}
		rec, err := s.Open(k, e.value)
		if err != nil {
			continue // its account says so; store verify names it
		}
		if a, err := persistence.DecodeAccount(rec); err == nil {
			p.Accounts = append(p.Accounts, a)
		}
	}
	slices.SortFunc(p.Accounts, func(a, b persistence.Account) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return p, nil
}

// RoomFor tells how much room there is for a store in dir, which need not exist,
// and how much it must have: to be opened, or with open for commits. The error is a
// *persistence.FullError where there are too few files to be made, or a
// *persistence.DiskError.
func RoomFor(dir string, open bool) (persistence.Room, error) {
	fail := func(err error) (persistence.Room, error) {
		return persistence.Room{Free: -1}, &persistence.DiskError{Dir: dir, Doing: "looking at the disk", Err: bare(err)}
	}
	at := absolute(dir)
	for {
		_, err := os.Stat(at)
		if err == nil {
			break
		}
		if up := filepath.Dir(at); errors.Is(err, fs.ErrNotExist) && up != at {
			at = up
			continue
		}
		return fail(err)
	}
	u, err := diskUsage(at)
	if err != nil {
		return fail(err)
	}
	room := persistence.Room{Free: u.free, Needed: floor(u)}
	if !open {
		var entries []fs.DirEntry
		if at == absolute(dir) {
			if entries, err = os.ReadDir(at); err != nil {
				return fail(err)
			}
		}
		room.Needed = needToOpen(u, entries)
	}
	switch {
	case u.readOnly:
		return room, &persistence.DiskError{Dir: dir, Doing: "looking at the disk", Err: syscall.EROFS}
	case u.inodes >= 0 && u.inodes < inodesLeast:
		return room, &persistence.FullError{Dir: dir, Free: u.inodes, Needed: inodesLeast, Inodes: true}
	}
	return room, nil
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
