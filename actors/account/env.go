package account

import (
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/mtfleet/mtfleet/actors/binding"
	"github.com/mtfleet/mtfleet/actors/dcs"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/journal"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/actors/signin"
	"github.com/mtfleet/mtfleet/actors/timeline"
	"github.com/mtfleet/mtfleet/actors/ways"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/mtproto/proxy"
	"github.com/mtfleet/mtfleet/persistence"
)

// Network makes the sockets of an account's connections.
type Network = binding.Network

// EnvConfig is what an Env is made of.
type EnvConfig struct {
	App      App
	Store    persistence.Store
	Owner    persistence.Owner // goes with every commit
	Governor runtime.Ref[governor.Message]
	Network  Network // makes the sockets
	DCs      dc.Table
	// Proxy is how accounts connect that have no proxy of their own; nil: directly.
	Proxy *proxy.Server
	// DefaultDC is where a sign-in begins.
	DefaultDC dc.ID
	// TempKeyLife is how long a temp key is asked to live; zero means 24 h.
	TempKeyLife time.Duration
	// TempInMemory keeps temp keys out of the store.
	TempInMemory bool
	Rand         io.Reader // safe for concurrent use
	Logger       *slog.Logger

	// Stands tells where an account stands now. It does not block, as the next
	// two do not.
	Stands func(id persistence.AccountID, at time.Time, s Status)
	// Delivered hands updates of an account to who listens, all of them before any
	// is read, and Missing tells what will not come. life is the engine's that
	// their marks are of.
	Delivered func(id persistence.AccountID, at time.Time, life uint64, list []Update)
	Missing   func(id persistence.AccountID, at time.Time, life uint64, h Hole)
	// Durable tells whether somebody acknowledges the account's updates, and
	// whether no more of them are to be taken for now. Changes come as messages,
	// Durable and Held.
	Durable func(id persistence.AccountID) (on, held bool)
	// Labelled tells what labels an account has, once they are on disk.
	Labelled func(id persistence.AccountID, labels persistence.Labels)
	// HoldPhone reserves a phone number for a sign-in of the account in place of
	// the one it had, either of them empty for none, so that at most one code
	// per phone is pending. It fails, and changes nothing, if another account
	// has it.
	HoldPhone func(id persistence.AccountID, had, wants string) error
	// HoldUser says who the account is (0 for nobody) and whether it runs or can
	// run as that user, in place of what was said of it before. It returns the
	// account that comes first when another runs as that user; empty for none.
	HoldUser func(id persistence.AccountID, user int64, runs bool) (other persistence.AccountID)
	// TakeUser is HoldUser for a sign-in that the server has granted. It returns
	// any other account that is that user, running or not, and changes nothing
	// then.
	TakeUser func(id persistence.AccountID, user int64) (other persistence.AccountID)
	// OtherUsers returns users who another account is or may be, as many of them as
	// given.
	OtherUsers func(id persistence.AccountID, most int) []int64
	// SubjectSalt goes into the names under which waits about a phone number or
	// a token are kept, which are not sealed.
	SubjectSalt []byte
	// Restored tells that an account was read from the store and that its status
	// was published: at each start of its actor, and when it is read again.
	Restored func(id persistence.AccountID)
	// Removed tells that an account's records are gone and its actor ends,
	// before whoever removed it is answered.
	Removed func(id persistence.AccountID)
	// StoreFailed tells that a commit was refused. The account keeps running.
	StoreFailed func(id persistence.AccountID, err error)
	// Wait waits until a channel is closed, as a simulation has it; nil: just that.
	Wait func(<-chan struct{})
	// Timeline is where what happens to the account is noted; nil: nowhere.
	Timeline func(id persistence.AccountID) *timeline.Recorder
	// Observe is told what happens, for metrics.
	Observe Observer
	// Trace, if set, is told what is decided and said; for transcripts, nil in
	// a program.
	Trace *Trace
}

// Env is what all accounts of one process share. It does not change while
// accounts run; what it points to is safe for concurrent use.
type Env struct {
	EnvConfig
	binding *binding.Env
	signIn  signin.Env
	keys    []*crypt.PublicKey
	dcs     *dcs.DCs
	disks   *journal.Disks
	lives   atomic.Uint64 // of engines of updates, numbered
	ways    *ways.Ways
}

// Settle writes what a stopped account could not, and then lets go of what is kept
// of it, for another manager has it from now on. It blocks. With an error nothing has
// changed.
func (e *Env) Settle(id persistence.AccountID) error {
	err := e.disks.Of(id).Settle()
	if err == nil {
		e.disks.Forget(id)
	}
	return err
}

