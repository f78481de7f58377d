package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// This file reads two-step passwords. They are never trimmed: a space in front
// or behind is part of one. Only the end of its line, and the mark that some
// editors put before a text, are not.

// askPassword asks a person for a password without showing it. It is false when
// nobody sits at a terminal.
func (a *app) askPassword(ctx context.Context, prompt string) (password string, person bool, err error) {
	tty, ok := terminal(a.in)
	if !ok {
		return "", false, nil
	}
	fd := int(tty.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return "", true, err
	}
	hide(fd)
	a.printf("%s", prompt)
	password, err = interruptible(ctx, func() (string, error) {
		b, err := term.ReadPassword(fd)
		return string(b), err
	})
	_ = term.Restore(fd, state)
	a.printf("\n")
	return password, true, err
}

// passwordFile reads a password from a file, or the next line of lines when path
// is "-". lines may be nil otherwise. what names the flag in errors.
func passwordFile(ctx context.Context, what, path string, lines *bufio.Reader) (string, error) {
	var password string
	if path == "-" {
		line, err := passwordLine(ctx, lines)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return "", usage("%s: a line of standard input is too long", what)
		case err != nil && !errors.Is(err, io.EOF):
			return "", err
		}
		password = line
	} else {
		b, err := os.ReadFile(path)
		if err != nil {
			return "", usage("%s: %v", what, err)
		}
		password = firstPassword(b)
	}
	if password == "" {
		return "", usage("%s: there is no password in its first line", what)
	}
	return password, nil
}

// passwordLine reads a line as it is, but for its end. Made with a size of
// maxLine, lines refuses what is longer.
func passwordLine(ctx context.Context, lines *bufio.Reader) (string, error) {
	return interruptible(ctx, func() (string, error) {
		b, err := lines.ReadSlice('\n')
		return withoutEnd(string(b)), err
	})
}

// firstPassword is the first line of a file.
func firstPassword(b []byte) string {
	line, _, _ := strings.Cut(strings.TrimPrefix(decoded(b), "\ufeff"), "\n")
	return withoutEnd(line)
}

// withoutEnd cuts the end of a line off: LF, CR LF, or the CR that is left of it.
func withoutEnd(line string) string {
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
}
