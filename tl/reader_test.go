package tl_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/tl"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestReaderErrors(t *testing.T) {
	for _, test := range []struct {
		name   string
		input  string
		read   func(r *tl.Reader)
		want   error
		offset int
	}{
		{"int cut short", "010203", func(r *tl.Reader) { r.Int32() }, tl.ErrShort, 0},
		{"long cut short", "0102030405060708 01020304", func(r *tl.Reader) { r.Int64(); r.Int64() }, tl.ErrShort, 8},
		{"int128 cut short", "01", func(r *tl.Reader) { r.Int128() }, tl.ErrShort, 0},
		{"int256 cut short", "01", func(r *tl.Reader) { r.Int256() }, tl.ErrShort, 0},
		{"string from nothing", "", func(r *tl.Reader) { r.Bytes() }, tl.ErrShort, 0},
		{"string cut short", "05616263", func(r *tl.Reader) { r.Bytes() }, tl.ErrShort, 0},
		{"long length cut short", "feff", func(r *tl.Reader) { r.Bytes() }, tl.ErrShort, 0},
		{"16 MiB promised, 4 bytes there", "feffffff 00000000", func(r *tl.Reader) { r.Bytes() }, tl.ErrShort, 0},
		{"padding cut off", "0161", func(r *tl.Reader) { r.Bytes() }, tl.ErrPadding, 0},
		{"length byte ff", "ff000000", func(r *tl.Reader) { r.Bytes() }, tl.ErrLength, 0},
		{"not a Bool", "15c4b51c", func(r *tl.Reader) { r.Bool() }, tl.ErrConstructor, 0},
		{"not a Vector", "b5757299", func(r *tl.Reader) { r.VectorLen(4) }, tl.ErrConstructor, 0},
		{"negative count", "15c4b51c ffffffff", func(r *tl.Reader) { r.VectorLen(4) }, tl.ErrLength, 8},
		{"count beyond the input", "15c4b51c 02000000 00000000", func(r *tl.Reader) { r.VectorLen(4) }, tl.ErrLength, 8},
		{"count without elements' minimum", "02000000 00000000 00000000", func(r *tl.Reader) { r.BareVectorLen(8) }, tl.ErrLength, 4},
		{"wrong constructor", "b5757299", func(r *tl.Reader) { r.Expect(1, "x") }, tl.ErrConstructor, 0},
		{"no constructor", "b57572", func(r *tl.Reader) { r.Expect(1, "x") }, tl.ErrShort, 0},
		{"negative take", "b5757299", func(r *tl.Reader) { r.Take(-1) }, tl.ErrLength, 0},
		{"open value from nothing", "", func(r *tl.Reader) { r.OpenRaw() }, tl.ErrShort, 0},
		{"open value not of whole words", "b575729900", func(r *tl.Reader) { r.OpenRaw() }, tl.ErrLength, 0},
		{"bytes left", "01000000 02", func(r *tl.Reader) { r.Int32(); _ = r.End() }, tl.ErrTrailing, 4},
		{"too deep", "", func(r *tl.Reader) {
			for range tl.MaxDepth + 1 {
				r.Enter()
			}
		}, tl.ErrDepth, 0},
	} {
		r := tl.NewReader(unhex(t, test.input))
		test.read(r)
		var perr *tl.ParseError
		if !errors.Is(r.Err(), test.want) || !errors.As(r.Err(), &perr) || perr.Offset != test.offset {
			t.Errorf("%s: got %v, want %v at %d", test.name, r.Err(), test.want, test.offset)
		}
	}
}

func TestFirstErrorStays(t *testing.T) {
	r := tl.NewReader(unhex(t, "ff000000 01000000"))
	_ = r.String()
	first := r.Err()
	if r.Int32() != 0 || r.Int64() != 0 || r.Bool() || r.Bytes() != nil || r.VectorLen(4) != 0 || r.Remaining() != 0 ||
		r.Rest() != nil || r.PeekID() != 0 || r.Expect(1, "x") || r.Enter() || r.Raw(nil, 0) != nil || r.OpenRaw() != nil {
		t.Error("a reader went on after its error")
	}
	r.Fail(errors.New("second"))
	if r.Err() != first || r.End() != first {
		t.Errorf("the error changed from %v to %v", first, r.Err())
	}
	r.Reset(unhex(t, "01000000"))
	if r.Int32() != 1 || r.End() != nil {
		t.Error("Reset kept something")
	}
}

