package badgerstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

// moveFileName is the file that says that the fleet was copied to another store. It
// is not Badger's, and not sealed: that it is there counts, whatever is in it.
const moveFileName = "MOVED"

// readMove returns what a store says of its move; nil where it has none.
func readMove(dir string) (*persistence.Move, error) {
	b, err := os.ReadFile(join(dir, moveFileName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("persistence: open store: %w", err)
	}
	m := &persistence.Move{}
	if err := json.Unmarshal(b, m); err != nil {
		*m = persistence.Move{Other: "another store, which its file " + moveFileName + " does not tell"}
	}
	return m, nil
}

// movedError is nil for a store that was not moved.
func movedError(dir string, m *persistence.Move) error {
	if m == nil {
		return nil
	}
	return &persistence.MovedError{Place: dir, Move: *m}
}

// Moved returns what the store said of its move when it was opened, with
// Options.Moved; nil where it said nothing.
func (s *Store) Moved() *persistence.Move { return s.opened.move }

// MarkMoved says in the store that its fleet is in another one. When it returns
// without an error, Open gives a *persistence.MovedError from then on, after a
// crash of the machine too.
func (s *Store) MarkMoved(other string, at time.Time) error {
	m := persistence.Move{Other: other, At: at.UTC().Truncate(time.Second)}
	b, err := json.Marshal(m)
	if err == nil {
		err = writeFile(join(s.space.dir, moveFileName), append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("persistence: mark the store as moved: %w", err)
	}
	s.opened.move = &m
	return nil
}

// adoptMoved takes the mark away.
func adoptMoved(dir string) error {
	if err := os.Remove(join(dir, moveFileName)); err != nil {
		return fmt.Errorf("persistence: adopt store: %w", err)
	}
	return syncDir(dir)
}
