// Package governor is the actor that paces the whole process: it gives permits
// for connecting, for making keys and for signing in, per DC and for all DCs
// together, so that no outage and no restart ends in a storm.
//
// It owns no socket and makes no attempt itself. Who wants to do one of these
// things sends a [Want] with a [Ticket], waits without a timer until the
// ticket's Granted is called, does it, and sends [Done] with the outcome. A
// holder that stops sends Done too, whatever became of its ticket.
//
// Of dials and keys few are under way at a time, whatever the rate allows, so that
// on a busy machine those that have begun come to their end.
//
// # Down
//
// A connection that fails takes its DC down for everybody: from then on one
// ticket at a time is granted there, as a probe, after 1 s, then 2, 4 and 8 s.
// A -429 does the same more slowly, after 3 s and doubling to 60 s. The first
// connection that works brings the DC up, and who waits is released at the
// budget's rate, active accounts first.
//
// All of that is known of a DC by one [Route]: a proxy that is down, or slow,
// holds up those who go through it and nobody else. Only the budgets for all DCs
// together are common to all routes.
//
// # Vigil
//
// A DC whose process hangs keeps its sockets open and answers nobody. The governor
// has a few connections ask when none has heard anything for a second, and says
// [IsSilent] within another one, and [Answers] when something comes. See vigil.go.
//
// # Doubt
//
// A DC that answers -404 under a perm key may have forgotten one key, or it may
// not be the DC it is taken for: addresses were mixed up, or it has lost its
// memory. One account cannot tell. So it says [KeyUnknown] and asks [Doubt]
// before it believes that its own key is gone.
package governor
