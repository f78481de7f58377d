package actors

import (
	"bytes"
	"context"
	"encoding/hex"
	"log/slog"
	"strings"

	"github.com/mtfleet/mtfleet/actors/timeline"
	"github.com/mtfleet/mtfleet/persistence"
)

// This file watches that what is secret in a sign-in is said to whom it is for,
// and to nobody else: not to the log at its most talkative, not to whoever sees
// the account's status, and of what is typed nothing to the disk.

// secrets are what was typed or shown, by what it is.
type secrets map[string]string

// add takes over what is long enough to be told from chance.
func (s secrets) add(what, secret string) {
	if len(secret) >= 5 {
		s[what] = secret
	}
}

// answered takes over what an answer has in it.
func (s secrets) answered(a Answer) {
	s.add("code", a.Code)
	s.add("password", a.Password)
	s.token(a.Token)
	s.add("assertion", string(a.Credential))
}

// shown takes over what a step shows to scan.
func (s secrets) shown(step *Step) {
	if step != nil {
		_, token, _ := strings.Cut(step.URL, "token=")
		s.add("QR code", token)
	}
}

// token takes over the part of a bot's token, or of a web client's link, that is
// the secret.
func (s secrets) token(text string) {
	if _, in, ok := strings.Cut(text, "tgWebAuthToken="); ok {
		text, _, _ = strings.Cut(in, "&")
	}
	s.add("token", text[strings.Index(text, ":")+1:])
}

// began takes over what a sign-in begins with.
func (s secrets) began(c Credentials) { s.token(c.start.Token) }

// in names those that are in a text.
func (s secrets) in(text string) (found []string) {
	for what, secret := range s {
		if strings.Contains(text, secret) {
			found = append(found, what)
		}
	}
	return found
}

// talk is a log that keeps every line, without their times: any five digits are
// in one of them some day.
type talk struct{ bytes.Buffer }

func (t *talk) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(&t.Buffer, &slog.HandlerOptions{
		Level: slog.LevelDebug - 8, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "delay" || a.Key == "until" {
				return slog.Attr{}
			}
			return a
		},
	}))
}

// overheard says what a status gives away.
func (st *stage) overheard(s Status) {
	st.t.Helper()
	told := s.Why + s.Advice
	if s.Step != nil {
		told += s.Step.Message + s.Step.LastError + s.Step.String()
		st.secrets.shown(s.Step)
	}
	if found := st.secrets.in(told); found != nil {
		st.t.Errorf("%v in the status: %s", found, told)
	}
}

// written says what is on the disk, or in the log, that should not be there.
func (st *stage) written() {
	st.t.Helper()
	records, err := st.disk.Load("alice")
	st.must(err)
	for _, r := range records {
		if found := st.secrets.in(string(r.Data)); found != nil {
			st.t.Errorf("%v in the record %v", found, r)
		}
		if r.Key == timeline.RecordKey("alice") {
			st.noted(string(r.Data))
		}
	}
	if found := st.secrets.in(st.log.String()); found != nil {
		st.t.Errorf("%v in the log", found)
	}
	state, err := persistence.DecodeState(records)
	st.must(err)
	for what, secret := range map[string]string{"the phone number": st.user.Phone, "api_hash": st.b.Apps()[0].Hash} {
		if secret != "" && strings.Contains(st.log.String(), secret) {
			st.t.Errorf("%s is in the log", what)
		}
	}
	for _, k := range state.PermKeys {
		if strings.Contains(st.log.String(), hex.EncodeToString(k.Key[:8])) || bytes.Contains(st.log.Bytes(), k.Key[:8]) {
			st.t.Error("a perm key is in the log")
		}
	}
}

// noted says what the timeline gives away.
func (st *stage) noted(text string) {
	st.t.Helper()
	if phone := st.user.Phone; phone != "" && strings.Contains(text, phone) {
		st.t.Error("the phone number is in the timeline")
	}
	keys, err := st.disk.Load("alice")
	st.must(err)
	for _, r := range keys {
		if p, err := persistence.DecodePermKey(r); err == nil && strings.Contains(text, string(p.Key[:4])) {
			st.t.Error("a perm key is in the timeline")
		}
		if k, err := persistence.DecodeTempKey(r); err == nil && strings.Contains(text, string(k.Key[:4])) {
			st.t.Error("a temp key is in the timeline")
		}
	}
}

// silent reports whether a logger hears nothing at all, which proves nothing.
func (st *stage) silent() bool {
	return !st.log.logger().Enabled(context.Background(), slog.LevelDebug) || st.log.Len() == 0
}
