package account

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/actors/dcconn"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// App is what every account of this process says about itself: the operator's
// own api_id and an honest description of the program and the machine.
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

// Network makes the sockets of an account's connections.
type Network = dcconn.Network

// EnvConfig is what an Env is made of.
type EnvConfig struct {
	App      App
	Store    persistence.Store
	Owner    persistence.Owner // goes with every commit
	Governor runtime.Ref[governor.Message]
	Network  Network // makes the sockets
	DCs      dc.Table
	// DefaultDC is where a sign-in begins.
	DefaultDC dc.ID
	// TempKeyLife is how long a temp key is asked to live; zero means 24 h.
	TempKeyLife time.Duration
	// TempInMemory keeps temp keys out of the store.
	TempInMemory bool
	Rand         io.Reader // safe for concurrent use
	Logger       *slog.Logger

	// Publish hands an event to who listens. It does not block.
	Publish func(Event)
	// ClaimPhone reserves a phone number for a sign-in of the account, so that
	// at most one code per phone is pending; it reports the holder if another
	// account has it. ReleasePhone gives it back.
	ClaimPhone   func(phone string, id persistence.AccountID) (holder persistence.AccountID, ok bool)
	ReleasePhone func(phone string, id persistence.AccountID)
	// StoreFailed tells that a commit was refused. The account keeps running.
	StoreFailed func(id persistence.AccountID, err error)
	// Observe is told what happens, for metrics.
	Observe Observer
}

// Env is what all accounts of one process share. It does not change while
// accounts run; what it points to is safe for concurrent use.
type Env struct {
	EnvConfig
	conn   *dcconn.Env
	keys   []*crypt.PublicKey
	dcs    *DCs
	primes *Primes
	header []byte // invokeWithLayer and initConnection, for every session
}

// NewEnv prepares what accounts share: it parses the table's RSA keys and
// makes the tables of the well-known Diffie-Hellman group (milliseconds).
func NewEnv(cfg EnvConfig) (*Env, error) {
	e := &Env{EnvConfig: cfg, dcs: NewDCs(cfg.DCs), primes: NewPrimes()}
	for _, text := range cfg.DCs.Keys {
		keys, err := crypt.ParsePublicKeys([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("account: an RSA key of the DC table: %w", err)
		}
		e.keys = append(e.keys, keys...)
	}
	if len(e.keys) == 0 {
		return nil, errors.New("account: the DC table has no RSA public key: without one no DC can prove what it is")
	}
	header, err := header(cfg.App)
	if err != nil {
		return nil, err
	}
	e.header = header
	e.conn = &dcconn.Env{
		Network: cfg.Network, Governor: cfg.Governor, Table: e.dcs.Table,
		RSAKeys: e.keys, Group: e.primes.Known(), Proven: e.primes.Proven,
	}
	return e, nil
}

// header is what goes before the first query under each key:
// https://core.telegram.org/api/invoking#saving-client-info.
func header(app App) ([]byte, error) {
	// The query goes where the header ends, so any will do to build it.
	query := tl.AppendUint32(nil, tg.HelpGetConfigRequestID)
	init, err := tl.Marshal(nil, &tg.InitConnectionRequest{
		APIID: int32(app.APIID), DeviceModel: app.DeviceModel, SystemVersion: app.SystemVersion,
		AppVersion: app.AppVersion, SystemLangCode: app.SystemLangCode, LangPack: app.LangPack, LangCode: app.LangCode,
		Query: query,
	})
	if err != nil {
		return nil, err
	}
	all, err := tl.Marshal(nil, &tg.InvokeWithLayerRequest{Layer: tg.Layer, Query: init})
	if err != nil {
		return nil, err
	}
	return all[: len(all)-len(query) : len(all)-len(query)], nil
}

// Observer is told what happens in accounts. Each function is set; none may
// block. No account id is given: metrics have none.
type Observer struct {
	// CallEnded: a query ended, with "ok" or the family of its error.
	CallEnded func(at dc.ID, result string, took time.Duration)
	// KeyMade: a perm or temp key was made.
	KeyMade func(at dc.ID, temp bool)
	// Bound: a temp key was bound.
	Bound func(at dc.ID)
	// SignedIn: a login ended in an authorization.
	SignedIn func(method string)
	// ConnectionLost: an established connection ended.
	ConnectionLost func(at dc.ID)
}

// DCs is the table of DC addresses all accounts use. It begins with the
// configured table and grows by help.getConfig.
type DCs struct {
	mu    sync.RWMutex // guards the following fields
	table dc.Table
	asked time.Time // when help.getConfig was last asked for
}

// NewDCs makes a table.
func NewDCs(t dc.Table) *DCs { return &DCs{table: t} }

// Table returns the present table, a value.
func (d *DCs) Table() dc.Table {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.table
}

// Update replaces the options of the DCs named in options.
func (d *DCs) Update(options []dc.Option) []error {
	d.mu.Lock()
	defer d.mu.Unlock()
	t, errs := d.table.Update(options)
	d.table = t
	return errs
}

// claim reports whether the caller is the one to ask for the table now.
func (d *DCs) claim(now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.asked.IsZero() && now.Sub(d.asked) < configLife {
		return false
	}
	d.asked = now
	return true
}

// expire makes the next claim succeed.
func (d *DCs) expire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = time.Time{}
}

// Primes remembers which Diffie-Hellman groups were proved good, so that the
// proof (seconds of primality tests) is paid once a process.
type Primes struct {
	known *crypt.Group

	mu     sync.Mutex // guards proven
	proven []*crypt.Group
}

// maxProvenGroups bounds what is remembered: a server that changes its prime
// more often is proved again each time. 16 tables of about 0.5 MB.
const maxProvenGroups = 16

// NewPrimes begins with the well-known group.
func NewPrimes() *Primes { return &Primes{known: crypt.WellKnownGroup()} }

// Known is the group of the well-known prime.
func (p *Primes) Known() *crypt.Group { return p.known }

// Proven returns the group with prime and generator if it was proved before.
func (p *Primes) Proven(prime []byte, g int) *crypt.Group {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, group := range p.proven {
		if group.G() == g && string(group.Prime()) == string(prime) {
			return group
		}
	}
	return nil
}

// Remember adds a group that a handshake proved.
func (p *Primes) Remember(g *crypt.Group) {
	if g == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.proven) < maxProvenGroups {
		p.proven = append(p.proven, g)
	}
}
