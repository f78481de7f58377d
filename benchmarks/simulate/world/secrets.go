package world

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"

	"github.com/mtfleet/mtfleet/actors/timeline"
)

// canaryMark is in every secret that the world's people give away.
const canaryMark = "cAnArY"

// canary is a secret, by which it is known wherever it turns up.
func canary(what string) string { return canaryMark + what }

// secrets are what opens an account and is drawn while a run lasts, the newest: each
// is good for a minute or less. At most secretsMost of 40 bytes; of more the oldest
// is forgotten.
type secrets struct{ list []string }

const secretsMost = 8

func (s *secrets) add(secret string) {
	if len(s.list) == secretsMost {
		s.list = s.list[1:]
	}
	s.list = append(s.list, secret)
}

func (s *secrets) in(text string) bool {
	return slices.ContainsFunc(s.list, func(secret string) bool { return strings.Contains(text, secret) })
}

// holdSecrets complains about a secret in what anybody may read: a password, what
// opens a proxy, the token of a bot or of a web client, a session.
func (w *world) holdSecrets(where, text string) {
	told := strings.Contains(text, canaryMark) || w.secrets.in(text)
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
