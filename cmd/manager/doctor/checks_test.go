package doctor

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors/wire"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/handshake"
	"github.com/mtfleet/mtfleet/mtproto/proxy"
	"github.com/mtfleet/mtfleet/persistence"
)

// want is a finding as a test expects it: its level, a part of what it says, and of
// the command that mends it.
type want struct {
	level Level
	what  string
	mend  string
}

// match compares findings with what is wanted, and holds each to what every finding
// promises.
func match(t *testing.T, got []Finding, wants ...want) {
	t.Helper()
	if len(got) != len(wants) {
		t.Fatalf("%d findings, want %d: %+v", len(got), len(wants), got)
	}
	for i, f := range got {
		w := wants[i]
		if f.Level != w.level || !strings.Contains(f.What, w.what) || !strings.Contains(f.Mend, w.mend) {
			t.Errorf("got %v, %q, %q\nwant %v, %q, %q", f.Level, f.What, f.Mend, w.level, w.what, w.mend)
		}
		if f.Level == OK && f.Why+f.Mend != "" || f.Level > OK && (f.Why == "" || f.Mend == "") {
			t.Errorf("a finding that is %v: why %q, mend %q", f.Level, f.Why, f.Mend)
		}
		if f.Check == "" || f.What == "" || strings.HasSuffix(f.What, ".") || strings.Contains(f.What, "persistence:") {
			t.Errorf("what it says: %+v", f)
		}
	}
}

// file makes one of a mode.
func file(t *testing.T, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := errors.Join(os.WriteFile(path, []byte("x"), 0o600), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheKey(t *testing.T) {
	bad := func(reason string) error { return &persistence.MasterKeyError{Source: "k", Reason: reason} }
	missing := filepath.Join(t.TempDir(), "none")
	for _, c := range []struct {
		name string
		key  Key
		want want
	}{
		{"all is well", Key{File: file(t, 0o600), Store: true}, want{OK, "(mode 0600)", ""}},
		{"it is in the environment", Key{}, want{OK, "in the environment", ""}},
		{"what is in the environment is no key", Key{Err: bad("it is not 32 bytes")}, want{Error, "k: it is not 32 bytes", "config show"}},
		{"others can read it", Key{File: file(t, 0o644), Err: bad("other users can reach the file")}, want{Error, "other users", "chmod 600 "}},
		{"we cannot", Key{File: file(t, 0o000), Err: bad("permission denied")}, want{Error, "permission denied", "sudo chown"}},
		{"it is not made yet", Key{File: missing, Err: bad("there is no key yet")}, want{Note, "none yet", "manager account add"}},
		{"it is gone", Key{File: missing, Err: bad("the file is missing"), Store: true}, want{Error, "the file is missing", "cp COPY_OF_THE_KEY " + missing}},
		{"it is something else", Key{File: file(t, 0o600), Err: bad("it is not 32 bytes"), Store: true}, want{Error, "it is not 32 bytes", "cp COPY_OF_THE_KEY"}},
		{"it is another store's", Key{File: file(t, 0o600), Store: true, Wrong: bad("it is not the key of the store")}, want{Error, "not the key", "cp COPY_OF_THE_KEY"}},
	} {
		t.Run(c.name, func(t *testing.T) { match(t, []Finding{CheckKey(c.key)}, c.want) })
	}
}

func TestTheConfigurationFile(t *testing.T) {
	match(t, CheckConfigFile(""))
	match(t, CheckConfigFile(filepath.Join(t.TempDir(), "none")))
	match(t, CheckConfigFile(file(t, 0o640)), want{OK, "(mode 0640)", ""})
	match(t, CheckConfigFile(file(t, 0o644)), want{Warning, "read by everybody", "chmod 600 "})
	match(t, CheckConfigFile(file(t, 0o660)), want{Warning, "changed by others", "chmod go-w "})
}

func TestFilesWithSecrets(t *testing.T) {
	match(t, []Finding{CheckSecretFile("webhook", file(t, 0o640))}, want{OK, "(mode 0640)", ""})
	match(t, []Finding{CheckSecretFile("webhook", file(t, 0o644))}, want{Warning, "reached by everybody", "chmod o= "})
	match(t, []Finding{CheckSecretFile("webhook", filepath.Join(t.TempDir(), "none"))}, want{Warning, "no such file", "ls -l "})
}

func TestTheSocketFile(t *testing.T) {
	match(t, CheckSocket(filepath.Join(t.TempDir(), "none")))
	match(t, CheckSocket(file(t, 0o600)), want{Error, "no socket", "mv "})
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for mode, w := range map[os.FileMode]want{0o600: {OK, "(mode 0600)", ""}, 0o666: {Error, "others can open", "chmod 600 "}} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		match(t, CheckSocket(path), w)
	}
}

func TestTheStoreDirectory(t *testing.T) {
	dir := t.TempDir()
	match(t, []Finding{CheckStoreDir(filepath.Join(dir, "none"))}, want{Note, "none yet", "account add"})
	match(t, []Finding{CheckStoreDir(file(t, 0o600))}, want{Error, "is a file", "mv "})
	for mode, w := range map[os.FileMode]want{
		0o700: {OK, "(mode 0700)", ""},
		0o755: {Warning, "others can reach", "chmod -R go= "},
		0o500: {Error, "closed to us", "chmod 700 "},
	} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		match(t, []Finding{CheckStoreDir(dir)}, w)
	}
	if os.Geteuid() != 0 {
		return // giving it away is root's
	}
	if err := os.Chown(dir, 12345, -1); err != nil {
		t.Fatal(err)
	}
	match(t, []Finding{CheckStoreDir(dir)}, want{Error, "belongs to another user", "sudo chown -R"})
}

