package main

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
)

// This file reads what the commands about a two-step password are told.

// present is the present password.
func (t *twoStep) present(ctx context.Context) (string, error) {
	return t.password(ctx, "--password-file", t.f.currentFile, "Present password (hidden): ")
}

// fresh is the new password; a person types it twice.
func (t *twoStep) fresh(ctx context.Context) (string, error) {
	for {
		password, err := t.password(ctx, "--new-password-file", t.f.newFile, "New password (hidden): ")
		if err != nil || t.f.newFile != "" {
			return password, err
		}
		again, _, err := t.askPassword(ctx, "The same once more: ")
		switch {
		case errors.Is(err, io.EOF):
			return "", usage("account 2fa: the new password was not given twice")
		case err != nil:
			return "", err
		case again == password:
			return password, nil
		}
		t.printf("These two differ.\n")
	}
}

// password reads a password from a file or asks for it.
func (t *twoStep) password(ctx context.Context, flag, path, prompt string) (string, error) {
	if path != "" && path != "-" {
		return passwordFile(ctx, "account 2fa: "+flag, path, nil)
	}
	if path == "-" {
		line, err := t.input.next(ctx)
		switch {
		case errors.Is(err, io.EOF), err == nil && line == "":
			return "", usage("account 2fa: %s: there is no password in its line of standard input", flag)
		case err != nil:
			return "", err
		}
		return line, nil
	}
	if t.f.json {
		return "", usage("account 2fa: with --json nobody is asked: give %s", flag)
	}
	for {
		password, person, err := t.askPassword(ctx, prompt)
		switch {
		case !person:
			return "", usage("account 2fa: there is no terminal to ask in: give %s", flag)
		case errors.Is(err, io.EOF):
			return "", usage("account 2fa: no password was given")
		case err != nil:
			return "", err
		case password != "":
			return password, nil
		}
	}
}

// mailed is the code from an e-mail; "" where there is nobody to ask.
func (t *twoStep) mailed(ctx context.Context) (code string, err error) {
	switch {
	case t.f.code != "":
		return t.f.code, nil
	case t.f.codeFile == "-":
		code, err = t.input.next(ctx)
	case t.f.codeFile != "":
		b, readErr := os.ReadFile(t.f.codeFile)
		if readErr != nil {
			return "", usage("account 2fa: --code-file: %v", readErr)
		}
		code = firstLine(b)
	case t.input.tty == nil:
		return "", nil
	default:
		t.printf("Code from the e-mail: ")
		code, err = t.input.next(ctx)
	}
	if code = strings.TrimSpace(code); code == "" && (err == nil || errors.Is(err, io.EOF)) {
		return "", usage("account 2fa: no code was given")
	}
	return code, err
}
