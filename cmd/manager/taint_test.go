package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// untainted DIR NAME... wants that no file below a directory holds one of the secrets,
// each the value of a variable or the contents of a file: as it is, in hexadecimal
// digits, or in base64.
func untainted(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: untainted DIR NAME...")
	}
	var secrets []secretForm
	for _, name := range args[1:] {
		value := ts.Getenv(name)
		if value == "" {
			value = strings.TrimSpace(ts.ReadFile(name))
		}
		if len(value) < 5 {
			ts.Fatalf("%s is too short to be looked for: %q", name, value)
		}
		secrets = append(secrets, formsOf(name, value)...)
	}
	files, tainted := 0, 0
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		for _, s := range secrets {
			if bytes.Contains(text, s.text) {
				ts.Logf("%s is in %s as %s", s.name, filepath.Base(path), s.how)
				tainted++
			}
		}
		return nil
	}))
	if files == 0 {
		ts.Fatalf("there is no file in %s", args[0])
	}
	if (tainted > 0) != neg {
		ts.Fatalf("%d secrets are in %d files", tainted, files)
	}
}

type secretForm struct {
	name, how string
	text      []byte
}

func formsOf(name, value string) (forms []secretForm) {
	forms = append(forms, secretForm{name, "text", []byte(value)}, secretForm{name, "hex", []byte(hex.EncodeToString([]byte(value)))})
	// Inside a longer text base64 depends on where the secret begins: of each of three
	// places what does not depend on its neighbours.
	for skip := range 3 {
		text := base64.StdEncoding.EncodeToString(append(make([]byte, skip), value...))
		from, to := (skip*8+5)/6, (skip+len(value))*8/6
		if to-from >= 8 {
			forms = append(forms, secretForm{name, "base64", []byte(text[from:to])})
		}
	}
	return forms
}
