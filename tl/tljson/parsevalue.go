package tljson

import (
	"encoding/base64"
	"encoding/hex"
	"math"
	"strconv"

	"github.com/mtfleet/mtfleet/tl"
)

// maxExact is the largest integer below which every program that reads a number of JSON as a double has it right.
const maxExact = 1 << 53

// value appends the value of a field.
func (p *parser) value(b []byte, at uint32, op, elem tl.Op, depth int) ([]byte, *Error) {
	if typ, ok := op.Boxed(); ok {
		return p.boxed(b, at, typ, depth-1)
	}
	switch op {
	case tl.OpLong:
		v, err := p.long(at)
		return tl.AppendInt64(b, v), err
	case tl.OpDouble:
		bits, err := p.double(at)
		return tl.AppendInt64(b, int64(bits)), err
	case tl.OpInt128:
		return p.hex(b, at, 16)
	case tl.OpInt256:
		return p.hex(b, at, 32)
	case tl.OpString:
		return p.chars(b, at)
	case tl.OpBytes:
		return p.bytes(b, at)
	case tl.OpBool:
		k := p.nodes[at].kind
		if k != kindTrue && k != kindFalse {
			return nil, p.fail(at, "%s where true or false is expected", k)
		}
		return tl.AppendBool(b, k == kindTrue), nil
	case tl.OpVector, tl.OpBareVector:
		return p.vector(b, at, op, elem, depth)
	}
	v, err := p.integer(at, math.MinInt32, math.MaxInt32)
	return tl.AppendInt32(b, int32(v)), err
}

// vector appends an array.
func (p *parser) vector(b []byte, at uint32, op, elem tl.Op, depth int) ([]byte, *Error) {
	if k := p.nodes[at].kind; k != kindArray {
		return nil, p.fail(at, "%s where an array is expected", k)
	}
	n := 0
	for item := at + 1; item < p.nodes[at].next; item = p.nodes[item].next {
		n++
	}
	if op == tl.OpVector {
		b = tl.AppendVectorHeader(b, n)
	} else {
		b = tl.AppendBareVectorHeader(b, n)
	}
	n = 0
	for item := at + 1; item < p.nodes[at].next; item = p.nodes[item].next {
		var err *Error
		if b, err = p.value(b, item, elem, tl.OpEnd, depth); err != nil {
			return nil, err.element(n)
		}
		n++
	}
	return b, nil
}

// integer reads a number between two bounds.
func (p *parser) integer(at uint32, least, most int64) (int64, *Error) {
	n := &p.nodes[at]
	if n.kind != kindNumber {
		return 0, p.fail(at, "%s where a whole number is expected", n.kind)
	}
	v, whole, fits := digits(p.text[n.start:n.end])
	switch {
	case !whole:
		return 0, p.fail(at, "a number where a whole number is expected")
	case !fits || v < least || v > most:
		return 0, p.fail(at, "the number is not between %d and %d", least, most)
	}
	return v, nil
}

// long reads a 64-bit integer.
func (p *parser) long(at uint32) (int64, *Error) {
	n := &p.nodes[at]
	if n.kind != kindNumber && n.kind != kindString {
		return 0, p.fail(at, "%s where a 64-bit integer is expected, as a string", n.kind)
	}
	text := p.text[n.start:n.end]
	if n.escaped {
		text = p.string(at)
	}
	v, whole, fits := digits(text)
	switch {
	case !whole:
		return 0, p.fail(at, "%s that is not a 64-bit integer", n.kind)
	case !fits:
		return 0, p.fail(at, "the integer does not fit 64 bits")
	case n.kind == kindNumber && (v > maxExact || v < -maxExact):
		return 0, p.fail(at, "a number beyond 2^53, which may have been rounded: write it as a string")
	}
	return v, nil
}

// digits reads a whole number: whether it is one, and whether it fits.
func digits(s []byte) (v int64, whole, fits bool) {
	negative := len(s) > 0 && s[0] == '-'
	if negative {
		s = s[1:]
	}
	if len(s) == 0 {
		return 0, false, false
	}
	fits = true
	u := uint64(0)
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, false, false
		}
		if u > (math.MaxUint64-9)/10 {
			fits = false
			continue
		}
		u = u*10 + uint64(c-'0')
	}
	switch {
	case negative:
		return -int64(u), true, fits && u <= 1<<63
	default:
		return int64(u), true, fits && u <= math.MaxInt64
	}
}

// double reads a double, as its bits.
func (p *parser) double(at uint32) (uint64, *Error) {
	n := &p.nodes[at]
	switch n.kind {
	case kindNumber:
		v, err := strconv.ParseFloat(string(p.text[n.start:n.end]), 64)
		if err != nil {
			return 0, p.fail(at, "the number does not fit a double")
		}
		return math.Float64bits(v), nil
	case kindString:
		switch s := p.string(at); {
		case string(s) == "NaN":
			return usualNaN, nil
		case string(s) == "Infinity":
			return math.Float64bits(math.Inf(1)), nil
		case string(s) == "-Infinity":
			return math.Float64bits(math.Inf(-1)), nil
		case len(s) == 20 && string(s[:4]) == "NaN:":
			bits, err := strconv.ParseUint(string(s[4:]), 16, 64)
			if err == nil && math.IsNaN(math.Float64frombits(bits)) {
				return bits, nil
			}
		}
	}
	return 0, p.fail(at, `%s where a number is expected, or one of "NaN", "Infinity", "-Infinity"`, n.kind)
}

// hex appends n bytes.
func (p *parser) hex(b []byte, at uint32, n int) ([]byte, *Error) {
	if p.nodes[at].kind == kindString {
		if s := p.string(at); len(s) == 2*n {
			if out, err := hex.AppendDecode(b, s); err == nil {
				return out, nil
			}
		}
	}
	return nil, p.fail(at, "%s where a string of %d hexadecimal digits is expected", p.nodes[at].kind, 2*n)
}

// chars appends a string, which is one in JSON too or, not being UTF-8, an object.
func (p *parser) chars(b []byte, at uint32) ([]byte, *Error) {
	switch n := &p.nodes[at]; {
	case n.kind == kindString:
		return tl.AppendBytes(b, p.string(at)), nil
	case n.kind == kindObject && n.next == at+3 && string(p.string(at+1)) == base64Key:
		b, err := p.bytes(b, at+2)
		if err != nil {
			return nil, err.within(base64Key)
		}
		return b, nil
	default:
		return nil, p.fail(at, "%s where a string is expected", n.kind)
	}
}

// bytes appends a bytes value.
func (p *parser) bytes(b []byte, at uint32) ([]byte, *Error) {
	if k := p.nodes[at].kind; k != kindString {
		return nil, p.fail(at, "%s where base64 is expected, in a string", k)
	}
	s := p.string(at)
	v, err := base64.StdEncoding.AppendDecode(make([]byte, 0, base64.StdEncoding.DecodedLen(len(s))), s)
	if err != nil {
		return nil, p.fail(at, "a string that is not base64 of the standard alphabet, padded")
	}
	return tl.AppendBytes(b, v), nil
}