// ErrDropped is why a commit was refused of an account that was dropped.
var ErrDropped = journal.ErrDropped

// Drop lets go of what is kept, and owed to the store, of an account that another
// manager has taken.
func (e *Env) Drop(id persistence.AccountID) { e.disks.Drop(id) }

// gone says that an account has no records any more, and forgets it.
func (e *Env) gone(id persistence.AccountID) {
	e.Removed(id)
	e.disks.Forget(id)
}

// NewEnv prepares what accounts share: it parses the table's RSA keys and
// makes the tables of the well-known Diffie-Hellman group (milliseconds).
func NewEnv(cfg EnvConfig) (*Env, error) {
	e := &Env{EnvConfig: cfg, dcs: dcs.New(cfg.DCs, cfg.Logger), disks: journal.NewDisks(cfg.Store, cfg.Owner, cfg.Wait), ways: newWays(cfg)}
	for _, text := range cfg.DCs.Keys {
		keys, err := crypt.ParsePublicKeys([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("an RSA key of the DC table: %w", err)
		}
		e.keys = append(e.keys, keys...)
	}
	e.signIn = signin.Env{Governor: cfg.Governor, SubjectSalt: cfg.SubjectSalt, Logger: cfg.Logger, Began: cfg.Observe.SignInBegan}
	header, err := header(cfg.App, nil)
	if err != nil {
		return nil, err
	}
	bindings := binding.EnvConfig{
		Network: cfg.Network, Governor: cfg.Governor, Table: e.dcs.Table, RSAKeys: e.keys, Header: header, HeaderVia: headerVia(cfg.App),
		TempLife: cfg.TempKeyLife, TempInMemory: cfg.TempInMemory, Logger: cfg.Logger,
		Observe: cfg.Observe.Bindings,
	}
	if cfg.Trace != nil {
		bindings.Trace = cfg.Trace.Connection
	}
	e.binding, err = binding.NewEnv(bindings)
	return e, err
}

// loginConfig is what a sign-in is told of what all accounts share.
func (a *account) loginConfig() login.Config {
	return login.Config{
		APIID: int32(a.env.App.APIID), APIHash: a.env.App.APIHash,
		// Accounts are made on test DCs only, never under a key of Telegram's
		// production DCs.
		AllowSignUp: !a.env.production(),
		HasDC:       a.hasDC, DC: a.stand.Home(), Rand: a.env.Rand, Group: a.env.binding.Group(),
		HoldPhone:  func(had, wants string) error { return a.env.HoldPhone(a.id, had, wants) },
		HoldUser:   func(user int64) string { return string(a.env.TakeUser(a.id, user)) },
		OtherUsers: func(most int) []int64 { return a.env.OtherUsers(a.id, most) },
		PermKeyID: func(at dc.ID) (int64, bool) {
			id := a.bindings.At(at).Perm()
			return int64(id), id != 0
		},
	}
}

// Group is the group every Telegram DC uses, made once for the process.
func (e *Env) Group() *crypt.Group { return e.binding.Group() }

// hasDC reports whether the DC table has a DC.
func (a *account) hasDC(id dc.ID) bool { return a.env.dcs.Table().Has(id) }

// holdUser tells the manager who the account is. It returns the account that runs
// as that user, if another does. A sign-in has its user taken by itself.
func (a *account) holdUser() (other string) {
	if a.stand.State() == SigningIn {
		return ""
	}
	user, runs := a.stand.User()
	return string(a.env.HoldUser(a.id, user, runs))
}

// takeBack takes the user of a revoked login, whose key is to be put back.
func (a *account) takeBack() (other string) {
	if a.stand.State() != Revoked {
		return ""
	}
	return string(a.env.TakeUser(a.id, a.stand.Snapshot().UserID))
}

// production reports whether a perm key may be made under one of Telegram's
// own production RSA keys.
func (e *Env) production() bool {
	for _, key := range e.keys {
		if dc.IsProductionFingerprint(key.Fingerprint()) {
			return true
		}
	}
	return false
}

// OwnWay is how accounts connect that have no proxy of their own. The error is of a
// proxy that cannot be used.
func (e *Env) OwnWay() (ways.Way, error) { return e.ways.Take("") }

// AskDC reports whether a DC answers by a way, without an account; see binding.Env.Ask.
// It blocks for 25 seconds at most.
func (e *Env) AskDC(id dc.ID, by ways.Way, now func() time.Time, wait func(time.Duration, func() bool)) bool {
	return e.binding.Ask(binding.Asking{DC: id, Way: binding.Way(by), Now: now, Rand: e.Rand, Wait: wait})
}
