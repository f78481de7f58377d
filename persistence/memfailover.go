package persistence

import (
	"maps"
	"slices"
	"time"
)

// This file is a MemoryCluster whose server fails over to another one, which may lack
// the last transactions. What nodes do about that is as in pgstore, fleet.go.

// Standby is what another server has of a MemoryCluster.
type Standby struct {
	ownership
	accounts map[AccountID][]Record
}

// Standby copies the store as it is now.
func (m *MemoryCluster) Standby() *Standby {
	m.image.mu.Lock()
	defer m.image.mu.Unlock()
	return (&Standby{m.shared.ownership, m.image.accounts}).clone()
}

func (s *Standby) clone() *Standby {
	c := &Standby{s.ownership, map[AccountID][]Record{}}
	c.nodes, c.wishes, c.owners, c.changes = maps.Clone(s.nodes), maps.Clone(s.wishes), maps.Clone(s.owners), maps.Clone(s.changes)
	for id, records := range s.accounts { // what is in a record is never changed
		c.accounts[id] = slices.Clone(records)
	}
	return c
}

// Restore puts a copy in the place of the store: what was changed since is lost.
func (m *MemoryCluster) Restore(s *Standby) {
	m.image.mu.Lock()
	defer m.image.mu.Unlock()
	s = s.clone()
	m.shared.ownership, m.image.accounts = s.ownership, s.accounts
}

// TakeOver is Restore by a server of its own: nodes find out that it is another one.
func (m *MemoryCluster) TakeOver(s *Standby) {
	m.Restore(s)
	m.image.mu.Lock()
	defer m.image.mu.Unlock()
	m.shared.server++
	m.shared.by = nil // which is a session's
}

// Holder returns who owns an account, as OwnerOf, for who is no node: nothing is put
// right that the store has forgotten.
func (m *MemoryCluster) Holder(id AccountID) Owner {
	m.image.mu.Lock()
	defer m.image.mu.Unlock()
	return m.shared.owners[id].owner
}

// EndHold frees what waits for leases that may have been forgotten, for tests of what
// that is for.
func (m *MemoryCluster) EndHold() {
	m.image.mu.Lock()
	defer m.image.mu.Unlock()
	m.shared.held = time.Time{}
}

// changed numbers a change of owners, and tells the others.
func (c *clusterImage) changed() {
	c.nonce++
	c.Change = c.Next(c.nonce)
	c.changes[c.Seq] = c.nonce
	delete(c.changes, c.Seq-KeptChanges)
	c.hint()
}

// putRight does for one who has seen something what is to be done where the store does
// not know it, or may not.
func (c *clusterImage) putRight(seen Change, now time.Time) {
	if c.known != c.server {
		c.known = c.server
		c.Change = c.Leap(seen)
		c.Longest = max(c.Longest, seen.Longest)
		c.hold(now)
	}
	nonce, kept := c.changes[seen.Seq]
	if !kept {
		nonce = seen.Nonce
	}
	if !seen.ForgottenBy(c.Change, nonce) {
		return
	}
	c.Change = c.Anew(seen)
	c.all = Owner{}
	clear(c.nodes)
	for id, at := range c.owners {
		if at.owner != (Owner{}) {
			c.owners[id] = memoryOwner{since: now}
		}
	}
	c.hold(now)
	c.changed()
}

// hold frees nothing before every lease that may be unknown is over.
func (c *clusterImage) hold(now time.Time) {
	if until := now.Add(c.Longest); until.After(c.held) {
		c.held = until
	}
}
