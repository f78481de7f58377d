// Package login takes an account from nothing to an authorization: a phone
// number and a code, or a bot token.
//
// A [Machine] decides which query comes next, what a human is asked, and what
// an error means for the attempt. It sends nothing and knows no keys: the
// account runs its calls on the home DC, moves that DC when told to, and shows
// each [Step] to whoever is signing in. [Step] and [Answer] are the same types
// for Go callers, for the command line's JSON and for the control API.
//
// Two-step passwords, login e-mails, paid logins and QR codes are steps the
// machine names but cannot take yet: it stays there, says so, and can be
// cancelled.
//
// It is driven like the other engines:
//
//	m, err := login.NewPhone(cfg, "+49 170 …")
//	m.Start(now)
//	for {
//		for out, ok := m.Next(); ok; out, ok = m.Next() {
//			perform(out) // when out.Durable(), return when it is on disk
//		}
//		wait for an answer, or for m.Deadline(), then call the input for it
//	}
//
// A sign-in is durable. The snapshot is on disk before the query it describes
// is sent, so a process that dies between any two steps goes on where it was:
// [Restore], Start. A query whose answer was lost is not blindly repeated. A
// sign-in is looked up with users.getUsers, and so is auth.sendCode when future
// auth tokens went with it, for one of them may have signed in; a code is sent
// again only when the human asks for it.
//
// See https://core.telegram.org/api/auth.
package login
