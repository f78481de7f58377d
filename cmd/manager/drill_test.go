package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
)

// drill is a fleet whose store is lost. Every step of it is a command, as
// docs/backup.md shows it to an operator.
type drill struct {
	t       *testing.T
	cluster *serve.Cluster
	dir     string
	sets    []string // of the store that is used
	users   map[string]int64
}

func newDrill(t *testing.T) *drill {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("needs a unix socket and SIGKILL")
	}
	cluster, err := serve.Start(serve.Config{Persons: 3, Bots: 5, API: api.Config{LoginsPerDay: -1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cluster.Close() })
	dir, err := os.MkdirTemp("", "drill") // a short path, for the socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	d := &drill{t: t, cluster: cluster, dir: dir, users: map[string]int64{}}
	config := clusterConfig(cluster.Descriptor(), budgetConfig(governor.Loopback()))
	if err := os.WriteFile(d.at("dc.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *drill) at(name string) string { return filepath.Join(d.dir, name) }

func (d *drill) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	if args[0] == "manager" {
		cmd.Args = append(append([]string{"manager"}, d.sets...), args[1:]...)
	}
	cmd.Dir = d.dir
	cmd.Env = append(os.Environ(), "MTFLEET_CONFIG=dc.yaml", "HOME="+d.dir)
	return cmd
}

// try runs a command to its end and returns its exit code and what it said.
func (d *drill) try(args ...string) (int, string) {
	cmd := d.command(d.t.Context(), args...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		d.t.Errorf("%v: %v", args, err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

func (d *drill) must(args ...string) string {
	d.t.Helper()
	code, out := d.try(args...)
	if code != exitOK {
		d.t.Fatalf("%v: exit code %d: %s", args, code, out)
	}
	return out
}

func (d *drill) signIn() {
	d.t.Helper()
	for i, p := range d.cluster.Descriptor().Phones {
		name := "person" + strconv.Itoa(i)
		d.must("manager", "account", "login", name, "--add", "--phone", "+"+p.Number)
		d.must("manager", "account", "login", name, "--code", p.Code)
		d.users[name] = p.UserID
	}
	for i, b := range d.cluster.Descriptor().Bots {
		name := "bot" + strconv.Itoa(i)
		if err := os.WriteFile(d.at("token"), []byte(b.Token), 0o600); err != nil {
			d.t.Fatal(err)
		}
		d.must("manager", "account", "login", name, "--add", "--bot-token-file", "token")
		d.users[name] = b.UserID
	}
}

// run starts a manager, waits until everybody is online, and returns what kills it
// or stops it.
func (d *drill) run() (end func(os.Signal)) {
	d.t.Helper()
	cmd := d.command(d.t.Context(), "manager", "run")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	ended := false
	end = func(sig os.Signal) {
		if !ended {
			ended = true
			_ = cmd.Process.Signal(sig)
			_ = cmd.Wait()
		}
	}
	d.t.Cleanup(func() {
		end(os.Kill)
		if d.t.Failed() {
			d.t.Log(log.String())
		}
	})
	online := regexp.MustCompile(`(?m)\bonline\b`)
	for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		code, out := d.try("manager", "account", "list")
		if code == exitOK && len(online.FindAllString(out, -1)) == len(d.users) {
			return end
		}
		if time.Since(begun) > eventually {
			d.t.Fatalf("not everybody is online: %s", out)
		}
	}
}

// work has every account call and get an update, and returns the pts of each.
func (d *drill) work() map[string]int32 {
	d.t.Helper()
	var wg sync.WaitGroup
	for name := range d.users {
		wg.Go(func() {
			if code, out := d.try("manager", "account", "call", name, "users.getUsers", "--json", `{"id":[{"_":"inputUserSelf"}]}`); code != exitOK {
				d.t.Errorf("%s: a call: exit code %d: %s", name, code, out)
			}
		})
	}
	pts := d.push()
	wg.Wait()
	return pts
}

// push has everybody get an update, also while no manager runs.
func (d *drill) push() map[string]int32 {
	d.t.Helper()
	pts := map[string]int32{}
	for name, user := range d.users {
		err := d.cluster.API(func(b *api.Backend, now time.Time) {
			at, err := b.PushUpdate(now, user)
			if err != nil {
				d.t.Error(err)
			}
			pts[name] = at
		})
		if err != nil {
			d.t.Fatal(err)
		}
	}
	return pts
}

// load has two accounts call without a pause, from when it returns, and returns
// what kills those who call.
func (d *drill) load() (kill func()) {
	ctx, cancel := context.WithCancel(d.t.Context())
	var wg sync.WaitGroup
	called := make(chan struct{}, 2)
	for _, name := range []string{"person0", "bot0"} {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				_ = d.command(ctx, "manager", "account", "call", name, "help.getNearestDc").Run() // until it is killed
				if n == 0 {
					called <- struct{}{}
				}
			}
		})
	}
	<-called
	<-called
	return func() { cancel(); wg.Wait() }
}

// hears waits until each account of the manager that runs was told an update.
func (d *drill) hears(pts map[string]int32) {
	d.t.Helper()
	for name, at := range pts {
		want := regexp.MustCompile(fmt.Sprintf(`"pts":%d\b`, at))
		for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) {
			_, out := d.try("manager", "account", "events", name, "--type", "update", "--json")
			if want.MatchString(out) {
				break
			}
			if time.Since(begun) > eventually {
				d.t.Fatalf("%s was not told the update with pts %d: %s", name, at, out)
			}
		}
	}
}

