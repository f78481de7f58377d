package lease

import (
	"time"

	"golang.org/x/sys/unix"
)

// System reads the clocks of this machine.
func System() Reading {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) != nil {
		ts = unix.Timespec{}
	}
	return Reading{Now: time.Now(), Boot: time.Duration(ts.Nano())}
}
