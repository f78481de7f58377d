package tg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/mtfleet/mtfleet/tl"
)

// layerDiff says how an older layer differs from Layer on the sign-in path.
type layerDiff struct {
	layer  int
	edits  []edit
	absent []uint32 // sorted by name, not by id
}

// edit says how the newest form of a constructor or function and an older one become each other. Fields are counted as
// tl.Walk counts them.
type edit struct {
	id, oldID uint32
	old       []tl.Op // the fields of the old form
	from      []int8  // for each field of the new form the same field of the old one, -1 where there is none
	// bits has, for each word of flags, those bits that stand for the same field of type true in both forms.
	bits [4]uint32
}

// AbsentError is a value that an older layer has no form for.
type AbsentError struct {
	// Layer is the older layer, ID the constructor it does not have.
	Layer int
	ID    uint32
}

// Error implements error.
func (e *AbsentError) Error() string {
	return fmt.Sprintf("tg: layer %d has no constructor %08x", e.Layer, e.ID)
}

// LayerError is a layer that is not among Layers.
type LayerError struct{ Layer int }

// Error implements error.
func (e *LayerError) Error() string { return fmt.Sprintf("tg: layer %d is not served", e.Layer) }

// Layers lists the layers that Downgrade can write and Upgrade can read, in rising order: all from the first that
// layers.tl knows to Layer. One that layers.tl does not list is taken for the next older one that it does.
func Layers() []int {
	var layers []int
	for n := olderLayers[len(olderLayers)-1].layer; n <= Layer; n++ {
		layers = append(layers, n)
	}
	return layers
}

// ListedLayers lists the layers with forms of their own, in rising order: those of layers.tl, and Layer.
func ListedLayers() []int {
	layers := []int{Layer}
	for i := range olderLayers {
		layers = append(layers, olderLayers[i].layer)
	}
	slices.Sort(layers)
	return layers
}

// LayerHas reports whether a layer has the constructor or function id, as far as layers.tl knows: it lists
// what the sign-in path lacks at older layers, and everything else is taken to be there. It is false for a
// layer that is not among Layers.
func LayerHas(layer int, id uint32) bool {
	diff, err := findLayer(layer)
	return err == nil && (diff == nil || !slices.Contains(diff.absent, id))
}

// Downgrade rewrites a result or update of Layer in the constructors of an older layer: everything on the
// sign-in path, wherever it is nested. Fields that the older layer does not have are left out, and so are
// optional fields whose value it cannot express; if a required one cannot be, the error is an *AbsentError. What only
// the older layer wants is zero. A layer not among Layers is a *LayerError, bytes that are not one value of Schema are a
// *tl.ParseError. The result is boxed itself if there is nothing to rewrite. boxed may also be a Vector of boxed values.
func Downgrade(layer int, boxed []byte) ([]byte, error) {
	diff, err := findLayer(layer)
	if err != nil {
		return nil, err
	}
	if diff == nil {
		return boxed, nil
	}
	c := converter{layer: layer, diff: diff}
	op, elem := tl.OpBoxed|tl.Op(tl.TypeAny), tl.OpEnd
	if tl.Raw(boxed).ID() == tl.VectorID {
		op, elem = tl.OpVector, op
	}
	return c.whole(boxed, op, elem)
}

// Upgrade rewrites a query of an older layer in the constructors of Layer. Fields that only Layer has are left out, or
// zero where it wants them. Errors are those of Downgrade; a query that is the same at both is returned as it is.
func Upgrade(layer int, query []byte) ([]byte, error) {
	diff, err := findLayer(layer)
	if err != nil {
		return nil, err
	}
	if diff == nil {
		return query, nil
	}
	c := converter{layer: layer, diff: diff, up: true}
	return c.whole(query, tl.OpBoxed|tl.Op(tl.TypeAny), tl.OpEnd)
}

