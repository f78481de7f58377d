// Package updates keeps an account's place in its common update sequence:
// pts, qts, date and seq.
//
// A [Machine] takes every Updates value the server pushes, hands out each
// update once and in order, notices what is missing, waits half a second for
// it, and then asks for the difference. Channels have sequences of their own,
// which it does not follow: their updates are handed out as they come.
//
// Updates, users and chats stay bytes ([tl.Raw]); the machine reads the places
// of updates and nothing else.
//
// It is driven like the other engines:
//
//	m := updates.New(snapshot)
//	m.Start(now)
//	for {
//		for out, ok := m.Next(); ok; out, ok = m.Next() {
//			perform(out)
//		}
//		wait for a push or an answer, or for m.Deadline(), then call the input for it
//	}
//
// A state is saved after what it covers was delivered, and not at every
// update: a process that dies in between delivers the last second again. Only
// the first state of all is to be saved at once: without it, the next process
// could not tell what it missed.
//
// Within a process no update that counts by pts or qts is delivered twice, and
// the place moves past none that was not delivered without an OutHole, whether
// the server no longer has it or nobody here can read it.
//
// See https://core.telegram.org/api/updates.
package updates
