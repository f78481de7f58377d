package tl_test

import (
	"errors"
	"testing"

	"github.com/mtfleet/mtfleet/tl"
)

// A schema of three types:
//
//	box#10 flags:# label:flags.3?string more:flags.4?Vector<Shape> flags2:# = Shape;
//	dot#20 x:long y:double = Shape;
//	line#30 ends:vector<Shape> nonce:int128 closed:Bool = Line;
//	call#40 n:int query:!X = X;                                    (a function)
const (
	typeShape tl.Type = 2
	typeLine  tl.Type = 3
)

var testTable = tl.NewTable(
	[]uint32{0x10, 0x20, 0x30, 0x40},
	[]uint32{0x00020000, 0x00020008, 0x0003000b, 0x00010010},
	[]tl.Op{
		tl.OpFlags, tl.OpIf | 3, tl.OpString, tl.OpIf | 4, tl.OpVector, tl.OpBoxed | tl.Op(typeShape), tl.OpFlags + 1,
		tl.OpEnd,
		tl.OpLong, tl.OpLong, tl.OpEnd,
		tl.OpBareVector, tl.OpBoxed | tl.Op(typeShape), tl.OpInt128, tl.OpBool, tl.OpEnd,
		tl.OpInt, tl.OpBoxed | tl.Op(tl.TypeAny), tl.OpEnd,
	},
	"Shape\nLine\n",
)

const (
	dot  = "20000000 0100000000000000 0200000000000000"
	box0 = "10000000 00000000 00000000"
)

func TestSkip(t *testing.T) {
	nested := ""
	for range tl.MaxDepth - 1 {
		nested += "10000000 10000000 15c4b51c 01000000"
	}
	tail := ""
	for range tl.MaxDepth - 1 {
		tail += "00000000"
	}
	for _, test := range []struct {
		name  string
		input string
		want  error // nil: all of the input is one value
	}{
		{"plain fields", dot, nil},
		{"no optional field", box0, nil},
		{"a string", "10000000 08000000 0361626300000000", nil},
		{"a vector", "10000000 10000000 15c4b51c 02000000" + dot + box0 + "00000000", nil},
		{"unknown bits of flags", "10000000 07000000 00000080", nil},
		{"a bare vector", "30000000 01000000" + dot + "000102030405060708090a0b0c0d0e0f b5757299", nil},
		{"a function with a query", "40000000 01000000 40000000 02000000" + dot, nil},
		{"as deep as allowed", nested + box0 + tail, nil},

		{"deeper than allowed", "10000000 10000000 15c4b51c 01000000" + nested + box0 + tail, tl.ErrDepth},
		{"nothing", "", tl.ErrShort},
		{"part of an id", "2000", tl.ErrShort},
		{"unknown id", "50000000", tl.ErrConstructor},
		{"cut in a field", "20000000 01000000", tl.ErrShort},
		{"cut in flags", "10000000 0000", tl.ErrShort},
		{"cut in a string", "10000000 08000000 10616263", tl.ErrShort},
		{"string without padding", "10000000 08000000 0161", tl.ErrPadding},
		{"string of length ff", "10000000 08000000 ff616263", tl.ErrLength},
		{"wrong type in a vector", "10000000 10000000 15c4b51c 01000000 30000000 00000000", tl.ErrConstructor},
		{"a function where a value is wanted", "10000000 10000000 15c4b51c 01000000 40000000 00000000", tl.ErrConstructor},
		{"vector without its id", "10000000 10000000 00000000 00000000", tl.ErrConstructor},
		{"vector cut", "10000000 10000000 15c4b51c 01", tl.ErrShort},
		{"vector id cut", "10000000 10000000 15c4", tl.ErrShort},
		{"negative count", "10000000 10000000 15c4b51c ffffffff 00000000", tl.ErrLength},
		{"count beyond the input", "10000000 10000000 15c4b51c 02000000 10000000", tl.ErrLength},
		{"bool that is none", "30000000 00000000 000102030405060708090a0b0c0d0e0f 10000000", tl.ErrConstructor},
	} {
		b := unhex(t, test.input)
		n, err := tl.Skip(testTable, append(b, "tail"...)[:len(b)])
		if test.want == nil && (err != nil || n != len(b)) {
			t.Errorf("%s: %d of %d bytes, %v", test.name, n, len(b), err)
		}
		if test.want != nil && (!errors.Is(err, test.want) || n != 0) {
			t.Errorf("%s: got %d, %v, want %v", test.name, n, err, test.want)
		}
	}
}

func TestSkipStopsAtTheEndOfTheValue(t *testing.T) {
	b := unhex(t, dot+"ffffffff")
	if n, err := tl.Skip(testTable, b); err != nil || n != 20 {
		t.Errorf("got %d, %v", n, err)
	}
}

func TestUnknownConstructorIsNamed(t *testing.T) {
	_, err := tl.Skip(testTable, unhex(t, "10000000 10000000 15c4b51c 01000000 78563412"))
	var unknown *tl.UnknownConstructorError
	var perr *tl.ParseError
	if !errors.As(err, &unknown) || unknown.ID != 0x12345678 || !errors.As(err, &perr) || perr.Offset != 16 {
		t.Errorf("got %v", err)
	}
}

func TestWalkVisitsThePresentFields(t *testing.T) {
	b := unhex(t, "10000000 10000000 15c4b51c 01000000"+dot+"00000000")
	type span struct{ index, start, end int }
	var got []span
	n, err := tl.Walk(testTable, b, func(f tl.Field) { got = append(got, span{f.Index, f.Start, f.End}) })
	want := []span{{0, 4, 8}, {2, 8, 36}, {3, 36, 40}}
	if err != nil || n != len(b) || len(got) != len(want) {
		t.Fatalf("got %v, %d, %v", got, n, err)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("field %d: got %v, want %v", i, got[i], want[i])
		}
	}
}

func TestReaderRaw(t *testing.T) {
	b := unhex(t, dot+"01000000")
	r := tl.NewReader(b)
	view := r.RawView(testTable, typeShape)
	if len(view) != 20 || view.ID() != 0x20 || r.Int32() != 1 || r.End() != nil {
		t.Errorf("got %v, %v", view, r.Err())
	}
	r.Reset(b)
	own := r.Raw(testTable, tl.TypeAny)
	b[4] = 0xee
	if view[4] != 0xee || own[4] != 1 {
		t.Error("a view should alias the input, a raw value should not")
	}
	r.Reset(b)
	r.Raw(testTable, typeLine)
	var cerr *tl.ConstructorError
	if !errors.As(r.Err(), &cerr) || cerr.Want != "Line" {
		t.Errorf("wrong type: got %v", r.Err())
	}
	if got := view.String(); got != "raw(00000020, 20 bytes)" {
		t.Errorf("a raw value prints as %q", got)
	}
}

func TestTypeName(t *testing.T) {
	for typ, want := range map[tl.Type]string{
		tl.TypeAny: "Object", tl.TypeFunction: "function", typeShape: "Shape", typeLine: "Line", 4: "unknown type",
	} {
		if got := testTable.TypeName(typ); got != want {
			t.Errorf("type %d is %q, want %q", typ, got, want)
		}
	}
}

func TestSkipDoesNotAllocate(t *testing.T) {
	b := unhex(t, "10000000 18000000 03616263 15c4b51c 02000000"+dot+box0+"00000000")
	if n := testing.AllocsPerRun(100, func() { _, _ = tl.Skip(testTable, b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
