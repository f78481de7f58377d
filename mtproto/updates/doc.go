// Package updates keeps an account's place in its common update sequence:
// pts, qts, date and seq.
//
// A [Machine] takes every Updates value the server pushes, hands out each
// update once and in order, notices what is missing, waits half a second for
// it, and then asks for the difference. Channels have sequences of their own,
// which it does not follow: their updates are handed out as they come.
//
// Updates stay bytes ([tl.Raw]); the machine reads their pts and nothing else.
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
// update: a process that dies in between delivers the last second again.
// Within a process no update that counts by pts or qts is delivered twice, and
// none is left out but for those the server itself no longer has, which
// OutHole names. Before the first state of all is known, no more than the
// bound of the buffer is kept.
//
// See https://core.telegram.org/api/updates.
package updates
