package api

import (
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// args holds the fields of a query that has no Go type, by their place in its line of the schema: flags have one, fields
// of type true have none. The method's parse has checked the query, so that reading does not fail.
type args [9][]byte

func (c *call) args() (a args) {
	body := c.req.Body
	_, _ = tl.Walk(tg.Schema, body, func(f tl.Field) {
		if f.Index < len(a) {
			a[f.Index] = body[f.Start:f.End]
		}
	})
	return a
}

// has tells whether an optional field was given.
func (a *args) has(i int) bool { return a[i] != nil }

func (a *args) int32(i int) int32 {
	if !a.has(i) {
		return 0
	}
	return tl.NewReader(a[i]).Int32()
}

func (a *args) int64(i int) int64 {
	if !a.has(i) {
		return 0
	}
	return tl.NewReader(a[i]).Int64()
}

func (a *args) text(i int) string {
	if !a.has(i) {
		return ""
	}
	return tl.NewReader(a[i]).String()
}

// flag tells whether a bit of the first word of flags is set.
func (a *args) flag(bit int) bool { return a.int32(0)&(1<<bit) != 0 }

// ints reads a Vector<int>.
func (a *args) ints(i int) []int32 {
	r := tl.NewReader(a[i])
	list := make([]int32, r.VectorLen(4))
	for k := range list {
		list[k] = r.Int32()
	}
	return list
}

// list cuts a Vector of boxed values into them.
func (a *args) list(i int) [][]byte {
	b := a[i]
	r := tl.NewReader(b)
	list := make([][]byte, r.VectorLen(4))
	b = b[r.Offset():]
	for k := range list {
		n, err := tl.Skip(tg.Schema, b)
		if err != nil {
			return list[:k]
		}
		list[k], b = b[:n], b[n:]
	}
	return list
}

// inner is the first field of a boxed value that wraps one, such as an InputDialogPeer.
func inner(b []byte) (field []byte) {
	_, _ = tl.Walk(tg.Schema, b, func(f tl.Field) {
		if f.Index == 0 {
			field = b[f.Start:f.End]
		}
	})
	return field
}
