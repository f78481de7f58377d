package binding

import (
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/actors/dcconn"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/actors/timeline"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/pfs"
	"github.com/mtfleet/mtfleet/mtproto/proxy"
	"github.com/mtfleet/mtfleet/persistence"
)

// Network makes the sockets; see dcconn.Network.
type Network = dcconn.Network

// EnvConfig is what an [Env] is made of.
type EnvConfig struct {
	Network  Network
	Governor runtime.Ref[governor.Message]
	// Table returns the addresses of the DCs as known now.
	Table func() dc.Table
	// RSAKeys are the keys a DC may prove to hold; a perm key made under another
	// one is foreign.
	RSAKeys []*crypt.PublicKey
	// Header goes before the first query under each key: invokeWithLayer and
	// initConnection without their query.
	Header []byte
	// HeaderVia, if set, makes the header of connections through a proxy.
	HeaderVia func(*proxy.Server) []byte
	// TempLife is how long a temp key is asked to live; zero: 24 h.
	TempLife time.Duration
	// TempInMemory keeps temp keys out of the store.
	TempInMemory bool
	Observe      Observer
	Logger       *slog.Logger // nil: nothing is logged

	// Trace, if set, is told what bindings and their connections say to each
	// other; for transcripts, nil in a program. conn tells connections apart by
	// being equal for the same one. what is a dcconn.Message that it was sent, a
	// dcconn.Event of it, a [Stop] or an [Others].
	Trace func(conn, what any)
}

// What a trace tells besides messages and events of dcconn.
type (
	// Stop is the end of a connection, by its binding.
	Stop struct{}
	// Others says whether accounts other than that of a prover get -404 under
	// their perm keys too.
	Others struct{ Too bool }
)

// Env is what all bindings of one process share. It does not change while they
// run; what it points to is safe for concurrent use.
type Env struct {
	EnvConfig
	conn     *dcconn.Env
	primes   *primes
	readings *readings
}

