package persistence

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// Memory is a Store without a disk, for tests and trials. Its contents last as
// long as the value, or what Reopen made of it.
type Memory struct {
	image  *image
	mu     sync.Mutex
	closed bool // guarded by mu
}

// image is what would be on the disk.
type image struct {
	mu       sync.Mutex
	owner    Owner
	accounts map[AccountID][]Record // each in the order of their keys
}

// find is where a record of an account is, or would be.
func (i *image) find(k Key) (at int, ok bool) {
	return slices.BinarySearchFunc(i.accounts[k.Account], k, func(r Record, k Key) int { return r.Key.compare(k) })
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{image: &image{accounts: make(map[AccountID][]Record)}}
}

// Reopen closes the store and returns another one with the same contents, as a
// restarted process would find them.
func (m *Memory) Reopen() *Memory {
	_ = m.Close()
	return &Memory{image: m.image}
}

// Close implements Store.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

// use gives access to the contents while the store is open.
func (m *Memory) use(f func(*image) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	m.image.mu.Lock()
	defer m.image.mu.Unlock()
	return f(m.image)
}

// Accounts implements Store.
func (m *Memory) Accounts() (ids []AccountID, err error) {
	err = m.use(func(i *image) error {
		ids = slices.Sorted(maps.Keys(i.accounts))
		ids = slices.DeleteFunc(ids, AccountID.Shared)
		return nil
	})
	return ids, err
}

// Load implements Store.
func (m *Memory) Load(id AccountID) (records []Record, err error) {
	if err := CheckOwnerID(id); err != nil {
		return nil, err
	}
	err = m.use(func(i *image) error {
		for _, r := range i.accounts[id] {
			r.Data = slices.Clone(r.Data)
			records = append(records, r)
		}
		return nil
	})
	return records, err
}

// Commit implements Store.
func (m *Memory) Commit(c Commit) error {
	if err := c.Check(); err != nil {
		return err
	}
	return m.use(func(i *image) error {
		if c.Owner != i.owner || i.owner == (Owner{}) {
			return &StaleOwnerError{Owner: c.Owner, Current: i.owner}
		}
		return i.commit(c)
	})
}

// commit makes the changes of an owner who may.
func (i *image) commit(c Commit) error {
	for _, k := range c.Absent {
		if _, ok := i.find(k); ok {
			return &PresentError{Key: k}
		}
	}
	for _, r := range c.Put {
		if at, ok := i.find(r.Key); ok && i.accounts[r.Account][at].Version > r.Version {
			return &VersionError{Key: r.Key, Version: i.accounts[r.Account][at].Version, Known: r.Version}
		}
	}
	for _, k := range c.Delete {
		if at, ok := i.find(k); ok {
			i.accounts[k.Account] = slices.Delete(i.accounts[k.Account], at, at+1)
		}
		if len(i.accounts[k.Account]) == 0 {
			delete(i.accounts, k.Account)
		}
	}
	for _, r := range c.Put {
		r.Data = slices.Clone(r.Data)
		if at, ok := i.find(r.Key); ok {
			i.accounts[r.Account][at] = r
		} else {
			i.accounts[r.Account] = slices.Insert(i.accounts[r.Account], at, r)
		}
	}
	return nil
}

// Claim implements Store.
func (m *Memory) Claim(node string) (owner Owner, err error) {
	if err := CheckNode(node); err != nil {
		return Owner{}, err
	}
	err = m.use(func(i *image) error {
		i.owner = Owner{Node: node, Epoch: i.owner.Epoch + 1}
		owner = i.owner
		return nil
	})
	return owner, err
}

// Snapshot implements Snapshotter. It counts no commits, and has no id.
func (m *Memory) Snapshot(ctx context.Context, begin func(Moment) error, each func(Record, error) error) error {
	var all []Record
	moment := Moment{Store: "memory"}
	err := m.use(func(i *image) error {
		moment.Epoch = i.owner.Epoch
		for _, id := range slices.Sorted(maps.Keys(i.accounts)) {
			for _, r := range i.accounts[id] {
				r.Data = slices.Clone(r.Data)
				all = append(all, r)
				moment.Holds.Add(r.Key)
			}
		}
		return nil
	})
	if err == nil {
		err = begin(moment)
	}
	for _, r := range all {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = each(r, nil)
		}
	}
	return err
}
