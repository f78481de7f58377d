package backup

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/mtfleet/mtfleet/persistence"
)

func TestTheFileOfABackup(t *testing.T) {
	id := identity(t)
	whole := listed{records: account("alice")}
	half := listed{records: account("alice"), bad: map[persistence.Key]error{account("alice")[2].Key: &persistence.CorruptError{Why: "its seal does not open"}}}
	good, _ := write(t, whole, options(id))
	for name, test := range map[string]struct {
		there   []byte // nil: nothing
		replace bool
		store   persistence.Snapshotter
		err     error // of that type
	}{
		"is made":                                         {store: whole},
		"is made also where it may exist":                 {store: whole, replace: true},
		"does not take the place of another":              {store: whole, there: good, err: &ExistsError{}},
		"takes the place of another that may be lost":     {store: whole, there: good, replace: true},
		"does not take the place of what is no backup":    {store: whole, there: []byte("the master key"), replace: true, err: &ExistsError{Other: true}},
		"does not take the place of an empty file":        {store: whole, there: []byte{}, replace: true, err: &ExistsError{Other: true}},
		"lacks what cannot be read":                       {store: half},
		"with less does not take the place of a good one": {store: half, there: good, replace: true, err: &IncompleteError{}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "fleet.age")
			if test.there != nil {
				if err := os.WriteFile(path, test.there, 0o640); err != nil {
					t.Fatal(err)
				}
			}
			r, err := WriteFile(t.Context(), path, test.store, options(id), test.replace)
			b, readErr := os.ReadFile(path)
			info, statErr := os.Stat(path)
			if readErr != nil || statErr != nil {
				t.Fatal(readErr, statErr)
			}
			if list, _ := os.ReadDir(dir); len(list) != 1 {
				t.Errorf("%d files are left", len(list))
			}
			if test.err != nil {
				var exists *ExistsError
				want, isExists := test.err.(*ExistsError)
				if isExists != errors.As(err, &exists) || isExists && exists.Other != want.Other || !isExists && !errors.As(err, new(*IncompleteError)) {
					t.Errorf("the error is %v", err)
				}
				if !bytes.Equal(b, test.there) {
					t.Error("what was there is not any more")
				}
				return
			}
			if err != nil || info.Mode() != 0o600 || r.Bytes != info.Size() {
				t.Fatalf("%v, mode %v, %d bytes of %d", err, info.Mode(), r.Bytes, info.Size())
			}
			if _, got, err := read(b, id); err != nil || got.Holds != r.Holds || len(got.Lost) != len(r.Lost) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestAFileThatCannotBeMadeSaysWhereAndWhy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nowhere", "fleet.age")
	_, err := WriteFile(t.Context(), path, listed{}, options(identity(t)), false)
	var failed *FileError
	if !errors.As(err, &failed) || !errors.Is(err, fs.ErrNotExist) || failed.Doing != "make a file in "+filepath.Dir(path) {
		t.Error(err)
	}
	// A link is no backup, whatever it leads to.
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("/dev/null", link); err != nil {
		t.Skip(err)
	}
	if _, err := WriteFile(t.Context(), link, listed{}, options(identity(t)), true); !errors.As(err, new(*ExistsError)) {
		t.Error(err)
	}
}
