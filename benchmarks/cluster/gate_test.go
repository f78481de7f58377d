//go:build unix

package main

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// TestAGateCarriesWhatItsWayAllows asks somebody who says everything again.
func TestAGateCarriesWhatItsWayAllows(t *testing.T) {
	target, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	go func() {
		for {
			c, err := target.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(c, c)
				_ = c.Close()
			}()
		}
	}()
	g := newGate()
	defer g.close()
	door, err := g.listen("tcp", "127.0.0.1:0", target.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	dial := func() net.Conn {
		c, err := net.Dial("tcp", door)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	ask := func(c net.Conn) {
		if _, err := c.Write([]byte("ping")); err != nil {
			t.Fatal(err)
		}
	}
	answer := func(c net.Conn, within time.Duration) error {
		_ = c.SetReadDeadline(time.Now().Add(within))
		_, err := io.ReadFull(c, make([]byte, 4))
		return err
	}

	old := dial()
	ask(old)
	if err := answer(old, time.Minute); err != nil {
		t.Fatalf("a whole way: %v", err)
	}
	g.set(black)
	fresh := dial()
	for _, c := range []net.Conn{old, fresh} {
		ask(c)
		if err := answer(c, 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a black way: %v", err)
		}
	}
	g.set(whole)
	for _, c := range []net.Conn{old, fresh} {
		if err := answer(c, time.Minute); err != nil {
			t.Errorf("what had waited: %v", err)
		}
	}
	g.set(refused)
	for _, c := range []net.Conn{old, dial()} {
		if err := answer(c, time.Minute); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a way that is refused: %v", err)
		}
	}
	g.set(whole)
	again := dial()
	ask(again)
	if err := answer(again, time.Minute); err != nil {
		t.Errorf("a whole way again: %v", err)
	}
}
