package mtproto

import "time"

const (
	// A server refuses msg_ids older than 300 s or more than 30 s ahead, and so do we
	// (https://core.telegram.org/mtproto/description#message-identifier-msg-id).
	maxAge   = 300 * time.Second
	maxAhead = 30 * time.Second
	// provenLate is how much older than its request an answer must look before the clock is set back: TDLib's rule.
	provenLate = 15 * time.Second
	// worthSaving is how far the offset must have moved before it is worth a save.
	worthSaving = 2 * time.Second
)

// clockState is the server's time. It counts from a local instant and not from the wall clock, so that with times that
// carry a monotonic reading a change of the wall clock goes unnoticed.
//
// The offset only grows from ordinary messages: delays make server stamps look old, so the largest observation is the best
// one. It is set back only on proof: bad_msg 17, or an answer that looks older than what it answers.
type clockState struct {
	base   time.Time     // the local time of the first input
	offset time.Duration // server minus local
	saved  time.Duration // the offset last announced by OutSave
	told   time.Duration // the offset last announced by OutClock
	known  bool
}

// start is called with every input; the first one is the base.
func (c *clockState) start(now time.Time) {
	if c.base.IsZero() {
		c.base = now
	}
}

// local is local time in nanoseconds since 1970, counted from the base.
func (c *clockState) local(now time.Time) int64 {
	return c.base.UnixNano() + int64(now.Sub(c.base))
}

// server is server time in nanoseconds since 1970.
func (c *clockState) server(now time.Time) int64 { return c.local(now) + int64(c.offset) }

// unix is server time in seconds.
func (c *clockState) unix(now time.Time) uint32 {
	return uint32(max(0, c.server(now)/int64(time.Second)))
}

// observe learns from any message the server made just now.
func (c *clockState) observe(now time.Time, id msgID) {
	if seen := time.Duration(id.nanos() - c.local(now)); !c.known || seen > c.offset {
		c.offset, c.known = seen, true
	}
}

// observeAnswer learns from a message that answers one of ours.
func (c *clockState) observeAnswer(now time.Time, id, request msgID) {
	if id.nanos() < request.nanos()-int64(provenLate) {
		c.set(now, id)
		return
	}
	c.observe(now, id)
}

// set makes the clock agree with a message that proves it wrong.
func (c *clockState) set(now time.Time, id msgID) {
	c.offset, c.known = time.Duration(id.nanos()-c.local(now)), true
}

// inTime reports whether a message of the server has an acceptable time. While the clock is unknown everything has.
func (c *clockState) inTime(now time.Time, id msgID) bool {
	if !c.known {
		return true
	}
	ahead := time.Duration(id.nanos() - c.server(now))
	return -maxAge <= ahead && ahead <= maxAhead
}

// moved reports, once, that the offset is worth saving. skew is how far the owner's clock has been set back meanwhile.
func (c *clockState) moved(skew time.Duration) bool {
	if !worth(c.offset + skew - c.saved) {
		return false
	}
	c.saved = c.offset + skew
	return true
}

// untold reports whether the offset differs much from what OutClock last said.
func (c *clockState) untold(skew time.Duration) bool { return worth(c.offset + skew - c.told) }

// worth reports whether the offset has moved enough to be worth saving.
func worth(d time.Duration) bool { return d <= -worthSaving || worthSaving <= d }
