package bench

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"time"
)

// Cost is what a stretch of time took this process.
type Cost struct {
	CPU, Wall      time.Duration // CPU is user and system
	Mallocs, Bytes uint64        // allocated on the heap
}

// Meter measures stretches and adds them up. One goroutine uses it.
type Meter struct {
	Sum   Cost
	begun Cost
	at    time.Time
}

// Start begins a stretch.
func (m *Meter) Start() { m.begun, m.at = spent(), time.Now() }

// Stop ends it.
func (m *Meter) Stop() {
	wall, end := time.Since(m.at), spent()
	m.Sum.CPU += end.CPU - m.begun.CPU
	m.Sum.Wall += wall
	m.Sum.Mallocs += end.Mallocs - m.begun.Mallocs
	m.Sum.Bytes += end.Bytes - m.begun.Bytes
}

// spent is what the process took so far, wall time excepted.
func spent() Cost {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	return Cost{CPU: CPU(), Mallocs: mem.Mallocs, Bytes: mem.TotalAlloc}
}

// clockTick is the unit of /proc/PID/stat: USER_HZ, which Linux has at 100 on every
// architecture that Go runs on.
const clockTick = 10 * time.Millisecond

// CPUOf is what another process has spent so far, to a hundredth of a second; 0 where
// the system does not tell.
func CPUOf(pid int) time.Duration {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	// The second field is a name in parentheses, which may hold anything; the fields
	// behind it begin with the third, and those wanted are the 14th and 15th.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 13 {
		return 0
	}
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(string(f), 10, 64)
		if err != nil {
			return 0
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick
}
