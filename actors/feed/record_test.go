package feed

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/mtproto/updates"
	"github.com/mtfleet/mtfleet/persistence"
)

func TestPlacesComeBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int32()
		want := updates.State{Pts: n.Draw(t, "pts"), Qts: n.Draw(t, "qts"), Date: n.Draw(t, "date"), Seq: n.Draw(t, "seq")}
		page := updates.Page{Number: rapid.IntRange(0, updates.Pages-1).Draw(t, "page")}
		for range rapid.IntRange(1, 5).Draw(t, "channels") {
			page.Channels = append(page.Channels, updates.Channel{ID: rapid.Int64().Draw(t, "id"), Hash: rapid.Int64().Draw(t, "hash"), Pts: n.Draw(t, "pts")})
		}
		state, err := persistence.DecodeState([]persistence.Record{placeRecord(want).Record("a"), pageRecord(page).Record("a")})
		if err != nil {
			t.Fatal(err)
		}
		if got := placeOf(*state.Updates); got != want {
			t.Fatalf("%v, want %v", got, want)
		}
		if diff := cmp.Diff(page.Channels, channelsOf(state.Channels[0])); diff != "" || state.Channels[0].Page != page.Number {
			t.Fatalf("page %d of %d: -want +got:\n%s", state.Channels[0].Page, page.Number, diff)
		}
	})
}