func TestTheStore(t *testing.T) {
	for _, c := range []struct {
		name  string
		store Store
		want  []want
	}{
		{"a manager has it", Store{Open: true, Accounts: 1}, []want{{OK, "with 1 account", ""}}},
		{"there is none", Store{Dir: "d", Missing: true}, []want{{OK, "none yet in d", ""}}},
		{"it would open", Store{Accounts: 3}, []want{{OK, "with 3 accounts", ""}}},
		{"the key is the key's business", Store{Refusal: &persistence.MasterKeyError{Source: "k", Reason: "r"}}, nil},
		{"somebody has it", Store{Dir: "d", Refusal: &persistence.LockedError{Dir: "d", PID: 7}}, []want{{Warning, "process 7", "ps -fp 7"}}},
		{"somebody unknown has it", Store{Dir: "d", Refusal: &persistence.LockedError{Dir: "d"}}, []want{{Warning, "another process", "fuser -v d"}}},
		{"a store that was moved", Store{Refusal: &persistence.MovedError{Place: "d", Move: persistence.Move{Other: "a database"}}}, []want{{Error, "was moved to a database", "manager store adopt"}}},
		{"a copy", Store{Refusal: &persistence.CopiedError{Dir: "d", ID: "01020304"}}, []want{{Error, "is a copy", "manager store adopt"}}},
		{"damage", Store{Refusal: &persistence.DamagedError{Dir: "d", Why: "MANIFEST is missing"}}, []want{{Error, "MANIFEST is missing", "manager store salvage --dry-run"}}},
		{"a newer program's", Store{Refusal: &persistence.VersionError{Version: 9, Known: 1}}, []want{{Error, "9", "manager version"}}},
		{"it cannot be read", Store{Dir: "d", Refusal: syscall.EIO}, []want{{Error, "input/output error", "ls -l d"}}},
	} {
		t.Run(c.name, func(t *testing.T) { match(t, CheckStore(c.store), c.want...) })
	}
}

func TestTheDisk(t *testing.T) {
	dir := t.TempDir()
	below := filepath.Join(dir, "a", "b")
	for _, c := range []struct {
		name string
		room persistence.Room
		err  error
		want want
	}{
		{"there is room", persistence.Room{Free: 400, Needed: 100}, nil, want{OK, "400 bytes are free", ""}},
		{"less than four times the reserve", persistence.Room{Free: 399, Needed: 100}, nil, want{Warning, "below 100 bytes", "df -h " + dir}},
		{"less than the reserve", persistence.Room{Free: 99, Needed: 100}, nil, want{Error, "99 bytes are free", "df -h " + dir}},
		{"nobody knows", persistence.Room{Free: -1}, nil, want{OK, "cannot be told", ""}},
		{"too few files", persistence.Room{Free: 400, Needed: 100}, &persistence.FullError{Dir: below, Free: 3, Needed: 64, Inodes: true}, want{Error, "3 more files", "df -i " + dir}},
		{"read-only", persistence.Room{Free: -1}, &persistence.DiskError{Dir: below, Doing: "looking", Err: syscall.EROFS}, want{Error, "read-only", "df -h"}},
	} {
		t.Run(c.name, func(t *testing.T) { match(t, []Finding{CheckDisk(below, c.room, c.err)}, c.want) })
	}
}

