package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/badgerstore"
)

type config struct {
	rounds, accounts int
	seed             uint64
	verbose          bool
}

// play harms as many stores as wanted.
func (c config) play(out io.Writer) (tally, error) {
	t := tally{named: map[string]int{}}
	for n := range c.rounds {
		r, err := c.round(c.seed + uint64(n))
		if err != nil {
			return t, fmt.Errorf("seed %d: %w", c.seed+uint64(n), err)
		}
		t.add(r)
		if c.verbose || r.silent > 0 || r.lied || r.refused != nil {
			fmt.Fprintf(out, "seed %d: %v\n", c.seed+uint64(n), r)
		}
	}
	return t, nil
}

// result is one round.
type result struct {
	killed bool
	harm   string // what was done to which file
	// named is the error of a store that did not open, refused one that is
	// neither good nor said to be damaged.
	named   *persistence.DamagedError
	refused error
	// quarantined is how many accounts said by themselves that they are harmed.
	quarantined int
	// silent is how many accounts had lost something, and nobody said so.
	silent int
	// Of a salvage: accounts that should be there, that are whole again (their
	// account record, perm keys, guests and waits), and that came back though
	// they had been deleted; whether it called a store complete that is not.
	should, back, risen int
	lied                bool
}

func (r result) String() string {
	how := "closed"
	if r.killed {
		how = "killed"
	}
	s := fmt.Sprintf("%s, %s", how, r.harm)
	switch {
	case r.silent > 0:
		return s + fmt.Sprintf(": %d ACCOUNTS LOST WITHOUT A WORD", r.silent)
	case r.refused != nil:
		return s + fmt.Sprintf(": NOT OPENED: %v", r.refused)
	case r.named != nil:
		return s + fmt.Sprintf(": %s; %d of %d accounts back, %d risen, lied %v", r.named.Why, r.back, r.should, r.risen, r.lied)
	case r.quarantined > 0:
		return s + fmt.Sprintf(": %d accounts say so", r.quarantined)
	}
	return s + ": no harm"
}

func (c config) round(seed uint64) (r result, err error) {
	parent, err := os.MkdirTemp("", "damage-*")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(parent)
	rnd := rand.New(rand.NewPCG(seed, 2))
	dir := filepath.Join(parent, "store")
	r.killed = rnd.IntN(3) > 0
	var wait time.Duration
	if rnd.IntN(4) == 0 {
		wait = 1500 * time.Millisecond // the copy has been written
	}
	if err := c.make(dir, seed, r.killed, wait); err != nil {
		return r, err
	}
	if r.harm, err = harm(dir, rnd); err != nil {
		return r, err
	}
	want := newHistory(seed, c.accounts).outcome()
	got, bad, err := read(dir)
	if err == nil {
		r.quarantined = len(bad)
		r.silent = len(lost(want, got, bad, func(persistence.Kind) bool { return true }))
		return r, nil
	}
	if !errors.As(err, &r.named) {
		r.refused = err
		return r, nil
	}
	return r, r.salvage(dir, want)
}

// salvage heals the store and counts what came back.
func (r *result) salvage(dir string, want map[persistence.Key]persistence.Record) error {
	report, err := badgerstore.Salvage(badgerstore.SalvageOptions{Dir: dir, Key: key, Now: time.Now()})
	if err != nil {
		return fmt.Errorf("%s: %s: salvage: %w", r.harm, r.named.Why, err)
	}
	got, bad, err := read(dir)
	if err != nil {
		return fmt.Errorf("%s: after the salvage: %w", r.harm, err)
	}
	all := lost(want, got, bad, func(persistence.Kind) bool { return true })
	kept := lost(want, got, bad, func(k persistence.Kind) bool {
		return k != persistence.KindTempKey && k != persistence.KindSession &&
			k != persistence.KindUpdates && k != persistence.KindChannels
	})
	accounts := map[persistence.AccountID]bool{}
	for k := range want {
		accounts[k.Account] = true
	}
	r.should, r.back = len(accounts), len(accounts)-len(kept)
	for k := range got {
		if k.Kind == persistence.KindAccount && !accounts[k.Account] {
			r.risen++
		}
	}
	r.lied = report.Complete && (len(all) > 0 || r.risen > 0)
	return nil
}

// read loads everything of a store; bad are accounts whose records cannot all be
// read and that say so.
func read(dir string) (got map[persistence.Key]persistence.Record, bad map[persistence.AccountID]bool, err error) {
	store, err := badgerstore.Open(badgerstore.Options{Dir: dir, Key: key})
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	ids, err := store.Accounts()
	if err != nil {
		return nil, nil, err
	}
	got, bad = map[persistence.Key]persistence.Record{}, map[persistence.AccountID]bool{}
	for _, id := range ids {
		records, err := store.Load(id)
		if err != nil {
			bad[id] = true
		}
		for _, r := range records {
			got[r.Key] = r
		}
	}
	return got, bad, nil
}

// lost returns the accounts that miss a record of such a kind, or have another.
func lost(want, got map[persistence.Key]persistence.Record, bad map[persistence.AccountID]bool, kind func(persistence.Kind) bool) map[persistence.AccountID]bool {
	out := map[persistence.AccountID]bool{}
	for k, r := range want {
		if have, ok := got[k]; kind(k.Kind) && !bad[k.Account] && (!ok || !bytes.Equal(have.Data, r.Data)) {
			out[k.Account] = true
		}
	}
	return out
}

// harm does one thing to one file of the directory.
func harm(dir string, rnd *rand.Rand) (string, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	name := list[rnd.IntN(len(list))].Name()
	path := filepath.Join(dir, name)
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	// Logs are mostly zeros behind their end: as often as not, where data is.
	end := len(b)
	if data := len(bytes.TrimRight(b, "\x00")); data > 0 && rnd.IntN(2) == 0 {
		end = data
	}
	switch rnd.IntN(6) {
	case 0:
		return name + " removed", os.Remove(path)
	case 1:
		if end == 0 {
			return name + " is empty", nil
		}
		at := rnd.IntN(end)
		return fmt.Sprintf("%s cut to %d of %d bytes", name, at, len(b)), os.Truncate(path, int64(at))
	}
	if end == 0 {
		return name + " is empty", nil
	}
	at, bit := rnd.IntN(end), rnd.IntN(8)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return "", err
	}
	_, err = f.WriteAt([]byte{b[at] ^ 1<<bit}, int64(at))
	return fmt.Sprintf("%s, bit %d of byte %d of %d turned", name, bit, at, len(b)), errors.Join(err, f.Close())
}
