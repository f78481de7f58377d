package api

import (
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
)

// Backend is the one implementation of Server. One owner calls it; it keeps no goroutine, clock or lock.
type Backend struct {
	cfg      Config
	fallback *stream // randomness when Config.Rand is nil or fails

	dir      directory
	channels channelList
	expired  map[string]bool // bot tokens that were replaced
	keys     map[keyRef]*key
	attempts attempts
	chains   map[string][]CodeType // by number: SetCodes
	paid     map[string]bool       // numbers whose sign-in was paid for
	exports  map[string]*export    // by bytes
	floods   floods
	qr       qrTokens
	proofs   proofs
	mail     mailbox

	challenges challenges
	bearers    bearers

	changes   int // of boxes, ever: Changes
	sent      []SentCode
	sentCount int          // of codes, ever
	group     *crypt.Group // of passwords; made when the first is needed
	faults    []*fault
	custom    map[uint32]*method // Register

	history []*authorization // every row there ever was: the ledger wants them all
	logins  []Login
	pushes  []Push

	endpoints []Endpoint
	sweepAt   time.Time // next removal of what has expired
}

var _ Server = (*Backend)(nil)

// sweepEvery is how often expired attempts, export bytes and limits are removed. They are dead before that: this only
// gives memory back.
// sweepSlack is how long after its end something is kept: a DC whose clock is a fault behind still counts it as alive.
// Where room runs out, sweeping does not wait for it.
const (
	sweepEvery = time.Minute
	sweepSlack = 24 * time.Hour
)

// New checks a Config and makes an empty cluster; Populate fills its directory. The error is a *ConfigError.
func New(cfg Config) (*Backend, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Backend{
		cfg:      cfg,
		fallback: newStream(cfg.Seed, "run"),
		dir:      newDirectory(),
		expired:  map[string]bool{},
		keys:     map[keyRef]*key{},
		attempts: attempts{byHash: map[string]*attempt{}},
		exports:  map[string]*export{},
		qr:       newQRTokens(),
		proofs:   proofs{byID: map[int64]*proof{}},
	}, nil
}

// APIIDs returns the accepted application ids; empty means any.
func (b *Backend) APIIDs() []int {
	ids := make([]int, len(b.cfg.Apps))
	for i, a := range b.cfg.Apps {
		ids[i] = a.ID
	}
	return ids
}

// Apps returns the accepted applications with their hashes, for a descriptor; empty means any.
func (b *Backend) Apps() []App { return append([]App(nil), b.cfg.Apps...) }

// SetEndpoints replaces the addresses help.getConfig lists.
func (b *Backend) SetEndpoints(eps []Endpoint) { b.endpoints = append([]Endpoint(nil), eps...) }

// Advance removes what has long expired.
func (b *Backend) Advance(now time.Time) {
	if b.sweepAt.IsZero() || now.Before(b.sweepAt) {
		return
	}
	past := now.Add(-sweepSlack)
	b.attempts.sweep(past)
	b.floods.sweep(past)
	b.sweepExports(past)
	b.qr.sweep(past)
	b.proofs.sweep(past)
	b.mail.sweep(past)
	b.challenges.sweep(past)
	b.bearers.sweep(past)
	b.sweepAt = time.Time{}
	b.armSweep(now)
}

// armSweep sets the next sweep when there is something that will expire.
func (b *Backend) armSweep(now time.Time) {
	if b.sweepAt.IsZero() && b.perishable() > 0 {
		b.sweepAt = now.Add(sweepEvery)
	}
}

// perishable counts what will expire.
func (b *Backend) perishable() int {
	return len(b.attempts.byHash) + len(b.exports) + len(b.floods.calls) + len(b.qr.byValue) + len(b.proofs.byID) + len(b.mail.live) +
		len(b.challenges.byKey) + len(b.bearers.web)
}

// Deadline is when Advance is wanted next; zero when nothing will expire.
func (b *Backend) Deadline() time.Time { return b.sweepAt }
