//go:build !unix

package bench

import "time"

// CPU is 0 where the system has no getrusage.
func CPU() time.Duration { return 0 }
