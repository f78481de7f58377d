package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf16"

	"golang.org/x/term"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/login"
)

// This file reads what a sign-in is told: from files, standard input, a person.

// secret reads the first line of a file.
func (l *signIn) secret(ctx context.Context, flag, path string) (string, error) {
	var s string
	if path == "-" {
		line, err := l.line(ctx)
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		s = line
	} else {
		b, err := os.ReadFile(path)
		if err != nil {
			return "", usage("account login: %s: %v", flag, err)
		}
		s = firstLine(b)
	}
	if s == "" {
		return "", usage("account login: %s: there is nothing in it", flag)
	}
	return s, nil
}

// firstLine is the first line of a file that has anything in it.
func firstLine(b []byte) string {
	first, _, _ := strings.Cut(strings.TrimLeft(decoded(b), "\ufeff \t\r\n"), "\n")
	return strings.TrimSpace(first)
}

// decoded is the text of a file. Some editors and shells write UTF-16, and say so
// in front.
func decoded(b []byte) string {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
		order = binary.LittleEndian
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		order = binary.BigEndian
	default:
		return string(b)
	}
	units := make([]uint16, 0, len(b)/2)
	for ; len(b) >= 2; b = b[2:] {
		units = append(units, order.Uint16(b))
	}
	return string(utf16.Decode(units))
}

// maxLine bounds a line of standard input.
const maxLine = 64 << 10

// line reads a line of standard input; ctx interrupts the wait for it.
func (l *signIn) line(ctx context.Context) (string, error) {
	if l.lines == nil {
		l.lines = bufio.NewReaderSize(l.in, maxLine)
	}
	return interruptible(ctx, func() (string, error) {
		b, err := l.lines.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return "", usage("account login: a line of standard input is too long")
		}
		return strings.TrimSpace(string(b)), err
	})
}

// interruptible waits for f or ctx. When ctx is first, f stays behind: the
// process ends then.
func interruptible(ctx context.Context, f func() (string, error)) (string, error) {
	type result struct {
		s   string
		err error
	}
	done := make(chan result, 1)
	go func() { s, err := f(); done <- result{s, err} }()
	select {
	case r := <-done:
		return r.s, r.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// ask asks a person.
func (l *signIn) ask(ctx context.Context, prompt string) (string, error) {
	l.printf("%s", prompt)
	s, err := l.line(ctx)
	if errors.Is(err, io.EOF) {
		l.printf("\n")
		if s == "" {
			return "", usage("account login: standard input ended before an answer was given")
		}
		err = nil
	}
	return s, err
}

// askHidden asks without showing what is typed.
func (l *signIn) askHidden(ctx context.Context, prompt string) (string, error) {
	tty, ok := terminal(l.in)
	if !ok {
		return l.ask(ctx, prompt)
	}
	fd := int(tty.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	l.printf("%s", prompt)
	s, err := interruptible(ctx, func() (string, error) {
		b, err := term.ReadPassword(fd)
		return strings.TrimSpace(string(b)), err
	})
	if err != nil {
		_ = term.Restore(fd, state) // an interrupted read leaves the echo off
	}
	l.printf("\n")
	return s, err
}

// askStep asks a person for what a step wants.
func (l *signIn) askStep(ctx context.Context, s actors.Step) (answer actors.Answer, ok bool, err error) {
	l.printf("%s\n", s.Message)
	if !s.Supported {
		return answer, false, nil
	}
	switch s.Kind {
	case login.StepCode:
		hint := "Code"
		if s.Next != "" {
			hint += " (or: resend, cancel)"
		} else {
			hint += " (or: cancel)"
		}
		return l.askWords(ctx, hint+": ", func(text string) actors.Answer { return actors.Answer{Kind: actors.AnswerCode, Code: text} })
	case login.StepToken:
		token, err := l.askHidden(ctx, "Bot token: ")
		return actors.Answer{Kind: login.AnswerToken, Token: token}, token != "", err
	case login.StepPassword:
		password, err := l.askHidden(ctx, "Password: ")
		return actors.Answer{Kind: actors.AnswerPassword, Password: password}, password != "", err
	case login.StepNewCode:
		if now := time.Now(); s.Until.After(now) {
			l.printf("Another code may be asked for at %s.\n", s.Until.Local().Format(time.DateTime))
		}
		return l.askWords(ctx, "Type resend or cancel: ", nil)
	case login.StepPhone:
		return l.askWords(ctx, "Phone number (or: cancel): ", func(text string) actors.Answer { return actors.Answer{Kind: actors.AnswerPhone, Phone: text} })
	case login.StepSignUp:
		if s.Terms != "" {
			l.printf("%s\n", s.Terms)
		}
		return l.askWords(ctx, "First name (or: cancel): ", func(text string) actors.Answer {
			return actors.Answer{Kind: actors.AnswerSignUp, FirstName: text, LastName: l.f.last}
		})
	}
	return answer, false, nil
}

// askWords asks until it gets an answer, where "resend" and "cancel" are words
// of their own.
func (l *signIn) askWords(ctx context.Context, prompt string, other func(text string) actors.Answer) (actors.Answer, bool, error) {
	for {
		text, err := l.ask(ctx, prompt)
		switch {
		case err != nil:
			return actors.Answer{}, false, err
		case text == "resend":
			return actors.Answer{Kind: actors.AnswerResend}, true, nil
		case text == "cancel":
			return actors.Answer{Kind: actors.AnswerCancel}, true, nil
		case text != "" && other != nil:
			return other(text), true, nil
		}
	}
}