func TestTheManager(t *testing.T) {
	ours := Manager{Socket: "s", Listens: true, Running: true, PID: 7, Version: "v2", SameStore: true}
	with := func(change func(m *Manager)) Manager { m := ours; change(&m); return m }
	for _, c := range []struct {
		name    string
		manager Manager
		want    want
		version []want
	}{
		{"ours runs", ours, want{OK, "process 7", ""}, []want{{OK, "v2", ""}}},
		{"an older one runs", with(func(m *Manager) { m.Version = "v1" }), want{OK, "process 7", ""}, []want{{Warning, "is v1, and this program v2", "kill 7"}}},
		{"none", Manager{Socket: "s"}, want{Note, "none runs", "manager run"}, nil},
		{"none, and one was killed", Manager{Socket: "s", Left: true}, want{Note, "killed left s", "manager run"}, nil},
		{"a command at a prompt", with(func(m *Manager) { m.Running, m.Command = false, "account login a" }), want{Note, "`account login a`, process 7", "manager run"}, nil},
		{"one of another store", with(func(m *Manager) { m.SameStore, m.Store = false, "/elsewhere" }), want{Error, "/elsewhere", "control.socket"}, []want{{OK, "v2", ""}}},
		{"one of another user", Manager{Socket: "s", Listens: true, Err: fs.ErrPermission}, want{Error, "we may not open s", "ls -l s"}, nil},
		{"one that hangs", Manager{Socket: "s", Listens: true, Err: errors.New("it hangs")}, want{Error, "does not answer: it hangs", "fuser -v s"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			match(t, []Finding{CheckManager(c.manager)}, c.want)
			match(t, CheckVersion(c.manager, "v2"), c.version...)
		})
	}
}

func TestDescriptors(t *testing.T) {
	match(t, []Finding{CheckDescriptors(0, 10)}, want{OK, "no limit", ""})
	match(t, []Finding{CheckDescriptors(84, 10)}, want{OK, "84 files", ""})
	match(t, []Finding{CheckDescriptors(83, 10)}, want{Warning, "84 are needed for 10 accounts", "LimitNOFILE=84"})
	const limits = "Limit                     Soft Limit           Hard Limit           Units     \nMax open files            1024                 4096                 files     \n"
	if n := openFiles(limits); n != 1024 {
		t.Errorf("the limit of a process is read as %d", n)
	}
	if n := openFiles(strings.ReplaceAll(limits, "1024", "unlimited")); n != 0 {
		t.Errorf("no limit is read as %d", n)
	}
	if own := DescriptorLimit(0); own != 0 && DescriptorLimit(os.Getpid()) != own {
		t.Errorf("of this process %d by itself, %d by its number", own, DescriptorLimit(os.Getpid()))
	}
}

func TestTheMetricsPage(t *testing.T) {
	status := http.StatusOK
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte("the store\nis gone"))
	}))
	listen := page.Listener.Addr().String()
	match(t, CheckMetrics(t.Context(), "", true), want{Note, "no page", "metrics.listen="})
	match(t, CheckMetrics(t.Context(), listen, false))
	match(t, CheckMetrics(t.Context(), listen, true), want{OK, listen, ""})
	_, port, _ := net.SplitHostPort(listen)
	match(t, CheckMetrics(t.Context(), "0.0.0.0:"+port, true), want{OK, "0.0.0.0", ""})
	status = http.StatusServiceUnavailable
	match(t, CheckMetrics(t.Context(), listen, true), want{Warning, "not ready: the store is gone", "curl -v http://" + listen + "/readyz"})
	page.Close()
	match(t, CheckMetrics(t.Context(), listen, true), want{Warning, "does not answer: nobody listens there", "curl"})
}

