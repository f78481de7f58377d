package digest

import (
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/standing"
)

// Level is how much a line matters.
type Level uint8

const (
	// Debug: the single lines of what one line says, and steps on the way.
	Debug Level = iota
	// Info: a change, for the record.
	Info
	// Warn: somebody should look.
	Warn
)

// A Line is one thing an operator reads.
type Line struct {
	Level Level
	// Text says what happened, in one line.
	Text string

	// Account is whom it is about; empty for a line about many.
	Account string
	// State is the account's, or the common one, now; empty when it is mixed.
	State string
	// DC is the DC it is about, 0 for none.
	DC int
	// Until is the end of an ordered wait.
	Until time.Time
	// Advice is what can be done about it.
	Advice string
	// Count is how many accounts a line about many speaks of; Of is how many are
	// signed in, Away how many are without the DC still.
	Count, Of, Away int
}

// An Account is what is published of one account, as far as it matters here.
type Account struct {
	State    standing.State
	SignedIn bool
	DC       int       // home
	Since    time.Time // of the state; for Outages
	Why      string
	Advice   string
	Until    time.Time
	// Step is what a sign-in waits for, and what was wrong with the last answer.
	Step string
}

// span is a time in words: in tenths below ten seconds, then in whole units.
func span(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", max(d, 0).Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h", int(d.Hours()))
}

// accounts is a number of them in words.
func accounts(n int) string {
	if n == 1 {
		return "1 account"
	}
	return fmt.Sprintf("%d accounts", n)
}

func because(what, why string) string {
	if why == "" {
		return what
	}
	return what + ": " + why
}

// levelOf says how much a state matters.
func levelOf(s standing.State) Level {
	switch s {
	case standing.New, standing.SigningIn, standing.Online, standing.SigningOut, standing.SignedOut, standing.Paused, standing.Connecting:
		return Info
	}
	return Warn
}

// byOwner reports whether a state is entered because somebody wants it, who is
// looking; those lines wait for no others.
func byOwner(s standing.State) bool {
	switch s {
	case standing.New, standing.SigningIn, standing.SigningOut, standing.SignedOut, standing.Paused, standing.Exported:
		return true
	}
	return false
}

// changed is what one account's new state is called.
func changed(id string, a Account) string {
	switch a.State {
	case standing.New:
		return because(id+" is not signed in", a.Why)
	case standing.SigningIn:
		if a.Step == "" {
			return id + " signs in"
		}
		return id + " signs in, and waits for an answer: " + a.Step
	case standing.Online:
		return id + " is online"
	case standing.Waiting:
		return because(id+" has to wait until "+a.Until.UTC().Format(time.RFC3339), a.Why)
	case standing.Duplicated:
		return because(id+" is stopped, for its key was used elsewhere", a.Why)
	case standing.Revoked:
		return because(id+" lost its login", a.Why)
	case standing.Exported:
		return because(id+"'s session was handed out", a.Why)
	case standing.SigningOut:
		return id + " signs out"
	case standing.SignedOut:
		return id + " is signed out"
	}
	return because(id+" is "+a.State.String(), a.Why)
}

// changedAll is what it is called for many.
func changedAll(n, of int, s standing.State, why string) string {
	what := "are " + s.String()
	switch s {
	case standing.New:
		what = "are not signed in"
	case standing.SigningIn:
		what = "sign in"
	case standing.Waiting:
		what = "have to wait"
	case standing.Duplicated:
		what = "are stopped, for their keys were used elsewhere"
	case standing.Revoked:
		what = "lost their logins"
	case standing.Exported:
		what = "had their sessions handed out"
	case standing.SigningOut:
		what = "sign out"
	case standing.SignedOut:
		what = "are signed out"
	}
	return because(fmt.Sprintf("%d of %s %s", n, accounts(of), what), why)
}
