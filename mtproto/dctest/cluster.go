package dctest

import (
	"compress/gzip"
	"encoding/binary"
	"io"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/handshake"
)

// Cluster is the core: all DCs, their keys, sessions and connections. It has one owner and no lock. After every input
// the owner takes outputs with Next until there are none.
type Cluster struct {
	cfg  Config
	api  api.Server
	rand io.Reader

	dcs    []*dcState // dcs[i] is DC i+1
	conns  map[ConnID]*conn
	timers timers
	works  map[uint64]func(now time.Time, value any)
	workID uint64

	out     []Output
	outHead int
	dirty   []*session // sessions with something to send

	faults  []*activeFault
	faultID uint64
	floods  map[floodKey]time.Time

	ledger         *ledger
	violations     []Violation
	violationsKept map[Severity]int
	violationCount int // all of them; the next two are among them
	refusedCount   int
	notedCount     int

	gzipper *gzip.Writer // made on first use: it is large
	scratch []byte       // plaintext being built or read
}

// dcState is one data centre.
type dcState struct {
	id        int
	skew      time.Duration // its clock against the caller's
	keys      map[crypt.KeyID]*authKey
	gone      map[crypt.KeyID]bool // keys there were: who still uses one broke no rule
	handshake *handshake.Server
	atMedia   bool // the handshake at hand runs on a connection to an address for media
	lastMsgID int64
}

// clock is the DC's own time.
func (d *dcState) clock(now time.Time) time.Time { return now.Add(d.skew) }

// New makes a cluster. An error about the configuration is a *ConfigError.
func New(cfg Config) (*Cluster, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if cfg.Group == nil {
		cfg.Group = crypt.WellKnownGroup()
	}
	c := &Cluster{
		cfg:    cfg,
		api:    cfg.API,
		rand:   cfg.Rand,
		conns:  make(map[ConnID]*conn),
		works:  make(map[uint64]func(time.Time, any)),
		floods: make(map[floodKey]time.Time),
		ledger: newLedger(cfg.EchoRecords),
	}
	for id := 1; id <= cfg.DCs; id++ {
		d := &dcState{id: id, keys: make(map[crypt.KeyID]*authKey), gone: make(map[crypt.KeyID]bool)}
		if d.handshake, err = c.newHandshake(d); err != nil {
			return nil, err
		}
		c.dcs = append(c.dcs, d)
	}
	return c, nil
}

// DCs returns how many data centres there are.
func (c *Cluster) DCs() int { return len(c.dcs) }

// Conns returns how many connections are open.
func (c *Cluster) Conns() int { return len(c.conns) }

// dc returns a data centre by id, nil if there is none.
func (c *Cluster) dc(id int) *dcState {
	if id < 1 || id > len(c.dcs) {
		return nil
	}
	return c.dcs[id-1]
}

// Next takes the next output; ok is false when there is nothing to do until the next input.
func (c *Cluster) Next() (out Output, ok bool) {
	if c.outHead == len(c.out) {
		c.out, c.outHead = c.out[:0], 0
		return Output{}, false
	}
	out = c.out[c.outHead]
	c.out[c.outHead] = Output{}
	c.outHead++
	return out, true
}

func (c *Cluster) emit(o Output) { c.out = append(c.out, o) }

// Deadline is when Advance is wanted next; zero means not before the next input.
func (c *Cluster) Deadline() time.Time {
	at := c.timers.next()
	if d := c.api.Deadline(); !d.IsZero() && (at.IsZero() || d.Before(at)) {
		at = d
	}
	return at
}

// Advance does what is due at now.
func (c *Cluster) Advance(now time.Time) {
	if d := c.api.Deadline(); !d.IsZero() && !d.After(now) {
		c.api.Advance(now)
	}
	for {
		run, ok := c.timers.due(now)
		if !ok {
			break
		}
		run(now)
	}
	c.settle(now)
}

// Done brings back the result of a piece of Work. A result that nobody waits for any more is ignored.
func (c *Cluster) Done(now time.Time, r WorkResult) {
	if f, ok := c.works[r.id]; ok {
		delete(c.works, r.id)
		f(now, r.value)
		c.settle(now)
	}
}

// work hands out heavy arithmetic; done runs with its result. It reports false, and does nothing, when too much is
// out already.
func (c *Cluster) work(do func() any, done func(now time.Time, value any)) bool {
	if len(c.works) >= maxWorks {
		return false
	}
	c.workID++
	id := c.workID
	c.works[id] = done
	c.emit(Output{Kind: OutWork, Work: Work{ID: id, Do: func() WorkResult { return WorkResult{id, do()} }}})
	return true
}

// settle ends every input: pushes are routed, and what was queued is packed and sent.
func (c *Cluster) settle(now time.Time) {
	c.drainPushes(now)
	for i := 0; i < len(c.dirty); i++ {
		s := c.dirty[i]
		s.dirty = false
		c.flush(now, s)
	}
	clear(c.dirty)
	c.dirty = c.dirty[:0]
}

// nextMsgID makes a server message id: the DC's time in the upper half, kind (1 for replies, 3 for pushes) in the low
// bits, always higher than the one before.
func (d *dcState) nextMsgID(now time.Time, kind int64) int64 {
	t := d.clock(now)
	id := t.Unix()<<32 | int64(uint64(t.Nanosecond())<<32/1e9)
	id &^= 3
	if id <= d.lastMsgID {
		id = d.lastMsgID&^3 + 4
	}
	d.lastMsgID = id | kind
	return d.lastMsgID
}

// randomInt64 reads a non-zero random number.
func (c *Cluster) randomInt64() int64 {
	var b [8]byte
	for range 8 {
		if _, err := io.ReadFull(c.rand, b[:]); err != nil {
			break
		}
		if v := int64(binary.LittleEndian.Uint64(b[:])); v != 0 {
			return v
		}
	}
	// The source of randomness is dead. What is wanted is a number, not a secret.
	return 1
}
