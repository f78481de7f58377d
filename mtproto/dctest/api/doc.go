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
// other numbers get a code derived from the seed. Every code can be read with
// Users or Code, so that no test needs a side channel.
package api
