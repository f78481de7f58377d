// Package guest carries an account's authorization from its home DC to one
// other DC: export there, import here.
//
// A [Machine] exists once for each guest DC of an account, so that the flight
// is single: however many calls want the DC, one export and one import are
// under way. It makes no keys and sends nothing; pfs makes the keys of the
// guest DC, and the account runs the calls.
//
// A guest can fail in any way without hurting the account. Only one thing
// said here concerns it: the home DC refusing the export as unauthorized
// (OutHomeLost), which the account checks before it believes it.
//
// Where the server says no, callers are told, in seconds and with its own
// words, and it is asked again only for somebody who wants the DC then. The
// driver asks [Machine.Refusal] for each call: it ends with that error at once,
// or it is held and [Machine.Wanted] says so. The server's own trouble and lost
// answers are not a no: calls wait until it is over.
//
// It is driven like the other engines:
//
//	m := guest.New(cfg, snapshot)
//	m.Start(now)
//	for {
//		for out, ok := m.Next(); ok; out, ok = m.Next() {
//			perform(out) // when out.Durable(), return when it is on disk
//		}
//		wait for an answer, or for m.Deadline(), then call the input for it
//	}
//
// The exported bytes are a credential. They pass through once, are in no
// snapshot, and must not be stored or logged.
//
// See https://core.telegram.org/api/auth#cross-dc and the calls
// auth.exportAuthorization and auth.importAuthorization.
package guest
