package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// untilSignal ends with the first SIGINT or SIGTERM, after which everything is closed
// in order. The second one ends the process at once, as if nobody had caught it.
func untilSignal(say io.Writer) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	got := make(chan os.Signal, 2)
	signal.Notify(got, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-got
		cancel()
		sig := <-got
		fmt.Fprintf(say, "manager: %v again: it ends at once; what was committed is in the store, and the next start reads it\n", sig)
		endBy(sig)
	}()
	return ctx, func() {
		signal.Stop(got)
		cancel()
	}
}

// endBy ends the process by a signal, so that who waits for it sees that one.
func endBy(sig os.Signal) {
	signal.Reset(sig)
	if self, err := os.FindProcess(os.Getpid()); err == nil && self.Signal(sig) == nil {
		time.Sleep(time.Second)
	}
	os.Exit(exitInterrupted) // where processes have no signals, or this one was started deaf to it
}

// hangups are the SIGHUPs of the process until stop, which would end it otherwise.
func hangups() (hups <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 1) // one that waits stands for those behind it
	signal.Notify(c, syscall.SIGHUP)
	return c, func() { signal.Stop(c) }
}
