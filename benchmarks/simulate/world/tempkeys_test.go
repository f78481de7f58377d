package world

import (
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
)

func TestTwoTempKeysLiveAndThoseThatTheDCDenies(t *testing.T) {
	epoch := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(s int) time.Time {
		if s == 0 {
			return time.Time{}
		}
		return epoch.Add(time.Duration(s) * time.Second)
	}
	type key struct{ bound, denied, gone int } // seconds, 0 for never
	for name, c := range map[string]struct {
		keys []key
		also []dctest.BindRecord
		bad  bool
	}{
		"one after the other":                       {keys: []key{{1, 0, 11}, {10, 0, 21}, {20, 0, 0}}},
		"three at once":                             {keys: []key{{1, 0, 31}, {10, 0, 32}, {20, 0, 0}}, bad: true},
		"two that were denied before the third":     {keys: []key{{1, 15, 31}, {10, 16, 32}, {20, 0, 0}}},
		"one that was denied before the third":      {keys: []key{{1, 15, 31}, {10, 0, 32}, {20, 0, 0}}},
		"one that was denied after the third":       {keys: []key{{1, 25, 31}, {10, 0, 32}, {20, 0, 0}}, bad: true},
		"denied, and not dropped for a minute":      {keys: []key{{1, 15, 90}, {10, 16, 90}, {20, 0, 0}}, bad: true},
		"denied, and nothing bound after it":        {keys: []key{{1, 15, 0}, {10, 16, 0}}},
		"denied, and bound again":                   {keys: []key{{1, 15, 40}, {10, 0, 40}, {20, 0, 40}}, also: []dctest.BindRecord{{At: at(17), DC: 1, Temp: 1, Perm: 7}}, bad: true},
		"denied again after it was bound once more": {keys: []key{{1, 18, 40}, {10, 0, 40}, {20, 0, 40}}, also: []dctest.BindRecord{{At: at(17), DC: 1, Temp: 1, Perm: 7}}},
		"a bind that was refused is none":           {keys: []key{{1, 0, 11}, {10, 0, 0}}, also: []dctest.BindRecord{{At: at(5), DC: 1, Temp: 9, Perm: 7, Error: "ENCRYPTED_MESSAGE_INVALID"}}},
	} {
		var l dctest.Ledger
		for i, k := range c.keys {
			id := int64(i + 1)
			l.Keys = append(l.Keys, dctest.KeyRecord{DC: 1, ID: id, Temp: true, Perm: 7, Denied: at(k.denied), Gone: at(k.gone)})
			l.Binds = append(l.Binds, dctest.BindRecord{At: at(k.bound), DC: 1, Temp: id, Perm: 7})
			if i == 1 {
				l.Binds = append(l.Binds, c.also...)
			}
		}
		var complaints []string
		j := newJudge(newRecorder(func() time.Time { return epoch }), false)
		j.OnComplaint = func(text string) { complaints = append(complaints, text) }
		j.auditTempKeys(l)
		if bad := len(complaints) > 0; bad != c.bad {
			t.Errorf("%s: %q", name, complaints)
		}
	}
}
