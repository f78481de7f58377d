package placement

import (
	"testing"
	"time"
)

// path is a Reach that is looked at once a second.
type path struct {
	t *testing.T
	Reach
	now   time.Time
	heard time.Time
	away  time.Time
}

func newPath(t *testing.T) *path {
	p := &path{t: t, now: time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)}
	p.hears(1)
	return p
}

func (p *path) look(s Signs) {
	p.t.Helper()
	s.Heard, s.Away = p.heard, p.away
	p.Look(p.now, s)
	if p.Gives(p.now) && !p.State().Says() {
		p.t.Errorf("%v, and gives its accounts away", p.State())
	}
}

// hears passes seconds in each of which a DC is heard.
func (p *path) hears(seconds int) {
	p.t.Helper()
	for range seconds {
		p.now = p.now.Add(time.Second)
		p.heard, p.away = p.now, time.Time{}
		p.look(Signs{Tried: true})
	}
}

// hearsNothing passes seconds in which no DC is heard, with one that is away since they began.
func (p *path) hearsNothing(seconds int) {
	p.t.Helper()
	for range seconds {
		p.now = p.now.Add(time.Second)
		if p.away.IsZero() {
			p.away = p.now
		}
		p.look(Signs{Tried: true})
	}
}

func (p *path) is(what string, want ReachState, gives bool) {
	p.t.Helper()
	if got := p.State(); got != want || p.Gives(p.now) != gives {
		p.t.Fatalf("%s: it %v and gives %v; want it %v and give %v", what, got, p.Gives(p.now), want, gives)
	}
}

func TestANodeGivesItsAccountsAwayElevenSecondsAfterTheLastSign(t *testing.T) {
	p := newPath(t)
	p.hearsNothing(1)
	p.is("at once", Doubted, false)
	p.hearsNothing(2)
	p.is("two seconds later", Doubted, false)
	p.hearsNothing(1)
	p.is("three seconds later", CutOff, false)
	p.hearsNothing(7)
	p.is("ten seconds later", CutOff, false)
	p.hearsNothing(1)
	p.is("eleven seconds later", CutOff, true)
	p.hears(1)
	p.is("a DC was heard", Returning, false)
	p.hears(29)
	p.is("for almost long enough", Returning, false)
	p.hears(1)
	p.is("for long enough", Reaches, false)
}

func TestWhatIsHeardInTimeEndsTheDoubt(t *testing.T) {
	p := newPath(t)
	p.hearsNothing(3)
	p.hears(1)
	p.is("it was heard", Reaches, false)

	// A DC that is away while another is heard is no reason.
	p.away = p.now.Add(-time.Second)
	for range 20 {
		p.now = p.now.Add(time.Second)
		p.look(Signs{Tried: true})
	}
	p.is("one of several is away", Reaches, false)
}

func TestANodeThatAnotherAlarmsIsCutOffBeforeThatOneGives(t *testing.T) {
	for _, c := range []struct {
		name  string
		signs Signs
		want  ReachState
	}{
		{"nothing is heard, and nothing known to be away", Signs{Tried: true, Others: true}, CutOff},
		{"nobody has ever wanted a DC here", Signs{Others: true}, Reaches},
		{"no other says so", Signs{Tried: true}, Reaches},
	} {
		p := newPath(t)
		p.now = p.now.Add(time.Second)
		p.look(c.signs)
		for range 4 {
			p.now = p.now.Add(time.Second)
			p.look(Signs{Tried: c.signs.Tried})
		}
		if p.State() != c.want {
			t.Errorf("%s: it %v", c.name, p.State())
		}
	}
	if looks := doubtFor + 3*time.Second; looks >= giveAfter {
		t.Errorf("another node may be given accounts %v after the first says that it is cut off, and says so itself within %v", giveAfter, looks)
	}
}

// A process that did not run, or had no answer of the store, has missed what came.
func TestAfterAPauseTheTimeBeginsAnew(t *testing.T) {
	p := newPath(t)
	p.hearsNothing(2)
	p.now = p.now.Add(time.Minute)
	p.hearsNothing(1)
	p.is("in doubt before", Doubted, false)
	p.hearsNothing(4)
	p.now = p.now.Add(time.Minute)
	p.hearsNothing(1)
	p.is("cut off before", CutOff, false)
	p.hearsNothing(8)
	p.is("again for long enough", CutOff, true)
}

func TestEachReturnTakesTwiceAsLongUntilItLasted(t *testing.T) {
	p := newPath(t)
	takes := func() (d time.Duration) {
		t.Helper()
		p.hearsNothing(20)
		p.is("away", CutOff, true)
		begun := p.now
		for p.State() != Reaches {
			p.hears(1)
		}
		return p.now.Sub(begun) - time.Second
	}
	for _, want := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 32 * time.Minute, time.Hour, time.Hour} {
		if got := takes(); got != want {
			t.Fatalf("it takes %v, want %v", got, want)
		}
	}
	// Absences in which it gave nothing away do not count.
	for range 3 {
		p.hearsNothing(6)
		p.is("away shortly", CutOff, false)
		p.hears(31)
		p.is("and back", Reaches, false)
	}
	p.hears(3601)
	if got := takes(); got != 30*time.Second {
		t.Errorf("after an hour of peace it takes %v", got)
	}
}

func TestANodeThatReturnsAsksAndMayFail(t *testing.T) {
	p := newPath(t)
	p.hearsNothing(20)
	p.hears(1)
	signs := func() Signs { return Signs{Heard: p.heard, Tried: true} }
	if p.Asks(p.now, signs()) {
		t.Error("it asks although it has just heard")
	}
	p.hearsNothing(10)
	p.is("nothing for ten seconds", Returning, false)
	if !p.Asks(p.now, signs()) {
		t.Error("it does not ask")
	}
	p.hearsNothing(3)
	p.is("nothing for thirteen", CutOff, false)
}
