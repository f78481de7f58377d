package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/cmd/manager/bench"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
)

// benchDC is a cluster of test DCs in a process of its own, so that its work is
// nobody else's, and the one that gives the verdict. One that somebody else started
// is its descriptor alone: it is asked nothing.
type benchDC struct {
	serve.Descriptor
	cmd   *exec.Cmd    // nil: in this process, or somebody else's
	stdin io.Closer    // it ends when this closes, so it never outlives us
	http  *http.Client // nil: somebody else's
}

// startBenchDC starts one, with bots. Its control socket is in dir.
func (a *app) startBenchDC(ctx context.Context, dir string, bots, dcs int, more ...string) (_ *benchDC, err error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("bench: finding this program: %w", err)
	}
	socket := filepath.Join(dir, "dc.sock")
	args := append([]string{
		"testdc", "--json", "--until-stdin-closes", "--no-limits", "--users", "0", "--bots", strconv.Itoa(bots), "--dcs", strconv.Itoa(dcs),
		"--control-socket", socket,
	}, append(loopbackAddrs(dcs), more...)...)
	d := &benchDC{cmd: exec.Command(exe, args...), http: askingAt(socket)}
	log, err := os.Create(filepath.Join(dir, "testdc.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	d.cmd.Stderr = log
	d.cmd.Env = a.cleanEnv()
	if d.stdin, err = d.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := d.cmd.Start(); err != nil {
		return nil, fmt.Errorf("bench: starting the test DCs: %w", err)
	}
	// One that does not start closes its output; one that hangs is ended.
	stop := context.AfterFunc(ctx, func() { _ = d.stdin.Close() })
	defer stop()
	lines := bufio.NewReader(out)
	if err := json.NewDecoder(lines).Decode(&d.Descriptor); err != nil {
		d.close()
		words, _ := os.ReadFile(log.Name())
		return nil, fmt.Errorf("bench: the test DCs did not start: %s", strings.TrimSpace(string(words)))
	}
	return d, nil
}

// cleanEnv is the environment without the operator's own settings: they are not the
// benchmark's.
func (a *app) cleanEnv() (env []string) {
	for _, kv := range a.env {
		if !strings.HasPrefix(kv, "MTFLEET_") {
			env = append(env, kv)
		}
	}
	return env
}

// loopbackAddrs has each DC listen on an address of its own, 127.0.0.2 and so on: to
// each there are some 28,000 ports to connect from. Where the system has 127.0.0.1
// alone (Linux answers on all of 127.0.0.0/8), they share that.
func loopbackAddrs(dcs int) (flags []string) {
	for dc := 1; dc <= dcs; dc++ {
		ip := fmt.Sprintf("127.0.0.%d", dc+1)
		l, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
		if err != nil {
			return nil
		}
		_ = l.Close()
		flags = append(flags, "--addr", fmt.Sprintf("%d=%s:0", dc, ip))
	}
	return flags
}

// askingAt is a client of controls on a unix socket.
func askingAt(socket string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
		MaxIdleConnsPerHost: 8,
	}}
}

// cpu is what the test DCs have spent so far; 0 where that is not known.
func (d *benchDC) cpu() time.Duration {
	if d.cmd == nil {
		return 0
	}
	return bench.CPUOf(d.cmd.Process.Pid)
}

// close ends the test DCs and waits until they have.
func (d *benchDC) close() {
	if d.http != nil {
		d.http.CloseIdleConnections()
	}
	if d.cmd == nil {
		return
	}
	_ = d.stdin.Close()
	_ = d.cmd.Wait() // what they are asked for was asked before
}

// ask calls the test DCs' controls: a POST where there is something to send.
func (d *benchDC) ask(ctx context.Context, path string, send, into any) error {
	method, body := http.MethodGet, io.Reader(nil)
	if send != nil {
		b, err := json.Marshal(send)
		if err != nil {
			return err
		}
		method, body = http.MethodPost, bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, body)
	if err != nil {
		return err
	}
	if send != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	got, err := d.http.Do(r)
	if err != nil {
		return fmt.Errorf("bench: asking the test DCs: %w", err)
	}
	defer got.Body.Close()
	if got.StatusCode != http.StatusOK {
		words, _ := io.ReadAll(io.LimitReader(got.Body, 1<<10))
		return fmt.Errorf("bench: the test DCs answer %s to %s: %s", got.Status, path, words)
	}
	return json.NewDecoder(got.Body).Decode(into)
}

// benchLedger is what is read of the ledger.
type benchLedger struct {
	Counts dctest.Counts       `json:"counts"`
	Keys   []dctest.KeyRecord  `json:"keys"`
	Binds  []dctest.BindRecord `json:"binds"`
	Echoes []dctest.EchoRecord `json:"echoes"`
}

func (l *benchLedger) add(page benchLedger) (n int) {
	l.Counts = page.Counts
	l.Keys, l.Binds, l.Echoes = append(l.Keys, page.Keys...), append(l.Binds, page.Binds...), append(l.Echoes, page.Echoes...)
	return max(len(page.Keys), len(page.Binds), len(page.Echoes))
}

// ledger reads whole lists of the ledger, page by page.
func (d *benchDC) ledger(ctx context.Context, lists ...string) (all benchLedger, err error) {
	const page = 10_000 // as much as is given at a time
	for _, list := range lists {
		for from := 0; ; from += page {
			var got benchLedger
			query := url.Values{"list": {list}, "from": {strconv.Itoa(from)}, "limit": {strconv.Itoa(page)}}
			if err := d.ask(ctx, "/ledger?"+query.Encode(), nil, &got); err != nil {
				return all, err
			}
			if all.add(got) < page {
				break
			}
		}
	}
	return all, nil
}

// counts are the ledger's totals, zero of somebody else's.
func (d *benchDC) counts(ctx context.Context) (dctest.Counts, error) {
	if d.http == nil {
		return dctest.Counts{}, nil
	}
	var got benchLedger
	err := d.ask(ctx, "/ledger?list=logins&limit=1", nil, &got)
	return got.Counts, err
}

// cutAll closes every connection of so many DCs, which keep all they know.
func (d *benchDC) cutAll(ctx context.Context, dcs int) error {
	for dc := range dcs {
		var done struct{}
		if err := d.ask(ctx, "/fault", map[string]any{"kind": dctest.FaultCloseConns, "dc": dc + 1}, &done); err != nil {
			return err
		}
	}
	return nil
}

// push makes the test DCs log and push an update to a user.
func (d *benchDC) push(ctx context.Context, user int64) (pushed, error) {
	var got struct {
		Pts int32 `json:"pts"`
	}
	err := d.ask(ctx, "/push", map[string]any{"kind": "update", "user_id": user}, &got)
	return pushed{user, got.Pts}, err
}

// benchVerdict is the ledger's judgement.
type benchVerdict struct {
	Overlaps      []dctest.Overlap    `json:"overlaps"`
	LostUpdates   []api.UpdateRecord  `json:"lost_updates"`
	Repeated      []dctest.EchoRecord `json:"repeated"`
	JudgedUpdates int                 `json:"judged_updates"`
}

// verdict has the ledger judge what the manager's events brought.
func (d *benchDC) verdict(ctx context.Context, delivered []dctest.Delivered) (v benchVerdict, err error) {
	err = d.ask(ctx, "/verdict", map[string]any{"delivered": delivered}, &v)
	return v, err
}
