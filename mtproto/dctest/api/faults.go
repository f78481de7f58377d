package api

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// Fault makes calls of a method fail or answer late, after the gates of key, person and DC, in place of the method.
type Fault struct {
	Method string // "auth.signIn"; "" is every method
	// UserID limits the fault to one account: the user of the key, or the one the phone number or bot token of a sign-in
	// call belongs to. 0 is everybody.
	UserID int64
	// Phone limits the fault to calls that name this number, known or not.
	Phone string
	// Err is the error to answer; nil answers normally, only later. A 420 whose text ends in a number of seconds counts
	// down: calls during the wait answer what is left of it, and the wait counts once.
	Err   *Error
	Delay time.Duration // holds the answer back
	// Count is how many calls (or waits) are hit; 0 is 1, negative has no end.
	Count int
}

type fault struct {
	Fault
	until time.Time // of the running wait
}

// ErrTooManyFaults is returned by Inject beyond 10000 faults at once.
var ErrTooManyFaults = errors.New("api: too many faults")

const maxFaults = 10000

// Inject adds a fault. Faults are tried in the order they were added; the first that matches is used.
func (b *Backend) Inject(f Fault) error {
	if len(b.faults) >= maxFaults {
		return ErrTooManyFaults
	}
	if f.Count == 0 {
		f.Count = 1
	}
	f.Phone = normalizePhone(f.Phone)
	if f.Err != nil {
		e := *f.Err
		f.Err = &e
	}
	b.faults = append(b.faults, &fault{Fault: f})
	return nil
}

// InjectError makes the next count calls of a method, by one account or by everybody (userID 0), answer an error.
func (b *Backend) InjectError(method string, userID int64, code int, text string, count int) error {
	return b.Inject(Fault{Method: method, UserID: userID, Err: &Error{code, text}, Count: count})
}

// ClearFaults removes every fault.
func (b *Backend) ClearFaults() { b.faults = nil }

// injected returns the fault error and delay of the current call, if any.
func (c *call) injected() (*Error, time.Duration) {
	for i, f := range c.b.faults {
		if !f.matches(c) {
			continue
		}
		now := c.req.Now
		if now.Before(f.until) {
			return f.wait(f.until.Sub(now)), f.Delay
		}
		if f.Count == 0 { // its last wait is over
			c.b.faults = append(c.b.faults[:i:i], c.b.faults[i+1:]...)
			return c.injected()
		}
		if f.Count > 0 {
			f.Count--
		}
		if secs, ok := f.seconds(); ok {
			f.until = now.Add(time.Duration(secs) * time.Second)
		} else if f.Count == 0 {
			c.b.faults = append(c.b.faults[:i:i], c.b.faults[i+1:]...)
		}
		return f.Err, f.Delay
	}
	return nil, 0
}

func (f *fault) matches(c *call) bool {
	if f.Method != "" && f.Method != c.m.name {
		return false
	}
	if f.Phone != "" && f.Phone != c.phone {
		return false
	}
	return f.UserID == 0 || (c.user != nil && c.user.id == f.UserID)
}

// seconds is the wait of a 420 with a number at its end; a wait of nothing does not count down.
func (f *fault) seconds() (int64, bool) {
	if f.Err == nil || f.Err.Code != 420 {
		return 0, false
	}
	n, err := strconv.ParseInt(f.Err.Text[strings.LastIndexByte(f.Err.Text, '_')+1:], 10, 32)
	return n, err == nil && n > 0
}

// wait is the fault's error with the remaining time in place of the whole.
func (f *fault) wait(left time.Duration) *Error {
	name := f.Err.Text[:strings.LastIndexByte(f.Err.Text, '_')+1]
	return &Error{f.Err.Code, name + strconv.FormatInt(wholeSeconds(left), 10)}
}
