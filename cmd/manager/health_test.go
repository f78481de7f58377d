package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/config"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/storetest"
)

// TestAManagerWhoseStoreHangsIsNotAlive is what /livez is for; that a store refuses, and
// that another manager has taken it, is not.
func TestAManagerWhoseStoreHangsIsNotAlive(t *testing.T) {
	actorstest.Bubble(t, func(t *testing.T) {
		memory := persistence.NewMemory()
		store := storetest.NewFailing(memory, nil)
		m := actorstest.Open(t, actorstest.Options(actorstest.Cluster(t, actorstest.Small()), store))
		cfg := config.Default()
		cfg.Control.Socket = filepath.Join(t.TempDir(), "nobody.sock")
		page, mux := &metricsPage{}, http.NewServeMux()
		page.health.Register(mux)
		page.running(m, cfg)
		is := func(path string, status int, texts ...string) {
			t.Helper()
			w := httptest.NewRecorder()
			begun := time.Now()
			mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("%s took %v", path, took)
			}
			for _, text := range texts {
				if w.Code != status || !strings.Contains(w.Body.String(), text) {
					t.Errorf("%s: %d %s, want %d with %q", path, w.Code, w.Body, status, text)
				}
			}
		}
		is("/livez", 200, "governor: ok", "supervisor: ok", "store: ok")
		is("/readyz", 503, "store: ok", "claim on the store: ok", "control API: nobody answers at "+cfg.Control.Socket)

		store.SetFail(func(int, persistence.Commit) error { return storetest.ErrInjected })
		is("/livez", 200, "store: ok")

		free := make(chan struct{})
		store.SetFail(func(int, persistence.Commit) error { <-free; return storetest.ErrInjected })
		is("/livez", 503, "not ok", "governor: ok", "supervisor: ok", "store: no answer for 5s")
		is("/livez", 503, "store: no answer for 10s")
		close(free)
		is("/livez", 200, "store: ok")

		store.SetFail(nil)
		if _, err := memory.Claim("another"); err != nil {
			t.Fatal(err)
		}
		_, _ = m.Add(t.Context(), "alice", actors.AccountOptions{}) // which finds out
		is("/livez", 200, "store: ok")
		is("/readyz", 503, "claim on the store: every account here is stopped, for another manager has claimed the store")
	})
}

// TestThePageIsThereBeforeTheStore has the store held while the manager starts.
func TestThePageIsThereBeforeTheStore(t *testing.T) {
	dir := t.TempDir()
	addr := freeAddr(t)
	file := filepath.Join(dir, "config.yaml")
	text := "api_id: 1234567\napi_hash: \"fedcba9876543210fedcba9876543210\"\nstore: {dir: data, key_file: store.key}\nmetrics: {listen: \"" + addr + "\"}\n"
	badger := filepath.Join(dir, "data", "badger")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(badger, 0o700); err != nil {
		t.Fatal(err)
	}
	held, err := os.Open(badger)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := syscall.Flock(int(held.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		t.Fatal(err)
	}
	a := &app{configFile: file, env: []string{"HOME=" + dir}, in: strings.NewReader(""), out: io.Discard, err: io.Discard}
	cfg, err := a.load(false)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- a.run(ctx, cfg, true) }()

	waitForPage(t, addr, "/livez", "200 ok\nstarting: the store is being opened, and its accounts are read\n")
	waitForPage(t, addr, "/readyz", "503 not ok\nstarting: the store is being opened, and its accounts are read\n")
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	waitForPage(t, addr, "/readyz", "200 ok\ngovernor: ok\nsupervisor: ok\nstore: ok\nclaim on the store: ok\ncontrol API: ok\n")
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// waitForPage waits until a path is answered like that.
func waitForPage(t *testing.T, addr, path, want string) {
	t.Helper()
	var got string
	for begun := time.Now(); time.Since(begun) < eventually; time.Sleep(10 * time.Millisecond) {
		response, err := http.Get("http://" + addr + path)
		if err != nil {
			got = err.Error()
			continue
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if got = fmt.Sprintf("%d %s", response.StatusCode, body); got == want {
			return
		}
	}
	t.Fatalf("%s says %q to the end, want %q", path, got, want)
}
