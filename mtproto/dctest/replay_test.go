package dctest_test

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
)

// script lets several clients on two DCs make keys, rotate them, call, lose
// their connections and forget to acknowledge, while every kind of fault that
// goes over a list of things happens; it returns a hash of all outputs in their
// order, and how many there were.
func script(t *testing.T, seed byte) (sum [sha256.Size]byte, outputs int) {
	w := newWorld(t, func(c *dctest.Config) { c.Rand = rand.NewChaCha8([32]byte{seed}) })
	w.rand = rand.NewChaCha8([32]byte{seed, 1})
	hash := sha256.New()
	w.heard = func(o dctest.Output) {
		outputs++
		head := binary.LittleEndian.AppendUint64([]byte{byte(o.Kind)}, uint64(o.Conn))
		head = binary.LittleEndian.AppendUint64(head, uint64(w.now.UnixNano()))
		head = binary.LittleEndian.AppendUint64(head, uint64(int64(o.Code))<<32|uint64(uint32(o.Cut)))
		hash.Write(head)
		hash.Write(o.Packet)
	}
	var peers []*peer
	for i := range 6 {
		p := w.withPerm(1 + i%2)
		if i%3 != 2 {
			p.rotate(time.Hour)
		}
		peers = append(peers, p.inited())
		w.sleep(time.Second)
	}
	faults := []dctest.Fault{
		{Kind: dctest.FaultNewSalts}, {Kind: dctest.FaultDuplicate, Count: 20}, {Kind: dctest.FaultReorder, Count: 20},
		{Kind: dctest.FaultPause, For: dctest.Duration(time.Second)}, {Kind: dctest.FaultDelay, Delay: dctest.Duration(time.Second), Count: 9},
		{Kind: dctest.FaultForgetSessions}, {Kind: dctest.FaultForgetTemp}, {Kind: dctest.FaultRestart, KeepTempKeys: true},
	}
	for round, f := range faults {
		for i, p := range peers {
			for n := range 8 {
				p.send(p.Query(w.now, echoOf(int64(round*100+i*10+n))))
			}
			if i%3 == round%3 {
				p.reconnect()
			}
		}
		if _, err := w.c.PushUpdate(w.now, 7); err != nil {
			t.Fatal(err)
		}
		w.fault(f)
		for _, p := range peers {
			if p.wire().closed {
				p.open()
			}
		}
		w.sleep(20 * time.Second)
		w.c.ClearFaults(w.now)
		w.settle()
	}
	w.sleep(time.Hour)
	return [sha256.Size]byte(hash.Sum(nil)), outputs
}

// The same seed and the same inputs give the same outputs, byte for byte and in
// the same order.
func TestTheSameInputsGiveTheSameOutputs(t *testing.T) {
	first, n := script(t, 1)
	if n < 200 {
		t.Fatalf("a script of %d outputs proves little", n)
	}
	for range 4 { // a map of two is in order every other time
		if again, m := script(t, 1); again != first || m != n {
			t.Fatalf("the outputs differ: %d and %d of them", n, m)
		}
	}
	if other, _ := script(t, 2); other == first {
		t.Error("another seed gives the same outputs")
	}
}
