package persistence

import (
	"errors"
	"testing"
)

func TestWhatAnAccountCannotLiveWithout(t *testing.T) {
	bad := func(kinds ...Kind) error {
		var errs []error
		for _, k := range kinds {
			errs = append(errs, &CorruptError{Key: Key{Account: "a", Kind: k}, Why: "test"})
		}
		return JoinRecords(errs...)
	}
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"nothing is wrong":             {nil, false},
		"the store itself":             {errors.New("no disk"), true},
		"its own record":               {bad(KindAccount), true},
		"a perm key":                   {bad(KindTempKey, KindPermKey), true},
		"its login":                    {bad(KindLogin), true},
		"a temp key, a place, a guest": {bad(KindTempKey, KindUpdates, KindGuest, KindSession, KindWait), false},
	} {
		if got := Vital(c.err); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
