package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors/wire"
	"github.com/mtfleet/mtfleet/config"
)

// unitFile is a unit of systemd: settings by section and name, in order.
type unitFile map[string]map[string][]string

func readUnit(t *testing.T, path string) unitFile {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	u, section := unitFile{}, ""
	for i, line := range strings.Split(string(text), "\n") {
		name, value, assigns := strings.Cut(line, "=")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]"):
			section = strings.Trim(line, "[]")
			u[section] = map[string][]string{}
		case assigns && section != "" && !strings.HasSuffix(line, `\`):
			u[section][name] = append(u[section][name], value)
		default:
			t.Fatalf("%s:%d: %q is neither a section nor a setting", path, i+1, line)
		}
	}
	return u
}

// one is a setting of [Service] that is there once.
func (u unitFile) one(t *testing.T, name string) string {
	t.Helper()
	values := u["Service"][name]
	if len(values) != 1 {
		t.Fatalf("%s is set %d times", name, len(values))
	}
	return values[0]
}

const (
	unitPath   = "../../deploy/systemd/mtfleet.service"
	unitConfig = "../../deploy/systemd/config.yaml"
)

// unitSettings is the configuration that the unit runs with, and what is wrong with
// it. Env are variables beside those of the unit.
func unitSettings(t *testing.T, env ...string) (*config.Config, []config.Problem) {
	t.Helper()
	for _, assignment := range readUnit(t, unitPath)["Service"]["Environment"] {
		env = append(env, strings.ReplaceAll(assignment, "%d", "/run/credentials/mtfleet.service"))
	}
	return config.Check(config.Options{File: unitConfig, Env: env, Official: official})
}

var ownApp = []string{"MTFLEET_API_ID=900001", "MTFLEET_API_HASH=6d74666c6565742d746573742d617070"}

func TestTheUnitRunsACommandThatExists(t *testing.T) {
	words := strings.Fields(readUnit(t, unitPath).one(t, "ExecStart"))
	if words[0] != "/usr/bin/manager" {
		t.Errorf("it runs %s", words[0])
	}
	if missing := missingOf(strings.Join(words[1:], " ")); missing != "" {
		t.Errorf("there is no %s", missing)
	}
	if i := slices.Index(words, "--config"); i < 0 || words[i+1] != "/etc/mtfleet/config.yaml" {
		t.Errorf("it does not name the configuration file of the package: %q", words)
	}
}

func TestTheUnitsConfigurationLacksOnlyTheOperatorsOwnApp(t *testing.T) {
	_, problems := unitSettings(t)
	var about []string
	for _, p := range problems {
		about = append(about, p.Path)
	}
	if !slices.Equal(about, []string{"api_id", "api_hash"}) {
		t.Errorf("not edited, it has problems with %q: %v", about, problems)
	}
	if _, problems := unitSettings(t, ownApp...); len(problems) > 0 {
		t.Errorf("with an app: %v", problems)
	}
}

func TestTheUnitAndItsConfigurationNameTheSamePlaces(t *testing.T) {
	unit := readUnit(t, unitPath)
	given, _ := unitSettings(t, ownApp...)
	plain, _ := config.Check(config.Options{File: unitConfig, Env: ownApp})
	for _, c := range []struct{ what, got, want string }{
		{"store.dir", given.Store.Dir, "/var/lib/" + unit.one(t, "StateDirectory")},
		{"the directory of control.socket", filepath.Dir(given.Control.Socket), "/run/" + unit.one(t, "RuntimeDirectory")},
		{"the credential's source", unit.one(t, "LoadCredential"), filepath.Base(given.Store.KeyFile) + ":" + plain.Store.KeyFile},
	} {
		if c.got != c.want {
			t.Errorf("%s is %s, want %s", c.what, c.got, c.want)
		}
	}
}

func TestTheUnitAllowsTheFilesThatItsAccountsTake(t *testing.T) {
	limit, err := strconv.Atoi(readUnit(t, unitPath).one(t, "LimitNOFILE"))
	if err != nil {
		t.Fatal(err)
	}
	accounts := config.Default().Limits.Accounts
	const otherDCs = 4
	if need := wire.DescriptorsFor(accounts) + accounts*otherDCs; limit < need {
		t.Errorf("%d files, and %d accounts need %d", limit, accounts, need)
	}
}

// A notify-reload unit would say the same to a systemd that knows the type: Debian 12 has 252, and it came with 253.
func TestTheUnitIsReloadedByTheSignalThatReloads(t *testing.T) {
	unit := readUnit(t, unitPath)
	if got := unit.one(t, "ExecReload"); got != "/bin/kill -HUP $MAINPID" {
		t.Errorf("it is reloaded by %s", got)
	}
	if got := unit.one(t, "Type"); got != "notify" {
		t.Errorf("its type is %s, and the end of a reload is told by a message", got)
	}
}

func TestTheUnitStartsAnewWhatAStartMends(t *testing.T) {
	unit := readUnit(t, unitPath)
	// Go ends a program with 2 after a panic, and after the signal of the watchdog.
	if got, want := unit.one(t, "RestartPreventExitStatus"), fmt.Sprintf("%d %d", exitMasterKey, exitDamaged); got != want {
		t.Errorf("no start anew after %s, want %s", got, want)
	}
	pause, errPause := time.ParseDuration(unit.one(t, "RestartSec"))
	burst, errBurst := strconv.Atoi(unit["Unit"]["StartLimitBurst"][0])
	if errPause != nil || errBurst != nil || unit["Unit"]["StartLimitIntervalSec"][0] != "10min" {
		t.Fatal(errPause, errBurst, unit["Unit"])
	}
	if tries := time.Duration(burst) * pause; tries >= 10*time.Minute || pause < time.Second {
		t.Errorf("%d starts take %v: the limit of ten minutes never counts, or they hammer", burst, tries)
	}
}

// TestSystemdTakesTheUnit has systemd's own tool read the unit. The exposure level
// is 1.1 of 10 with systemd 252; other versions count a little differently.
func TestSystemdTakesTheUnit(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("there is no systemd-analyze on this machine")
	}
	text, err := os.ReadFile(unitPath)
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The program that the unit runs is not installed here: another one stands for it.
	unit := filepath.Join(t.TempDir(), "mtfleet.service")
	if err := os.WriteFile(unit, []byte(strings.ReplaceAll(string(text), "/usr/bin/manager", exe)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(analyze, "verify", "--man=no", unit).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("verify: %v\n%s", err, out)
	}
	out, err := exec.Command(analyze, "security", "--offline=true", "--no-pager", "--threshold=15", unit).CombinedOutput()
	if err != nil {
		t.Errorf("its exposure level is over 1.5: %v\n%s", err, out)
	}
}

func TestAUnitFileIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.service")
	if err := os.WriteFile(path, []byte("# why\n[Unit]\nA=1\n[Service]\nB=2=3\nB=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := readUnit(t, path)
	if !maps.EqualFunc(got["Service"], map[string][]string{"B": {"2=3", ""}}, slices.Equal) || got["Unit"]["A"][0] != "1" {
		t.Errorf("read %v", got)
	}
}
