package tl_test

import (
	"runtime"
	"testing"

	"github.com/mtfleet/mtfleet/tl"
)

// FuzzReader lets the first half of the input choose what is read from the second.
func FuzzReader(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, []byte("\x03abc\xfe\x01\x00\x00a\x00\x00\x00"))
	f.Add([]byte{4, 4, 4}, []byte("\xff\xff\xff\xff"))
	f.Add([]byte{6, 6}, tl.AppendVectorHeader(nil, 1<<30))
	f.Add([]byte{8}, unhex(f, "10000000 10000000 15c4b51c 01000000"+dot+"00000000"))
	f.Fuzz(func(t *testing.T, script, input []byte) {
		if len(script) > 64 {
			return
		}
		before := allocated()
		r := tl.NewReader(input)
		for _, op := range script {
			switch op % 12 {
			case 0:
				r.Int32()
			case 1:
				r.Int64()
			case 2:
				r.Int128()
			case 3:
				r.Int256()
			case 4:
				_ = r.Bytes()
			case 5:
				r.Bool()
			case 6:
				_ = make([]int32, r.VectorLen(4))
			case 7:
				r.Expect(tl.VectorID, "Vector")
			case 8:
				r.Raw(testTable, tl.TypeAny)
			case 9:
				r.RequireZeroPadding()
			case 10:
				r.Enter()
			case 11:
				r.Double()
			}
			if r.Offset() > len(input) || r.Remaining() < 0 {
				t.Fatalf("the reader left its input: offset %d of %d", r.Offset(), len(input))
			}
		}
		if used, limit := allocated()-before, uint64(len(script)*(8*len(input)+256)+1<<16); used > limit {
			t.Fatalf("%d bytes of input made it allocate %d, limit %d", len(input), used, limit)
		}
	})
}

// FuzzSkip holds Skip to its input and to saying the same about a value cut out.
func FuzzSkip(f *testing.F) {
	f.Add(unhex(f, dot))
	f.Add(unhex(f, "10000000 18000000 03616263 15c4b51c 02000000"+dot+box0+"00000000"))
	f.Add(unhex(f, "30000000 01000000"+dot+"000102030405060708090a0b0c0d0e0f b5757299"))
	f.Add(unhex(f, "40000000 01000000 40000000 02000000"+dot))
	f.Fuzz(func(t *testing.T, input []byte) {
		n, err := tl.Skip(testTable, input)
		if err != nil {
			return
		}
		if n < 4 || n > len(input) || n%4 != 0 {
			t.Fatalf("a value of %d bytes in %d", n, len(input))
		}
		if again, err := tl.Skip(testTable, input[:n]); err != nil || again != n {
			t.Fatalf("cut out, the value is %d bytes, %v; it was %d", again, err, n)
		}
		for cut := n - 4; cut >= 0; cut -= 4 {
			if _, err := tl.Skip(testTable, input[:cut]); err == nil {
				t.Fatalf("%d of %d bytes were enough", cut, n)
			}
		}
	})
}

// allocated is how many bytes the program has allocated so far.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
