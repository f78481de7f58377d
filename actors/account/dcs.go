package account

import (
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
)

// DCs is the table of DC addresses all accounts use. It begins with the
// configured table and grows by help.getConfig. It is safe for concurrent use.
type DCs struct {
	mu    sync.RWMutex // guards the following fields
	table dc.Table
	next  time.Time // when help.getConfig may be asked for again
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
