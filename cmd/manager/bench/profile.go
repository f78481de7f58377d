package bench

import (
	"os"
	"runtime/pprof"
)

// Profile begins a CPU profile of this process that goes to a file, and returns what
// ends it. With no file it does nothing. A process has one profile at a time.
func Profile(file string) (end func() error, err error) {
	if file == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		f.Close()
		return nil, err
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}
