package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"
)

// untainted DIR NAME... wants that no file below a directory holds one of the secrets,
// each the value of a variable or the contents of a file: as it is, in hexadecimal
// digits, in base64, or escaped.
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
			if s.in(text) {
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

// secretForm is a secret as it may be written.
type secretForm struct {
	name, how string
	text      []byte
	// word: it is so short that it counts only where no letter or digit is beside it, as
	// in hashes and keys.
	word bool
}

// in tells whether a text has the secret.
func (f *secretForm) in(text []byte) bool {
	for {
		at := bytes.Index(text, f.text)
		if at < 0 {
			return false
		}
		end := at + len(f.text)
		if !f.word || (at == 0 || !isWord(text[at-1])) && (end == len(text) || !isWord(text[end])) {
			return true
		}
		text = text[at+1:]
	}
}

func isWord(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

// formsOf is a secret as it is, and as whatever writes something may write it.
func formsOf(name, value string) (forms []secretForm) {
	add := func(how, text string) {
		for _, f := range forms {
			if string(f.text) == text {
				return
			}
		}
		forms = append(forms, secretForm{name, how, []byte(text), len(text) < 8})
	}
	add("text", value)
	digits := hex.EncodeToString([]byte(value))
	add("hex", digits)
	add("HEX", strings.ToUpper(digits))
	if utf8.ValidString(value) {
		var plain bytes.Buffer
		encode := json.NewEncoder(&plain)
		encode.SetEscapeHTML(false)
		_ = encode.Encode(value) // of a string
		escaped, _ := json.Marshal(value)
		for how, text := range map[string]string{"JSON": strings.TrimSpace(plain.String()), "JSON for HTML": string(escaped), "Go": strconv.Quote(value), "ASCII": strconv.QuoteToASCII(value)} {
			add(how, text[1:len(text)-1])
		}
		add("HTML", html.EscapeString(value))
		add("URL", url.QueryEscape(value))
		add("path", url.PathEscape(value))
	}
	// Inside a longer text base64 depends on where the secret begins: of each of three
	// places what does not depend on its neighbours.
	for skip := range 3 {
		from, to := (skip*8+5)/6, (skip+len(value))*8/6
		if to-from < 8 {
			continue
		}
		b := append(make([]byte, skip), value...)
		add("base64", base64.StdEncoding.EncodeToString(b)[from:to])
		add("base64 of URLs", base64.URLEncoding.EncodeToString(b)[from:to])
	}
	return forms
}
