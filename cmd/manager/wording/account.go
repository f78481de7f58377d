package wording

import (
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

// State is an account's state, with the step of a sign-in.
func State(acc control.Account) string {
	if acc.Step != nil {
		return acc.State + " (" + string(acc.Step.Kind) + ")"
	}
	return acc.State
}

// Kind is whether an account is a person's or a bot.
func Kind(acc control.Account) string {
	switch {
	case acc.Bot:
		return "bot"
	case acc.SignedIn:
		return "person"
	}
	return "-"
}

// HomeDC is the number of an account's home DC.
func HomeDC(acc control.Account) string {
	if acc.HomeDC == 0 {
		return "-"
	}
	return fmt.Sprint(acc.HomeDC)
}

// PFS says whether an account has temp keys, and one that is bound.
func PFS(acc control.Account) string {
	switch {
	case !acc.PFS:
		return "off"
	case acc.Bound:
		return "bound"
	}
	return "on"
}

// Ago says how long ago a time was.
func Ago(t, now time.Time) string {
	if t.IsZero() {
		return "-"
	}
	d := now.Sub(t)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", max(int(d.Seconds()), 0))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// Outage says that a DC is lost, before all that follows from it.
func Outage(o actors.Outage, now time.Time) string {
	since := o.Since.Local().Format(time.TimeOnly)
	if now.Sub(o.Since) > 24*time.Hour {
		since = o.Since.Local().Format(time.DateTime)
	}
	line := fmt.Sprintf("%d of %d accounts are without DC %d since %s", o.Accounts, o.Of, o.DC, since)
	if o.Why != "" {
		line += " (" + o.Why + ")"
	}
	return line
}

// Clip shortens a reason for a table; `account show` has all of it.
func Clip(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most-3]) + "..."
	}
	return s
}

// DCState says whether a DC is up.
func DCState(d control.GovernedDC, now time.Time) string {
	switch {
	case d.Up:
		return "up"
	case d.Flood:
		return fmt.Sprintf("wants fewer connections, for %s, probed every %gs", Ago(d.Since, now), d.ProbeEvery)
	}
	return fmt.Sprintf("down for %s, probed every %gs", Ago(d.Since, now), d.ProbeEvery)
}

// RoundTrip says how long the last ping to a DC was out, and in parentheses how long they usually are.
func RoundTrip(t control.RoundTrips) string {
	if t.At.IsZero() {
		return "-"
	}
	return fmt.Sprintf("%s (%s)", Milliseconds(t.Latest), Milliseconds(t.Smoothed))
}

// Milliseconds is a span of seconds as pings are told.
func Milliseconds(seconds float64) string {
	switch {
	case seconds < .001:
		return fmt.Sprintf("%.2f ms", 1000*seconds)
	case seconds < .01:
		return fmt.Sprintf("%.1f ms", 1000*seconds)
	}
	return fmt.Sprintf("%.0f ms", 1000*seconds)
}
