// Package updates keeps an account's place in its update sequences: pts, qts, date
// and seq, and the pts of each channel.
//
// A [Machine] takes every Updates value the server pushes or returns, hands out
// each update once and in order of its [Box], notices what is missing, waits half
// a second for it, and then asks for the difference of that box. There is no order
// between boxes. An update that counts in none (typing, presence) is handed out as
// it comes, and is gone if it does not.
//
// Updates, users and chats stay bytes ([tl.Raw]); the machine reads the places
// of updates, and how channels are asked for. Short forms of messages are made
// whole: their users do not come along, see Users.
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
// the first state of all, and the first of a channel, are to be saved at once:
// without them, the next process could not tell what it missed. With Durable a
// state is saved after what it covers was acknowledged.
//
// Within a process no update that counts is delivered twice, and a place moves
// past none that was not delivered without an OutHole, whether the server no
// longer has it or nobody here can read it. But for two things: a channel that made
// way for others (see channelsMost) begins anew, and what it missed meanwhile nobody
// names; and where the server renumbers a box, what was delivered may come again.
//
// A channel begins with the first of its updates that comes, of one envelope with the
// earliest. The protocol has no other beginning but to ask for every channel: what
// was before is the past. Where one of before comes after all, it is told as an
// OutHole from there to the beginning; of a channel that begins anew that may be
// what was delivered once. A channel that the account leaves is followed until nothing
// of it is missing: the server is asked for what is. One that it comes back to within
// leftWait, or of which a push comes late, goes on from where it was left.
//
// What channels missed while nobody was connected the common difference says, by
// updateChannelTooLong. It is asked with the date of the last answer, not of the
// last update: a push that was lost is older than those that came after it. A
// channel that is silent is asked about by nobody.
//
// See https://core.telegram.org/api/updates.
package updates
