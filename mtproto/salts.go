package mtproto

import (
	"slices"
	"time"
)

const (
	// askSalts is how many future salts are asked for: four hours of them. Each is kept three times, here, beside the keys
	// and in the store, by every account that does nothing. The server gives at most 64.
	askSalts = 8
	// maxSalts bounds what is kept, whatever the server or the store offers.
	maxSalts = 64
	// fewSalts: with fewer usable salts than this, or with less than lowSalt seconds covered, more are asked for.
	fewSalts = 2
	lowSalt  = 60
	// askSaltsEvery keeps an unanswered request from being repeated at once.
	askSaltsEvery = time.Minute
	// assumedLife is how long, in seconds, a salt without dates is believed: TDLib's guess.
	assumedLife = 600
)

// saltState knows the salts of one auth key, in the order of Since. Since of the first may be in the past; the salt in use
// is the one with the greatest Since that has come.
type saltState struct {
	salts []Salt
	asked time.Time // of the last get_future_salts

	request msgID // of the last get_future_salts, until it is answered
}

// load takes salts from a store.
func (s *saltState) load(salts []Salt) {
	s.salts = slices.Clone(salts)
	s.order()
}

// current returns the salt to use at server time unix. When all have expired the last one is still the best guess: the
// server corrects it with bad_server_salt. ok is false when no salt was ever known.
func (s *saltState) current(unix uint32) (value int64, ok bool) {
	if len(s.salts) == 0 {
		return 0, false
	}
	i := 0
	for i+1 < len(s.salts) && s.salts[i+1].Since <= unix {
		i++
	}
	return s.salts[i].Value, true
}

// correct takes the salt of bad_server_salt or new_session_created: it is valid now, for a time nobody told. It reports
// whether anything changed.
func (s *saltState) correct(unix uint32, value int64) bool {
	if now, ok := s.current(unix); ok && now == value {
		return false
	}
	// What we believed to be current is not. Salts still to come may be right.
	s.salts = slices.DeleteFunc(s.salts, func(x Salt) bool { return x.Since <= unix || x.Value == value })
	s.salts = slices.Insert(s.salts, 0, Salt{Value: value, Since: unix, Until: unix + assumedLife})
	return true
}

// replace takes the answer of get_future_salts. The salt in use stays if the answer begins later.
func (s *saltState) replace(unix uint32, salts []Salt) {
	value, ok := s.current(unix)
	until := uint32(0)
	if len(salts) > 0 {
		until = slices.MinFunc(salts, bySince).Since
	}
	s.salts = slices.Clone(salts)
	if ok && until > unix {
		s.salts = append(s.salts, Salt{Value: value, Until: until})
	}
	s.order()
	s.expire(unix)
}

// expire drops the salts that will not be used again, but never the last one.
func (s *saltState) expire(unix uint32) {
	for len(s.salts) > 1 && s.salts[1].Since <= unix {
		s.salts = s.salts[1:]
	}
}

// wantsMore reports whether future salts should be asked for.
func (s *saltState) wantsMore(now time.Time, unix uint32) bool {
	if !s.asked.IsZero() && now.Sub(s.asked) < askSaltsEvery {
		return false
	}
	usable := 0
	for _, x := range s.salts {
		if x.Until > unix {
			usable++
		}
	}
	return usable < fewSalts || s.salts[len(s.salts)-1].Until < unix+lowSalt
}

// order sorts by Since, and keeps at most maxSalts: the ones used first.
func (s *saltState) order() {
	slices.SortStableFunc(s.salts, bySince)
	if len(s.salts) > maxSalts {
		s.salts = s.salts[:maxSalts]
	}
}

func bySince(a, b Salt) int {
	switch {
	case a.Since < b.Since:
		return -1
	case a.Since > b.Since:
		return 1
	default:
		return 0
	}
}
