package tljson

import (
	"encoding/binary"
	"math/bits"

	"github.com/mtfleet/mtfleet/tl"
)

// words is what is known of one constructor's words of flags.
type words [tl.MaxFlags]struct {
	at    int    // where it is in the output
	known uint32 // bits with a field
	set   uint32 // bits whose field is there
	unset uint32 // bits whose field is not there; of type true only if it is said to be false
	extra uint32 // what the word itself is given as
}

// setFlags writes the words of flags of a constructor where room was left for them.
func (p *parser) setFlags(b []byte, at uint32, index, base int, flags *words) ([]byte, *Error) {
	for word := range flags {
		w := &flags[word]
		if w.set&w.unset != 0 || w.extra&w.known != 0 {
			return nil, p.contradiction(at, index, base, word, flags)
		}
		if v := w.set | w.extra; v != 0 {
			binary.LittleEndian.PutUint32(b[w.at:], v)
		}
	}
	return b, nil
}

// contradiction says which field is missing though another with its bit is given, or which word of flags is given
// bits that follow from fields.
func (p *parser) contradiction(at uint32, index, base, word int, flags *words) *Error {
	lonely := bits.TrailingZeros32(flags[word].set & flags[word].unset)
	given, missing, problem := "", "", ""
	_, _, ops := p.c.table.At(index)
	names := p.c.names.Fields(index)
	for n := base; ; n++ {
		cond, ok := names.Next()
		if !ok {
			return p.fail(at, "%s though %s is given: they go together", problem, given).within(missing)
		}
		name := names.Name()
		slot := uint32(0)
		if n < len(p.slots) {
			slot = p.slots[n]
		}
		there := slot != 0 && p.nodes[slot].kind != kindNull && p.nodes[slot].kind != kindFalse
		own, bit, optional := cond.If()
		if !optional {
			if w, ok := ops[0].FlagWord(); ok {
				if ops = ops[1:]; w == word && flags[w].extra&flags[w].known != 0 {
					return p.fail(slot, "it has bits that follow from the fields that are given").within(name)
				}
				continue
			}
			var when tl.Op
			when, _, _, ops = tl.NextField(ops)
			own, bit, optional = when.If()
			there = slot != 0 && p.nodes[slot].kind != kindNull
		}
		switch {
		case !optional || own != word || bit != lonely:
		case there:
			given = name
		case missing == "" && cond == 0:
			missing, problem = name, "missing"
		case missing == "" && slot != 0:
			missing, problem = name, p.nodes[slot].kind.String()
		}
	}
}
