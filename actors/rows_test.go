package actors_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
)

// This file injects rows of the table of supervision that no other test is about; see
// supervision_test.go.

// TestASessionsTroubleIsItsOwn: what the server says of salts, times and numbers is
// mended within the session, on the socket there is.
func TestASessionsTroubleIsItsOwn(t *testing.T) {
	faults := []dctest.Fault{{Kind: dctest.FaultNewSalts}}
	for _, code := range []int{16, 17, 20, 32, 33, 48} {
		faults = append(faults, dctest.Fault{Kind: dctest.FaultBadMsg, Code: code, Count: 1})
	}
	bubble(t, func(t *testing.T) {
		w := openWard(t)
		defer closeManager(t, w.m)
		check, before := w.watch(w.all), w.s.Counts()
		for _, f := range faults {
			f.Perm = w.perms[w.robot.ID()]
			inject(t, w.s, f)
			begun, since := time.Now(), w.robot.Status().Since
			call(t, w.robot)
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("%s %d: the call took %v", f.Kind, f.Code, took)
			}
			w.served()
			check()
			if st := w.robot.Status(); !st.Since.Equal(since) {
				t.Errorf("%s %d: the account noticed: %+v", f.Kind, f.Code, st)
			}
			time.Sleep(time.Minute)
		}
		if after := w.s.Counts(); after.PermKeys != before.PermKeys || after.TempKeys != before.TempKeys {
			t.Errorf("before %+v, after %+v", before, after)
		}
		verdict(t, w.s, w.store)
	})
}

// TestTheSilenceOfTwoIsEverybodys: five accounts are too few for the governor to ask
// by itself. Two of them wait for answers of a DC that has fallen silent; the others,
// who wait for nothing, know it soon after those.
func TestTheSilenceOfTwoIsEverybodys(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const accounts, callers = 5, 2
		frozen := &atomic.Bool{}
		m := fleetAt(t, &told{}, frozen, 0, accounts)
		time.Sleep(5 * time.Second)
		var first, last time.Duration
		begun := time.Now()
		frozen.Store(true)
		for _, a := range m.Accounts()[:callers] {
			_ = later(func() error {
				_, err := actors.Invoke(context.Background(), a, &echo.EchoRequest{ID: time.Now().UnixNano()})
				return err
			})
		}
		for last == 0 && time.Since(begun) < 2*time.Minute {
			time.Sleep(100 * time.Millisecond)
			n := away(m)
			if first == 0 && n >= callers {
				first = time.Since(begun)
			}
			if n == accounts {
				last = time.Since(begun)
			}
		}
		frozen.Store(false)
		t.Logf("those who wait know it after %v, all after %v", first, last)
		if first > 8*time.Second || last == 0 || last > first+6*time.Second { // idle ones would take 15 s and more
			t.Errorf("those who wait know it after %v, all after %v", first, last)
		}
	})
}
