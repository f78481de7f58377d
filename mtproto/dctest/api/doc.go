// Package api is the API half of the test cluster: who exists, who is
// authorized on which key, and what every API method answers.
//
// It is one user directory for all DCs of the cluster, so that migration and
// cross-DC authorization are real: a person has a home DC, a key of another DC
// gets PHONE_MIGRATE_X, and a guest key is linked to the authorization it came
// from. It knows keys only by their ids. Keys themselves, sessions, messages,
// wrappers, bindings, sockets and clocks belong to package dctest, which drives
// this one through the interface Server (seam.go):
//
//	reply := backend.Handle(&req)
//	for {
//		push, ok := backend.NextPush()
//		if !ok {
//			break
//		}
//		deliver(push)
//	}
//	wakeAt(backend.Deadline()) // then backend.Advance(now)
//
// It is pure: one owner, time and randomness come in, nothing waits. It never
// panics on what a client sends; every refusal is an error of the documented
// list with its documented code.
//
// # Key states
//
// A perm key on a DC is in one of the states of keyState. The protocol half
// adds two of its own below them: a key it does not know, and a temp key that is
// not bound. Each query passes the gates in this order: known method, key state,
// bot or person, frozen, DC, flood and injected faults, the method itself.
//
// Numbers of the form 99966XYYYY belong to DC X. Their login code is X repeated;
// other numbers get a code derived from the seed, mailed codes are random. Every
// code that was sent is in Codes, the one to type now is Code, and the newest in
// a mailbox is Mail, so that no test needs a side channel.
//
// # Ways to sign in
//
// All of Telegram's are served: by phone (phone.go, codes.go, paid.go), with a
// login e-mail (loginemail.go), by QR code (qr.go), bot token (login.go), passkey
// (passkey.go), web token and, behind a switch, a carrier's word (webtoken.go).
// A two-step password stands behind each (password.go, proof.go, settings.go,
// recovery.go): proofs are checked by SRP, nothing is taken on trust.
//
// What a person does outside, the operator of the cluster does: SetCodes says how
// codes reach a number, Pay pays for a sign-in, SetTwoStep sets a password,
// SetLoginEmail an address, WebToken makes what a web address would carry, Revoke
// and RevokeKey end sessions. FailNext makes any call fail with any documented
// error, Register adds or replaces a method.
//
// Where Telegram's behaviour is not documented, the choice made here is said at
// the function that makes it.
package api
