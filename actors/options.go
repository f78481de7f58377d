package actors

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/actors/wire"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/persistence"
)

// App is what every account of the process says about itself. APIID and
// APIHash are the operator's own, from https://my.telegram.org; the device is
// described honestly, the same for all accounts.
type App struct {
	APIID          int
	APIHash        string
	DeviceModel    string
	SystemVersion  string
	AppVersion     string
	SystemLangCode string // empty: "en"
	LangPack       string // empty is legal
	LangCode       string // empty: "en"
}

// Options is what a Manager is made of. Store, App and DCs are needed; the
// rest has defaults. Options are copied.
type Options struct {
	// Store keeps the accounts. The Manager claims it and does not close it.
	Store persistence.Store
	// Only, if set, is the one account that is started, or may be added; nothing
	// happens to the others of the store, and which users they are is known.
	Only string
	// Node names this process in the store; empty means "local".
	Node string
	// Cluster makes this process one of several that keep one fleet; Store is a
	// persistence.Cluster then, and Node a name that no other has. Nil: it owns all
	// of the store.
	Cluster *ClusterOptions
	// App is what accounts say about themselves.
	App App
	// DCs is the table of DCs: dc.Production(), or the operator's own. Its RSA
	// public keys are what handshakes trust.
	DCs dc.Table
	// DefaultDC is where sign-ins begin; zero means 2, or the table's first DC
	// when it has no DC 2.
	DefaultDC dc.ID
	// TempKeyLife is how long a temp key is asked to live; zero means 24 h,
	// the least is one minute.
	TempKeyLife time.Duration
	// TempKeysInMemory keeps temp keys out of the store: a copy of the disk then
	// holds none, and each restart costs every account a new one.
	TempKeysInMemory bool

	// Wire says how connections are made; zero is intermediate framing over a
	// net.Dialer. Its Rand is taken from Options.
	Wire wire.Config
	// Proxy is the proxy of accounts that have none of their own, as SetProxy takes
	// it; empty: they connect directly. It is refused where Wire.RequireLoopback is
	// set, and an MTProxy where Wire.WebSocket is.
	Proxy string
	// Network makes connections instead of Wire, for simulations; nil is Wire.
	// Wait for what it leaves behind after Close.
	Network account.Network
	// AllowExport permits Account.Export: whoever has a session is the account.
	AllowExport bool
	// Limits paces connects, key creation and sign-ins; zero fields have
	// defaults.
	Limits governor.Limits
	// MaxCallsPerAccount bounds the calls of one account under way; zero means
	// 1024, what one session may have in flight. Invoke waits at the bound, and
	// at 64 MiB of them.
	MaxCallsPerAccount int

	// Clock tells the time; nil is the real one. It may be off, and may be set
	// while the Manager runs, which then goes on by the time it had.
	Clock runtime.Clock
	// Rand makes keys, ids and jitter; nil is crypto/rand. It must be safe for
	// concurrent use.
	Rand io.Reader
	// Sim, if set, is the seeded scheduler of a simulation: the manager runs on
	// the goroutine that drives it, in virtual time, and the same seed gives the
	// same run. It is the Clock, and the Rand when that is nil. What waits, Add,
	// SignIn, Invoke and Close, waits as runtime.Sim says; a range over Events
	// does not, so take OnEvent.
	Sim *runtime.Sim
	// OnEvent, if set, is called with every event of every account, one at a
	// time and in order. It must not block, nor call the Manager. Events serves
	// who reads at his own pace.
	OnEvent func(Event)
	// Logger is told what an operator should know; nil is silence. No key,
	// code, password or token reaches it.
	Logger *slog.Logger
	// MeterProvider and TracerProvider; nil means none.
	MeterProvider  metric.MeterProvider
	TracerProvider trace.TracerProvider

	script *account.Trace // what transcripts are written from; nil in a program
}

const defaultMaxCalls = 1024

// AppError refuses what an application says about itself.
type AppError struct {
	Field string // the field of App, as the configuration names it
	Why   string
}

func (e *AppError) Error() string { return e.Field + " " + e.Why }

// CheckApp tells whether accounts may present themselves so. The error has
// one *AppError in its tree for each field that is wrong.
func CheckApp(app App) error {
	var errs []error
	bad := func(field, why string) { errs = append(errs, &AppError{field, why}) }
	switch owner := OfficialID(app.APIID); {
	case app.APIID <= 0:
		bad("api_id", "is missing: get your own at https://my.telegram.org; there is no default")
	case owner != "":
		bad("api_id", fmt.Sprintf("is %d, which belongs to %s: get your own at https://my.telegram.org", app.APIID, owner))
	}
	if app.APIHash == "" {
		bad("api_hash", "is missing: it comes with your api_id")
	}
	for _, f := range []struct{ name, value string }{
		{"device_model", app.DeviceModel}, {"system_version", app.SystemVersion}, {"app_version", app.AppVersion},
	} {
		if strings.TrimSpace(f.value) == "" {
			bad(f.name, "is empty: say honestly what this program runs on")
		}
		if OfficialWord(f.value) != "" {
			bad(f.name, "names an official app: say honestly what this program is")
		}
	}
	return oneLine(errs)
}

// check tells whether a Manager can be made of the options.
func (o *Options) check() error {
	if o.Store == nil {
		return errors.New("Options.Store is nil")
	}
	if err := CheckApp(o.App); err != nil {
		return err
	}
	if err := o.DCs.Check(); err != nil {
		return fmt.Errorf("the DC table: %w", err)
	}
	if _, err := o.proxy(o.Proxy); err != nil {
		return err
	}
	if o.Cluster != nil && o.Only != "" {
		return errors.New("Options.Only is for a manager without a cluster")
	}
	if o.DefaultDC != 0 && !o.DCs.Has(o.DefaultDC) {
		return fmt.Errorf("the DC table does not have %v, where sign-ins are to begin", o.DefaultDC)
	}
	return nil
}

// lock makes a lock that may be held while the store is asked.
func (o *Options) lock() sync.Locker {
	if o.Sim != nil {
		return o.Sim.Locker()
	}
	return new(sync.Mutex)
}

// wait returns what waits until a channel is closed, nil for just that.
func (o *Options) wait() func(<-chan struct{}) {
	if o.Sim == nil {
		return nil
	}
	return func(done <-chan struct{}) { o.Sim.Wait(func() bool { return isDone(done) }) }
}

// fill sets the defaults in the Manager's own copy.
func (o *Options) fill() {
	if o.Node == "" {
		o.Node = "local"
	}
	if o.DefaultDC == 0 {
		o.DefaultDC = dc.Default
		if !o.DCs.Has(o.DefaultDC) {
			o.DefaultDC = o.DCs.DCs()[0]
		}
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
		if o.Sim != nil {
			o.Rand = o.Sim
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MaxCallsPerAccount <= 0 {
		o.MaxCallsPerAccount = defaultMaxCalls
	}
	if o.App.LangCode == "" {
		o.App.LangCode = "en"
	}
	if o.App.SystemLangCode == "" {
		o.App.SystemLangCode = "en"
	}
}
