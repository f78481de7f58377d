package actors

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

func TestAnUpdateAsJSONHasNamesAndPeople(t *testing.T) {
	update := tl.Raw(tl.AppendUint32(nil, tg.UpdateConfigID))
	user := tl.Raw(tl.AppendInt64(tl.AppendUint32(nil, 0xd3bc4b7a), 7)) // userEmpty
	ev := Event{Account: "a", Seq: 1, At: time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC), Kind: EventUpdate, Update: update, Users: []tl.Raw{user}, Cursor: Cursor{Run: 7, N: 9}, Pts: 3}
	head := `{"cursor":"7-9","account":"a","seq":1,"at":"2026-09-01T12:00:00Z","kind":"update","pts":3,`
	unknown := ev
	unknown.Update, unknown.Users = tl.Raw{1, 2, 3, 4}, nil
	for _, c := range []struct {
		ev   Event
		raw  bool
		want string
	}{
		{ev, false, head + `"update":{"_":"updateConfig"},"users":[{"_":"userEmpty","id":"7"}]}`},
		{ev, true, head + `"update":"Bt0pog==","users":["eku80wcAAAAAAAAA"]}`},
		{unknown, false, head + `"update":"AQIDBA=="}`},
		{Event{Kind: EventMissed, Missed: 2}, false, `{"kind":"missed","missed":2}`},
	} {
		form := NewEventJSON(c.ev, c.raw)
		got, err := json.Marshal(form)
		if err != nil || string(got) != c.want {
			t.Errorf("%v\n got %s\nwant %s", err, got, c.want)
		}
		var back EventJSON
		if err := json.Unmarshal(got, &back); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(form, back); diff != "" {
			t.Errorf("read back (-want +got):\n%s", diff)
		}
	}
}
