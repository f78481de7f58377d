package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"strings"
	"unicode/utf16"
)

// This file reads what a sign-in is told: from files, standard input, a person.

// secret reads the first line of a file.
func (l *signIn) secret(ctx context.Context, flag, path string) (string, error) {
	var s string
	if path == "-" {
		line, err := l.input.next(ctx)
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		s = strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
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

// ask asks a person. It fails with io.EOF when they end the input.
func (l *signIn) ask(ctx context.Context, prompt string) (string, error) {
	l.printf("%s", prompt)
	s, err := l.input.next(ctx)
	return strings.TrimSpace(s), err
}

// askHidden asks without showing what is typed, for what has no space at its
// ends. It fails as ask does.
func (l *signIn) askHidden(ctx context.Context, prompt string) (string, error) {
	s, person, err := l.askPassword(ctx, prompt)
	if !person {
		return l.ask(ctx, prompt)
	}
	return strings.TrimSpace(s), err
}
