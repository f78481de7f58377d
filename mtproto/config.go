package mtproto

import (
	"errors"
	"io"
	"time"
)

// Policy says what may happen to a query when it is not known whether the server executed it.
type Policy uint8

const (
	// Once queries are sent again only when the server said that it did not process them: under the same msg_id, of which it
	// processes one copy, when their state is "not received"; under a new one when the only packet that carried them was
	// rejected. When that cannot be known any more they end with ErrMayHaveRun.
	Once Policy = iota
	// Repeatable queries are sent again whenever their answer cannot come any more.
	Repeatable
)

// String names the policy.
func (p Policy) String() string {
	switch p {
	case Once:
		return "once"
	case Repeatable:
		return "repeatable"
	default:
		return "unknown policy"
	}
}

// QueryID names a query between the Session and its owner. The owner chooses it; it must not be that of another query
// still pending.
type QueryID uint64

// Salt is a server salt with the time in which it may be used. Salts belong to the auth key.
type Salt struct {
	// Value is what is written into every message.
	Value int64
	// Since and Until are unix seconds of server time. Until 0 means that the end is not known.
	Since, Until uint32
}

// Config is what a Session is made with. It is copied, and never changed.
type Config struct {
	// Rand gives session ids, nonces and padding. It must be cryptographically secure; nil is an error.
	Rand io.Reader

	// Header is put before each query until one answer that is no error has arrived under this key, and again when the
	// server says CONNECTION_NOT_INITED or CONNECTION_LAYER_INVALID: invokeWithLayer and initConnection without their
	// query. The bytes are shared, not copied. Empty means none.
	Header []byte
	// HeaderConfirmed says that the header is already known under this key: another Session of this process got an answer.
	// After a restart leave it false, so that the server learns of a changed header.
	HeaderConfirmed bool
	// Prefix is put before each query, after the header: invokeWithoutUpdates for roles that must not get updates. Shared,
	// not copied. Empty means none.
	Prefix []byte

	// TimeOffset is server time minus local time as last known.
	TimeOffset time.Duration
	// OffsetKnown says that TimeOffset was measured. False: the first packet from the server sets the clock.
	OffsetKnown bool
	// Salts are the salts known for this key, in any order; expired ones are ignored. None: the first packet is a lone
	// ping, whose rejection tells the salt.
	Salts []Salt
	// Perm says that the key is a perm key, under which Bind is refused.
	Perm bool

	// PingInterval is the time between pings while no query is pending. Zero means 60 s, less up to 5 s of jitter so that
	// many sessions do not ping together. Negative means no pings (and no timeouts) while idle.
	PingInterval time.Duration
	// SpreadPings takes up to nine tenths off the first of these intervals on each connection: the pings of a crowd that
	// connected at once are spread over the interval then, and one of them is always due soon when the server falls silent.
	SpreadPings bool
	// MaxInFlight is how many queries may be sent and unanswered. Zero means 1024 (TDLib's limit). Further queries wait.
	MaxInFlight int
	// MaxQueued is how many queries may be pending beyond MaxInFlight. Zero means 4096. Queries beyond it fail at once with
	// ErrQueueFull (and ErrNotSent).
	MaxQueued int
	// GzipAbove is the size in bytes above which the body of a query is compressed, if that saves a tenth or more. Zero
	// means 512. Negative means never.
	GzipAbove int
}

const (
	defaultPingInterval = 60 * time.Second
	defaultMaxInFlight  = 1024
	defaultMaxQueued    = 4096
	defaultGzipAbove    = 512
	// maxInFlightLimit bounds MaxInFlight from above: a state request lists every unanswered query and may hold 8192 ids.
	maxInFlightLimit = 8192
)

func (c *Config) validate() error {
	switch {
	case c.Rand == nil:
		return errors.New("mtproto: Config.Rand is nil")
	case len(c.Header)%4 != 0 || len(c.Prefix)%4 != 0:
		return errors.New("mtproto: Config.Header and Config.Prefix must be TL, in multiples of 4 bytes")
	case len(c.Header)+len(c.Prefix) > maxBody/2:
		return &TooLargeError{Size: len(c.Header) + len(c.Prefix), Limit: maxBody / 2}
	case c.MaxInFlight < 0 || c.MaxInFlight > maxInFlightLimit || c.MaxQueued < 0:
		return errors.New("mtproto: Config.MaxInFlight or Config.MaxQueued is out of range")
	}
	return nil
}

// fill sets the defaults in the Session's own copy.
func (c *Config) fill() {
	if c.PingInterval == 0 {
		c.PingInterval = defaultPingInterval
	}
	if c.MaxInFlight == 0 {
		c.MaxInFlight = defaultMaxInFlight
	}
	if c.MaxQueued == 0 {
		c.MaxQueued = defaultMaxQueued
	}
	if c.GzipAbove == 0 {
		c.GzipAbove = defaultGzipAbove
	}
}
