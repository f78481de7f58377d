package feed

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/mtproto/updates"
)

func TestPlacesComeBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int32()
		want := updates.State{Pts: n.Draw(t, "pts"), Qts: n.Draw(t, "qts"), Date: n.Draw(t, "date"), Seq: n.Draw(t, "seq")}
		rec := placeRecord(want)
		if got := placeOf(&rec); *got != want {
			t.Fatalf("%v, want %v", got, want)
		}
	})
	if placeOf(nil) != nil {
		t.Error("a place out of nothing")
	}
}
