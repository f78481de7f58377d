package runtime

import (
	goruntime "runtime"
	"testing"
)

// BenchmarkSend is one message to a busy actor.
func BenchmarkSend(b *testing.B) {
	s := NewSystem(Options{})
	done := make(chan struct{})
	r := SpawnRoot(s, &script[int]{receive: func(_ *Context[int], m int) {
		if m == b.N-1 {
			close(done)
		}
	}})
	b.ReportAllocs()
	for i := range b.N {
		r.Send(i)
	}
	<-done
	b.StopTimer()
	closeSystem(b, s)
}

// BenchmarkWake is one message to an idle actor and back.
func BenchmarkWake(b *testing.B) {
	s := NewSystem(Options{})
	back := make(chan struct{})
	r := SpawnRoot(s, &script[int]{receive: func(*Context[int], int) { back <- struct{}{} }})
	b.ReportAllocs()
	for i := range b.N {
		r.Send(i)
		<-back
	}
	b.StopTimer()
	closeSystem(b, s)
}

// BenchmarkIdleActors reports the memory of one idle actor.
func BenchmarkIdleActors(b *testing.B) {
	const n = 100_000
	for b.Loop() {
		s := NewSystem(Options{})
		before := liveBytes()
		refs := make([]Ref[int], n)
		idle := &script[int]{}
		for i := range refs {
			refs[i] = SpawnRoot(s, idle)
		}
		for s.Len() < n {
			goruntime.Gosched()
		}
		b.ReportMetric(float64(liveBytes()-before)/n, "B/actor")
		goruntime.KeepAlive(refs)
		closeSystem(b, s)
	}
}

func liveBytes() uint64 {
	goruntime.GC()
	goruntime.GC()
	var m goruntime.MemStats
	goruntime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
