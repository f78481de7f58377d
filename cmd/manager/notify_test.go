package main

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mtfleet/mtfleet/actors"
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
