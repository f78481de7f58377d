package dctest

import (
	"fmt"
	"io"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
)

// Defaults of Config.
const (
	DefaultDCs          = 3
	DefaultBindSlack    = 60 * time.Second
	DefaultTempKeyMax   = 24 * time.Hour
	DefaultSaltPeriod   = 30 * time.Minute
	DefaultSaltGrace    = 30 * time.Minute
	DefaultAckDelay     = time.Second
	DefaultResendAfter  = 60 * time.Second
	DefaultAfterTimeout = 500 * time.Millisecond
	DefaultSessionTTL   = 30 * time.Minute
	DefaultGzipOver     = 1024
	DefaultEchoRecords  = 1 << 20
)

// Limits that are not configurable; each with the memory it stands for.
const (
	maxWindow      = 1024      // remembered incoming ids per session: 1024 x 32 B = 32 KiB
	windowCut      = 256       // how many of the oldest are forgotten at once
	maxUnacked     = 2048      // unacknowledged outgoing messages per session
	maxUnackedSize = 32 << 20  // and their bytes
	maxSessions    = 64        // sessions per auth key; the longest silent one is forgotten
	maxContainer   = 1024      // members of a container (reference 6.4)
	maxIDs         = 8192      // ids in one msgs_ack, msgs_state_req, msg_resend_req (reference 6.4)
	maxInflate     = 16 << 20  // decompressed bytes of all gzip_packed of one packet
	leastInflate   = 4 << 10   // what one counts for at least: 4096 in a packet
	maxGone        = 1 << 20   // ids of keys that are gone, per DC: about 20 MiB; at the limit all are forgotten
	maxViolations  = 1000      // recorded of each severity; the rest is only counted
	maxWaiting     = 256       // queries of one session waiting for invokeAfterMsg
	maxWorks       = 4096      // pieces of work handed out and not yet done: 4096 handshakes
	maxFaults      = 4096      // waiting at once: each packet looks at them all
	maxFloods      = 1 << 16   // flood waits that faults imposed; at the limit all are forgiven
	maxHeld        = 1024      // packets a fault holds back per connection and direction
	maxPacketOut   = 512 << 10 // soft size at which a flush starts another packet
)

// Config describes a cluster. Zero values mean the defaults above.
type Config struct {
	// Rand supplies nonces, exponents, salts, padding. Required; it is read during inputs only, never by Work.
	Rand io.Reader
	// API is the other half: users, authorizations, methods. Required.
	API api.Server
	// Keys are the RSA keys of every DC. Required: at least one, never one of Telegram's.
	Keys []*crypt.PrivateKey
	// Group is the DH group offered; nil builds the well-known one.
	Group *crypt.Group
	// ShortExponents makes keys with an eighth of the DCs' arithmetic, as handshake.ServerConfig says.
	ShortExponents bool

	// DCs is how many data centres there are, numbered from 1.
	DCs int
	// Test makes it a test environment: DC ids on the wire are 10000 higher.
	Test bool
	// Media says that every DC has addresses for media alone, see [Cluster.OpenMedia]. Temp keys are made for either kind of
	// address then, by the sign of the DC id, and are unknown at the other.
	Media bool

	// BindStrict makes a new bind cut off the perm key's earlier temp keys, as older documents say.
	BindStrict bool
	// BindSlack is how far expires_at of a bind may lie behind the temp key's own end.
	BindSlack time.Duration
	// TempKeyMax caps expires_in of a temp key.
	TempKeyMax time.Duration

	// SaltPeriod is how long a salt is the current one; SaltGrace how long after that it is still accepted.
	SaltPeriod, SaltGrace time.Duration

	// AckDelay is how long the acknowledgement of a message waits for something to ride on. ResendAfter is when an
	// unacknowledged message is sent again on a live connection; after a reconnect it is at once.
	AckDelay, ResendAfter time.Duration
	// AfterTimeout is how long invokeAfterMsg waits for a query that has not come.
	AfterTimeout time.Duration
	// SessionTTL is how long a session without a connection is remembered.
	SessionTTL time.Duration
	// IdleTimeout closes connections that are silent for so long; 0 never does.
	IdleTimeout time.Duration

	// GzipOver compresses results longer than this many bytes when that saves a tenth; negative never does.
	GzipOver int
	// DetailedOver announces an unacknowledged answer longer than this with msg_detailed_info after a reconnect instead
	// of sending it again; 0 never does.
	DetailedOver int
	// FirstMsgIDLast makes new_session_created name the last message of the packet that opened the session instead of
	// the first; both are seen in the field.
	FirstMsgIDLast bool
	// AnonymousEcho lets testdc.echo run on perm keys nobody is signed in on.
	AnonymousEcho bool
	// EchoRecords is how many ids of testdc.echo the ledger remembers one by one; the totals go on counting.
	EchoRecords int
}

// A ConfigError says which field of Config cannot be used.
type ConfigError struct {
	Field  string
	Reason string
}

// Error implements error.
func (e *ConfigError) Error() string { return fmt.Sprintf("dctest: config: %s: %s", e.Field, e.Reason) }

func (c Config) withDefaults() (Config, error) {
	switch {
	case c.Rand == nil:
		return c, &ConfigError{"Rand", "missing"}
	case c.API == nil:
		return c, &ConfigError{"API", "missing"}
	case len(c.Keys) == 0:
		return c, &ConfigError{"Keys", "at least one RSA key is needed"}
	case c.DCs < 0 || c.DCs > 100:
		return c, &ConfigError{"DCs", "must be 1 to 100"}
	}
	setDefault(&c.DCs, DefaultDCs)
	setDefault(&c.BindSlack, DefaultBindSlack)
	setDefault(&c.TempKeyMax, DefaultTempKeyMax)
	setDefault(&c.SaltPeriod, DefaultSaltPeriod)
	setDefault(&c.SaltGrace, DefaultSaltGrace)
	setDefault(&c.AckDelay, DefaultAckDelay)
	setDefault(&c.ResendAfter, DefaultResendAfter)
	setDefault(&c.AfterTimeout, DefaultAfterTimeout)
	setDefault(&c.SessionTTL, DefaultSessionTTL)
	setDefault(&c.GzipOver, DefaultGzipOver)
	setDefault(&c.EchoRecords, DefaultEchoRecords)
	return c, nil
}

func setDefault[T int | time.Duration](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}
