package actors

import (
	"context"
	"log/slog"
	"time"

	"github.com/mtfleet/mtfleet/actors/digest"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/standing"
)

// This file is about what an operator is told of accounts. What is worth a line,
// and when many are one, decides actors/digest.

// Outage is a DC that many accounts are without, as it is now.
type Outage struct {
	DC int `json:"dc"`
	// Accounts are those that are signed in, at home there, and not online for
	// want of it; Of is how many are signed in altogether.
	Accounts int `json:"accounts"`
	Of       int `json:"of"`
	// Since is when half of them were without it.
	Since time.Time `json:"since"`
	// Why is the most frequent reason.
	Why string `json:"why,omitempty"`
}

// digested is what matters of a status for that.
func digested(s *Status) digest.Account {
	a := digest.Account{
		State: standing.State(s.State), SignedIn: s.SignedIn, DC: s.HomeDC, Since: s.Since, Why: Plain(s.Why), Advice: s.Advice, Until: s.Until,
	}
	if s.Step != nil {
		a.Step = string(s.Step.Kind)
		if s.Step.How != "" {
			a.Step += " by " + s.Step.How
		}
		if s.Step.LastError != "" {
			a.Step += " (the last one: " + s.Step.LastError + ")"
		}
	}
	return a
}

// tell writes what is to be told, and sets the timer for what is held.
func (f *fleet) tell(c *runtime.Context[fleetMsg]) {
	f.write()
	c.At(timerDigest, f.digest.Deadline(), digestDue{})
}

var digestLevels = [...]slog.Level{digest.Debug: slog.LevelDebug, digest.Info: slog.LevelInfo, digest.Warn: slog.LevelWarn}

// write logs the lines that are there.
func (f *fleet) write() {
	for l, ok := f.digest.Next(); ok; l, ok = f.digest.Next() {
		level := digestLevels[l.Level]
		if !f.m.log.Enabled(context.Background(), level) {
			continue
		}
		attrs := make([]slog.Attr, 0, 8)
		if l.Account != "" {
			attrs = append(attrs, slog.String("account", l.Account))
		} else {
			attrs = append(attrs, slog.Int("accounts", l.Count), slog.Int("of", l.Of))
			if l.Away > 0 {
				attrs = append(attrs, slog.Int("away", l.Away))
			}
		}
		if l.State != "" {
			attrs = append(attrs, slog.String("state", l.State))
		}
		if l.DC != 0 {
			attrs = append(attrs, slog.Int("dc", l.DC))
		}
		if !l.Until.IsZero() {
			attrs = append(attrs, slog.Time("until", l.Until))
		}
		if l.Advice != "" {
			attrs = append(attrs, slog.String("advice", l.Advice))
		}
		f.m.log.LogAttrs(context.Background(), level, l.Text, attrs...)
	}
}
