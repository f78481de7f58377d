package mtproto

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// dumbSalts answers like saltState by looking at everything it was ever told.
type dumbSalts struct{ told []Salt }

func (d *dumbSalts) current(unix uint32) (value int64, ok bool) {
	best := -1
	for i, s := range d.told {
		if s.Since <= unix && (best < 0 || s.Since >= d.told[best].Since) {
			best = i
		}
	}
	if best < 0 { // none has come: the first to come
		for i, s := range d.told {
			if best < 0 || s.Since < d.told[best].Since {
				best = i
			}
		}
	}
	if best < 0 {
		return 0, false
	}
	return d.told[best].Value, true
}

func (d *dumbSalts) correct(unix uint32, value int64) {
	if now, ok := d.current(unix); ok && now == value {
		return
	}
	var rest []Salt
	for _, s := range d.told {
		if s.Since > unix && s.Value != value {
			rest = append(rest, s)
		}
	}
	d.told = append(rest, Salt{Value: value, Since: unix})
}

func (d *dumbSalts) replace(unix uint32, salts []Salt) {
	old, ok := d.current(unix)
	first := true
	for _, s := range salts {
		if s.Since <= unix {
			first = false
		}
	}
	d.told = append([]Salt(nil), salts...)
	if ok && first && len(salts) > 0 {
		d.told = append(d.told, Salt{Value: old})
	}
}

func TestSaltsAreAsGoodAsDumbOnes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var clever saltState
		var dumb dumbSalts
		now := uint32(1_700_000_000)
		value := int64(0)
		for range rapid.IntRange(1, 60).Draw(t, "n") {
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 0:
				now += rapid.Uint32Range(0, 3600).Draw(t, "pass")
				clever.expire(now)
			case 1:
				value++
				v := value
				if rapid.Bool().Draw(t, "known") && len(clever.salts) > 0 {
					v = clever.salts[rapid.IntRange(0, len(clever.salts)-1).Draw(t, "which")].Value
				}
				clever.correct(now, v)
				dumb.correct(now, v)
			case 2:
				since := now + rapid.Uint32Range(0, 4000).Draw(t, "from") - 2000
				var salts []Salt
				for range rapid.IntRange(1, 40).Draw(t, "salts") {
					value++
					salts = append(salts, Salt{Value: value, Since: since, Until: since + 1800})
					since += 1800
				}
				clever.replace(now, salts)
				dumb.replace(now, salts)
			}
			got, ok := clever.current(now)
			want, wantOK := dumb.current(now)
			if got != want || ok != wantOK {
				t.Fatalf("salt %d %v, the dumb one says %d %v", got, ok, want, wantOK)
			}
			if len(clever.salts) > maxSalts+1 {
				t.Fatal("too many salts")
			}
		}
	})
}

func TestSaltsAreAskedForInTimeAndNotTooOften(t *testing.T) {
	unix := uint32(testEpoch.Unix())
	for _, c := range []struct {
		name  string
		salts []Salt
		want  bool
	}{
		{"one salt of unknown life", []Salt{{Value: 1}}, true},
		{"one good salt", []Salt{{Value: 1, Since: unix, Until: unix + 1800}}, true},
		{"two good salts", []Salt{{Value: 1, Since: unix, Until: unix + 1800}, {Value: 2, Since: unix + 1800, Until: unix + 3600}}, false},
		{"two salts, the last with less than a minute left", []Salt{
			{Value: 1, Since: unix - 1800, Until: unix + 30}, {Value: 2, Since: unix - 1700, Until: unix + 50}}, true},
	} {
		var s saltState
		s.load(c.salts)
		if got := s.wantsMore(testEpoch, unix); got != c.want {
			t.Errorf("%s: wants more is %v", c.name, got)
		}
		s.asked = testEpoch.Add(-30 * time.Second)
		if s.wantsMore(testEpoch, unix) {
			t.Errorf("%s: asked half a minute ago", c.name)
		}
	}
}
