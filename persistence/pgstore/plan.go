package pgstore

import (
	"errors"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

// plan is what becomes of a batch of commits of one owner: what the database must
// be asked, the verdict on each commit, and what is to be written in the end.
type plan struct {
	owner    persistence.Owner
	batch    []*request
	accounts []persistence.AccountID // all that the batch is about, sorted
	begun    []persistence.AccountID // those to which it adds records, sorted
	shared   bool

	// What the database answered.
	current persistence.Owner // who has the name of the owner, or everything
	all     bool              // the owner has claimed everything
	owners  map[persistence.AccountID]persistence.Owner
	added   []persistence.AccountID // rows that were made for this batch
	stored  map[persistence.Key]record

	// What was decided.
	accepted bool
	began    map[persistence.AccountID]bool // of added: those that a commit has begun
	records  map[persistence.Key]record     // what is to be there in the end
}

// record is one record as of the batch so far. Of what is stored, value is there
// only where the seal is needed to believe that it is of a newer version.
type record struct {
	there   bool
	version uint16
	value   []byte
}

func newPlan(batch []*request) *plan {
	p := &plan{owner: batch[0].commit.Owner, batch: batch}
	for _, r := range batch {
		p.accounts = append(p.accounts, r.accounts...)
		for _, rec := range r.commit.Put {
			if !rec.Account.Shared() {
				p.begun = append(p.begun, rec.Account)
			}
		}
		p.shared = p.shared || r.shared
	}
	for _, ids := range []*[]persistence.AccountID{&p.accounts, &p.begun} {
		slices.Sort(*ids)
		*ids = slices.Compact(*ids)
	}
	return p
}

// queueRead takes the locks, in the order that owners.go has, and reads what
// decides. An account without a row becomes the owner's before it is locked: of two
// nodes at once the database takes one.
func (p *plan) queueRead(b *pgx.Batch) {
	p.current, p.all, p.owners, p.added, p.stored = persistence.Owner{}, false, map[persistence.AccountID]persistence.Owner{}, nil, map[persistence.Key]record{}
	node, epoch := p.owner.Node, int64(p.owner.Epoch)
	b.Queue(`select from fleet where all_node = $1 and all_epoch = $2 for share`, node, epoch)
	b.Queue(`select from nodes where name = $1 and epoch = $2 for key share`, node, epoch)
	queueCurrent(b, node, &p.current)
	b.Queue(`select exists (select from fleet where all_node = $1 and all_epoch = $2)`, node, epoch).
		QueryRow(func(row pgx.Row) error { return row.Scan(&p.all) })
	if p.shared {
		b.Queue(`select from shared for update`)
	}
	if len(p.begun) > 0 {
		b.Queue(`
insert into accounts (id, owner_node, owner_epoch, since)
select id, n.name, n.epoch, clock_timestamp() from unnest($1::text[]) id
    left join nodes n on n.name = $2 and n.epoch = $3
    where n.name is not null or exists (select from fleet where all_node = $2 and all_epoch = $3)
order by id on conflict do nothing returning id`, p.begun, node, epoch).Query(func(rows pgx.Rows) (err error) {
			p.added, err = pgx.CollectRows(rows, pgx.RowTo[persistence.AccountID])
			return err
		})
	}
	if len(p.accounts) > 0 {
		b.Queue(`select id, coalesce(owner_node, ''), coalesce(owner_epoch, 0) from accounts where id = any($1) order by id for share`, p.accounts).Query(func(rows pgx.Rows) error {
			var id persistence.AccountID
			var o persistence.Owner
			var epoch int64
			_, err := pgx.ForEachRow(rows, []any{&id, &o.Node, &epoch}, func() error {
				o.Epoch = uint64(epoch)
				p.owners[id] = o
				return nil
			})
			return err
		})
	}
	p.queueStored(b)
}

// queueStored reads which records the commits may not write over: those of a newer
// version, and those that must not be there.
func (p *plan) queueStored(b *pgx.Batch) {
	var keys columns
	for _, r := range p.batch {
		for _, rec := range r.commit.Put {
			keys.add(rec.Key, int32(rec.Version), nil)
		}
		for _, k := range r.commit.Absent {
			keys.add(k, 0, nil) // every version is newer
		}
	}
	if len(keys.accounts) == 0 {
		return
	}
	const query = `
select r.account, r.kind, r.sub, r.version, r.data from unnest($1::text[], $2::smallint[], $3::text[], $4::integer[]) k (account, kind, sub, version)
join records r on r.account = k.account and r.kind = k.kind and r.sub = k.sub
where r.version > k.version or substr(r.data, 1, 1) > $5`
	b.Queue(query, keys.accounts, keys.kinds, keys.subs, keys.versions, []byte{seal.Format}).Query(func(rows pgx.Rows) error {
		var k persistence.Key
		var version int32
		var data []byte
		_, err := pgx.ForEachRow(rows, []any{&k.Account, &k.Kind, &k.Sub, &version, &data}, func() error {
			p.stored[k] = record{there: true, version: uint16(version), value: slices.Clone(data)}
			return nil
		})
		return err
	})
}

// decide says of each commit whether it is accepted, as of those before it.
func (p *plan) decide(s *seal.Sealer) {
	p.records, p.accepted, p.began = map[persistence.Key]record{}, false, map[persistence.AccountID]bool{}
	for _, r := range p.batch {
		if r.verdict = p.judge(r, s); r.verdict != nil {
			continue
		}
		p.accepted = true
		for _, k := range r.commit.Absent {
			p.began[k.Account] = true
		}
		for _, k := range r.commit.Delete {
			p.records[k] = record{}
		}
		for i, rec := range r.commit.Put {
			p.records[rec.Key] = record{there: true, version: rec.Version, value: r.values[i]}
		}
	}
}

func (p *plan) judge(r *request, s *seal.Sealer) error {
	if p.owner == (persistence.Owner{}) || p.current != p.owner && !p.all {
		return &persistence.StaleOwnerError{Owner: p.owner, Current: p.current}
	}
	for _, id := range r.accounts {
		if o, there := p.owners[id]; there && o != p.owner && !p.all {
			return &persistence.StaleOwnerError{Owner: p.owner, Current: o, Account: id}
		}
		if !p.all && slices.Contains(p.added, id) && !p.began[id] && r.commit.MissesBeginning(id) {
			return &persistence.StaleOwnerError{Owner: p.owner, Account: id}
		}
	}
	for _, k := range r.commit.Absent {
		if p.at(k).there {
			return &persistence.PresentError{Key: k}
		}
	}
	for _, rec := range r.commit.Put {
		if err := p.newer(rec, s); err != nil {
			return err
		}
	}
	return nil
}

// at is a record as of the batch so far, as far as it matters.
func (p *plan) at(k persistence.Key) record {
	if r, ok := p.records[k]; ok {
		return r
	}
	return p.stored[k]
}

// newer refuses to write over a record of a newer format. One that is corrupt may
// be written over: that is how it is repaired. So what claims to be newer is
// believed only when the seal confirms it.
func (p *plan) newer(rec persistence.Record, s *seal.Sealer) error {
	at := p.at(rec.Key)
	if !at.there {
		return nil
	}
	version, err := seal.Peek(rec.Key, at.value)
	if err == nil && version > rec.Version {
		if _, err = s.Open(rec.Key, at.value); err == nil {
			return &persistence.VersionError{Key: rec.Key, Version: version, Known: rec.Version}
		}
	}
	var newer *persistence.VersionError // of the seal
	if errors.As(err, &newer) {
		return newer
	}
	return nil
}

// queueWrite writes what is to be there in the end. An account without a row has no
// records to delete; a row without a record goes, of a commit that was refused too.
func (p *plan) queueWrite(b *pgx.Batch) {
	var put, gone columns
	emptied := map[persistence.AccountID]struct{}{}
	for _, id := range p.added {
		emptied[id] = struct{}{}
	}
	for k, r := range p.records {
		if _, known := p.owners[k.Account]; !r.there && (known || k.Account.Shared()) {
			gone.add(k, 0, nil)
			if known {
				emptied[k.Account] = struct{}{}
			}
		}
	}
	for k, r := range p.records {
		if r.there {
			put.add(k, int32(r.version), r.value)
			delete(emptied, k.Account)
		}
	}
	put.queuePut(b)
	gone.queueDelete(b)
	if len(emptied) > 0 {
		b.Queue(`delete from accounts a where id = any($1) and not exists (select from records where account = a.id)`, slices.Collect(maps.Keys(emptied)))
	}
}

// columns are records as the database takes many at once.
type columns struct {
	accounts []persistence.AccountID
	kinds    []int16
	subs     []string
	versions []int32
	values   [][]byte
}

func (c *columns) add(k persistence.Key, version int32, value []byte) {
	c.accounts = append(c.accounts, k.Account)
	c.kinds = append(c.kinds, int16(k.Kind))
	c.subs = append(c.subs, k.Sub)
	c.versions = append(c.versions, version)
	c.values = append(c.values, value)
}

// queuePut writes the records, in place of those that are there.
func (c *columns) queuePut(b *pgx.Batch) {
	if len(c.accounts) > 0 {
		b.Queue(`
insert into records (account, kind, sub, version, data)
select * from unnest($1::text[], $2::smallint[], $3::text[], $4::integer[], $5::bytea[])
on conflict (account, kind, sub) do update set version = excluded.version, data = excluded.data`,
			c.accounts, c.kinds, c.subs, c.versions, c.values)
	}
}

// queueDelete deletes the records.
func (c *columns) queueDelete(b *pgx.Batch) {
	if len(c.accounts) > 0 {
		b.Queue(`
delete from records r using unnest($1::text[], $2::smallint[], $3::text[]) k (account, kind, sub)
where r.account = k.account and r.kind = k.kind and r.sub = k.sub`, c.accounts, c.kinds, c.subs)
	}
}
