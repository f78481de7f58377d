package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
)

func TestQuantilesOfLatencies(t *testing.T) {
	l := NewLatency()
	if l.Quantile(0.5) != 0 || l.Count() != 0 {
		t.Errorf("none: p50 %v of %d", l.Quantile(0.5), l.Count())
	}
	for ms := range 1000 {
		l.Record(time.Duration(ms+1) * time.Millisecond)
	}
	l.Record(-time.Second)     // a clock that was set
	l.Record(1000 * time.Hour) // longer than can be told apart
	if l.Count() != 1002 {
		t.Errorf("%d calls", l.Count())
	}
	for q, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.99: 991 * time.Millisecond, 1: latencyMost} {
		if got := l.Quantile(q); got < want*998/1000 || got > want*1002/1000 {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
}

// TestAStallCountsForTheCallsThatItKeptBack: one call in a closed loop is stuck for a
// second among a hundred of a millisecond. Who calls every 10 ms would have met the
// stall a hundred times.
func TestAStallCountsForTheCallsThatItKeptBack(t *testing.T) {
	l := NewLatency()
	for range 99 {
		l.Record(time.Millisecond)
	}
	l.Record(time.Second)
	if p := l.Quantile(0.99); p > 2*time.Millisecond {
		t.Errorf("as measured the 99th percentile is %v", p)
	}
	c := l.Corrected(10 * time.Millisecond)
	if n := c.Count(); n < 198 || n > 200 {
		t.Errorf("%d calls after the correction, want the 100 and 99 that were kept back", n)
	}
	if p := c.Quantile(0.99); p < 970*time.Millisecond {
		t.Errorf("corrected, the 99th percentile is %v", p)
	}
	if got := l.Corrected(0); got.Count() != l.Count() {
		t.Errorf("no interval: %d calls", got.Count())
	}
}

func TestTheFloorIsWhatAHandshakeComputes(t *testing.T) {
	key, err := crypt.GeneratePrivateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f, err := NewFloor(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	for _, pq := range f.pq {
		if p, q, ok := crypt.Factorize(pq); !ok || p*q != pq || p == 1 {
			t.Errorf("pq %d has the factors %d and %d", pq, p, q)
		}
	}
	if err := f.group.CheckPublic(f.ga); err != nil {
		t.Errorf("the server's value: %v", err)
	}
	if _, _, err := f.algo.Prove(f.group, rand.Reader, f.proof, f.srpB); err != nil {
		t.Errorf("the password: %v", err)
	}
	var keys Meter
	keys.Start()
	f.Keys(4, 2)
	f.Passwords(1, 0)
	keys.Stop()
	if runtime.GOOS == "linux" && (keys.Sum.CPU <= 0 || keys.Sum.Mallocs == 0) {
		t.Errorf("it cost %+v", keys.Sum)
	}
}

func TestStockSeesWhatCame(t *testing.T) {
	before := TakeStock()
	held := make([]byte, 8<<20)
	for i := 0; i < len(held); i += 4096 {
		held[i] = 1 // in memory
	}
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	quit := make(chan struct{})
	go func() { <-quit }()
	came := TakeStock().Since(before)
	runtime.KeepAlive(held)
	close(quit)
	file.Close()
	if came.Heap < 7<<20 || came.Goroutines != 1 {
		t.Errorf("came %+v", came)
	}
	if runtime.GOOS == "linux" && (came.Descriptors != 1 || came.RSS < 4<<20) {
		t.Errorf("came %+v", came)
	}
}

func TestCPUOfAnotherProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no /proc")
	}
	begun := CPUOf(os.Getpid())
	for end := CPU() + 50*time.Millisecond; CPU() < end; { // of CPU, however long that takes
	}
	if spent := CPUOf(os.Getpid()) - begun; spent < 30*time.Millisecond {
		t.Errorf("50 ms of CPU are %v", spent)
	}
	if got := CPUOf(0); got != 0 {
		t.Errorf("no process: %v", got)
	}
}

func TestALineIsCutAndCounts(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	l := NewLine(true)
	here, err := l.DialContext(t.Context(), "tcp", server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	there, err := server.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	if _, err := there.Write(make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	if _, err := here.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if _, received := l.Traffic(); runtime.GOOS == "linux" && received != 1000 {
		t.Errorf("%d bytes came of 1000", received)
	}
	l.Cut(true)
	if _, err := l.DialContext(context.Background(), "tcp", server.Addr().String()); !errors.Is(err, ErrCut) {
		t.Errorf("the cut line: %v", err)
	}
	l.Cut(false)
	again, err := l.DialContext(t.Context(), "tcp", server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
	if l.Dials() != 3 {
		t.Errorf("%d dials", l.Dials())
	}
}
