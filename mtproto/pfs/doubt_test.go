package pfs

import (
	"testing"
	"time"
)

// TestADoubtfulWaitOnBindsIsCountedByTheServersTime: the clock was set wrong
// between two processes. What was to be bound is thrown away, for only a handshake
// says what the time is, and the new key is bound when the wait is over.
func TestADoubtfulWaitOnBindsIsCountedByTheServersTime(t *testing.T) {
	for name, c := range map[string]struct {
		offset time.Duration // server minus local
		want   time.Duration // until the bind
	}{
		"the wait was over":                           {0, 0},
		"the clock is half an hour ahead":             {-30 * time.Minute, 20 * time.Minute},
		"the clock is a day ahead, more than it was":  {-24 * time.Hour, time.Hour},
		"the clock is behind, and it has been longer": {time.Hour, 0},
	} {
		p := newPlay(t)
		p.cfg.BindDoubt = Doubt{Ends: epoch.Add(-10 * time.Minute), Length: time.Hour}
		perm, old := p.key("perm"), p.key("old")
		p.m = New(p.cfg, Snapshot{
			Perm:  &PermKey{Key: perm, Created: epoch.Add(-48 * time.Hour)},
			Temps: []TempKey{{Key: old, PermID: perm.ID(), ExpiresAt: epoch.Add(20 * time.Hour)}},
		})
		p.m.Start(epoch)
		bound := time.Time{}
		for bound.IsZero() {
			out, ok := p.m.Next()
			if !ok {
				p.now = p.m.Deadline()
				p.m.Advance(p.now)
				continue
			}
			switch out.Kind {
			case OutPermit:
				p.m.Permitted(p.now, out.Key)
			case OutMake:
				p.m.Made(p.now, Temp, NewKey{Key: p.key("new"), TimeOffset: c.offset, ExpiresAt: p.now.Add(c.offset + 24*time.Hour)})
			case OutBind:
				if bound = p.now; out.Temp.ID() == old.ID() {
					t.Errorf("%s: the old key is bound, before the time is known", name)
				}
			}
		}
		if got := bound.Sub(epoch); got != c.want {
			t.Errorf("%s: bound after %v, want %v", name, got, c.want)
		}
	}
}
