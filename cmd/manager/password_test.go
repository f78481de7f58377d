package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAPasswordIsReadAsItIs: a space is part of a password, the end of its line
// is not.
func TestAPasswordIsReadAsItIs(t *testing.T) {
	cases := []struct{ name, text, want string }{
		{"a word", "sesame", "sesame"},
		{"with the end of a line", "sesame\n", "sesame"},
		{"with that of other systems", "sesame\r\n", "sesame"},
		{"spaces around it", "  open sesame \n", "  open sesame "},
		{"tabs", "\topen\t\n", "\topen\t"},
		{"more lines", "one\ntwo\n", "one"},
		{"a mark before the text", "\xef\xbb\xbfsesame\n", "sesame"},
		{"UTF-16", "\xff\xfe \x00s\x00 \x00\n\x00", " s "},
		{"nothing but spaces", "   \n", "   "},
		{"letters of other scripts", "пароль 🔑\n", "пароль 🔑"},
	}
	for _, x := range cases {
		t.Run(x.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "password")
			if err := os.WriteFile(path, []byte(x.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if got, err := passwordFile(context.Background(), "--password-file", path, nil); err != nil || got != x.want {
				t.Errorf("the file's password is %q, %v, want %q", got, err, x.want)
			}
		})
	}
}

func TestPasswordsAreReadFromStandardInputOneALine(t *testing.T) {
	lines := bufio.NewReaderSize(strings.NewReader(" old \r\nnew "), maxLine)
	for _, want := range []string{" old ", "new "} {
		if got, err := passwordFile(context.Background(), "--password-file", "-", lines); err != nil || got != want {
			t.Errorf("the next password is %q, %v, want %q", got, err, want)
		}
	}
	if _, err := passwordFile(context.Background(), "--password-file", "-", lines); exitCode(err) != exitUsage {
		t.Errorf("after the last line: %v", err)
	}
	if _, err := passwordLine(context.Background(), lines); !errors.Is(err, io.EOF) {
		t.Errorf("a line after the last: %v", err)
	}
}

func TestAFileWithoutAPasswordIsAMistakeOfUse(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	long := bufio.NewReaderSize(strings.NewReader(strings.Repeat("x", maxLine+1)), maxLine)
	for path, lines := range map[string]*bufio.Reader{empty: nil, empty + ".none": nil, "-": long} {
		if _, err := passwordFile(context.Background(), "--password-file", path, lines); exitCode(err) != exitUsage {
			t.Errorf("%s: %v", path, err)
		}
	}
}
