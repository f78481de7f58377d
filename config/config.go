package config

import (
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"reflect"
	"runtime"
	"time"
)

// Config is a configuration, complete: defaults are filled in and paths are
// absolute or relative to the working directory.
type Config struct {
	// APIID and APIHash are the operator's own, from https://my.telegram.org/apps.
	// Zero: not set, which Validate refuses.
	APIID   int
	APIHash Secret

	Device Device
	Store  Store

	// Environment says which DCs to talk to: Production, Test or Custom.
	Environment string
	// DCs are the DCs of a custom environment; empty in the others, whose
	// tables are built in.
	DCs []DC
	// RSAKeys are the public keys of a custom environment's DCs; empty in the
	// others.
	RSAKeys []RSAKey
	// FirstDC is where accounts without a home DC connect first. Zero means 2,
	// or the first one of DCs when that has no DC 2.
	FirstDC int

	Transport Transport
	// Proxy is the URL of the proxy of accounts that have none of their own; empty:
	// they connect directly.
	Proxy Secret
	// PFS is whether new accounts use temp keys.
	PFS bool
	// Sessions is about sessions that go to other programs.
	Sessions  Sessions
	Limits    Limits
	Log       Log
	Metrics   Metrics
	Fleet     Fleet
	Control   Control
	API       API
	Remote    Remote
	Cluster   Cluster
	Debug     Debug
	Dashboard Dashboard
	// Webhooks are posted what happens to accounts while the manager runs.
	Webhooks []Webhook

	sources map[string]Source // by setting; a missing one has its default
}

// The environments.
const (
	Production = "production" // Telegram's DCs
	Test       = "test"       // Telegram's test DCs
	Custom     = "custom"     // the DCs that are listed
)

// Device is how the program describes itself to the server: the same for every
// account, and true.
type Device struct {
	Model          string
	SystemVersion  string
	AppVersion     string
	SystemLangCode string
	LangCode       string
}

// Store is where the state is kept.
type Store struct {
	// Dir is the data directory.
	Dir string
	// KeyFile is where the store's master key is, unless the environment
	// variable MTFLEET_STORE_KEY has it, or one of the next two says otherwise.
	KeyFile string
	// KeyCommand is a program and its arguments that prints the master key.
	KeyCommand []string
	// KeyCredential is the name of the systemd credential with the master key.
	KeyCredential string
	// Postgres is the database where the state is kept, where it is not in Dir.
	Postgres Postgres
	// Backup is what the running manager does by itself.
	Backup Backup
	// TempKeys is whether temp keys are stored too, so that a restart costs no
	// new ones. Without, a copy of the disk holds none.
	TempKeys bool
}

// Backup says how the running manager backs the store up.
type Backup struct {
	// Dir is where the files go. Empty: it does not.
	Dir string
	// Recipients are the age public keys of who may restore one.
	Recipients []string
	// Every is the time between two, and Keep how many are left.
	Every time.Duration
	Keep  int
}

// DC is one address of a DC.
type DC struct {
	ID   int
	Addr string // IP address and port
}

// RSAKey is a PEM text of one or more public keys.
type RSAKey struct {
	PEM  string
	File string // where it was read from; empty when it stood in the file itself
}

// String names the key, not its text.
func (k RSAKey) String() string {
	if k.File == "" {
		return "inline PEM"
	}
	return k.File
}

// Transport is how packets travel.
type Transport struct {
	Kind       string // abridged, intermediate, padded or full
	Obfuscated bool
	// Carrier is what carries the stream: TCP or WebSocketCarrier.
	Carrier string
	// WebSockets are where DCs take WebSockets: all of a custom environment's, or
	// those that take the place of what is built in for their DCs.
	WebSockets []WebSocket
	// WebSocketCA is whose certificates are accepted of wss; empty: the system's.
	WebSocketCA Certificates
}

// The carriers.
const (
	TCP              = "tcp"
	WebSocketCarrier = "websocket"
)

// Sessions is what may be done with the sessions of accounts.
type Sessions struct {
	// Export permits to hand sessions out: whoever has one is the account.
	Export bool
}

// Limits bound what the process does at once. They protect the operator's
// accounts: the server answers haste with waits and bans.
type Limits struct {
	ConnectsPerSecond     int // new connections, per DC
	KeyCreationsPerSecond int // handshakes, per DC
	KeyCreationsAtOnce    int // handshakes in the whole process; 0: one for each CPU
	SignInsPerMinute      int // started in the whole process
	CallsPerAccount       int // calls of one account under way; more wait for their turn
	Accounts              int // accounts in the store
}

// Log is what goes to standard error.
type Log struct {
	Level  string // debug, info, warn or error
	Format string // text or json
}

// Metrics is where the page of metrics and health is served.
type Metrics struct {
	Listen string // address and port; empty: nowhere
	// AllowRemote permits an address that other machines reach: the page asks for no
	// password. It names no account.
	AllowRemote bool
}

// Fleet is what the operator wants of all accounts together.
type Fleet struct {
	// OnlineMinPercent is how many of a hundred accounts that are to be online must
	// be for /fleetz to say that all is well; 0: any number will do.
	OnlineMinPercent int
}

