package updates

import (
	"testing"
	"unsafe"
)

// TestWhatAnIdleAccountHolds: 10,000 of them are to fit a process.
func TestWhatAnIdleAccountHolds(t *testing.T) {
	for name, c := range map[string]struct{ size, most uintptr }{
		"an account without channels": {unsafe.Sizeof(Machine{}), 448},
		"a channel that is in order":  {unsafe.Sizeof(channel{}), 48},
	} {
		if t.Logf("%s: %d bytes", name, c.size); c.size > c.most {
			t.Errorf("%s is %d bytes, at most %d", name, c.size, c.most)
		}
	}
}
