package timeline

import (
	"fmt"
	"slices"
	"time"
)

// lanesMost is how many keys are drawn beside each other: a perm key and a temp
// key of three DCs. For another one the lane makes way whose key was longest not
// heard of.
const lanesMost = 6

// cell is what a key's lane shows beside one entry.
type cell uint8

const (
	cellNone cell = iota // no key
	cellIdle             // the key is there, and calls do not go under it
	cellUsed             // calls go under it
	cellMark             // the entry is about the key
	cellEnd              // and is the last
)

// row is an entry with the lanes beside it.
type row struct {
	entry Entry
	lanes []lane // as many as all rows have
}

// lane is a column at one row.
type lane struct {
	cell cell
	key  Key
	used bool
}

// live is a key while it has a column.
type live struct {
	key   Key
	dc    int
	media bool
	used  bool
	last  int // row
}

// rowsOf gives each key a column for as long as something is heard of it.
func rowsOf(list []Entry) (rows []row, columns int) {
	var keys [lanesMost]*live
	rows = make([]row, len(list))
	for i, e := range list {
		at, ends := -1, e.Kind == Closed || e.Kind == Lost || e.Kind == Gone
		if !e.Key.IsZero() {
			at = columnOf(&keys, e, i)
			columns = max(columns, at+1)
		}
		if e.Kind == Used || e.Kind == Forgotten { // of its slot no other is used any more, or none of its DC
			for _, k := range keys {
				if k != nil && k.dc == e.DC && (k.media == e.Media || e.Kind == Forgotten) {
					k.used = e.Kind == Used && k.key == e.Key
				}
			}
		}
		if at >= 0 && (ends || e.Kind == Replaced) {
			keys[at].used = false
		}
		rows[i] = row{entry: e, lanes: make([]lane, lanesMost)}
		for col, k := range keys {
			if k == nil {
				continue
			}
			l := lane{cell: cellIdle, key: k.key, used: k.used}
			over := e.Kind == Forgotten && k.dc == e.DC
			switch {
			case col == at && ends || over:
				l.cell, keys[col] = cellEnd, nil
			case col == at:
				l.cell = cellMark
			case k.used:
				l.cell = cellUsed
			}
			rows[i].lanes[col] = l
		}
	}
	for i := range rows {
		rows[i].lanes = rows[i].lanes[:columns]
	}
	return rows, columns
}

// columnOf finds the column of an entry's key, or makes one.
func columnOf(keys *[lanesMost]*live, e Entry, i int) int {
	at := slices.IndexFunc(keys[:], func(k *live) bool { return k != nil && k.key == e.Key })
	if at < 0 {
		at = slices.Index(keys[:], nil)
	}
	if at < 0 {
		at = 0
		for col := range keys {
			if keys[col].last < keys[at].last {
				at = col
			}
		}
		keys[at] = nil
	}
	if keys[at] == nil {
		keys[at] = &live{key: e.Key, dc: e.DC, media: e.Media}
	}
	keys[at].last = i
	return at
}

var told = map[Kind]string{
	Started: "started", PermMade: "perm key made", TempMade: "temp key made", MakeFailed: "no key could be made",
	Bound: "bound", BindFailed: "not bound", Used: "in use", Replaced: "replaced", Closed: "closed",
	Dropped: "the server was asked to drop the temp keys replaced", Lost: "lost", Gone: "the server does not know the perm key",
	Forgotten: "the keys were thrown away", Connected: "connected", Disconnected: "connection lost", Unreachable: "cannot be reached",
}

// String tells the entry without its time.
func (e Entry) String() string {
	what := told[e.Kind]
	switch e.Kind {
	case State:
		what = e.Word
	case Wait:
		what = "wait ordered"
		if e.Word != "" {
			what += " for " + e.Word
		}
	case Step:
		what = "sign-in: " + e.Word
	default:
		if what == "" {
			what = e.Kind.String()
		}
	}
	if !e.Key.IsZero() {
		what = e.Key.String() + " " + what
	}
	switch {
	case e.Media:
		what = fmt.Sprintf("DC %d media  %s", e.DC, what)
	case e.DC != 0:
		what = fmt.Sprintf("DC %d  %s", e.DC, what)
	}
	if !e.Until.IsZero() {
		what += " until " + e.Until.Format(time.DateTime)
	}
	if e.Why != "" {
		what += ": " + e.Why
	}
	return what
}
