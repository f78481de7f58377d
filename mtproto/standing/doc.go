// Package standing says where one account stands with the server, and what
// every answer of the server means for that.
//
// A [Machine] exists once for each account. It holds the account's one state,
// the waits the server ordered, the doubt after a 401, a logout under way and
// the calls that wait for another try. It sends nothing and knows no keys:
// bindings make the keys and carry the calls, the login machine signs in, and
// the account carries out what this machine decides.
//
// Every query, whoever asks it, passes through the same two doors: [Machine.Admit]
// before it is sent, and [Machine.Ended] when it came to an error that
// [NeedsPolicy]. What a query is for is data (a [Purpose]), so that a restart,
// a transcript and a simulation know it too.
//
// It is driven like the other engines:
//
//	m := standing.Restore(cfg, snapshot)
//	m.Start(now)
//	for {
//		for out, ok := m.Next(); ok; out, ok = m.Next() {
//			perform(out) // when out.Durable(), return when it is on disk
//		}
//		wait for something to happen, or for m.Deadline(), then call its input
//	}
//
// A login is given up only for proof: a 401 of home that a second connection
// confirmed, USER_DEACTIVATED, 406 AUTH_KEY_DUPLICATED, or a perm key that the
// binding proved gone. Nothing else leads to Revoked or Duplicated.
//
// See https://core.telegram.org/api/errors.
package standing