func TestErrorNamesTheInnermostType(t *testing.T) {
	r := tl.NewReader(nil)
	r.Expect(1, "auth.sentCode")
	r.Within("auth.sentCode")
	r.Within("outer")
	if got, want := r.Err().Error(), "tl: auth.sentCode: byte 0: input ends inside a value"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	r.Reset(unhex(t, "15c4b51c"))
	r.Expect(1, "auth.sentCode")
	var cerr *tl.ConstructorError
	if !errors.As(r.Err(), &cerr) || cerr.Got != tl.VectorID || cerr.Want != "auth.sentCode" {
		t.Errorf("got %v", r.Err())
	}
}

func TestPadding(t *testing.T) {
	b := unhex(t, "01610102")
	r := tl.NewReader(b)
	if r.String() != "a" || r.End() != nil {
		t.Errorf("padding that is not zero should not matter: %v", r.Err())
	}
	r.Reset(b)
	r.RequireZeroPadding()
	if r.String() != "" || !errors.Is(r.Err(), tl.ErrPadding) {
		t.Errorf("a reader that cares about padding got %v", r.Err())
	}
	r.Reset(unhex(t, "fe010000 61000000"))
	if r.String() != "a" || r.End() != nil {
		t.Errorf("the long form of a short string should be read: %v", r.Err())
	}
}

func TestViewsAndCopies(t *testing.T) {
	b := unhex(t, "03616263 03616263")
	r := tl.NewReader(b)
	view, own := r.BytesView(), r.Bytes()
	copy(b, unhex(t, "03787878 03787878"))
	if string(view) != "xxx" || string(own) != "abc" {
		t.Errorf("view %q, own %q", view, own)
	}
	if cap(view) != len(view) {
		t.Error("appending to a view would overwrite the input")
	}
}

// TestReaderRoundTrip reads back a random sequence of values.
func TestReaderRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		i32 := rapid.Int32().Draw(t, "int")
		i64 := rapid.Int64().Draw(t, "long")
		s := rapid.String().Draw(t, "string")
		blob := rapid.SliceOfN(rapid.Byte(), 0, 600).Draw(t, "bytes")
		yes := rapid.Bool().Draw(t, "Bool")
		n := rapid.IntRange(0, 5).Draw(t, "count")

		b := tl.AppendInt32(nil, i32)
		b = tl.AppendString(b, s)
		b = tl.AppendInt64(b, i64)
		b = tl.AppendBytes(b, blob)
		b = tl.AppendBool(b, yes)
		b = tl.AppendVectorHeader(b, n)
		for range n {
			b = tl.AppendInt64(b, i64)
		}
		if len(b)%4 != 0 {
			t.Fatalf("%d bytes: not whole words", len(b))
		}

		r := tl.NewReader(b)
		if r.Int32() != i32 || r.String() != s || r.Int64() != i64 || !bytes.Equal(r.Bytes(), blob) || r.Bool() != yes {
			t.Fatal("a value changed on the way")
		}
		if got := r.VectorLen(8); got != n {
			t.Fatalf("count %d, want %d", got, n)
		}
		for range n {
			r.Int64()
		}
		if err := r.End(); err != nil {
			t.Fatal(err)
		}
		for cut := range b {
			r.Reset(b[:cut])
			_, _, _, _, _ = r.Int32(), r.String(), r.Int64(), r.Bytes(), r.Bool()
			for range r.VectorLen(8) {
				r.Int64()
			}
			if r.Err() == nil {
				t.Fatalf("%d of %d bytes were enough", cut, len(b))
			}
		}
	})
}
