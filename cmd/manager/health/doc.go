// Package health answers who watches a manager from outside: whether the process
// works (/livez), whether it can be used (/readyz), and whether enough accounts
// are online (/fleetz). Each is a question of its own, with a remedy of its own:
//
//   - /livez fails when something every account depends on does not answer. A new
//     start mends that, and nothing else that is wrong fails it: not a DC that is
//     down, not a full disk, not accounts that were revoked.
//   - /readyz fails while the store is being opened, while the control API does not
//     answer, and from the moment at which the manager begins to stop.
//   - /fleetz fails when fewer accounts are online than the operator wants. It is for
//     eyes and alerts, never for a probe by itself: a new start of every manager
//     because a DC is down is what makes an outage a storm.
//
// Whatever is asked, an answer comes within [Limit] and a little. What does not answer
// is asked once, however often somebody looks.
package health
