package badgerstore

import (
	"errors"
	"testing"
)

// at makes a head of commit n, of a store that gets one record with each.
func at(n uint64, state headState) head {
	return head{id: storeID{1}, commit: n, state: state, before: sums{records: n - 1}, after: sums{records: n}}
}

func TestWhatAStoreIsTakenFor(t *testing.T) {
	slots := func(h ...head) headSlots { return headSlots{exists: true, heads: h} }
	stored := func(n uint64, h headSlots) evidence {
		return evidence{slots: h, stored: at(n, headStored), hasStored: true, hasCheck: true, found: sums{records: n}}
	}
	copied := func(e evidence, n uint64) evidence {
		e.hasCopy, e.copied = true, copyTail{id: storeID{1}, commit: n, sums: sums{records: n}}
		return e
	}
	change := func(e evidence, f func(*evidence)) evidence { f(&e); return e }
	done := slots(at(4, headDone), at(5, headDone))
	intent := slots(at(4, headDone), at(5, headIntent))
	oneBad := func(h head) headSlots { s := slots(h); s.bad = 1; return s }
	unreadable := headSlots{exists: true, bad: 2}
	for _, c := range []struct {
		name string
		e    evidence
		want verdict
	}{
		{"nothing at all", evidence{empty: true, damage: errors.New("MANIFEST is missing")}, isNew},
		{"a making that was cut short", evidence{}, isNew},
		{"a store of before heads", evidence{hasCheck: true, found: sums{records: 9}}, isOlder},
		{"a making cut between the check record and the head", evidence{hasCheck: true}, isOlder},
		{"Badger at the commit that is done", stored(5, done), isWhole},
		{"Badger at the commit under way", stored(5, intent), isWhole},
		{"Badger before the commit under way", stored(4, intent), isWhole},
		{"Badger after a HEAD that the power kept from the disk", stored(5, slots(at(3, headDone), at(4, headDone))), isWhole},
		{"Badger before the commit that is done", stored(4, done), isDamaged},
		{"Badger two commits before the one under way", stored(3, intent), isDamaged},
		{"Badger far behind", stored(1, done), isDamaged},
		{"Badger far ahead", stored(9, done), isHeadless},
		{"the newer slot is bad", stored(5, oneBad(at(4, headDone))), isHeadless},
		{"the older slot is bad", stored(5, oneBad(at(5, headDone))), isHeadless},
		{"the older slot is bad and a commit under way is not there", stored(4, oneBad(at(5, headIntent))), isWhole},
		{"no HEAD", stored(5, headSlots{}), isHeadless},
		{"an unreadable HEAD", stored(5, unreadable), isHeadless},
		{"no HEAD and a copy as new", copied(stored(5, headSlots{}), 5), isHeadless},
		{"no HEAD and a newer copy", copied(stored(4, headSlots{}), 5), isDamaged},
		{"a HEAD that allows less than the copy knows", copied(stored(4, intent), 5), isDamaged},
		{"the copy of another store", change(copied(stored(4, intent), 5), func(e *evidence) { e.copied.id = storeID{2} }), isWhole},
		{"the HEAD of another store", change(stored(5, done), func(e *evidence) { e.stored.id = storeID{2} }), isDamaged},
		{"a record less", change(stored(5, done), func(e *evidence) { e.found.records-- }), isDamaged},
		{"a record less and another broken", change(stored(5, done), func(e *evidence) { e.found.records--; e.broken = 1 }), isDamaged},
		{"an older record", change(stored(5, done), func(e *evidence) { e.found.values[0]++ }), isDamaged},
		{"a record that says it is broken", change(stored(5, done), func(e *evidence) { e.found.values[0]++; e.broken = 1 }), isWhole},
		{"a file that cannot be read", change(stored(5, done), func(e *evidence) { e.damage = errTable }), isDamaged},
		{"Badger's head is gone", change(stored(5, done), func(e *evidence) { e.hasStored = false }), isDamaged},
		{"Badger is gone", evidence{empty: true, damage: errors.New("MANIFEST is missing"), slots: done}, isDamaged},
		{"Badger is gone and only the copy tells", copied(evidence{empty: true, damage: errors.New("MANIFEST is missing")}, 5), isDamaged},
		{"Badger is gone and the HEAD unreadable", evidence{empty: true, damage: errors.New("MANIFEST is missing"), slots: unreadable}, isDamaged},
		{"Badger is empty and there is a HEAD", evidence{slots: done}, isDamaged},
		{"Badger is empty and there is an unreadable HEAD", evidence{slots: unreadable}, isDamaged},
		{"records without a check record", evidence{found: sums{records: 1}}, isDamaged},
		{"tables without a check record", evidence{tables: 1}, isDamaged},
		{"the same number and other records", change(stored(5, done), func(e *evidence) {
			e.stored.after.values[1], e.found.values[1] = 7, 7
		}), isDamaged},
		{"one number further and another history", change(stored(6, done), func(e *evidence) { e.stored.before.values[1] = 7 }), isHeadless},
	} {
		got := c.e.judge()
		if got.verdict != c.want {
			t.Errorf("%s: verdict %d (%s), want %d", c.name, got.verdict, got.why, c.want)
		}
		if got.verdict == isDamaged && got.why == "" {
			t.Errorf("%s: no reason", c.name)
		}
	}
}

func TestPlacesOfOneDirectoryAreTheSame(t *testing.T) {
	whole := place{known: placeInode | placeBirth, inode: 5, birth: 77, fstype: 0xef53}
	change := func(f func(*place)) place { p := whole; f(&p); return p }
	noBirth := change(func(p *place) { p.known = placeInode })
	overlay := change(func(p *place) { p.fstype = overlayFSType })
	for _, c := range []struct {
		name string
		p, q place
		want bool
	}{
		{"itself", whole, whole, true},
		{"another directory", whole, change(func(p *place) { p.inode, p.birth = 6, 78 }), false},
		{"the same inode on another disk", whole, change(func(p *place) { p.birth = 78 }), false},
		{"an inode given out anew", whole, change(func(p *place) { p.birth++ }), false},
		{"an overlay mounted again", overlay, change(func(p *place) { p.fstype, p.inode = overlayFSType, 9 }), true},
		{"another directory of an overlay", overlay, change(func(p *place) { p.fstype, p.birth = overlayFSType, 9 }), false},
		{"a FUSE mount without birth times", change(func(p *place) { p.known, p.fstype = placeInode, fuseFSType }), change(func(p *place) { p.known, p.fstype, p.inode = placeInode, fuseFSType, 9 }), true},
		{"no birth times", noBirth, noBirth, true},
		{"no birth times, another inode", noBirth, change(func(p *place) { p.known, p.inode = placeInode, 6 }), false},
		{"no birth times, another kind of file system", noBirth, change(func(p *place) { p.known, p.fstype = placeInode, 1 }), false},
		{"a kernel that learnt of birth times", noBirth, whole, true},
		{"nothing known", place{}, whole, true},
	} {
		if got := c.p.same(c.q); got != c.want || c.q.same(c.p) != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