func TestTheAccounts(t *testing.T) {
	well := Account{ID: "a", UserID: 1, SignedIn: true, State: "online"}
	acc := func(id string, user int64, state string) Account { return Account{id, user, true, state} }
	match(t, CheckAccounts(nil), want{OK, "0 accounts", ""})
	match(t, CheckAccounts([]Account{well, acc("b", 2, "offline")}), want{OK, "2 accounts", ""})
	match(t, CheckAccounts([]Account{well, acc("c", 1, "online"), {ID: "d", UserID: 1, State: "signed-out"}}), want{Error, "a and c are one user", "manager account logout c && manager account remove c"})
	match(t, CheckAccounts([]Account{acc("b", 2, "revoked"), acc("c", 3, "duplicated"), acc("d", 4, "quarantined"), acc("e", 5, "revoked")}),
		want{Error, "1 account duplicated: c", "timeline c"}, want{Warning, "1 account quarantined: d", "show d"}, want{Warning, "2 accounts revoked: b, e", "login b"})
	var many []Account
	for i := range 9 {
		many = append(many, acc("n"+strconv.Itoa(i), int64(i+1), "revoked"))
	}
	match(t, CheckAccounts(many), want{Warning, "9 accounts revoked: n0, n1, n2, n3, n4 and 4 more", "login n0"})
}

func TestTheDCs(t *testing.T) {
	way := func(id dc.ID, family dc.Families) Way {
		return Way{id, family, map[dc.Families]string{dc.IPv4: "127.0.0.1:443", dc.IPv6: "[::1]:443"}[family]}
	}
	well := func(w Way) Answer { return Answer{Way: w, Took: time.Millisecond} }
	bad := func(w Way, err error) Answer { return Answer{Way: w, Err: err} }
	one4, one6, two4, two6 := way(1, dc.IPv4), way(1, dc.IPv6), way(2, dc.IPv4), way(2, dc.IPv6)
	via := &proxy.Server{Kind: proxy.SOCKS5, Host: "host", Port: 1080, User: "me", Password: "secret"}
	through := &wire.ProxyError{Proxy: via.String(), Err: syscall.ECONNREFUSED}
	for _, c := range []struct {
		name    string
		answers []Answer
		via     *proxy.Server
		want    []want
	}{
		{"all answer", []Answer{well(one4), well(one6)}, nil, []want{{OK, "DC 1 by IPv4 answered in 1ms", ""}, {OK, "DC 1 by IPv6", ""}}},
		{"nobody listens", []Answer{bad(one4, syscall.ECONNREFUSED), well(two4)}, nil, []want{{Error, "DC 1 by IPv4: nobody listens there", "nc -vz 127.0.0.1 443"}, {OK, "", ""}}},
		{"one family of one DC", []Answer{well(one4), bad(one6, handshake.ErrTimeout), well(two4), well(two6)}, nil,
			[]want{{OK, "", ""}, {Note, "DC 1 by IPv6: no answer in time", "nc -vz ::1 443"}, {OK, "", ""}, {OK, "", ""}}},
		{"one family of all", []Answer{well(one4), bad(one6, syscall.ENETUNREACH), well(two4), bad(two6, syscall.ENETUNREACH)}, nil,
			[]want{{Note, "no DC can be reached by IPv6: there is no way there from this machine", "ip -6 route"}, {OK, "", ""}, {OK, "", ""}}},
		{"nothing at all", []Answer{bad(one4, syscall.ENETUNREACH), bad(one6, syscall.ENETUNREACH)}, nil, []want{{Error, "DC 1 by IPv4", "nc"}, {Error, "DC 1 by IPv6", "nc"}}},
		{"one family, and a DC is down in the other", []Answer{well(one4), bad(one6, syscall.ENETUNREACH), bad(two4, handshake.ErrTimeout), bad(two6, syscall.ENETUNREACH)}, nil,
			[]want{{Note, "by IPv6", "ip"}, {OK, "DC 1", ""}, {Error, "DC 2 by IPv4", "nc"}}},
		{"another key", []Answer{bad(one4, handshake.ErrNoKey)}, nil, []want{{Error, "no RSA key that is known", "manager config show"}}},
		{"too many connections", []Answer{bad(one4, &wire.CodeError{Code: -429})}, nil, []want{{Error, "the server answered -429", "nc"}}},
		{"the proxy is down", []Answer{bad(one4, through), bad(two4, through)}, via, []want{{Error, "through socks5://host:1080: nobody listens there", "nc -vz host 1080"}}},
		{"one DC is not reached through it", []Answer{bad(one4, through), well(two4)}, via, []want{{Error, "DC 1 by IPv4", "nc -vz host 1080"}, {OK, "", ""}}},
		{"by its number", []Answer{bad(Way{DC: 1}, handshake.ErrTimeout)}, nil, []want{{Error, "DC 1: no answer in time", "manager config show"}}},
	} {
		t.Run(c.name, func(t *testing.T) { match(t, CheckDCs(c.answers, c.via), c.want...) })
	}
}

