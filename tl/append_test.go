package tl_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/mtfleet/mtfleet/tl"
)

func TestPrimitivesOnTheWire(t *testing.T) {
	for _, test := range []struct {
		name string
		got  []byte
		want string
	}{
		{"int is little-endian", tl.AppendInt32(nil, 1), "01000000"},
		{"negative int is two's complement", tl.AppendInt32(nil, -404), "6cfeffff"},
		{"constructor ids are little-endian", tl.AppendUint32(nil, 0xbe7e8ef1), "f18e7ebe"},
		{"long is little-endian", tl.AppendInt64(nil, 0x65abc0fd00000004), "04000000fdc0ab65"},
		{"double is its IEEE bits", tl.AppendDouble(nil, 1), "000000000000f03f"},
		{"int128 is not swapped", tl.AppendInt128(nil, [16]byte{1, 2}), "01020000000000000000000000000000"},
		{"int256 is not swapped", tl.AppendInt256(nil, [32]byte{1, 2}), "0102" + strings.Repeat("00", 30)},
		{"true is a constructor", tl.AppendBool(nil, true), "b5757299"},
		{"false is a constructor", tl.AppendBool(nil, false), "379779bc"},
		{"a boxed vector has id and count", tl.AppendVectorHeader(nil, 3), "15c4b51c03000000"},
		{"a bare vector has its count", tl.AppendBareVectorHeader(nil, 3), "03000000"},
		{"the empty string is four bytes", tl.AppendString(nil, ""), "00000000"},
		{"one byte", tl.AppendString(nil, "a"), "01610000"},
		{"three bytes need no padding", tl.AppendString(nil, "abc"), "03616263"},
		{"four bytes need three of padding", tl.AppendBytes(nil, []byte("abcd")), "0461626364000000"},
	} {
		if got := hex.EncodeToString(test.got); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

func TestStringLengths(t *testing.T) {
	for _, test := range []struct {
		length, size int
		head         string
	}{
		{0, 4, "00"},
		{1, 4, "01"},
		{3, 4, "03"},
		{4, 8, "04"},
		{253, 256, "fd"},
		{254, 260, "fefe0000"},
		{255, 260, "feff0000"},
		{256, 260, "fe000100"},
		{1 << 16, 1<<16 + 4, "fe000001"},
		{tl.MaxStringLen, 1<<24 + 4, "feffffff"},
	} {
		data := bytes.Repeat([]byte{0x61}, test.length)
		b := tl.AppendBytes(nil, data)
		head, _ := hex.DecodeString(test.head)
		if len(b) != test.size || !bytes.HasPrefix(b, head) {
			t.Errorf("length %d: %d bytes that start %x, want %d that start %s",
				test.length, len(b), b[:len(head)], test.size, test.head)
		}
		r := tl.NewReader(b)
		if got := r.Bytes(); !bytes.Equal(got, data) || r.End() != nil {
			t.Errorf("length %d: read back %d bytes, error %v", test.length, len(got), r.End())
		}
	}
}

// named is an Object made of one string.
type named struct{ s string }

func (*named) TypeID() uint32           { return 0x01020304 }
func (*named) TypeName() string         { return "test.named" }
func (v *named) Append(b []byte) []byte { return tl.AppendString(tl.AppendUint32(b, v.TypeID()), v.s) }
func (v *named) Parse(r *tl.Reader) {
	if r.Expect(v.TypeID(), v.TypeName()) {
		v.s = r.String()
		r.Within(v.TypeName())
	}
}

// failing is an Object whose Append panics.
type failing struct {
	named
	cause any
}

func (v *failing) Append([]byte) []byte { panic(v.cause) }

func TestMarshalReturnsWhatAppendCannotExpress(t *testing.T) {
	before := []byte{1, 2, 3, 4}
	b, err := tl.Marshal(before, &named{strings.Repeat("x", tl.MaxStringLen+1)})
	var limit *tl.LimitError
	if !errors.As(err, &limit) || limit.Len != tl.MaxStringLen+1 || limit.Max != tl.MaxStringLen {
		t.Errorf("string too long: got %v", err)
	}
	if !bytes.Equal(b, before) {
		t.Errorf("the buffer came back as %x", b)
	}
	missing := &tl.MissingError{Type: "auth.sentCode", Field: "type"}
	if _, err := tl.Marshal(nil, &failing{cause: missing}); err != error(missing) {
		t.Errorf("missing field: got %v", err)
	}
	defer func() {
		if recover() != "bug" {
			t.Error("Marshal swallowed a panic that is not its own")
		}
	}()
	_, _ = tl.Marshal(nil, &failing{cause: "bug"})
}

func TestRequiredFieldsMustBeSet(t *testing.T) {
	for name, call := range map[string]func(){
		"no object":      func() { tl.AppendObject(nil, nil, "t", "f") },
		"no raw value":   func() { tl.AppendRaw(nil, nil, "t", "f") },
		"odd raw value":  func() { tl.AppendRaw(nil, make(tl.Raw, 5), "t", "f") },
		"vector too big": func() { tl.AppendVectorHeader(nil, math.MaxInt32+1) },
	} {
		func() {
			defer func() {
				switch err := recover().(type) {
				case *tl.MissingError:
					if err.Type != "t" || err.Field != "f" {
						t.Errorf("%s: %v", name, err)
					}
				case *tl.LimitError:
				default:
					t.Errorf("%s: panic %v", name, err)
				}
			}()
			call()
		}()
	}
}

func TestUnmarshalWantsAllOfTheInput(t *testing.T) {
	b := (&named{"hello"}).Append(nil)
	var v named
	if err := tl.Unmarshal(b, &v); err != nil || v.s != "hello" {
		t.Errorf("got %q, %v", v.s, err)
	}
	if err := tl.Unmarshal(append(b, 0, 0, 0, 0), &v); !errors.Is(err, tl.ErrTrailing) {
		t.Errorf("trailing bytes: got %v", err)
	}
}

func TestOpt(t *testing.T) {
	var none tl.Opt[int]
	if v, ok := none.Get(); ok || v != 0 || none.Or(7) != 7 {
		t.Error("an absent value is present")
	}
	if v, ok := tl.Some(0).Get(); !ok || v != 0 || tl.Some(0).Or(7) != 0 {
		t.Error("a present zero is absent")
	}
}
