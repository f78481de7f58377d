package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mtfleet/mtfleet/persistence"
)

// ageMagic begins every file of age's that is not armored.
const ageMagic = "age-encryption.org/"

// ExistsError says that there is a file where a backup was to be written.
type ExistsError struct {
	Path string
	// Other says that it is no backup, which nothing replaces, and Dir that it is a directory.
	Other, Dir bool
}

// Error says what to do.
func (e *ExistsError) Error() string {
	if e.Dir {
		return fmt.Sprintf("persistence: %s is a directory: nothing was written; name a file in it", e.Path)
	}
	if e.Other {
		return fmt.Sprintf("persistence: there is %s already, and it is no backup: nothing was written; name another file", e.Path)
	}
	return fmt.Sprintf("persistence: there is %s already: nothing was written; name another file, or have it replaced (--force)", e.Path)
}

// FileError says that the file of a backup cannot be written.
type FileError struct {
	Doing string
	Err   error // without the path
}

// Error says why.
func (e *FileError) Error() string {
	s := fmt.Sprintf("persistence: %s: %v", e.Doing, e.Err)
	if errors.Is(e.Err, fs.ErrNotExist) {
		s += ": make that directory, or name a file elsewhere"
	}
	return s
}

// Unwrap returns the system's error.
func (e *FileError) Unwrap() error { return e.Err }

// IncompleteError says that a backup would lack records, and that the one which may
// have them was not replaced by it.
type IncompleteError struct {
	Path string
	Lost []Lost
}

// Error says what to do.
func (e *IncompleteError) Error() string {
	return fmt.Sprintf("persistence: %d records cannot be read, and %s, which may have them, was not replaced: name another file, then run `manager store verify`", len(e.Lost), e.Path)
}

// WriteFile is Write into a file, which has its name, and mode 0600, when it is whole
// and on disk. A backup that is there is replaced where replace says so, and nothing
// else ever is. The error may also be an *ExistsError, a *FileError or an
// *IncompleteError.
func WriteFile(ctx context.Context, path string, store persistence.Snapshotter, o Options, replace bool) (*Report, error) {
	out := outFile{path, replace}
	there, err := out.free()
	if err != nil {
		return nil, err
	}
	var r *Report
	err = out.write(func(w io.Writer) (err error) {
		if r, err = Write(ctx, w, store, o); err == nil && there && len(r.Lost) > 0 {
			err = &IncompleteError{path, r.Lost}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// outFile is a file that has its name when it is whole.
type outFile struct {
	path    string
	replace bool
}

// free wants nothing to be where the file is to be, unless it may be replaced.
func (o outFile) free() (there bool, err error) {
	info, err := os.Lstat(o.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, o.fail(err)
	case info.IsDir():
		return true, &ExistsError{Path: o.path, Dir: true}
	case !o.replace:
		return true, &ExistsError{Path: o.path}
	case !info.Mode().IsRegular():
		return true, &ExistsError{Path: o.path, Other: true}
	}
	f, err := os.Open(o.path)
	if err != nil {
		return true, o.fail(err)
	}
	defer f.Close()
	head := make([]byte, len(ageMagic))
	if n, _ := io.ReadFull(f, head); !bytes.Equal(head[:n], []byte(ageMagic)) {
		return true, &ExistsError{Path: o.path, Other: true}
	}
	return true, nil
}

// write has f write the file, and gives it its name when it is on disk.
func (o outFile) write(f func(io.Writer) error) error {
	dir := filepath.Dir(o.path)
	file, err := os.CreateTemp(dir, "."+filepath.Base(o.path)+".*") // mode 0600
	if err != nil {
		return &FileError{"make a file in " + dir, bare(err)}
	}
	defer os.Remove(file.Name())
	if err := f(file); err != nil {
		_ = file.Close()
		if errors.As(err, new(*fs.PathError)) {
			return o.fail(err)
		}
		return err
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return o.fail(err)
	}
	if err := o.name(file.Name()); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err == nil {
		err = errors.Join(d.Sync(), d.Close())
	}
	if err != nil {
		return o.fail(err)
	}
	return nil
}

// name gives the file its name. A link takes no name that another has, also when
// that came there a moment ago; some file systems have none.
func (o outFile) name(temporary string) error {
	if !o.replace && os.Link(temporary, o.path) == nil {
		return nil
	}
	if _, err := o.free(); err != nil {
		return err
	}
	if err := os.Rename(temporary, o.path); err != nil {
		return o.fail(err)
	}
	return nil
}

func (o outFile) fail(err error) error { return &FileError{"write " + o.path, bare(err)} }

// bare is the system's own error, where a path is named already.
func bare(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	var le *os.LinkError
	if errors.As(err, &le) {
		return le.Err
	}
	return err
}
