package main

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/health"
)

func TestTheStatusTextSaysHowManyAreOnlineAndHowTheOthersAre(t *testing.T) {
	for want, count := range map[string]map[actors.State]int{
		"no accounts yet":               {},
		"3 of 3 accounts online":        {actors.Online: 3},
		"0 of 1 accounts online: 1 new": {actors.New: 1},
		"950 of 1000 accounts online: 40 connecting, 2 revoked, 8 paused": {
			actors.Paused: 8, actors.Online: 950, actors.Revoked: 2, actors.Connecting: 40, actors.Frozen: 0,
		},
	} {
		if got := fleetLine(count); got != want {
			t.Errorf("%v: %q, want %q", count, got, want)
		}
	}
}

func TestSystemdHearsWhatTheProbesSay(t *testing.T) {
	fine, broken := func(context.Context) error { return nil }, func(context.Context) error { return errors.New("broken") }
	fleet := func() health.Fleet { return health.Fleet{States: map[actors.State]int{actors.Online: 1}} }
	for name, c := range map[string]struct {
		store, api func(context.Context) error
		up, alive  string
	}{
		"all answer":              {fine, fine, "", ""},
		"the store does not":      {broken, fine, "store: broken", "store: broken"},
		"the API does not answer": {fine, broken, "control API: broken", ""},
	} {
		h := unitHealth(health.Sources{
			Live: []health.Check{{Name: "governor", Ask: fine}, {Name: "store", Ask: c.store}}, Ready: []health.Check{{Name: "control API", Ask: c.api}}, Fleet: fleet,
		})
		said := func(err error) string {
			if err == nil {
				return ""
			}
			return err.Error()
		}
		if up, alive := said(h.Up(t.Context())), said(h.Alive(t.Context())); up != c.up || alive != c.alive {
			t.Errorf("%s: up %q, alive %q", name, up, alive)
		}
		if got := h.Status(); !strings.HasPrefix(got, "1 of 1") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// systemd FILE makes a socket as systemd's and writes what it hears to a file, a
// line for each assignment. NOTIFY_SOCKET leads there.
func systemd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: systemd FILE")
	}
	heard, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	// The path of a script's directory can be too long for a socket.
	dir, err := os.MkdirTemp("", "systemd")
	ts.Check(err)
	path := filepath.Join(dir, "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	ts.Check(err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for b := make([]byte, 4096); ; {
			n, err := l.Read(b)
			if err != nil {
				return
			}
			_, _ = heard.Write(append(b[:n:n], '\n'))
		}
	}()
	ts.Defer(func() {
		_ = l.Close()
		<-ended
		_ = heard.Close()
		_ = os.RemoveAll(dir)
	})
	ts.Setenv("NOTIFY_SOCKET", path)
}
