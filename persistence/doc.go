// Package persistence says what mtfleet keeps on disk: the [Store] interface,
// the plain records that go through it, and their binary format. It also has the
// store that keeps nothing, [Memory].
//
// It is not the disk: that is badgerstore, or pgstore for several nodes. It knows
// nothing about how keys, logins or sessions behave either; the actors that own
// those copy their state into the records of this package and back.
//
// An account is a handful of small records, each under a [Key]. Changes go
// through [Store.Commit], all or nothing, durable when it returns:
//
//	owner, err := store.Claim("this-node") // once, at the start
//	...
//	err = store.Commit(persistence.Commit{
//		Owner:  owner,
//		Put:    []persistence.Record{permKey.Record("alice"), account.Record()},
//		Delete: []persistence.Key{persistence.LoginKey("alice")},
//	})
//
// Every commit carries its owner. A store remembers the latest claim only, so a
// process that was replaced cannot write any more. Nothing here assumes that the
// store is local.
//
// Account ids are names the operator chose. They appear in the store's key names
// and in errors, so they are never phone numbers; see [CheckAccountID].
package persistence
