// Package login takes an account from nothing to an authorization, by every way
// Telegram has: a phone number and a code, a QR code, a bot token, a passkey, the
// address of a web client and, experimental, a number that its carrier vouches
// for; or by the session of another program, which has one.
//
// A [Machine] decides which query comes next, what a human is asked, and what
// an error means for the attempt. It sends nothing and knows no keys: the
// account runs its calls on the home DC, moves that DC when told to, and shows
// each [Step] to whoever is signing in. [Step] and [Answer] are the same types
// for Go callers, for the command line's JSON and for the control API.
//
// One shell (machine.go, calls.go, refusals.go, probe.go, cancel.go) has what all
// flows share: the call under way, waits, moves to another DC, cancel, undo, save.
// Each flow is a file with its part of the snapshot, its calls and its answers;
// the e-mail and the two-step password are tails that flows lead to:
//
//	phone.go     New ─► Sending ─► WaitCode ─► SigningIn ─► Done
//	                      │ ▲         │ ▲          │
//	                      │ └─ WaitNewCode ◄───────┼─► WaitSignUp ─► SigningUp ─► Done   signup.go
//	                      ▼                        │
//	                    WaitPhone, WaitFirebase (firebase.go), WaitPayment (payment.go)
//	email.go     Sending ─► WaitEmailAddress ─► WaitEmailSetup ─► Verifying ─► as after Sending
//	             Sending ─► WaitEmailCode ─► SigningIn, or ResettingEmail ─► as after Sending
//	qr.go        New ─► Exporting ─► WaitScan ─► Exporting ─► Done, or Migrating ─► ImportingToken ─► Done
//	bot.go       New ─► Importing ─► Done
//	web.go       New ─► ImportingWeb ─► Done
//	passkey.go   New ─► GettingChallenge ─► WaitPasskey ─► FinishingPasskey ─► Done
//	import.go    New ─► Identifying ─► Done
//	pnv.go       New ─► StartingPNV ─► WaitPNV ─► FinishingPNV ─► Done, or WaitSignUp
//	password.go  any of them ─► GettingPassword ─► WaitPassword ─► Proving ─► CheckingPassword ─► Done
//	recovery.go  WaitPassword ─► RequestingRecovery ─► WaitRecovery ─► CheckingRecovery ─► WaitNewPassword ─► Recovering ─► Done
//
// Any call may pass through Waiting (a wait before it is repeated), one that begins
// an attempt through Migrating, one that signs in through Probing when its answer
// is lost; a cancel passes through Canceling or LoggingOut and ends in Failed.
//
// It is driven like the other engines:
//
//	m, err := login.NewPhone(cfg, "+49 170 …")
//	m.Start(now)
//	for {
//		for out, ok := m.Next(); ok; out, ok = m.Next() {
//			perform(out) // when out.Durable(), return when it is on disk
//		}
//		wait for an answer, a work's result, a push, or for m.Deadline(), then call the input for it
//	}
//
// A sign-in is durable. The snapshot is on disk before the query it describes
// is sent, so a process that dies between any two steps goes on where it was:
// [Restore], Start. A query whose answer was lost is not blindly repeated. One
// that may have signed in is looked up with users.getUsers; a code is sent again
// only when the human asks for it. What was typed, and what was shown, is never
// stored: codes, passwords, tokens, QR codes and challenges live in memory alone,
// and after a restart whoever has them is asked again.
//
// See https://core.telegram.org/api/auth.
package login
