package actors

import (
	"testing"

	"github.com/mtfleet/mtfleet/actors/governor"
)

func TestADCIsUpByAFamily(t *testing.T) {
	const four, six = governor.Families(1), governor.Families(2)
	at := func(up bool, reached, missed governor.Families) governor.DCStatus {
		return governor.DCStatus{DC: 2, Up: up, Tried: governor.Tried{Reached: reached, Missed: missed}}
	}
	for _, tc := range []struct {
		name              string
		list              []governor.DCStatus
		wantFour, wantSix bool
	}{
		{"nobody has asked", nil, true, true},
		{"another DC is down", []governor.DCStatus{{DC: 4}}, true, true},
		{"it answers by one, the other was not tried", []governor.DCStatus{at(true, four, 0)}, true, true},
		{"it answers by one alone", []governor.DCStatus{at(true, four, six)}, true, false},
		{"it is down", []governor.DCStatus{at(false, four, six)}, false, false},
		{"it is down where no network tells of families", []governor.DCStatus{at(false, 0, 0)}, false, false},
		{"it is down by one route of two", []governor.DCStatus{at(false, 0, four), at(true, four, 0)}, true, true},
		{"a proxy that tells nothing of families is no proof of one", []governor.DCStatus{at(true, four, six), at(true, 0, 0)}, true, false},
		{"by another route that family answers", []governor.DCStatus{at(true, four, six), at(true, six, 0)}, true, true},
	} {
		if f, s := isUp(tc.list, 2, four), isUp(tc.list, 2, six); f != tc.wantFour || s != tc.wantSix {
			t.Errorf("%s: up by IPv4 %v, by IPv6 %v", tc.name, f, s)
		}
	}
}
