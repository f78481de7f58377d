package main

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
	badgeroptions "github.com/dgraph-io/badger/v4/options"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mtfleet/mtfleet/cmd/manager/certtest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence/pgstore/pgtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"manager": func() { os.Exit(manager()) }, "stubborn": stubborn, "age-keygen": ageKeygen})
}

// stubborn takes signals as a manager does, says by files where it stands, and never
// gets done with closing.
func stubborn() {
	ctx, _ := untilSignal(os.Stderr)
	_ = os.WriteFile("ready", nil, 0o600)
	<-ctx.Done()
	_ = os.WriteFile("closing", nil, 0o600)
	select {}
}

// TestScripts runs the command as its users do: testdata/*.txt.
func TestScripts(t *testing.T) {
	p := scripts()
	p.Dir = "testdata"
	testscript.Run(t, p)
}

// TestScriptsOfACluster are those with nodes of one database; each has a server of
// PostgreSQL of its own, or is skipped.
func TestScriptsOfACluster(t *testing.T) {
	database := pgtest.Start(t).DSN()
	p := scripts()
	p.Dir = "testdata/cluster"
	setup := p.Setup
	p.Setup = func(env *testscript.Env) error {
		env.Setenv("DATABASE", database)
		return setup(env)
	}
	testscript.Run(t, p)
}

// scripts is what all of them can do.
func scripts() testscript.Params {
	return testscript.Params{
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			home := filepath.Join(env.WorkDir, "home")
			env.Setenv("HOME", home)
			return os.Mkdir(home, 0o700)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":      exits,
			"waitfor":    waitFor,
			"people":     people,
			"bots":       bots,
			"term":       terminate,
			"signal":     signalCmd,
			"within":     within,
			"demoresult": demoResultCmd,
			"corrupt":    corrupt,
			"holdstore":  holdStore,
			"mode":       mode,
			"freeport":   freePort,
			"httpget":    httpGet,
			"sink":       sink,
			"systemd":    systemd,
			"asks":       asks,
			"sent":       sent,
			"found":      found,
			"controlled": controlled,
			"smalldisk":  smallDisk,
			"filldisk":   fillDisk,
			"freedisk":   freeDisk,
			"certs":      certs,
			"nodecerts":  nodeCerts,
			"token":      token,
			"append":     appendTo,
			"untainted":  untainted,
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "mount":
				return canMount(), nil
			case "root":
				return os.Geteuid() == 0, nil
			}
			return false, errors.New("unknown condition")
		},
	}
}

// exits CODE COMMAND [ARG...] runs a command and wants that exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// eventually is how long a test waits for what must happen, however busy the
// machine is.
const eventually = 90 * time.Second

// waitFor FILE [TEXT] waits until a file exists and holds the text. It looks at
// the output of a command in the background with `waitfor COMMAND ARG...` too: a
// command that succeeds and, after "--", a text on its standard output.
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: waitfor FILE [TEXT] | waitfor COMMAND [ARG...] -- TEXT")
	}
	ok := func() bool {
		b, err := os.ReadFile(ts.MkAbs(args[0]))
		return err == nil && (len(args) == 1 || strings.Contains(string(b), args[1]))
	}
	if i := slices.Index(args, "--"); i > 0 && i == len(args)-2 {
		ok = func() bool {
			return ts.Exec(args[0], args[1:i]...) == nil && strings.Contains(ts.ReadFile("stdout"), args[i+1])
		}
	}
	for begun := time.Now(); !ok(); time.Sleep(30 * time.Millisecond) {
		if time.Since(begun) > eventually {
			ts.Fatalf("waited for %q in vain", args)
		}
	}
}

// people FILE puts what a descriptor knows into variables: PHONE1, CODE1, ...,
// TOKEN1, ..., and DC1 with the address of DC 1.
func people(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: people FILE")
	}
	waitFor(ts, false, args)
	var d serve.Descriptor
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &d))
	for i, p := range d.Phones {
		n := strconv.Itoa(i + 1)
		ts.Setenv("PHONE"+n, p.Number)
		ts.Setenv("CODE"+n, p.Code)
	}
	for i, b := range d.Bots {
		ts.Setenv("TOKEN"+strconv.Itoa(i+1), b.Token)
	}
	for _, dc := range d.DCs {
		ts.Setenv("DC"+strconv.Itoa(dc.ID), dc.IP+":"+strconv.Itoa(dc.Port))
	}
}

// bots N signs in the bots 1 to N of a descriptor, as bot1, bot2 and so on.
func bots(ts *testscript.TestScript, neg bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	for i := range n {
		number := strconv.Itoa(i + 1)
		token := ts.MkAbs("token")
		ts.Check(os.WriteFile(token, []byte(ts.Getenv("TOKEN"+number)), 0o600))
		ts.Check(ts.Exec("manager", "account", "login", "bot"+number, "--add", "--bot-token-file", token))
	}
}

// terminate, as term WORD, sends SIGTERM to the commands in the background that
// have the word among their arguments.
func terminate(ts *testscript.TestScript, neg bool, args []string) {
	sent := false
	for _, cmd := range ts.BackgroundCmds() {
		if strings.Contains(strings.Join(cmd.Args, " "), args[0]) {
			ts.Check(cmd.Process.Signal(syscall.SIGTERM))
			sent = true
		}
	}
	if !sent {
		ts.Fatalf("no command in the background has %q", args[0])
	}
}