// NewEnv prepares what bindings share; it makes the tables of the well-known
// Diffie-Hellman group (milliseconds).
func NewEnv(cfg EnvConfig) (*Env, error) {
	if len(cfg.RSAKeys) == 0 {
		return nil, errors.New("the DC table has no RSA public key: without one no DC can prove what it is")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.Observe = cfg.Observe.filled()
	e := &Env{EnvConfig: cfg, primes: newPrimes(), readings: &readings{}}
	e.conn = &dcconn.Env{
		Network: cfg.Network, Governor: cfg.Governor, Table: cfg.Table,
		RSAKeys: cfg.RSAKeys, Group: e.primes.known, Proven: e.primes.find,
	}
	return e, nil
}

// ID names a binding within its account.
type ID struct {
	DC      dc.ID
	Purpose Purpose
}

// Purpose is what the calls of a binding are for. Each has a temp key of its
// own, under the perm key of the DC.
type Purpose uint8

const (
	// Main carries API calls and, at home, updates.
	Main Purpose = iota
	// Media carries bulk transfers; see media.go.
	Media
)

// Way is how a DC is reached.
type Way = dcconn.Way

// Spoken is what connections of one DC said last.
type Spoken = dcconn.Spoken

// Config is what one binding begins with.
type Config struct {
	Account persistence.AccountID
	ID      ID
	// Home says that the authorization was made on this DC; elsewhere it is
	// carried there first.
	Home bool
	// Way is how the DC is reached, until a Through.
	Way Way
	// PFS puts the calls under temp keys.
	PFS bool
	// After is how long it waits before it begins: one before it failed. Wait says
	// that it waits for Begin: one before it has not ended.
	After time.Duration
	Wait  bool
	// Keys are the records of this DC, if they were read. Otherwise nil, and Load
	// reads them: it does not block, and calls done once, from any goroutine.
	// Until then what the binding is told waits.
	Keys *Records
	Load func(done func(Records, error))
	// Commit writes records, in the order of the calls. It does not block; done
	// is called once with the outcome, from any goroutine. A refused commit that
	// is owed is written as soon as the store takes commits, also after the
	// binding was closed; any other is the binding's to repeat. Whoever closes the
	// binding sees to it that nothing of it is written afterwards: a commit
	// still on its way must not bring back keys that were deleted.
	Commit func(c persistence.Commit, owed bool, done func(error))
	// BindAfter and DropAfter are the ends of waits on auth.bindTempAuthKey and
	// auth.dropTempAuthKeys; zero: none.
	BindAfter, DropAfter time.Time
	// BindDoubt is one on binds that may be over; see [pfs.Config].
	BindDoubt Doubt
	// Trial says that no login depends on the perm key yet; see [pfs.Config].
	Trial bool
	// Active says that somebody waits: it dials before those nobody waits for.
	Active bool
	// Shared is what the bindings of this DC have in common, also those before this
	// one, which have ended. Nil: there was none, and there will be no other.
	Shared *Shared
	// Timeline is where what becomes of keys and connections is noted; nil: nowhere.
	Timeline *timeline.Recorder
	// Notify receives the events, in order, from within the actor. It must not
	// wait: send yourself a message.
	Notify func(Event)
}

// Records are what the store has of one DC of an account; nil where there is
// nothing.
type Records struct {
	Perm    *persistence.PermKey
	Temps   []persistence.TempKey
	Session *persistence.Session
	Guest   *persistence.Guest
}

// RecordsOf picks the records of a DC out of an account's.
func RecordsOf(s *persistence.State, at dc.ID) Records {
	var r Records
	for i := range s.PermKeys {
		if p := &s.PermKeys[i]; p.DC == int(at) && p.Revoked.IsZero() {
			r.Perm = p
		}
	}
	for _, t := range s.TempKeys {
		if t.DC == int(at) {
			r.Temps = append(r.Temps, t)
		}
	}
	for i := range s.Sessions {
		if s.Sessions[i].DC == int(at) {
			r.Session = &s.Sessions[i]
		}
	}
	for i := range s.Guests {
		if s.Guests[i].DC == int(at) {
			r.Guest = &s.Guests[i]
		}
	}
	return r
}

// headerOf is what goes before the first query of a connection by a way.
func (e *Env) headerOf(w Way) []byte {
	if w.Server == nil || e.HeaderVia == nil {
		return e.Header
	}
	return e.HeaderVia(w.Server)
}

// primes remembers which Diffie-Hellman groups were proved good, so that the
// proof (seconds of primality tests) is paid once a process.
type primes struct {
	known *crypt.Group

	mu     sync.Mutex // guards proven
	proven []*crypt.Group
}

// maxProvenGroups bounds what is remembered: a server that changes its prime
// more often is proved again each time. 16 tables of about 0.5 MB.
const maxProvenGroups = 16

// Group is the group every Telegram DC uses, made once for the process.
func (e *Env) Group() *crypt.Group { return e.primes.known }

func newPrimes() *primes { return &primes{known: crypt.WellKnownGroup()} }

// find returns the group with prime and generator if it was proved before.
func (p *primes) find(prime []byte, g int) *crypt.Group {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, group := range p.proven {
		if group.G() == g && string(group.Prime()) == string(prime) {
			return group
		}
	}
	return nil
}

// remember adds a group that a handshake proved.
func (p *primes) remember(g *crypt.Group) {
	if g == nil || p.find(g.Prime(), g.G()) != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.proven) < maxProvenGroups {
		p.proven = append(p.proven, g)
	}
}

// readings is what was learnt of each DC: what it makes of a temp key whose
// successor was bound.
type readings struct {
	mu      sync.Mutex // guards the following fields
	known   map[dc.ID]pfs.Reading
	claimed map[dc.ID]time.Time // when somebody set out to learn it; see MediaRoad
}

func (r *readings) of(at dc.ID) pfs.Reading {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.known[at]
}

// learn notes what an account found. An answer under a replaced key is a proof,
// its absence is not: that both keys live is never taken back.
func (r *readings) learn(at dc.ID, reading pfs.Reading) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		r.known = map[dc.ID]pfs.Reading{}
	}
	if r.known[at] != pfs.ReadingBoth {
		r.known[at] = reading
	}
}

// known reports whether a DC may hold the RSA key of a fingerprint.
func (e *Env) known(fingerprint int64) bool {
	return slices.ContainsFunc(e.RSAKeys, func(k *crypt.PublicKey) bool { return k.Fingerprint() == fingerprint })
}

// A Doubt is a wait that may be over; see [pfs.Doubt].
type Doubt = pfs.Doubt

// Asking is what [Env.Ask] wants of who asks.
type Asking = dcconn.Asking

// Ask reports whether a DC answers, without an account; see [dcconn.Env.Ask].
func (e *Env) Ask(a Asking) bool { return e.conn.Ask(a) }
