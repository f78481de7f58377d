package mtproto

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestMsgIDsRiseWhateverTheClockDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := idState{rand: rapid.Uint64().Draw(t, "seed")}
		now := testEpoch.UnixNano()
		last := msgID(0)
		for range rapid.IntRange(1, 200).Draw(t, "n") {
			now += rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(-int64(time.Hour), int64(time.Second))).Draw(t, "step")
			id := s.next(now)
			if id <= last || id%4 != 0 {
				t.Fatalf("%x after %x", id, last)
			}
			last = id
		}
	})
}

func TestMsgIDsTellTheTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := idState{rand: rapid.Uint64().Draw(t, "seed")}
		nanos := rapid.Int64Range(0, 1<<61).Draw(t, "nanos") // until 2043; ids end in 2106
		if off := s.next(nanos).nanos() - nanos; off < -int64(time.Millisecond) || off > int64(time.Millisecond) {
			t.Fatalf("off by %v", time.Duration(off))
		}
	})
}

func TestMsgIDsVaryInTheirLowBitsWhenTheClockIsCoarse(t *testing.T) {
	s := idState{rand: 1}
	seen := map[msgID]bool{}
	for i := range 100 {
		seen[s.next(testEpoch.UnixNano()+int64(i)*int64(time.Second))&0xffff] = true
	}
	if len(seen) < 90 {
		t.Errorf("only %d different low words in 100 ids", len(seen))
	}
}

func TestMsgIDsAfter2038AreUnsigned(t *testing.T) {
	var s idState
	before := s.next(time.Date(2038, 1, 19, 3, 14, 7, 0, time.UTC).UnixNano())
	after := s.next(time.Date(2038, 1, 19, 3, 14, 9, 0, time.UTC).UnixNano())
	if after <= before || after.nanos() < before.nanos() {
		t.Errorf("%x then %x", before, after)
	}
}
