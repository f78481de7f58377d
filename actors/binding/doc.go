// Package binding is the actor that keeps one DC for one account: the perm key
// and its temp keys, the connections under them, the calls that wait for one,
// and, on a DC that is not the account's home, its authorization.
//
// It drives two engines, [pfs.Machine] and [guest.Machine], which decide, and
// does for them what waits: connections (actors/dcconn, its children), permits
// of the governor, commits to the account's journal, timers. Its account hears
// from it only what concerns the account (an [Event]): where calls may go now (a
// [Route]), updates, a perm key proved gone. Nothing of a rotation but its two
// ends, EventHeld and EventRoute, leaves this room.
//
//	account ── Call, Unbound, Confirm … ──> binding ──> successor   makes a key, binds it
//	   │    <── Route, Held, Lost … ──────     │   └──> retired     answers what is left
//	   └──────────── Call by the Route ────────┴──────> serving     carries the calls
//
// A key is on disk before anything else happens with it: while a commit of the
// keys is under way, nothing that their machine decided after it is done.
//
// A connection that fails by a fault of this program is made anew after a delay,
// from what the machine knows; held calls are kept, and whatever is asked
// meanwhile waits or is answered. The transcripts in testdata show how a first
// key, a rotation, a forgotten key, a proof and a guest look from outside.
package binding