// TestAStoreThatIsLostComesBackFromItsBackup: everybody is online again, and the
// DCs know of no authorization that nobody holds, of no second sign-in, and of no
// two processes on one key.
func TestAStoreThatIsLostComesBackFromItsBackup(t *testing.T) {
	d := newDrill(t)
	d.signIn()
	end := d.run()
	d.hears(d.work())

	// The backup is made in the midst of calls.
	calls := d.load()
	d.must("age-keygen", "-o", "backup.key")
	key := regexp.MustCompile(`age1[a-z0-9]+`).FindString(string(read(t, d.at("backup.key"))))
	d.must("manager", "store", "backup", "fleet.age", "--recipient", key)
	d.must("manager", "store", "verify", "fleet.age", "--identity", "backup.key")

	// More happens: keys are replaced, updates come, and in the midst of calls the
	// machine is gone, with its disk.
	d.must("manager", "account", "rotate", "--all")
	d.hears(d.work())
	end(os.Kill)
	calls()
	if err := os.Rename(d.at("data"), d.at("gone")); err != nil {
		t.Fatal(err)
	}
	missed := d.push()
	before := d.cluster.Counts()

	// The new place: no old file, no old master key.
	d.sets = []string{"--set", "store.key_file=new.key", "--set", "store.dir=new"}
	d.must("manager", "store", "restore", "fleet.age", "--identity", "backup.key")
	if code, out := d.try("manager", "run"); code != exitInUse || !strings.Contains(out, "manager store adopt") {
		t.Errorf("before it is adopted: exit code %d: %s", code, out)
	}
	d.must("manager", "store", "adopt")
	end = d.run()
	d.hears(missed)
	d.hears(d.work())
	d.must("manager", "account", "rotate", "--all")
	end(os.Interrupt)
	d.must("manager", "store", "verify")
	d.judge(before.Logins)
}

// judge asks the DCs.
func (d *drill) judge(logins int) {
	d.t.Helper()
	a := &app{env: []string{"MTFLEET_CONFIG=" + d.at("dc.yaml")}, err: io.Discard, settings: []string{"store.dir=" + d.at("new"), "store.key_file=" + d.at("new.key")}}
	cfg, err := a.load(false)
	if err != nil {
		d.t.Fatal(err)
	}
	store, err := a.openStore(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		d.t.Fatal(err)
	}
	keys, err := actorstest.StoreKeys(store)
	if err = errors.Join(err, store.Close()); err != nil {
		d.t.Fatal(err)
	}
	ledger := d.cluster.Ledger()
	v := ledger.Verdict(keys, nil, d.cluster.Descriptor().ServerTime)
	if len(v.Orphans) > 0 || len(v.Overlaps) > 0 {
		d.t.Errorf("%+v", v)
	}
	n, live := ledger.Counts, 0
	for _, row := range ledger.Authorizations {
		if row.Home && row.Ended.IsZero() {
			live++
		}
	}
	if n.Logins != logins || live != len(d.users) || n.Refused+n.Noted > 0 {
		d.t.Errorf("%d logins, and %d before; %d of %d authorizations live; %d violations", n.Logins, logins, live, len(d.users), n.Refused+n.Noted)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
