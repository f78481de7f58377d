// Package dcs is the table of DC addresses that all accounts of a process share:
// what was configured, and beside it what help.getConfig says, which one
// account asks for all of them. Who asks, and when again, is decided here; it
// needs no actor.
package dcs

import (
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

const (
	// life is how long one help.getConfig serves.
	life = time.Hour
	// retry is the first pause after a failure; it doubles up to life.
	retry = time.Minute
)

// DCs is the shared table. It is safe for concurrent use.
type DCs struct {
	configured dc.Table
	logger     *slog.Logger

	mu       sync.RWMutex // guards the following fields
	learned  dc.Table     // of the server
	table    dc.Table     // both
	next     time.Time    // when help.getConfig may be asked for again
	failures int          // in a row
}

// New returns the table that begins with t. What is wrong with an answer is logged.
func New(t dc.Table, logger *slog.Logger) *DCs {
	return &DCs{configured: t, logger: logger, table: t}
}

// Table returns the present table, a value.
func (d *DCs) Table() dc.Table {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.table
}

// Claim reports whether the caller is the one to ask for help.getConfig now. Who
// is tells the answer by Learn.
func (d *DCs) Claim(now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now.Before(d.next) {
		return false
	}
	d.next = now.Add(life)
	return true
}

// Expire lets the next Claim succeed: the server says that the table has changed.
func (d *DCs) Expire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.next = time.Time{}
}

// Learn takes the answer of help.getConfig. When there is none that can be read,
// again is when to claim it anew; whoever comes first asks. Otherwise again is
// zero. An answer takes the place of an earlier one about the same DCs. What was
// configured stays: the server may name addresses that lead nowhere from here.
func (d *DCs) Learn(now time.Time, body []byte, err error) (again time.Time) {
	var cfg *tg.Config
	if err == nil {
		r := tl.NewReader(body)
		cfg, err = (*tg.HelpGetConfigRequest)(nil).ParseResult(r), r.End()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		d.next = now.Add(min(retry<<min(d.failures, 6), life))
		d.failures++
		d.logger.Warn("help.getConfig failed and is asked again", "err", err)
		return d.next
	}
	d.failures = 0
	var problems []error
	d.learned, problems = d.learned.Update(options(cfg))
	d.table = d.learned.Beside(d.configured.Options)
	d.table.Test, d.table.Keys = d.configured.Test, d.configured.Keys
	for _, p := range problems {
		d.logger.Warn("an address of help.getConfig cannot be used", "err", p)
	}
	return time.Time{}
}

// options copies the addresses of a config; those that are no addresses are left
// out.
func options(cfg *tg.Config) []dc.Option {
	var out []dc.Option
	for _, o := range cfg.DCOptions {
		addr, err := netip.ParseAddr(o.IPAddress)
		if err != nil || o.Port <= 0 || o.Port > 65535 {
			continue
		}
		secret, _ := o.Secret.Get()
		out = append(out, dc.Option{
			DC: dc.ID(o.ID), Addr: netip.AddrPortFrom(addr, uint16(o.Port)),
			IPv6: o.IPv6, MediaOnly: o.MediaOnly, TCPOnly: o.TcpoOnly, CDN: o.CDN, Static: o.Static,
			ThisPortOnly: o.ThisPortOnly, Secret: secret,
		})
	}
	return out
}
