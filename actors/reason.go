package actors

// reason is what brought a change of state about, in few words, fit for a label:
// Status.Why has it in the server's words and ours.
type reason string

const (
	byStart      reason = "start"      // the account was read from the store
	byOwner      reason = "owner"      // its owner wanted it
	bySignIn     reason = "sign_in"    // a sign-in began or ended
	byServer     reason = "server"     // the server said so
	byConnection reason = "connection" // the way to the home DC was lost
	byAnswer     reason = "answer"     // home answered
	byWait       reason = "wait_over"  // an ordered wait is over, or was cleared
	byFault      reason = "fault"      // something here is wrong
)

// reasonOf sorts a change from one state to another. In the states that an account
// can be led into by different hands, the one it comes from tells which it was.
func reasonOf(from, to State) reason {
	switch {
	case from == New && to != SigningIn && to != Quarantined:
		return byStart
	case to == Connecting && from == SigningIn:
		return bySignIn
	case to == Connecting && from == Waiting:
		return byWait
	case to == Connecting && from == Online:
		return byConnection
	case to == Connecting && from == Frozen:
		return byServer // it has ended the freeze
	case to == Connecting:
		return byOwner // resumed, taken back, its key restored
	}
	return defaultReason[to.String()]
}

// defaultReason is the usual reason of each state.
var defaultReason = map[string]reason{
	New.String(): bySignIn, SigningIn.String(): bySignIn, Connecting.String(): byConnection, Online.String(): byAnswer,
	Waiting.String(): byServer, Frozen.String(): byServer, Quarantined.String(): byFault, Duplicated.String(): byServer,
	Revoked.String(): byServer, SigningOut.String(): byOwner, SignedOut.String(): byOwner, Paused.String(): byOwner,
	Exported.String(): byOwner,
}

// possibleChanges are the states with the reasons that can lead to each.
func possibleChanges() map[values]bool {
	can := map[values]bool{}
	for from := New; from <= Exported; from++ {
		for to := New; to <= Exported; to++ {
			if from != to {
				can[values{to.String(), string(reasonOf(from, to))}] = true
			}
		}
	}
	return can
}
