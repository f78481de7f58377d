package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mtfleet/mtfleet/persistence/foreign"
	"github.com/mtfleet/mtfleet/persistence/foreign/sqlitefile"
)

// This file reads sessions that other programs made. What is read is a secret, and
// is repeated nowhere.

// maxSession bounds a file with a session in it: the longest text has a few KiB.
const maxSession = 1 << 20

// readSessions reads what is at a path: a text, an SQLite file or a folder; "-" is
// standard input.
func (a *app) readSessions(ctx context.Context, path, format, passcodeFile string) ([]foreign.Session, error) {
	if path == "-" {
		line, err := interruptible(ctx, func() (string, error) {
			b, err := readText(a.in)
			return string(b), err
		})
		if err != nil {
			return nil, err
		}
		text := []byte(line)
		defer clear(text)
		if foreign.IsSQLite(text) {
			return nil, usage("session import: this is an SQLite file: give its path instead of -")
		}
		return one(parse(format, text))
	}
	info, err := os.Stat(path)
	switch {
	case err != nil && looksSecret(path):
		return nil, usage("session import: that is a session and no file: arguments are seen by every process of this machine, so a session is given in a file, or on standard input with -; take that one as known to others")
	case err != nil:
		return nil, usage("session import: %s: %v: name a session's file or folder, or - for standard input", path, bareError(err))
	case info.IsDir():
		return a.readFolder(ctx, path, passcodeFile)
	case passcodeFile != "":
		return nil, usage("session import: --passcode-file is for the folder of Telegram Desktop")
	}
	if info.Mode().Perm()&0o044 != 0 {
		a.printf("Others on this machine may read %s: whoever has read it has the account.\n", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, usage("session import: %v", err)
	}
	defer f.Close()
	head := make([]byte, 16)
	n, _ := io.ReadFull(f, head)
	if foreign.IsSQLite(head[:n]) {
		return one(sqlitefile.Parse(path))
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, usage("session import: %v", err)
	}
	text, err := readText(f)
	if err != nil {
		return nil, err
	}
	defer clear(text)
	return one(parse(format, text))
}

// parse reads a text, as what it is said to be if anything is said.
func parse(format string, text []byte) (foreign.Session, error) {
	if format != "" {
		return foreign.ParseTextAs(foreign.Format(format), text)
	}
	s, err := foreign.ParseText(text)
	var bad *foreign.Error
	if errors.As(err, &bad) && bad.Reason == foreign.ReasonAmbiguous {
		return s, fmt.Errorf("%w; say with --format which it is: %s", err, joined(bad.Candidates))
	}
	return s, err
}

func joined(formats []foreign.Format) string {
	words := make([]string, len(formats))
	for i, f := range formats {
		words[i] = string(f)
	}
	return strings.Join(words, " or ")
}

func one(s foreign.Session, err error) ([]foreign.Session, error) {
	if err != nil {
		return nil, err
	}
	return []foreign.Session{s}, nil
}

func readText(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxSession+1))
	switch {
	case err != nil:
		return nil, usage("session import: %v", err)
	case len(text) > maxSession:
		return nil, usage("session import: there is more than 1 MiB in it, and no session is that long")
	}
	return text, nil
}

// readFolder asks for the passcode of a folder that has one.
func (a *app) readFolder(ctx context.Context, path, passcodeFile string) ([]foreign.Session, error) {
	var passcode []byte
	if passcodeFile != "" {
		text, err := passwordFile(ctx, "--passcode-file", passcodeFile, nil)
		if err != nil {
			return nil, err
		}
		passcode = []byte(text)
	}
	sessions, err := foreign.ParseDir(os.DirFS(path), passcode)
	var locked *foreign.PasscodeError
	if errors.As(err, &locked) && locked.Needed {
		text, person, askErr := a.askPassword(ctx, "Local passcode of Telegram Desktop (not shown): ")
		switch {
		case askErr != nil:
			return nil, askErr
		case person:
			return foreign.ParseDir(os.DirFS(path), []byte(text))
		}
		return nil, fmt.Errorf("%w; nobody is at a terminal, so give it with --passcode-file FILE", err)
	}
	return sessions, err
}

// looksSecret reports whether an argument is a session rather than a path: long,
// without what separates folders, or JSON.
func looksSecret(arg string) bool {
	const least = 120 // the shortest session has more than 256 bytes, the longest name 255
	return len(arg) >= least && !strings.ContainsAny(arg, `\`) && strings.Count(arg, "/") <= len(arg)/16 ||
		strings.HasPrefix(strings.TrimSpace(arg), "{")
}

// choose picks the one session that is meant.
func choose(sessions []foreign.Session, user int64) (foreign.Session, error) {
	var fitting []foreign.Session
	var ids []string
	for _, s := range sessions {
		if user == 0 || s.UserID == user {
			fitting = append(fitting, s)
		}
		ids = append(ids, fmt.Sprint(s.UserID))
	}
	switch {
	case len(fitting) == 1:
		return fitting[0], nil
	case user != 0:
		return foreign.Session{}, usage("session import: there is no user %d in it; there are: %s", user, strings.Join(ids, ", "))
	}
	return foreign.Session{}, usage("session import: %d accounts are in it, and one is taken in at a time: name it with --user, one of %s", len(sessions), strings.Join(ids, ", "))
}
