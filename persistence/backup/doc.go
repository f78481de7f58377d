// Package backup writes the records of a store into one encrypted file, and reads
// them back.
//
//	report, err := backup.Write(ctx, file, store, backup.Options{Recipients: recipients, Program: version, Now: time.Now()})
//
//	r, err := backup.Open(file, identities)
//	err = r.Each(ctx, func(rec persistence.Record) error { ... })
//
// Both hold one record at a time in memory. Neither knows how a store keeps its
// records: Write takes any persistence.Snapshotter that is open, also one that
// takes commits meanwhile.
//
// # What opens it
//
// The file is encrypted with age, to the recipients' public keys. Inside, records
// are in the clear: the seals of the store are taken off. So a backup is of no use
// without an age identity, and with one the store's master key is not needed: it
// is restored under whatever master key the new place has. Were the seals kept,
// each backup would need the master key of its day, which is lost with the same
// disk, and which a change of the master key makes somebody keep for ever. The
// machine that makes backups holds public keys alone, and cannot open them.
//
// # What is in it
//
// Everything but temp keys and sessions (server salts and the offset of the
// clock). Those are made anew with a round trip each; old ones would have two
// processes use one temp key, and salts that have run out. The rest comes back as
// old as the backup, and is kept for these reasons:
//
//   - perm keys and accounts are what a backup is for
//   - a sign-in under way says that its key may be authorized by now: without it
//     that authorization would belong to nobody
//   - waits must be obeyed whatever happens; one that is over does nothing
//   - from an old place in the updates they come again; without one they are lost
//   - guests, peers, consumers and letters that could not be delivered cannot be
//     had again
//
// # Format
//
// An age file whose plaintext is "mtfleet backup\n" and then frames: a byte that
// says what it is, the length of the rest (4 bytes, little-endian), and the rest.
//
//	'h'  Header, JSON; the first frame
//	'r'  a record: its kind (1 byte), the version of its format (2), the length of
//	     the account's id (1), the id, the length of the sub (1), the sub, the data
//	'x'  a record that the store could not read: JSON
//	'e'  the end, JSON: how many records there were of what, and the SHA-256 of
//	     everything before this frame
//
// Records are in the order of account, kind and sub, each once. age finds what was
// changed or cut; the end finds what was never written. Nothing says who wrote it:
// whoever knows a recipient can make one.
package backup
