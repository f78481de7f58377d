package main

import "testing"

func TestASecretsFileMayBeOfAnyEditor(t *testing.T) {
	for name, text := range map[string]string{
		"UTF-8":                  "12:ab\n",
		"a mark in front":        "\xef\xbb\xbf12:ab\n",
		"UTF-16, small end":      "\xff\xfe1\x002\x00:\x00a\x00b\x00\r\x00\n\x00",
		"UTF-16, large end":      "\xfe\xff\x001\x002\x00:\x00a\x00b\x00\n",
		"half a unit at the end": "\xff\xfe1\x002\x00:\x00a\x00b\x00\n\x00x",
		"lines in front":         "\r\n\n 12:ab\r\n",
	} {
		if got := firstLine([]byte(text)); got != "12:ab" {
			t.Errorf("%s: %q", name, got)
		}
	}
}
