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

// edit turns the newest form of a constructor into an older one.
type edit struct {
	id, oldID uint32
	// keep has a bit for each field, counted as tl.Walk counts them, that the old form has as well.
	keep uint64
	// masks has, for each word of flags, the bits that the old form knows.
	masks [4]uint32
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

// Layers lists the layers that Downgrade can write, in rising order; the last one is Layer.
func Layers() []int {
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
// optional fields whose value it cannot express; if a required one cannot be, the error is an *AbsentError.
// A layer not among Layers is a *LayerError, bytes that are not one value of Schema are a *tl.ParseError.
// The result is boxed itself if there is nothing to rewrite. boxed may also be a Vector of boxed values.
func Downgrade(layer int, boxed []byte) ([]byte, error) {
	diff, err := findLayer(layer)
	if err != nil {
		return nil, err
	}
	if diff == nil {
		return boxed, nil
	}
	d := downgrade{diff: diff, in: boxed}
	if tl.Raw(boxed).ID() == tl.VectorID {
		err = d.vector(0, len(boxed))
	} else {
		var n int
		if n, err = tl.Skip(Schema, boxed); err != nil {
			return nil, err
		}
		if n != len(boxed) {
			return nil, &tl.ParseError{Offset: n, Err: tl.ErrTrailing}
		}
		err = d.boxed(0, n)
	}
	if err != nil {
		return nil, err
	}
	return d.out, nil
}

// findLayer returns nil for Layer itself.
func findLayer(layer int) (*layerDiff, error) {
	if layer == Layer {
		return nil, nil
	}
	for i := range olderLayers {
		if olderLayers[i].layer == layer {
			return &olderLayers[i], nil
		}
	}
	return nil, &LayerError{Layer: layer}
}

// downgrade is one rewriting: values of in go to the end of out.
type downgrade struct {
	diff *layerDiff
	in   []byte
	out  []byte
}

// boxed rewrites the boxed value that fills in[start:end].
func (d *downgrade) boxed(start, end int) error {
	in := d.in[start:end]
	id := tl.Raw(in).ID()
	if slices.Contains(d.diff.absent, id) {
		return &AbsentError{Layer: d.diff.layer, ID: id}
	}
	e := edit{id: id, oldID: id, keep: ^uint64(0), masks: [4]uint32{^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0)}}
	for _, known := range d.diff.edits {
		if known.id == id {
			e = known
		}
	}
	d.out = tl.AppendUint32(d.out, e.oldID)
	var words [4]int // where the words of flags are in out
	var failed error
	_, err := tl.Walk(Schema, in, func(f tl.Field) {
		if failed != nil || f.Index < 64 && e.keep&(1<<f.Index) == 0 {
			return
		}
		if word, ok := f.Op.FlagWord(); ok {
			words[word] = len(d.out)
			flags := binary.LittleEndian.Uint32(in[f.Start:]) & e.masks[word]
			d.out = tl.AppendUint32(d.out, flags)
			return
		}
		f.Start, f.End = start+f.Start, start+f.End
		mark := len(d.out)
		failed = d.field(f)
		if word, bit, optional := f.If.If(); optional && isAbsent(failed) {
			d.out = d.out[:mark]
			flags := d.out[words[word]:]
			binary.LittleEndian.PutUint32(flags, binary.LittleEndian.Uint32(flags)&^(1<<bit))
			failed = nil
		}
	})
	if failed != nil {
		return failed
	}
	return err
}

// field rewrites one field.
func (d *downgrade) field(f tl.Field) error {
	if _, ok := f.Op.Boxed(); ok {
		return d.boxed(f.Start, f.End)
	}
	if _, ok := f.Elem.Boxed(); ok && f.Op == tl.OpVector {
		return d.vector(f.Start, f.End)
	}
	d.out = append(d.out, d.in[f.Start:f.End]...)
	return nil
}

// vector rewrites a boxed Vector of boxed values that fills in[start:end].
func (d *downgrade) vector(start, end int) error {
	r := tl.NewReader(d.in[start:end])
	n := r.VectorLen(4)
	if r.Err() != nil {
		return r.Err()
	}
	d.out = append(d.out, d.in[start:start+r.Offset()]...)
	at := start + r.Offset()
	for ; n > 0; n-- {
		size, err := tl.Skip(Schema, d.in[at:end])
		if err != nil {
			return err
		}
		if err := d.boxed(at, at+size); err != nil {
			return err
		}
		at += size
	}
	if at != end {
		return &tl.ParseError{Offset: at, Err: tl.ErrTrailing}
	}
	return nil
}

func isAbsent(err error) bool {
	var absent *AbsentError
	return errors.As(err, &absent)
}
