package badgerstore

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"github.com/mtfleet/mtfleet/persistence"
)

// wreck is a store under salvage.
type wreck struct {
	dir    string
	sealer *sealer
	digest *digester

	e      evidence
	f      finding
	whole  bool
	place  place
	strict *rawStore // what Badger would read
	raws   []*rawStore
	copied sealedCopy
}

func (w *wreck) close() {
	for _, r := range w.raws {
		r.close()
	}
}

// look gathers the evidence. A copied store is salvaged like any other, and
// stays a copy: its head keeps the place.
func (w *wreck) look(o Options) error {
	var err error
	if w.e.slots, err = readHeadFile(w.dir, w.sealer); err != nil {
		return err
	}
	top, hasTop := w.e.slots.top()
	if w.e.slots.newer != nil && !hasTop {
		return fmt.Errorf("the store in %s: %w", w.dir, w.e.slots.newer)
	}
	w.e.copied, w.e.hasCopy = readCopyTail(w.dir, w.sealer)
	w.strict, err = w.e.gather(w.dir, w.sealer, w.digest)
	w.raws = append(w.raws, w.strict)
	if err != nil {
		return fmt.Errorf("persistence: salvage the store in %s: %w", w.dir, err)
	}
	for _, name := range []string{checkName, headName} {
		if b := w.strict.value(name); b != nil && w.sealer.OfAnotherKey(b) {
			return wrongKey(o)
		}
	}
	if w.e.slots.foreign > 0 && !hasTop {
		return wrongKey(o)
	}
	w.copied = readCopy(w.dir, w.sealer)
	w.e.broken = w.strict.brokenSeals(w.sealer)
	w.f = w.e.judge()
	w.whole = w.f.verdict != isDamaged && w.e.broken == 0
	if w.f.verdict != isDamaged {
		w.f.why, w.f.should = "records cannot be read", w.e.stored
	}
	switch {
	case hasTop:
		w.place = top.place
	case w.e.hasStored && w.e.storedErr == nil:
		w.place = w.e.stored.place
	default:
		w.place, err = placeOf(w.dir)
	}
	return err
}

// source says where a record was found.
type source int

const (
	fromStore source = iota
	fromBehind
	fromCopy
)

// piece is one record that was saved.
type piece struct {
	rawEntry
	from   source
	broken bool // its seal does not open: it is kept, for its account to say so
}

// best returns what to make the new store of: the first set that the head proves
// to be everything, else as much as there is. What could have been deleted comes
// back only then.
func (w *wreck) best() (content map[string]piece, complete bool, err error) {
	for _, o := range []*loose{nil, {}, {open: true}, {strays: true}, {strays: true, open: true}} {
		raw := w.strict
		if o != nil {
			if raw, err = readLoosely(w.dir, *o); err != nil {
				return nil, false, err
			}
			w.raws = append(w.raws, raw)
		}
		for _, c := range []sealedCopy{{}, w.copied} {
			content := w.merge(raw, c)
			if w.proves(w.sums(content)) && broken(content) == 0 {
				return content, true, nil
			}
		}
		if o != nil && *o == (loose{strays: true}) {
			content = w.merge(raw, w.copied)
		}
	}
	return content, false, nil
}

// proves tells whether a set of records is what the newest head says.
func (w *wreck) proves(s sums) bool {
	if top, ok := w.e.slots.top(); ok {
		return s == top.after || top.state == headIntent && s == top.before
	}
	if w.e.hasStored && w.e.storedErr == nil && !(w.e.hasCopy && w.e.copied.commit > w.e.stored.commit) {
		return s == w.e.stored.after
	}
	return w.e.hasCopy && s == w.e.copied.sums
}

func broken(content map[string]piece) (n int) {
	for _, p := range content {
		if p.broken {
			n++
		}
	}
	return n
}

func (w *wreck) sums(content map[string]piece) (s sums) {
	for name, p := range content {
		w.digest.change(&s, []byte(name), term{}, w.digest.term([]byte(name), p.value))
	}
	return s
}

// merge joins what was read with the copy, record by record.
func (w *wreck) merge(raw *rawStore, c sealedCopy) map[string]piece {
	content := map[string]piece{}
	for name, e := range raw.newest {
		k, ok := parseName([]byte(name))
		if !ok || e.deleted {
			continue
		}
		_, inCopyNow := c.newest[name]
		if c.proven && inCopy(k.Kind) && !inCopyNow && e.ts <= c.tail.ts {
			continue // the copy is newer and has it no more: it was deleted
		}
		_, err := w.sealer.Open(k, e.value)
		from := fromBehind
		if same, ok := w.strict.newest[name]; ok && same.ts == e.ts {
			from = fromStore
		}
		content[name] = piece{e, from, isCorrupt(err)}
	}
	for name, e := range c.newest {
		here, ok := raw.newest[name]
		if p := content[name]; ok && here.ts >= e.ts && !p.broken {
			continue // as new, or deleted later
		}
		content[name] = piece{e, fromCopy, false}
	}
	return content
}

