package actors

import (
	"errors"
	"testing"
)

func TestCallsUnderWayAreBoundedByBytesToo(t *testing.T) {
	const mib = 1 << 20
	a := newAdmission(1024)
	n := 0
	for ; a.try(mib); n++ {
	}
	if n != callBytesMost/mib {
		t.Errorf("%d calls of 1 MiB are let in", n)
	}
	var busy *BusyError
	if err := a.busy(); !errors.As(err, &busy) || busy.Bytes != callBytesMost || busy.Limit != n || !busy.NotSent() {
		t.Errorf("the next is told %v", err)
	}
	small, large := a.queue(8), a.queue(2*mib)
	late := a.queue(8)
	a.release(mib)
	if !isDone(small.come) || isDone(large.come) || isDone(late.come) {
		t.Error("with 1 MiB free, the small one that was first is let in, and nobody before the large one")
	}
	a.giveUp(large)
	if !isDone(late.come) {
		t.Error("who stood behind one that gave up is let in")
	}
	a.giveUp(late) // whose turn had come
	if a.calls != n || a.bytes != (n-1)*mib+8 {
		t.Errorf("%d calls and %d bytes are under way", a.calls, a.bytes)
	}
	for range n - 1 {
		a.release(mib)
	}
	a.release(8)
	if a.calls != 0 || a.bytes != 0 || a.waiting != nil {
		t.Errorf("afterwards: %d calls, %d bytes, %d wait", a.calls, a.bytes, len(a.waiting))
	}
	if !a.try(callBytesMost + 4) {
		t.Error("one call goes, however large it is")
	}
	if a.try(4) {
		t.Error("and no other beside it")
	}
}

func TestCallsUnderWayAreBoundedByNumber(t *testing.T) {
	a := newAdmission(2)
	for i, want := range []bool{true, true, false} {
		if got := a.try(4); got != want {
			t.Errorf("call %d of two is let in: %v", i+1, got)
		}
	}
	var busy *BusyError
	if err := a.busy(); !errors.As(err, &busy) || busy.Bytes != 0 || busy.Limit != 2 {
		t.Errorf("the third is told %v", err)
	}
	first, second := a.queue(4), a.queue(4)
	if a.release(4); !isDone(first.come) || isDone(second.come) {
		t.Error("they come in their order")
	}
}
