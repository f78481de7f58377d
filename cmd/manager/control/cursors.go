package control

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/mtfleet/mtfleet/actors"
)

// Cursors are the last that a reader has seen of each run: of a manager alone one, of a cluster one of each node. They are
// written with commas between them, "5-17,8-3".
type Cursors []actors.Cursor

// String writes them.
func (c Cursors) String() string {
	all := make([]string, len(c))
	for i := range c {
		all[i] = c[i].String()
	}
	return strings.Join(all, ",")
}

// MarshalText writes what String returns.
func (c Cursors) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads what String writes. No text, and "0", are none.
func (c *Cursors) UnmarshalText(text []byte) error {
	var all Cursors
	for part := range bytes.SplitSeq(text, []byte(",")) {
		var one actors.Cursor
		if err := one.UnmarshalText(bytes.TrimSpace(part)); err != nil {
			return err
		}
		if one.IsZero() {
			continue
		}
		if slices.ContainsFunc(all, func(had actors.Cursor) bool { return had.Run == one.Run }) {
			return fmt.Errorf("there are two cursors of the run %d: give the last of each", one.Run)
		}
		all = append(all, one)
	}
	*c = all
	return nil
}

// of is the cursor of a run, the zero one where there is none.
func (c Cursors) of(run uint64) actors.Cursor {
	if i := slices.IndexFunc(c, func(one actors.Cursor) bool { return one.Run == run }); i >= 0 {
		return c[i]
	}
	return actors.Cursor{}
}

// only are those of one run, or none.
func (c Cursors) only(run uint64) Cursors {
	if one := c.of(run); !one.IsZero() {
		return Cursors{one}
	}
	return nil
}
