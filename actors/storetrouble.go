package actors

import (
	"sync"
	"time"
)

// storeAgain is the least time between two lines about refused commits: a full
// disk refuses those of every account, and each is tried again.
const storeAgain = 10 * time.Second

// storeTrouble counts refused commits between two lines about them.
type storeTrouble struct {
	mu   sync.Mutex // guards the following fields
	told time.Time
	n    int
}

// failed counts one, and reports whether it is time to tell of them, and of how
// many.
func (s *storeTrouble) failed(now time.Time) (n int, tell bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	if !s.told.IsZero() && now.Sub(s.told) < storeAgain {
		return s.n, false
	}
	n, s.n, s.told = s.n, 0, now
	return n, true
}
