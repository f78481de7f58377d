package actors

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mtfleet/mtfleet/tl"
)

func TestEventsAsJSON(t *testing.T) {
	at := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		event Event
		want  string
	}{
		"an update": {
			Event{Kind: EventUpdate, Update: tl.Raw{1, 2, 3, 4}, Users: []tl.Raw{{5}, {6}}, Chats: []tl.Raw{{7}}, Box: Box{Kind: BoxQts}, Pts: 9},
			`{"account":"a","seq":1,"at":"2026-09-01T12:00:00Z","kind":"update","update":"AQIDBA==","users":["BQ==","Bg=="],"chats":["Bw=="],"box":"qts","pts":9}`,
		},
		"an update alone": {
			Event{Kind: EventUpdate, Update: tl.Raw{1, 2, 3, 4}, Box: Box{Kind: BoxCommon}, Pts: 8, Date: at},
			`{"account":"a","seq":1,"at":"2026-09-01T12:00:00Z","kind":"update","update":"AQIDBA==","box":"common","pts":8,"date":"2026-09-01T12:00:00Z"}`,
		},
		"a hole": {
			Event{Kind: EventHole, From: Place{Pts: 1, Qts: 2, Seq: 3, Date: 4}, To: Place{Pts: 1, Qts: 9, Seq: 3, Date: 5}},
			`{"account":"a","seq":1,"at":"2026-09-01T12:00:00Z","kind":"hole","from":{"pts":1,"qts":2,"seq":3,"date":4},"to":{"pts":1,"qts":9,"seq":3,"date":5}}`,
		},
		"a hole in a channel": {
			Event{Kind: EventHole, Box: Box{Kind: BoxChannel, Channel: 5}, From: Place{Pts: 1}, To: Place{Pts: 4}},
			`{"account":"a","seq":1,"at":"2026-09-01T12:00:00Z","kind":"hole","box":"channel:5","from":{"pts":1},"to":{"pts":4}}`,
		},
		"a hole that nobody knows the beginning of": {
			Event{Kind: EventHole, To: Place{Pts: 1}},
			`{"account":"a","seq":1,"at":"2026-09-01T12:00:00Z","kind":"hole","to":{"pts":1}}`,
		},
	} {
		c.event.Account, c.event.Seq, c.event.At = "a", 1, at
		got, err := json.Marshal(c.event)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %v\n got %s\nwant %s", name, err, got, c.want)
		}
		var back Event
		if err := json.Unmarshal(got, &back); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.event, back); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
