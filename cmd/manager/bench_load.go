package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
)

// benchLoad calls testdc.echo from every account at a fixed pace, whether earlier
// calls have ended or not (an open loop), and takes a call's time from the moment
// at which it was to be sent. A closed loop waits where the program is slow, and
// does not measure what it did not send meanwhile.
type benchLoad struct {
	accounts int
	pace     time.Duration // between two calls of an account
	// call makes a call of an account and says what is wrong with its answer.
	call     func(ctx context.Context, account int, id int64) error
	nextID   int64
	underWay sync.WaitGroup
}

// loadPhase is what came of the calls that were to be sent in one stretch of time.
type loadPhase struct {
	mu       sync.Mutex // guards the following fields
	took     []time.Duration
	answered []int64 // their ids
	failures []string
}

// phase sends calls for a while. Those under way at its end are answered later:
// see underWay.
func (l *benchLoad) phase(ctx context.Context, d time.Duration, each func()) *loadPhase {
	p, begun := &loadPhase{}, time.Now()
	for k := range int(d/l.pace) * l.accounts {
		at := begun.Add(time.Duration(k) * l.pace / time.Duration(l.accounts))
		time.Sleep(time.Until(at))
		if ctx.Err() != nil {
			break
		}
		l.nextID++
		id, which := l.nextID, k%l.accounts
		l.underWay.Go(func() { p.end(id, at, l.call(ctx, which, id)) })
		if which == 0 {
			each()
		}
	}
	return p
}

// echoCall calls testdc.echo and compares what comes back.
func echoCall(ctx context.Context, acc *actors.Account, user, id int64) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	sent := bytes.Repeat([]byte{byte(id), byte(id >> 8), byte(id >> 16), 0x5a}, 16)
	got, err := actors.Invoke(ctx, acc, &echo.EchoRequest{ID: id, Payload: sent})
	switch {
	case err != nil:
		return err
	case got.ID != id || got.UserID != user || !bytes.Equal(got.Payload, sent):
		return fmt.Errorf("it was answered for call %d of user %d, or with other bytes", got.ID, got.UserID)
	}
	return nil
}

func (p *loadPhase) end(id int64, at time.Time, err error) {
	took := time.Since(at)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.took = append(p.took, took)
	if err != nil {
		p.failures = append(p.failures, fmt.Sprintf("call %d, after %v: %v", id, took.Round(time.Millisecond), err))
		return
	}
	p.answered = append(p.answered, id)
}

// judge turns an answer that the test DC never gave into a failure.
func (p *loadPhase) judge(executed map[int64]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answered = slices.DeleteFunc(p.answered, func(id int64) bool {
		if !executed[id] {
			p.failures = append(p.failures, fmt.Sprintf("call %d was answered, and the test DC did not execute it", id))
		}
		return !executed[id]
	})
	slices.Sort(p.took)
}

// quantile is that of all calls, failed ones too, exactly: every sample is kept.
// judge sorts them first.
func (p *loadPhase) quantile(q float64) time.Duration {
	if len(p.took) == 0 {
		return 0
	}
	return p.took[min(int(math.Ceil(q*float64(len(p.took))))-1, len(p.took)-1)]
}

// millis is a duration in milliseconds, to the hundredth.
func millis(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Millisecond)*100) / 100
}

// judgePhases holds what was called against what the DCs executed, and counts.
func judgePhases(l *benchLedger, phases ...*loadPhase) (ok, failed int) {
	executed := make(map[int64]bool, len(l.Echoes))
	for _, e := range l.Echoes {
		executed[e.ID] = true
	}
	for _, p := range phases {
		p.judge(executed)
		ok += len(p.answered)
		failed += len(p.failures)
	}
	return ok, failed
}
