package mtproto

import (
	"math/rand/v2"
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

// Two sessions one after the other, whose clocks are apart a little: every id of the second is higher.
func TestASessionThatFollowsAnotherSpeaksLater(t *testing.T) {
	key := testKey(t, 1)
	rapid.Check(t, func(t *rapid.T) {
		id := func(s *Session, now time.Time) msgID {
			p := s.startPacket()
			s.appendPing(&p)
			return msgID(s.LastID())
		}
		seed := rapid.Uint64().Draw(t, "seed")
		begin := func(n byte, offset time.Duration) *Session {
			s, err := NewSession(Config{Rand: rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), n}), TimeOffset: offset, OffsetKnown: true}, key)
			if err != nil {
				t.Fatal(err)
			}
			s.begin(testEpoch)
			return s
		}
		apart := time.Duration(rapid.Int64Range(-int64(time.Hour), int64(999*time.Millisecond)).Draw(t, "how far the first is ahead"))
		first, second := begin(1, apart), begin(2, 0)
		for range rapid.IntRange(1, 50).Draw(t, "n") {
			id(first, testEpoch)
		}
		second.Follow(testEpoch, first.LastID())
		if got := id(second, testEpoch); got <= msgID(first.LastID()) {
			t.Fatalf("%x after %x", got, first.LastID())
		}
		second.Follow(testEpoch, uint64(idAt(testEpoch.Add(2*time.Second).UnixNano())))
		if got := id(second, testEpoch.Add(time.Millisecond)); got.nanos() > testEpoch.Add(1100*time.Millisecond).UnixNano() {
			t.Fatalf("%x follows a clock that is wrong", got)
		}
	})
}
