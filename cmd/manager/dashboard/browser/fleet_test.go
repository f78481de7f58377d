package browser

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience is how long anything may take that is waited for.
const patience = 30 * time.Second

// program is the manager, built once.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "manager")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "manager")
	build := exec.Command("go", "build", "-o", program, "./cmd/manager")
	build.Dir = "../../../.."
	if out, err := build.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("%v: %s", err, out))
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// fleet is test DCs and a manager with a dashboard.
type fleet struct {
	t       *testing.T
	dir     string
	manager string // the program
	base    string // the dashboard's URL
	dc      descriptor
	running *exec.Cmd // the manager that runs
}

// descriptor is what is wanted of the one of the DCs.
type descriptor struct {
	Control string
	Phones  []struct {
		Phone  string
		Code   string
		UserID int64 `json:"user_id"`
	}
	Bots []struct {
		Token  string
		UserID int64 `json:"user_id"`
	}
}

// newFleet starts them, with so many bots signed in, and a dashboard on loopback.
func newFleet(t *testing.T, bots int) *fleet {
	t.Helper()
	f := newDCs(t, bots)
	addr := freeAddr(t)
	f.base = "http://" + addr
	f.manage(bots, "--dashboard", addr)
	return f
}

// newDCs starts test DCs, and makes the configuration for a manager of them.
func newDCs(t *testing.T, bots int, args ...string) *fleet {
	t.Helper()
	dir, err := os.MkdirTemp("", "board") // a short path, for the socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	f := &fleet{t: t, dir: dir, manager: program}
	f.start(append([]string{"testdc", "--users", "3", "--bots", fmt.Sprint(max(bots, 1)), "--dcs", "2", "--no-limits", "--qr-ttl", "4s",
		"--control", "127.0.0.1:0", "--write-config", "dc.yaml", "--descriptor", "dc.json"}, args...)...)
	f.until("the test DCs", func() bool {
		b, err := os.ReadFile(filepath.Join(dir, "dc.json"))
		return err == nil && json.Unmarshal(b, &f.dc) == nil
	})
	return f
}

// manage starts the manager, and signs so many bots in.
func (f *fleet) manage(bots int, args ...string) {
	f.t.Helper()
	f.running = f.start(append([]string{"run"}, args...)...)
	f.until("the manager", func() bool { _, err := f.try("dashboard"); return err == nil })
	for i, b := range f.dc.Bots[:bots] {
		token := filepath.Join(f.dir, "token")
		if err := os.WriteFile(token, []byte(b.Token), 0o600); err != nil {
			f.t.Fatal(err)
		}
		name := fmt.Sprintf("bot-%d", i+1)
		f.run("account", "add", name)
		f.run("account", "login", name, "--bot-token-file", token)
	}
}

// freeAddr is an address that nobody listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (f *fleet) command(args ...string) *exec.Cmd {
	cmd := exec.Command(f.manager, args...)
	cmd.Dir = f.dir
	cmd.Env = append(os.Environ(), "MTFLEET_CONFIG="+filepath.Join(f.dir, "dc.yaml"), "HOME="+f.dir)
	return cmd
}

// start starts a process that is ended with the test.
func (f *fleet) start(args ...string) *exec.Cmd {
	f.t.Helper()
	cmd := f.command(args...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		ended := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		defer ended.Stop()
		if err := cmd.Wait(); err != nil || f.t.Failed() && args[0] == "run" {
			f.t.Logf("manager %s: %v\n%s", args[0], err, said.String())
		}
	})
	return cmd
}

func (f *fleet) try(args ...string) (string, error) {
	out, err := f.command(args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// run runs a command that must succeed, and returns what it says.
func (f *fleet) run(args ...string) string {
	f.t.Helper()
	out, err := f.try(args...)
	if err != nil {
		f.t.Fatalf("manager %v: %v\n%s", args, err, out)
	}
	return out
}

func (f *fleet) until(what string, ok func() bool) {
	f.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if ok() {
			return
		}
	}
	f.t.Fatalf("%s did not come", what)
}

// ask asks the test DCs for something.
func (f *fleet) ask(path string, body any) {
	f.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		f.t.Fatal(err)
	}
	at := f.dc.Control
	if !strings.HasPrefix(at, "http") {
		at = "http://" + at
	}
	r, err := http.Post(at+path, "application/json", bytes.NewReader(b))
	if err != nil {
		f.t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		var said bytes.Buffer
		_, _ = said.ReadFrom(r.Body)
		f.t.Fatalf("%s %s: %s %s", path, b, r.Status, said.String())
	}
}

func (f *fleet) url(path string) string { return f.base + path }
