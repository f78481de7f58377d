package world

import (
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
)

func TestALoginsChannelsBeginWithWhatIsHeardFirst(t *testing.T) {
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(minutes int) time.Time { return now.Add(time.Duration(minutes) * time.Minute) }
	j := newJudge(newRecorder(func() time.Time { return at(10) }), false)
	j.SignedIn("a", 1)
	j.SignedIn("b", 2)
	post := func(account string, channel int64, pts int32) actors.Event {
		return actors.Event{Kind: actors.EventUpdate, Account: account, Box: actors.Box{Kind: actors.BoxChannel, Channel: channel}, Pts: pts}
	}
	j.hear(&process{}, post("a", 7, 5))
	j.hear(&process{}, post("a", 7, 3)) // what comes late begins nothing
	j.leaving["a"] = true
	j.hear(&process{}, actors.Event{Kind: actors.EventState, Account: "a", Status: &actors.Status{State: actors.SignedOut}}) // at 10
	j.hear(&process{}, post("a", 7, 20))
	hole := post("a", 8, 0)
	hole.Kind, hole.To = actors.EventHole, actors.Place{Pts: 4}
	j.hear(&process{}, hole)

	for name, c := range map[string]struct {
		user, channel int64
		pts           int32
		at            time.Time
		past          bool
	}{
		"before the first of the first login":            {1, 7, 4, at(1), true},
		"the first of the first login":                   {1, 7, 5, at(1), false},
		"after it":                                       {1, 7, 6, at(1), false},
		"of the first login, before the second began":    {1, 7, 19, at(9), false},
		"before the first of the second login":           {1, 7, 19, at(11), true},
		"the first of the second login":                  {1, 7, 20, at(11), false},
		"in the hole that a channel begins with":         {1, 8, 4, at(11), true},
		"after the hole that a channel begins with":      {1, 8, 5, at(11), false},
		"of a channel that was never heard of":           {1, 9, 1, at(11), false},
		"of another account":                             {2, 7, 1, at(11), false},
		"of the account's own box, which has no channel": {1, 0, 1, at(11), false},
	} {
		u := api.UpdateRecord{At: c.at, UserID: c.user, Channel: c.channel, Pts: c.pts}
		if got := j.past(u); got != c.past {
			t.Errorf("%s: past %v, want %v", name, got, c.past)
		}
	}
}
