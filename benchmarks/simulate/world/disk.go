package world

import (
	"encoding/binary"
	"slices"

	"github.com/mtfleet/mtfleet/persistence"
)

// disk outlives the manager. A crash comes at the boundary of a commit: it is
// there whole or not at all, as a store promises.
type disk struct {
	rec     *recorder
	image   *persistence.Memory
	fuse    int  // commits until the crash; 0: none is planned
	before  bool // the crash comes before the commit, not after it
	plant   Plant
	lastKey *persistence.Key // perm key written last, for a plant
	gone    []persistence.Key

	corrupt *persistence.Key // a record that cannot be read; nil: none

	forgetWaits bool // a plant: no wait is read any more
}

// store is the disk as one life of the manager has it.
type store struct {
	*disk
	*persistence.Memory
	process *process
}

// open gives the disk to a new process.
func (d *disk) open(p *process) *store {
	d.image = d.image.Reopen()
	return &store{disk: d, Memory: d.image, process: p}
}

// Commit writes, unless the process crashes first.
func (s *store) Commit(c persistence.Commit) error {
	if s.process.dead {
		return persistence.ErrClosed
	}
	return s.commit(s.process, c, s.Memory.Commit)
}

// commit has a process write, unless it crashes first.
func (d *disk) commit(p *process, c persistence.Commit, write func(persistence.Commit) error) error {
	blown := false
	if d.fuse > 0 {
		d.fuse--
		blown = d.fuse == 0
	}
	if blown && d.before {
		p.crashes("at a commit")
		return persistence.ErrClosed
	}
	err := write(c)
	if err == nil {
		d.note(c)
	}
	if blown {
		p.crashes("at a commit")
		return persistence.ErrClosed
	}
	return err
}

// Load reads what is there.
func (s *store) Load(id persistence.AccountID) ([]persistence.Record, error) {
	if s.process.dead {
		return nil, persistence.ErrClosed
	}
	return s.load(id, s.Memory.Load)
}

// load reads what is there of what was written.
func (d *disk) load(id persistence.AccountID, read func(persistence.AccountID) ([]persistence.Record, error)) ([]persistence.Record, error) {
	records, err := read(id)
	if bad := d.corrupt; bad != nil && bad.Account == id {
		records = slices.DeleteFunc(records, func(r persistence.Record) bool { return r.Key == *bad })
		err = persistence.JoinRecords(err, &persistence.CorruptError{Key: *bad, Why: "of the world's making"})
	}
	return slices.DeleteFunc(records, func(r persistence.Record) bool {
		return slices.Contains(d.gone, r.Key) || d.forgetWaits && r.Kind == persistence.KindWait
	}), err
}

// note writes a commit into the run's record.
func (d *disk) note(c persistence.Commit) {
	d.rec.count.Commits++
	for _, r := range c.Put {
		d.rec.note(notePut, uint64(d.rec.count.Commits), []byte(r.Key.String()), binary.LittleEndian.AppendUint16(nil, r.Version), r.Data)
		if r.Kind == persistence.KindPermKey {
			d.lastKey = &r.Key
		}
	}
	for _, k := range c.Delete {
		d.rec.note(noteDelete, uint64(d.rec.count.Commits), []byte(k.String()))
	}
}

// crashed is what a bad disk does at a crash: a plant.
func (d *disk) crashed() {
	d.fuse = 0
	if d.plant == PlantForgetRecord && d.lastKey != nil && len(d.gone) == 0 {
		d.gone = append(d.gone, *d.lastKey)
		d.rec.line("plant: the disk forgot %v", *d.lastKey)
	}
}
