package account

import (
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
)

// DCs is the table of DC addresses all accounts use: what help.getConfig said
// last, and beside it what was configured. It is safe for concurrent use.
type DCs struct {
	configured dc.Table

	mu      sync.RWMutex // guards the following fields
	learned dc.Table     // of the server
	table   dc.Table     // both
	next    time.Time    // when help.getConfig may be asked for again
}

// NewDCs makes a table.
func NewDCs(t dc.Table) *DCs { return &DCs{configured: t, table: t} }

// Table returns the present table, a value.
func (d *DCs) Table() dc.Table {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.table
}

// Update replaces what the server said earlier of the DCs named in options. What
// was configured stays: the server may name addresses that lead nowhere from here.
func (d *DCs) Update(options []dc.Option) []error {
	d.mu.Lock()
	defer d.mu.Unlock()
	learned, errs := d.learned.Update(options)
	d.learned = learned
	d.table = learned.Beside(d.configured.Options)
	d.table.Test, d.table.Keys = d.configured.Test, d.configured.Keys
	return errs
}

// claim reports whether the caller is the one to ask for the table now.
func (d *DCs) claim(now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now.Before(d.next) {
		return false
	}
	d.next = now.Add(configLife)
	return true
}

// expire makes a claim succeed from a time on; zero: at once.
func (d *DCs) expire(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.next = at
}
