package main

import (
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
)

// What a client is put through.
const (
	scenarioLogins = "logins" // bots sign in, from nothing
	scenarioCalls  = "calls"  // users.getUsers of oneself
	scenarioIdle   = "idle"   // accounts are online and do nothing
	scenarioStorm  = "storm"  // all connections are cut and dials refused for a while
)

// Orders is what one turn of a client is told, as the argument of its process.
type Orders struct {
	Client   string `json:"client"`
	Scenario string `json:"scenario"`
	PFS      bool   `json:"pfs"`

	// Accounts is how many bots there are, from the First of the descriptor on; of
	// logins how many sign in beside the one that warms up.
	Accounts int `json:"accounts"`
	First    int `json:"first_bot"`
	// AtOnce is how many logins, or calls of each account, are under way at a time.
	AtOnce int `json:"at_once,omitempty"`
	Calls  int `json:"calls,omitempty"` // of all accounts together
	// IdleFor is how long CPU is measured of accounts that do nothing.
	IdleFor time.Duration `json:"idle_for,omitempty"`

	Descriptor serve.Descriptor `json:"descriptor"`
}

// String names the row of a result.
func (o Orders) String() string {
	pfs := "PFS off"
	if o.PFS {
		pfs = "PFS on"
	}
	switch o.Scenario {
	case scenarioLogins:
		return fmt.Sprintf("sign-in, %s, %d at once", pfs, o.AtOnce)
	case scenarioCalls:
		return fmt.Sprintf("call, %d connections, %d in flight each", o.Accounts, o.AtOnce)
	case scenarioIdle:
		return fmt.Sprintf("%d idle accounts, %s", o.Accounts, pfs)
	}
	return fmt.Sprintf("%d accounts after an outage, %s", o.Accounts, pfs)
}

// Figures is what a turn took, by name. Each is the better the smaller it is.
type Figures map[string]float64

// Names of figures, in the order in which they are shown.
const (
	cpuPerLogin = "CPU ms"
	cpuPerCall  = "CPU us"
	halfOfCalls = "p50 us"
	mostOfCalls = "p99 us"
	rssPer      = "RSS KiB each"
	goroutines  = "goroutines each"
	cpuIdle     = "CPU s per 1,000 and minute"
	cpuOfStorm  = "CPU s"
	lastBack    = "last back, s"
	dialsDown   = "dials while down"
	keysMade    = "keys made"
)

var figureNames = []string{
	cpuPerLogin, cpuPerCall, halfOfCalls, mostOfCalls, rssPer, goroutines, cpuIdle, cpuOfStorm, lastBack, dialsDown, keysMade,
}

// said is a line that a turn writes: that it is ready to be cut off, what it found, or
// what went wrong.
type said struct {
	Ready  bool    `json:"ready,omitempty"`
	Result Figures `json:"result,omitempty"`
	Failed string  `json:"failed,omitempty"`
}

// What a turn of a storm is told meanwhile, a line each.
const (
	cutOff = "cut"
	backOn = "back"
)
