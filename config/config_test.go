package config

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mtfleet/mtfleet/actors"
)

const goodHash = "fedcba9876543210fedcba9876543210"

// minimal is a valid file, to which tests add lines.
const minimal = "api_id: 1234567\napi_hash: \"" + goodHash + "\"\n"

// official are the lists that the command hands over.
var official = Official{ID: actors.OfficialID, Word: actors.OfficialWord}

var testEnv = []string{"HOME=/home/op", "PATH=/bin"}

// write makes a file in a new directory and returns its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

var publicPEM = sync.OnceValue(func() string {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&key.PublicKey)}))
})

// load loads a file with the text and returns its path too.
func load(t *testing.T, text string, o Options) (*Config, string, error) {
	t.Helper()
	o.File, o.Official = write(t, "mtfleet.yaml", text), official
	if o.Env == nil {
		o.Env = testEnv
	}
	cfg, err := Load(o)
	return cfg, o.File, err
}

func mustLoad(t *testing.T, text string, o Options) *Config {
	t.Helper()
	cfg, _, err := load(t, text, o)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestMinimalFileGetsTheDefaults(t *testing.T) {
	cfg := mustLoad(t, minimal, Options{Version: "1.2"})
	want := Default()
	want.APIID, want.APIHash, want.FirstDC = 1234567, goodHash, 2
	want.Device.AppVersion = "1.2"
	want.Store = Store{Dir: "/home/op/.local/share/mtfleet", KeyFile: "/home/op/.config/mtfleet/store.key", TempKeys: true, Postgres: Postgres{Schema: "mtfleet"}, Backup: Backup{Every: 24 * time.Hour, Keep: 14}}
	want.Control.Socket = "/home/op/.local/share/mtfleet/control.sock"
	if diff := cmp.Diff(want, cfg, cmpopts.IgnoreUnexported(Config{})); diff != "" {
		t.Error(diff)
	}
	if problems := cfg.Validate(official); len(problems) != 0 {
		t.Error(problems)
	}
}

func TestTheExampleAsItIsIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "example.yaml")
	if err := os.WriteFile(file, []byte(Example()), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, problems := Check(Options{File: file}); len(problems) != 1 || !strings.Contains(problems[0].String(), "api_id: this and api_hash are still the example's") {
		t.Errorf("got %v", problems)
	}
	if _, problems := Check(Options{File: file, Offline: true}); len(problems) != 0 {
		t.Errorf("for who talks to no DC: %v", problems)
	}
}

