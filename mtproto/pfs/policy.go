package pfs

import "time"

// How long temp keys live, when they are replaced, and how a fleet is spread.
// Every duration of a rotation is here, and the reason for it. A life of 24 h is
// asked for as 23 to 24 h, and its key replaced an hour to an hour and a quarter
// before its end: accounts that signed in together have their first rotation
// spread over an hour and a quarter, see [Spread], and each one after that over
// more.
const (
	// defaultTempLife is what official clients ask for: a stolen temp key is of
	// use for a day, and an account costs one handshake in that time.
	defaultTempLife = 24 * time.Hour
	// minTempLife is the shortest life that servers are known to accept.
	minTempLife = time.Minute

	// A lifeJitter-th of the life is subtracted at random: an hour of a day. A
	// fleet that was started in one minute must not rotate in one minute.
	lifeJitter = 24
	// A key is replaced a marginPart-th of its life before its end: an hour of a
	// day, in which a DC may be down and a bind be refused a few times.
	marginPart = 24
	// The margin of a short life is a shortMarginPart-th of it, up to shortMargin:
	// a handshake, a bind and the calls that finish first need seconds, however
	// short the life.
	shortMarginPart = 4
	shortMargin     = 2 * time.Minute
	// A marginJitter-th of the margin comes on top at random. It is drawn when the
	// program starts too, when all keys of a store are looked at together.
	marginJitter = 4

	// partingMost bounds the keys that wait for an order to drop them to end: one of
	// each rotation, of which another begins only when the order before is over.
	partingMost = 4

	// A replaced connection listens as long as calls take, listenMost, and no
	// longer than a listenPart-th of a life: keys of a short life would pile up.
	listenMost = time.Minute
	listenPart = 10
)

// DropLimit is how long a successor waits for old keys to be dropped. An order
// that is on its way for longer went down with its connection; whoever sent it
// takes it back, so that it does not go out with the next one.
const DropLimit = 10 * time.Second

// margin is how long before its end a key of this life is replaced at the latest.
func margin(life time.Duration) time.Duration {
	return max(life/marginPart, min(life/shortMarginPart, shortMargin))
}

// Spread is the window over which rotations of accounts are spread whose temp keys
// were made in one instant, for a life of that length: what the jitter of the life
// and of the margin come to. Zero means the usual life.
func Spread(life time.Duration) time.Duration {
	life = lifeOf(life)
	return life/lifeJitter + margin(life)/marginJitter
}

// lifeOf is the life of a temp key that is asked for, within what makes sense.
func lifeOf(life time.Duration) time.Duration {
	if life == 0 {
		life = defaultTempLife
	}
	return max(life, minTempLife)
}

// expiresIn is what the next temp key is asked to live, in whole seconds.
func (m *Machine) expiresIn() time.Duration {
	life := m.cfg.TempLife - m.jitter(m.cfg.TempLife/lifeJitter)
	return max(life.Truncate(time.Second), minTempLife)
}

// planRotation sets when the serving key is due for replacement.
func (m *Machine) planRotation(now time.Time) {
	margin := margin(m.cfg.TempLife)
	m.rotateAt = m.local(m.serving.ExpiresAt).Add(-margin - m.jitter(margin/marginJitter))
	if m.rotateAt.Before(now) {
		m.rotateAt = now
	}
}

// needsRotation reports whether a successor to the serving key is due.
func (m *Machine) needsRotation(now time.Time) bool {
	return m.serving != nil && !now.Before(m.rotateAt)
}

// listen is how long a replaced connection may listen.
func (m *Machine) listen() time.Duration { return min(listenMost, m.cfg.TempLife/listenPart) }