// Control is where other commands reach a running manager.
type Control struct {
	Socket string // path of a unix socket
}

// Dashboard is where a fleet is shown in a browser.
type Dashboard struct {
	// Listen is an address and a port; empty: nowhere. One that other machines reach
	// needs Cert, Key and somebody in API.Callers.
	Listen string
	// Cert and Key are files with the certificate chain and its key, read again when
	// they change; both empty: it is served without TLS.
	Cert, Key string
	// Names are what browsers ask for it by, each a host name or an address, with a
	// port where that is not the one of Listen.
	Names []string
}

// Debug is for who looks into the process.
type Debug struct {
	// PprofSocket is the path of a unix socket for go tool pprof; empty: none. A
	// profile of the heap can hold what accounts have in memory.
	PprofSocket string
}

// Secret is text that must not be printed; converting it to string reveals it.
type Secret string

const redacted = "[secret]"

// String hides the text.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// Format hides the text from every verb of fmt.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue hides the text.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the text from encoding/json and its like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Default returns the configuration of an operator who decided nothing. It is
// not valid: api_id and api_hash have no default.
func Default() *Config {
	return &Config{
		Device: Device{
			Model: "mtfleet", SystemVersion: runtime.GOOS + "/" + runtime.GOARCH, AppVersion: "dev",
			SystemLangCode: "en", LangCode: "en",
		},
		Environment: Production,
		Transport:   Transport{Kind: "intermediate", Obfuscated: true, Carrier: TCP},
		PFS:         true,
		Store:       Store{TempKeys: true, Postgres: Postgres{Schema: "mtfleet"}, Backup: Backup{Every: 24 * time.Hour, Keep: 14}},
		Limits: Limits{
			ConnectsPerSecond: 20, KeyCreationsPerSecond: 10, SignInsPerMinute: 60, CallsPerAccount: 64, Accounts: 10000,
		},
		Log:     Log{Level: "info", Format: "text"},
		Fleet:   Fleet{OnlineMinPercent: 90},
		Cluster: Cluster{Capacity: 100, Lease: 15 * time.Second, DrainLimit: 40 * time.Second},
	}
}

// pickMasterKey leaves the places of the master key that were said last: a flag goes
// before the environment, and that before the file.
func (c *Config) pickMasterKey() {
	places := []string{"store.key_file", "store.key_command", "store.key_credential"}
	last := 0
	for _, path := range places {
		last = max(last, c.sources[path].layer())
	}
	for _, path := range places {
		if layer := c.sources[path].layer(); layer == 0 || layer == last {
			continue
		}
		delete(c.sources, path)
		switch path {
		case "store.key_file":
			c.Store.KeyFile = ""
		case "store.key_command":
			c.Store.KeyCommand = nil
		case "store.key_credential":
			c.Store.KeyCredential = ""
		}
	}
}

// Changed returns the names of the settings that differ between two configurations,
// in the order in which they are explained.
func Changed(a, b *Config) (names []string) {
	for _, f := range fields {
		if !reflect.DeepEqual(f.at(a), f.at(b)) { // pointers: what they point to is compared
			names = append(names, f.path)
		}
	}
	return names
}

// derive fills in what depends on other settings.
func (c *Config) derive(o Options) {
	if o.Version != "" && c.sources["device.app_version"] == (Source{}) {
		c.Device.AppVersion = o.Version
	}
	if c.Store.Dir == "" {
		c.Store.Dir = userDir(o, "XDG_DATA_HOME", ".local/share")
	}
	c.pickMasterKey()
	if c.Store.KeyFile == "" {
		if dir := userDir(o, "XDG_CONFIG_HOME", ".config"); dir != "" {
			c.Store.KeyFile = filepath.Join(dir, "store.key")
		}
	}
	if c.Control.Socket == "" && c.Store.Dir != "" {
		c.Control.Socket = filepath.Join(c.Store.Dir, "control.sock")
	}
	if c.Cluster.Address == "" {
		c.Cluster.Address = c.Cluster.Listen
	}
	if c.FirstDC == 0 {
		c.FirstDC = 2
		if len(c.DCs) > 0 && !c.hasDC(2) {
			c.FirstDC = c.DCs[0].ID
		}
	}
}

func (c *Config) hasDC(id int) bool {
	for _, dc := range c.DCs {
		if dc.ID == id {
			return true
		}
	}
	return false
}

// userDir is mtfleet's directory of that kind, or "" when there is no home.
func userDir(o Options, variable, below string) string {
	if dir := o.env(variable); filepath.IsAbs(dir) {
		return filepath.Join(dir, "mtfleet")
	}
	if home := o.env("HOME"); home != "" {
		return filepath.Join(home, below, "mtfleet")
	}
	return ""
}

// DefaultFile is where the configuration file is looked for when none is named:
// mtfleet/config.yaml in $XDG_CONFIG_HOME or ~/.config. It is "" without a home.
func DefaultFile(env []string) string {
	if dir := userDir(Options{Env: env}, "XDG_CONFIG_HOME", ".config"); dir != "" {
		return filepath.Join(dir, "config.yaml")
	}
	return ""
}