func TestExampleFileShowsEverySettingAndLoads(t *testing.T) {
	text, err := os.ReadFile("mtfleet.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte(exampleHash), []byte(goodHash), 1)
	text = bytes.Replace(text, []byte("api_id: "+strconv.Itoa(exampleID)), []byte("api_id: 1234567"), 1)
	cfg := mustLoad(t, string(text), Options{})
	plain := mustLoad(t, minimal, Options{})
	if diff := cmp.Diff(plain, cfg, cmpopts.IgnoreUnexported(Config{})); diff != "" {
		t.Errorf("the example differs from the defaults (-default +example):\n%s", diff)
	}
	// Every setting is there, if only in a comment.
	for _, f := range fields {
		name := f.path[strings.LastIndex(f.path, ".")+1:]
		if !regexp.MustCompile(`(?m)^[ #]*` + name + `:`).Match(text) {
			t.Errorf("%s is missing", f.path)
		}
	}
	// What is commented out is valid too.
	custom := strings.NewReplacer("environment: production", "environment: custom", "# dcs:", "dcs:", "#   - {", "  - {",
		"# rsa_keys:", "rsa_keys:", "# websockets:", "websockets:", "#   - testdc.pem", "  - testdc.pem").Replace(string(text))
	file := write(t, "mtfleet.yaml", custom)
	if err := os.WriteFile(filepath.Join(filepath.Dir(file), "testdc.pem"), []byte(publicPEM()), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err = Load(Options{File: file, Env: testEnv})
	if err != nil || len(cfg.DCs) != 2 || cfg.RSAKeys[0].PEM != publicPEM() || cfg.FirstDC != 2 || len(cfg.Transport.WebSockets) != 2 {
		t.Errorf("custom environment: %+v, %v", cfg, err)
	}
}

func TestFlagsOverrideTheEnvironmentAndThatTheFile(t *testing.T) {
	text := minimal + "log: {level: debug, format: json}\nlimits:\n  accounts: 5\nstore: {dir: data}\n"
	cfg := mustLoad(t, text, Options{
		Env:   append(testEnv, "MTFLEET_LOG_LEVEL=warn", "MTFLEET_LIMITS_ACCOUNTS=6", "MTFLEET_PFS=off", "MTFLEET_STORE_KEY=x", "MTFLEET_TEST_LIVE=1"),
		Flags: map[string]string{"limits.accounts": "7", "transport.kind": "padded"},
	})
	if cfg.Log.Level != "warn" || cfg.Log.Format != "json" || cfg.Limits.Accounts != 7 || cfg.PFS || cfg.Transport.Kind != "padded" {
		t.Errorf("%+v", cfg)
	}
	for setting, want := range map[string]string{
		"log.level": "MTFLEET_LOG_LEVEL", "limits.accounts": "a flag", "first_dc": "default",
	} {
		if got := cfg.Source(setting).String(); got != want {
			t.Errorf("%s comes from %s, want %s", setting, got, want)
		}
	}
	if got := cfg.Source("log.format").String(); !strings.HasSuffix(got, "mtfleet.yaml:3") {
		t.Errorf("log.format comes from %s", got)
	}
}

func TestPathsStartWhereTheyAreWritten(t *testing.T) {
	cfg, file, err := load(t, minimal+"store: {dir: data, key_file: ~/my.key}\n", Options{Flags: map[string]string{"control.socket": "run/c.sock"}})
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(filepath.Dir(file), "data"); cfg.Store.Dir != want {
		t.Errorf("store.dir is %s, want %s", cfg.Store.Dir, want)
	}
	if cfg.Store.KeyFile != "/home/op/my.key" || cfg.Control.Socket != "run/c.sock" {
		t.Errorf("%+v %+v", cfg.Store, cfg.Control)
	}
	cfg = mustLoad(t, minimal, Options{Env: []string{"HOME=/home/op", "XDG_DATA_HOME=/d", "XDG_CONFIG_HOME=/c"}})
	if cfg.Store.Dir != "/d/mtfleet" || cfg.Store.KeyFile != "/c/mtfleet/store.key" || !cfg.Store.TempKeys {
		t.Errorf("%+v", cfg.Store)
	}
}

func TestTheMasterKeyIsWhereItWasSaidLast(t *testing.T) {
	inFile := minimal + "store:\n  key_file: k\n"
	for name, c := range map[string]struct {
		text    string
		o       Options
		key     string
		command []string
	}{
		"the file alone":                    {inFile, Options{}, "", nil},
		"the environment over the file":     {inFile, Options{Env: append(testEnv, "MTFLEET_STORE_KEY_CREDENTIAL=c")}, "c", nil},
		"a flag over the environment":       {inFile, Options{Env: append(testEnv, "MTFLEET_STORE_KEY_CREDENTIAL=c"), Flags: map[string]string{"store.key_command": "kms,arg"}}, "", []string{"kms", "arg"}},
		"a flag with a file over a command": {minimal + "store:\n  key_command: [kms]\n", Options{Flags: map[string]string{"store.key_file": "/k"}}, "", nil},
	} {
		cfg := mustLoad(t, c.text, c.o)
		if cfg.Store.KeyCredential != c.key || !slices.Equal(cfg.Store.KeyCommand, c.command) {
			t.Errorf("%s: %+v", name, cfg.Store)
		}
	}
}

func TestTheFileIsFound(t *testing.T) {
	home := t.TempDir()
	env := []string{"HOME=" + home, "MTFLEET_API_ID=77", "MTFLEET_API_HASH=" + goodHash}
	if cfg, err := Load(Options{Env: env}); err != nil || cfg.APIID != 77 {
		t.Fatalf("without any file: %v", err)
	}
	file := DefaultFile(env)
	if file != home+"/.config/mtfleet/config.yaml" || DefaultFile(nil) != "" {
		t.Fatalf("the default file is %s", file)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("first_dc: 4\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if cfg, err := Load(Options{Env: env}); err != nil || cfg.FirstDC != 4 {
		t.Errorf("the default file: %+v, %v", cfg, err)
	}
	other := write(t, "other.yaml", "first_dc: 5\n")
	if cfg, err := Load(Options{Env: append(env, "MTFLEET_CONFIG="+other)}); err != nil || cfg.FirstDC != 5 {
		t.Errorf("the file of MTFLEET_CONFIG: %+v, %v", cfg, err)
	}
	_, err := Load(Options{Env: env, File: "/no/such/file.yaml"})
	if want := "the configuration is wrong: cannot read the file: no such file or directory (/no/such/file.yaml)"; err == nil || err.Error() != want {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestCustomEnvironmentByFlags(t *testing.T) {
	key := write(t, "dc.pem", publicPEM())
	cfg, err := Load(Options{Env: testEnv, Flags: map[string]string{
		"api_id": "99", "api_hash": goodHash, "environment": "custom", "dcs": "4=127.0.0.1:1004, 5=[::1]:1005", "rsa_keys": key,
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := []DC{{4, "127.0.0.1:1004"}, {5, "[::1]:1005"}}
	if diff := cmp.Diff(want, cfg.DCs); diff != "" || cfg.FirstDC != 4 || cfg.RSAKeys[0].String() != key {
		t.Errorf("%s first DC %d, keys %v", diff, cfg.FirstDC, cfg.RSAKeys)
	}
	inline := minimal + "environment: custom\ndcs: [{id: 1, addr: \"127.0.0.1:1\"}]\nrsa_keys:\n  - |\n    " +
		strings.ReplaceAll(strings.TrimSpace(publicPEM()), "\n", "\n    ") + "\n"
	if cfg := mustLoad(t, inline, Options{}); cfg.RSAKeys[0].String() != "inline PEM" {
		t.Errorf("%v", cfg.RSAKeys)
	}
}

func TestOfflineCommandsNeedNoApplication(t *testing.T) {
	if _, _, err := load(t, "first_dc: 2\n", Options{Offline: true}); err != nil {
		t.Error(err)
	}
	// A wrong one is refused all the same.
	if _, _, err := load(t, "api_id: 2040\n", Options{Offline: true}); err == nil {
		t.Error("an official id was accepted")
	}
}

func TestEverySettingCanBeGivenEveryWay(t *testing.T) {
	// Also finds fields of a type that bind or show does not know.
	for _, f := range fields {
		cfg := Default()
		text := "1"
		switch f.at(cfg).(type) {
		case *[]DC:
			text = "1=127.0.0.1:1"
		case *time.Duration:
			text = "90m"
		case *[]RSAKey:
			text = write(t, "k.pem", publicPEM())
		}
		for _, o := range []Options{
			{Env: append(testEnv, f.env()+"="+text)},
			{Env: testEnv, Flags: map[string]string{f.path: text}},
		} {
			cfg, problems := Check(o)
			for _, p := range problems {
				if strings.Contains(p.Message, "this must be") && strings.HasPrefix(p.Path, f.path) && f.path != "api_hash" {
					t.Errorf("%s: %v", f.path, p)
				}
			}
			if show(f.at(cfg)) == "?" || cfg.Source(f.path) == (Source{}) {
				t.Errorf("%s is not shown", f.path)
			}
		}
		if f.doc == "" || !strings.HasSuffix(f.doc, ".") {
			t.Errorf("%s is not explained", f.path)
		}
	}
	if len(Settings()) != len(fields) {
		t.Error("settings are missing")
	}
}

func TestExplainShowsValueSourceAndMeaning(t *testing.T) {
	_, file, err := load(t, minimal+"environment: custom\ndcs: [{id: 2, addr: \"127.0.0.1:1\"}]\nrsa_keys: [k.pem]\n", Options{})
	if err == nil {
		t.Fatal("a key file that is not there was accepted")
	}
	cfg, _ := Check(Options{File: file, Env: append(testEnv, "MTFLEET_LOG_LEVEL=warn")})
	text := cfg.Explain()
	for _, want := range []string{
		"api_hash = \"[secret]\"  (" + file + ":2)\n", "dcs = [{id: 2, addr: \"127.0.0.1:1\"}]  (" + file + ":4)\n",
		"log.level = \"warn\"  (MTFLEET_LOG_LEVEL)\n", "pfs = true  (default)\n    Whether new accounts use temp keys (perfect forward secrecy).\n    MTFLEET_PFS\n",
		"whole process. 0: one for each",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	if strings.Contains(text, goodHash) {
		t.Error("the secret is shown")
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	cfg := mustLoad(t, minimal, Options{})
	js, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "hash", cfg.APIHash, "cfg", cfg)
	all := fmt.Sprintf("%v %+v %#v %s %q %x %d", cfg, cfg, cfg, cfg.APIHash, cfg.APIHash, cfg.APIHash, cfg.APIHash) + log.String() + string(js)
	if strings.Contains(all, goodHash[:8]) || strings.Contains(all, fmt.Sprintf("%x", goodHash[:8])) {
		t.Errorf("the secret is shown: %s", all)
	}
	if Secret("").String() != "" {
		t.Error("an empty secret looks like one")
	}
	// Nor do errors repeat it.
	for _, text := range []string{
		"api_hash: [" + goodHash + "]\n", "api_hash: {a: " + goodHash + "}\n", "api_hash: \"" + goodHash + "ff\"\n", goodHash, "- " + goodHash,
		"api_id: " + goodHash + "\n", "api_hash: \"" + goodHash, "api_hash: 0x" + goodHash + "\n", "api_id: 1\napi_hash: " + goodHash + ": x\n",
	} {
		_, _, err := load(t, text, Options{})
		var ce *Error
		if !errors.As(err, &ce) || strings.Contains(err.Error(), goodHash[:8]) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestAPageForOtherMachinesIsAllowedWhereThatIsSaid(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:9464", ":9464", "192.0.2.1:9464", "[2001:db8::1]:9464"} {
		cfg := mustLoad(t, minimal+"metrics: {listen: \""+listen+"\", allow_remote: true}\n", Options{})
		if cfg.Metrics.Listen != listen {
			t.Errorf("%+v", cfg.Metrics)
		}
	}
}

func TestChangedSettingsAreNamed(t *testing.T) {
	a, b := Default(), Default()
	if got := Changed(a, b); got != nil {
		t.Errorf("two that are alike differ in %q", got)
	}
	b.APIHash, b.Log.Level, b.Limits.Accounts, b.Webhooks = "secret", "debug", 1, []Webhook{{Name: "w"}}
	b.DCs = []DC{{ID: 1}}
	if got := strings.Join(Changed(a, b), " "); got != "api_hash dcs limits.accounts log.level webhooks" {
		t.Errorf("they differ in %s", got)
	}
}