// report says what the content is made of.
func (w *wreck) report(content map[string]piece, complete bool) *SalvageReport {
	should := w.f.should
	r := &SalvageReport{Dir: w.dir, Why: w.f.why, Commit: should.commit, Should: should.after.tally(), CopyCommit: w.copied.tail.commit,
		Saved: w.sums(content).tally(), Complete: complete}
	accounts := map[persistence.AccountID]*SalvagedAccount{}
	records := map[persistence.AccountID][]persistence.Record{}
	for name, p := range content {
		k, _ := parseName([]byte(name))
		a := accounts[k.Account]
		if a == nil {
			a = &SalvagedAccount{ID: k.Account}
			accounts[k.Account] = a
		}
		switch p.from {
		case fromStore:
			a.FromStore++
		case fromBehind:
			a.Behind++
		case fromCopy:
			a.FromCopy++
		}
		if p.broken {
			a.Missing = append(a.Missing, what(k))
		} else if rec, err := w.sealer.Open(k, p.value); err == nil {
			records[k.Account] = append(records[k.Account], rec)
		}
	}
	for _, id := range persistence.SharedIDs() {
		delete(accounts, id)
	}
	for _, id := range slices.Sorted(maps.Keys(accounts)) {
		a := accounts[id]
		for _, m := range lacking(records[id]) {
			if !slices.Contains(a.Missing, m) {
				a.Missing = append(a.Missing, m)
			}
		}
		slices.Sort(a.Missing)
		r.Accounts = append(r.Accounts, *a)
	}
	return r
}

// what names a record within its account.
func what(k persistence.Key) string {
	switch {
	case k.Kind == persistence.KindPermKey:
		return "perm key of DC " + k.Sub
	case k.Sub != "":
		return k.Kind.String() + " " + k.Sub
	}
	return k.Kind.String() + " record"
}

// lacking names what an account must have and has not.
func lacking(records []persistence.Record) []string {
	state, _ := persistence.DecodeState(records)
	a := state.Account
	if a == nil {
		return []string{"account record"}
	}
	if !a.SignedIn || a.HomeDC == 0 || slices.ContainsFunc(state.PermKeys, func(k persistence.PermKey) bool { return k.DC == a.HomeDC }) {
		return nil
	}
	return []string{fmt.Sprintf("perm key of DC %d", a.HomeDC)}
}

// build makes the new store, and reads it again as it would be at a start.
func (w *wreck) build(dir string, content map[string]piece) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	h := head{id: w.id(), commit: w.newest() + 1, epoch: w.epoch(), after: w.sums(content), place: w.place}
	h.before = h.after
	db, err := badger.Open(badgerOptions(Options{Dir: dir}))
	if err != nil {
		return err
	}
	err = w.fill(db, h, content)
	if err == nil {
		err = writeCopy(dir, db, w.sealer, w.digest)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	h.state = headDone
	f, err := createHeadFile(dir, w.sealer, h)
	if err != nil {
		return err
	}
	if err := f.close(); err != nil {
		return err
	}
	var e evidence
	if e.slots, err = readHeadFile(dir, w.sealer); err != nil {
		return err
	}
	raw, err := e.gather(dir, w.sealer, w.digest)
	defer raw.close()
	if err == nil && e.judge().verdict != isWhole {
		err = errors.New("the new store is not what it should be: " + e.judge().why)
	}
	return err
}

func (w *wreck) fill(db *badger.DB, h head, content map[string]piece) error {
	values := map[string][]byte{}
	for name, p := range content {
		values[name] = p.value
	}
	var err error
	if values[headName], err = w.sealer.sealHead(headKey, h); err != nil {
		return err
	}
	if values[checkName], err = w.sealer.Seal(checkRecord()); err != nil {
		return err
	}
	if values[ownerName], err = w.owner(h.epoch); err != nil {
		return err
	}
	txn := db.NewTransaction(true)
	defer func() { txn.Discard() }()
	for _, name := range slices.Sorted(maps.Keys(values)) {
		err := txn.Set([]byte(name), values[name])
		if errors.Is(err, badger.ErrTxnTooBig) {
			if err = txn.Commit(); err == nil {
				txn = db.NewTransaction(true)
				err = txn.Set([]byte(name), values[name])
			}
		}
		if err != nil {
			return err
		}
	}
	return txn.Commit()
}

// id is the store's own, as whoever still knows it says.
func (w *wreck) id() storeID {
	if top, ok := w.e.slots.top(); ok {
		return top.id
	}
	if w.e.hasStored && w.e.storedErr == nil {
		return w.e.stored.id
	}
	return w.e.copied.id
}

// newest is the highest commit that anything tells of.
func (w *wreck) newest() uint64 {
	top, _ := w.e.slots.top()
	return max(top.commit, w.e.stored.commit, w.e.copied.commit)
}

// epoch is the highest epoch that anything tells of: no earlier owner may write.
func (w *wreck) epoch() uint64 {
	top, _ := w.e.slots.top()
	return max(top.epoch, w.e.stored.epoch, w.e.copied.epoch, w.storedOwner().Epoch)
}

func (w *wreck) storedOwner() (o persistence.Owner) {
	if b := w.strict.value(ownerName); b != nil {
		if r, err := w.sealer.Open(ownerKey, b); err == nil {
			o, _ = decodeOwner(r)
		}
	}
	return o
}

func (w *wreck) owner(epoch uint64) ([]byte, error) {
	o := w.storedOwner()
	if o.Epoch != epoch || o.Node == "" {
		o = persistence.Owner{Node: "salvage", Epoch: epoch}
	}
	return w.sealer.Seal(encodeOwner(o))
}

// Names in the store's directory.
const (
	salvagedDir   = "salvaged" // the new store while it is made
	salvageMarker = "SALVAGE"  // says how far files were moved
	damagedPrefix = "damaged-" // a directory with the files of before
)

func join(dir string, name ...string) string {
	return filepath.Join(append([]string{dir}, name...)...)
}
