package persistence

// Batch puts many records into a store, in commits as large as they may be. What is
// put is there after Flush.
type Batch struct {
	Store   Store
	Owner   Owner
	Records int // that were put

	put  []Record
	size int
}

// Put takes a record. It blocks while the store commits those before it.
func (b *Batch) Put(r Record) error {
	size := len(r.Data) + 256 // as Commit.Check counts
	if len(b.put) == MaxCommitItems || b.size+size > MaxCommitSize {
		if err := b.Flush(); err != nil {
			return err
		}
	}
	b.put = append(b.put, r)
	b.size += size
	b.Records++
	return nil
}

// Flush commits what has not been yet.
func (b *Batch) Flush() error {
	if len(b.put) == 0 {
		return nil
	}
	if err := b.Store.Commit(Commit{Owner: b.Owner, Put: b.put}); err != nil {
		return err
	}
	clear(b.put)
	b.put, b.size = b.put[:0], 0
	return nil
}