func TestTheClock(t *testing.T) {
	at := func(id dc.ID, offset time.Duration) Answer { return Answer{Way: Way{DC: id}, Offset: offset} }
	match(t, CheckClock([]Answer{{Way: Way{DC: 1}, Err: handshake.ErrTimeout, Offset: time.Hour}}))
	match(t, CheckClock([]Answer{at(1, 5*time.Second), at(2, -time.Second)}), want{OK, "agrees with 2 DCs", ""})
	match(t, CheckClock([]Answer{at(1, time.Hour), at(2, time.Hour+time.Second)}), want{Warning, "clock is 1h0m1s behind that of every DC", "timedatectl set-ntp true"})
	match(t, CheckClock([]Answer{at(1, -time.Minute)}), want{Warning, "1m0s ahead of", "timedatectl"})
	match(t, CheckClock([]Answer{at(1, time.Minute), at(2, 0)}), want{Note, "DC 1 is 1m0s ahead of this machine's clock", "manager governor"})
	match(t, CheckClock([]Answer{at(1, time.Minute), at(1, time.Second)}), want{OK, "1 DC", ""})
}

func TestLevelsAreWords(t *testing.T) {
	b, err := json.Marshal([]Finding{{Check: "c", Level: Warning, What: "w"}, ok("c", "it's %s", "good")})
	if want := `[{"check":"c","level":"warning","what":"w"},{"check":"c","level":"ok","what":"it's good"}]`; err != nil || string(b) != want {
		t.Errorf("got  %s, %v\nwant %s", b, err, want)
	}
	all := []Finding{{Level: Note}, {Level: Warning}, {Level: Warning}, {}}
	if Worst(all) != Warning || Worst(nil) != OK || Count(all) != "2 warnings, 1 note" || Count(nil) != "all is well" {
		t.Errorf("%v, %v, %q, %q", Worst(all), Worst(nil), Count(all), Count(nil))
	}
	if Level(9).String() != "level 9" {
		t.Error(Level(9))
	}
}

func TestCommandsAreQuotedForAShell(t *testing.T) {
	for in, want := range map[string]string{"/a/b-c.d": "/a/b-c.d", "/a b": "'/a b'", "it's": `'it'\''s'`, "": "''", "$(x)": "'$(x)'"} {
		if got := Quoted(in); got != want {
			t.Errorf("%q is quoted as %s, want %s", in, got, want)
		}
	}
}

func TestCertificatesAndHosts(t *testing.T) {
	cert, key := filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	match(t, []Finding{CheckCertificate("api", cert, key, now)}, want{Error, "no such file", "openssl x509"})
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now, NotAfter: now.AddDate(0, 1, 0)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, private.Public(), private)
	pkcs8, keyErr := x509.MarshalPKCS8PrivateKey(private)
	if err := errors.Join(err, keyErr,
		os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600)); err != nil {
		t.Fatal(err)
	}
	match(t, []Finding{CheckCertificate("api", cert, key, now.AddDate(0, 0, 1))}, want{OK, "good until 2030-02-01", ""})
	match(t, []Finding{CheckCertificate("api", cert, key, now.AddDate(0, 2, 0))}, want{Error, "was good until 2030-02-01", "openssl"})
	match(t, []Finding{CheckCertificate("api", cert, key, now.AddDate(0, 0, -1))}, want{Error, "good only from 2030-01-01", "openssl"})
	match(t, []Finding{CheckCertificate("api", cert, cert, now)}, want{Error, "with " + cert, "openssl"})
	match(t, []Finding{CheckHost(t.Context(), "webhook", "127.0.0.1")}, want{OK, "127.0.0.1", ""})
	over, cancel := context.WithCancel(t.Context()) // so that nobody is asked
	cancel()
	match(t, []Finding{CheckHost(over, "webhook", "nobody.invalid")}, want{Warning, "nobody.invalid has no address", "getent hosts nobody.invalid"})
}
