package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

func TestProfilesAreServedWithoutTheCommandLine(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "p.sock")
	stop, err := serveProfiles(socket)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	client := http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", socket) }}}
	defer client.CloseIdleConnections()
	for path, want := range map[string]string{
		"/debug/pprof/goroutine?debug=1": "goroutine profile: total ",
		"/debug/pprof/cmdline":           "Unknown profile",
		"/":                              "404 page not found",
	} {
		response, err := client.Get("http://manager" + path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		if _ = response.Body.Close(); err != nil || !strings.HasPrefix(string(text), want) {
			t.Errorf("%s: %v, %.100q; want %q", path, err, text, want)
		}
	}
}