// findLayer returns nil for Layer itself.
func findLayer(layer int) (*layerDiff, error) {
	if layer == Layer {
		return nil, nil
	}
	for i := range olderLayers { // newest first
		if olderLayers[i].layer <= layer && layer < Layer {
			return &olderLayers[i], nil
		}
	}
	return nil, &LayerError{Layer: layer}
}

// converter is one rewriting, of new values in old forms or, up, of old values in new ones.
type converter struct {
	layer int
	diff  *layerDiff
	up    bool
}

func (c *converter) whole(in []byte, op, elem tl.Op) ([]byte, error) {
	out, n, err := c.value(make([]byte, 0, len(in)), in, op, elem, tl.MaxDepth)
	if err != nil {
		return nil, err
	}
	if n != len(in) {
		return nil, &tl.ParseError{Offset: n, Err: tl.ErrTrailing}
	}
	return out, nil
}

// value appends the rewritten value at the start of in to out, and returns how long it was.
func (c *converter) value(out, in []byte, op, elem tl.Op, depth int) ([]byte, int, error) {
	if depth <= 0 {
		return nil, 0, &tl.ParseError{Err: tl.ErrDepth}
	}
	if _, ok := op.Boxed(); ok {
		return c.boxed(out, in, depth)
	}
	if op.Vector() {
		return c.vector(out, in, op, elem, depth)
	}
	r := tl.NewReader(in)
	switch op {
	case tl.OpLong, tl.OpDouble:
		r.Int64()
	case tl.OpInt128:
		r.Int128()
	case tl.OpInt256:
		r.Int256()
	case tl.OpString, tl.OpBytes:
		r.BytesView()
	case tl.OpBool:
		r.Bool()
	default: // an int, or a word of flags
		r.Int32()
	}
	if err := r.Err(); err != nil {
		return nil, 0, err
	}
	return append(out, in[:r.Offset()]...), r.Offset(), nil
}

func (c *converter) vector(out, in []byte, op, elem tl.Op, depth int) ([]byte, int, error) {
	r := tl.NewReader(in)
	n := 0
	if op == tl.OpVector {
		n = r.VectorLen(4)
	} else {
		n = r.BareVectorLen(4)
	}
	if err := r.Err(); err != nil {
		return nil, 0, err
	}
	at := r.Offset()
	out = append(out, in[:at]...)
	for ; n > 0; n-- {
		var size int
		var err error
		if out, size, err = c.value(out, in[at:], elem, tl.OpEnd, depth-1); err != nil {
			return nil, 0, err
		}
		at += size
	}
	return out, at, nil
}

// form is what becomes of one constructor: the fields that are read and those that are written.
type form struct {
	id      uint32
	in, out []tl.Op
	source  func(field int) int // of a field that is written, -1 for none; nil where nothing changes
	bits    [4]uint32
}

// form finds what becomes of the constructor id.
func (c *converter) form(id uint32) (form, error) {
	if !c.up && slices.Contains(c.diff.absent, id) {
		return form{}, &AbsentError{Layer: c.layer, ID: id}
	}
	for i := range c.diff.edits {
		e := &c.diff.edits[i]
		_, now, _ := Schema.Lookup(e.id)
		if c.up && e.oldID == id {
			return form{e.id, e.old, now, func(f int) int { return int(e.from[f]) }, e.bits}, nil
		}
		if !c.up && e.id == id {
			return form{e.oldID, now, e.old, func(f int) int { return slices.Index(e.from, int8(f)) }, e.bits}, nil
		}
	}
	_, ops, ok := Schema.Lookup(id)
	if !ok {
		return form{}, &tl.ParseError{Err: &tl.UnknownConstructorError{ID: id}}
	}
	return form{id: id, in: ops, out: ops}, nil
}

