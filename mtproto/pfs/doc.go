// Package pfs keeps the keys of one account on one DC: the perm key that is
// the login, the temp key that carries the calls, and the binding between
// them (perfect forward secrecy).
//
// A temp key stands in one of three places: it is the successor, saved but
// not bound yet; the serving key, which carries the calls; or the retired key,
// which was replaced and whose connection still listens.
//
// A [Machine] decides when a key is made, bound, used, replaced and dropped,
// and it holds the rule that matters most: a perm key is given up only after
// two -404 on two TCP connections under that very key, minutes apart, while the
// DC does not answer so to other accounts too; never because a bind was
// refused. It makes no key and sends no query itself.
//
// It is driven like the other engines. Inputs are methods, with the local
// time first; outputs are pulled in order:
//
//	m := pfs.New(cfg, snapshot)
//	m.Start(now)
//	for {
//		for out, ok := m.Next(); ok; out, ok = m.Next() {
//			perform(out) // OutSave: return when it is on disk, not before
//		}
//		wait for an event, or for m.Deadline(), then call the input for it
//	}
//
// Every OutPermit, OutMake, OutBind and OutProve is owed exactly one answer
// (Permitted, Made or MakeFailed, Bound or BindFailed, a Proof…), if need be
// a failure when the actor that worked on it died: the machine waits for
// answers without a limit of its own, because a connection may be parked for
// as long as its DC is down. OutHold is owed Held, unless OutUse or OutStop
// comes first. OutProbe is owed Probed, unless Retired comes first; an OutUse
// that replaced a key, and OutEnd, are owed Retired. Answers nobody asked for
// are ignored. The machine owes Rotate an OutRotated.
//
// What a DC makes of a key whose successor was bound is learnt once per DC, see
// [Reading].
//
// Times of keys are the server's: local time plus the offset learnt in a
// handshake. See https://core.telegram.org/api/pfs.
package pfs