// signalCmd, as signal STOP|CONT|HUP|INT|KILL WORD, sends a signal to the command in the
// background that has the word among its arguments. The variable MOMENT says when.
func signalCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: signal STOP|CONT|HUP|INT|KILL WORD")
	}
	sig := map[string]syscall.Signal{"STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT, "HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "KILL": syscall.SIGKILL}[args[0]]
	for _, cmd := range ts.BackgroundCmds() {
		if slices.Contains(cmd.Args, args[1]) {
			ts.Setenv("MOMENT", time.Now().Format(time.RFC3339Nano))
			ts.Check(cmd.Process.Signal(sig))
			process := cmd.Process
			ts.Defer(func() { _ = process.Signal(syscall.SIGCONT) })
			return
		}
	}
	ts.Fatalf("no command in the background has %q", args[1])
}

// within DURATION LOG TEXT... waits for a line of a log that has one of the texts,
// and wants its time to be that long after MOMENT at most.
func within(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: within DURATION LOG TEXT...")
	}
	most, err := time.ParseDuration(args[0])
	ts.Check(err)
	moment, err := time.Parse(time.RFC3339Nano, ts.Getenv("MOMENT"))
	ts.Check(err)
	for begun := time.Now(); time.Since(begun) < eventually; time.Sleep(30 * time.Millisecond) {
		for line := range strings.Lines(ts.ReadFile(args[1])) {
			if !slices.ContainsFunc(args[2:], func(text string) bool { return strings.Contains(line, text) }) {
				continue
			}
			word, _, _ := strings.Cut(strings.TrimPrefix(line, "time="), " ")
			at, err := time.Parse(time.RFC3339Nano, word)
			ts.Check(err)
			ts.Logf("after %v: %s", at.Sub(moment), line)
			if at.Sub(moment) > most {
				ts.Fatalf("that is more than %v", most)
			}
			return
		}
	}
	ts.Fatalf("waited for %q in vain", args)
}

// demoresult N wants the last line of standard output to be the result of a good
// demonstration with N accounts.
func demoResultCmd(ts *testscript.TestScript, neg bool, args []string) {
	lines := strings.Split(strings.TrimSpace(ts.ReadFile("stdout")), "\n")
	var got map[string]any
	ts.Check(json.Unmarshal([]byte(lines[len(lines)-1]), &got))
	n, err := strconv.ParseFloat(args[0], 64)
	ts.Check(err)
	for field, want := range map[string]float64{
		"accounts": n, "signed_in": n, "pfs_bound": n,
		"online_after_dc_restart": n, "online_after_manager_restart": n, "online_after_temp_keys_lost": n,
		"new_logins_after_restart": 0, "calls_failed": 0, "updates_lost": 0,
		"ledger_overlaps": 0, "ledger_orphans": 0, "protocol_violations": 0, "protocol_noted": 0,
	} {
		if v, ok := got[field].(float64); !ok || v != want {
			ts.Fatalf("%s is %v, want %v", field, got[field], want)
		}
	}
	if v, _ := got["calls_ok"].(float64); v < n*callsEach {
		ts.Fatalf("calls_ok is %v", got["calls_ok"])
	}
}

// nodecerts NAME... makes an authority, ca.pem, and NAME.pem and NAME.key of each node.
func nodeCerts(ts *testscript.TestScript, neg bool, args []string) {
	ca, err := certtest.New(ts.MkAbs("."))
	ts.Check(err)
	for _, name := range args {
		_, err := ca.Node(name)
		ts.Check(err)
	}
}

// corrupt DIR ACCOUNT turns a bit in every record of an account.
func corrupt(ts *testscript.TestScript, neg bool, args []string) {
	db, err := badger.Open(badger.DefaultOptions(ts.MkAbs(args[0])).WithCompression(badgeroptions.None).WithLogger(nil))
	ts.Check(err)
	touched := 0
	ts.Check(db.Update(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.DefaultIteratorOptions)
		defer it.Close()
		changed := map[string][]byte{}
		for it.Rewind(); it.Valid(); it.Next() {
			if !strings.Contains(string(it.Item().Key()), "/"+args[1]+"/") {
				continue
			}
			value, err := it.Item().ValueCopy(nil)
			if err != nil {
				return err
			}
			value[len(value)-1] ^= 1
			changed[string(it.Item().Key())] = value
		}
		touched = len(changed)
		for key, value := range changed {
			if err := txn.Set([]byte(key), value); err != nil {
				return err
			}
		}
		return nil
	}))
	ts.Check(db.Close())
	if touched == 0 {
		ts.Fatalf("account %s has no records", args[1])
	}
}

// holdstore DIR DURATION keeps a store for a while, as a slow command does.
func holdStore(ts *testscript.TestScript, neg bool, args []string) {
	dir, err := os.Open(ts.MkAbs(args[0]))
	ts.Check(err)
	held, err := time.ParseDuration(args[1])
	ts.Check(err)
	ts.Check(syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB))
	time.AfterFunc(held, func() { _ = dir.Close() })
}

// mode FILE OCTAL wants a file to have a mode.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := strconv.FormatInt(int64(info.Mode().Perm()), 8); got != args[1] {
		ts.Fatalf("%s has mode %s, want %s", args[0], got, args[1])
	}
}

// freeport NAME puts a port nobody listens on into a variable.
func freePort(ts *testscript.TestScript, neg bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	defer l.Close()
	ts.Setenv(args[0], strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
}

// httpget URL TEXT wants a page to hold a text.
func httpGet(ts *testscript.TestScript, neg bool, args []string) {
	resp, err := http.Get(args[0])
	ts.Check(err)
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if !strings.Contains(string(page), args[1]) {
		ts.Fatalf("%s does not have %q:\n%s", args[0], args[1], page)
	}
}
