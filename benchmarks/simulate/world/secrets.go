package world

import (
	"bytes"
	"context"
	"log/slog"
	"strings"

	"github.com/mtfleet/mtfleet/actors/timeline"
)

// canaryMark is in every secret that the world's people give away.
const canaryMark = "cAnArY"

// canary is a secret, by which it is known wherever it turns up.
func canary(what string) string { return canaryMark + what }

// holdSecrets complains about a secret in what anybody may read: a password, what
// opens a proxy, the token of a bot.
func (w *world) holdSecrets(where, text string) {
	told := strings.Contains(text, canaryMark)
	for _, u := range w.users {
		if _, secret, ok := strings.Cut(u.BotToken, ":"); ok && strings.Contains(text, secret) {
			told = true
		}
	}
	if told {
		w.judge.Complain("a secret was told in %s", where)
	}
}

// logger is what a manager logs to: it is read by nobody but for secrets.
func (w *world) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(reader{w}, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

type reader struct{ w *world }

func (r reader) Write(p []byte) (int, error) {
	r.w.holdSecrets("the log", string(p))
	return len(p), nil
}

// story is the timeline of an account as text.
func (w *world) story(u *user) string {
	a, err := w.account(u)
	if err != nil {
		return u.name + ": " + err.Error() + "\n"
	}
	entries, err := a.Timeline(context.Background()) // it asks nobody
	if err != nil {
		return u.name + ": " + err.Error() + "\n"
	}
	var text bytes.Buffer
	_ = timeline.Text(&text, u.name, entries) // a buffer takes all
	return text.String()
}
