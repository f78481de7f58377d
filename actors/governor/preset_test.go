package governor

import "testing"

func TestLimitsAreToldWithWhatZeroOnesStandFor(t *testing.T) {
	l := Limits{ConnectsPerDC: Rate{PerSecond: 5, Burst: 2}, Keys: Rate{PerSecond: 2.5, Burst: 4}}
	want := "5 connects a second for each DC (2 at once), 100 for all (20); 50 keys a second for each DC (8 at once), 2.5 for all (4), " +
		"16 in the making; 10 sign-ins a second for each DC (5 at once), 20 for all (10)"
	if got := l.String(); got != want {
		t.Errorf("it tells\n%s\nwant\n%s", got, want)
	}
}
