package bench

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
)

// Stock is what the process holds.
type Stock struct {
	RSS         int64 `json:"rss"`         // bytes in memory; 0 where the system does not tell
	Heap        int64 `json:"heap"`        // live bytes on the heap
	Stacks      int64 `json:"stacks"`      // bytes of stacks
	HeapHeld    int64 `json:"heap_held"`   // bytes of the heap's spans, their gaps included
	Goroutines  int   `json:"goroutines"`  //
	Descriptors int   `json:"descriptors"` // open files and sockets; 0 where the system does not tell
}

// TakeStock collects the garbage, gives what is free back to the system, and counts.
// It stops the process for as long as that takes.
func TakeStock() Stock {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return Stock{
		RSS: resident(), Heap: int64(m.HeapAlloc), Stacks: int64(m.StackInuse), HeapHeld: int64(m.HeapInuse),
		Goroutines: runtime.NumGoroutine(), Descriptors: descriptors(),
	}
}

// Since is what came to it since an earlier stock.
func (s Stock) Since(was Stock) Stock {
	return Stock{
		s.RSS - was.RSS, s.Heap - was.Heap, s.Stacks - was.Stacks, s.HeapHeld - was.HeapHeld,
		s.Goroutines - was.Goroutines, s.Descriptors - was.Descriptors,
	}
}

func resident() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, pages int64
	if _, err := fmt.Fscan(bytes.NewReader(text), &size, &pages); err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// MostRSS is the most memory that the process ever had, in bytes; 0 where the system
// does not tell.
func MostRSS() int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, line, _ := bytes.Cut(text, []byte("VmHWM:"))
	var kib int64
	if _, err := fmt.Fscan(bytes.NewReader(line), &kib); err != nil {
		return 0
	}
	return kib << 10
}

func descriptors() int {
	for _, dir := range []string{"/proc/self/fd", "/dev/fd"} {
		if all, err := os.ReadDir(dir); err == nil {
			return len(all) - 1 // without the one that reads
		}
	}
	return 0
}