// boxed rewrites one constructor: first its fields are read, each already rewritten, then the other form is put together.
func (c *converter) boxed(out, in []byte, depth int) ([]byte, int, error) {
	if len(in) < 4 {
		return nil, 0, &tl.ParseError{Err: tl.ErrShort}
	}
	f, err := c.form(binary.LittleEndian.Uint32(in))
	if err != nil {
		return nil, 0, err
	}
	var values [][]byte // nil for an absent field
	var flags [4]uint32 // of what is written, in the end
	n := 4
	for field := range fields(f.in) {
		if field.optional && flags[field.word]&(1<<field.bit) == 0 {
			values = append(values, nil)
			continue
		}
		value, size, err := c.value([]byte{}, in[n:], field.op, field.elem, depth-1)
		if isAbsent(err) && field.optional {
			// The other layer cannot say it: it is left out, which takes knowing how long it is.
			measure := converter{layer: c.layer, diff: &layerDiff{}}
			_, size, err = measure.value(nil, in[n:], field.op, field.elem, depth-1)
			value = nil
		}
		if err != nil {
			return nil, 0, err
		}
		if word, ok := field.op.FlagWord(); ok {
			flags[word] = binary.LittleEndian.Uint32(value)
		}
		values = append(values, value)
		n += size
	}
	if out, err = f.write(out, values, flags); err != nil {
		return nil, 0, &AbsentError{Layer: c.layer, ID: f.id}
	}
	return out, n, nil
}

// write appends the other form. flags are those read: what is kept of them are fields of type true that both forms have,
// and what the fields that are there ask for.
func (f *form) write(out []byte, values [][]byte, flags [4]uint32) ([]byte, error) {
	source := f.source
	if source == nil {
		source = func(field int) int { return field }
		f.bits = [4]uint32{^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0)}
		for field := range fields(f.in) {
			if field.optional {
				f.bits[field.word] &^= 1 << field.bit // set again below, if the field is there
			}
		}
	}
	var written [4]uint32
	for w := range written {
		written[w] = flags[w] & f.bits[w]
	}
	for field := range fields(f.out) {
		if from := source(field.index); field.optional && from >= 0 && values[from] != nil {
			written[field.word] |= 1 << field.bit
		}
	}
	out = tl.AppendUint32(out, f.id)
	for field := range fields(f.out) {
		if word, ok := field.op.FlagWord(); ok {
			out = tl.AppendUint32(out, written[word])
			continue
		}
		if field.optional && written[field.word]&(1<<field.bit) == 0 {
			continue
		}
		if from := source(field.index); from >= 0 && values[from] != nil {
			out = append(out, values[from]...)
			continue
		}
		var ok bool
		if out, ok = appendZero(out, field.op); !ok {
			return nil, tl.ErrConstructor
		}
	}
	return out, nil
}

// appendZero appends the zero value of a type, if it has one.
func appendZero(out []byte, op tl.Op) ([]byte, bool) {
	switch op {
	case tl.OpInt, tl.OpString, tl.OpBytes, tl.OpBareVector:
		return append(out, make([]byte, 4)...), true
	case tl.OpLong, tl.OpDouble:
		return append(out, make([]byte, 8)...), true
	case tl.OpInt128:
		return append(out, make([]byte, 16)...), true
	case tl.OpInt256:
		return append(out, make([]byte, 32)...), true
	case tl.OpBool:
		return tl.AppendBool(out, false), true
	case tl.OpVector:
		return tl.AppendVectorHeader(out, 0), true
	}
	return out, false
}

// opField is one field of a list of Ops.
type opField struct {
	index     int
	op, elem  tl.Op
	optional  bool // it is there if the bit of the word of flags is set
	word, bit int
}

// fields goes through a constructor's fields.
func fields(ops []tl.Op) func(yield func(opField) bool) {
	return func(yield func(opField) bool) {
		for index := 0; ops[0] != tl.OpEnd; index++ {
			f := opField{index: index}
			var cond tl.Op
			cond, f.op, f.elem, ops = tl.NextField(ops)
			f.word, f.bit, f.optional = cond.If()
			if !yield(f) {
				return
			}
		}
	}
}

func isAbsent(err error) bool {
	var absent *AbsentError
	return errors.As(err, &absent)
}
