package handshake

import (
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/tl/mt"
)

const (
	// defaultTimeout is for the whole handshake, from Start to the last answer; TDLib has the same.
	defaultTimeout = 10 * time.Second
	// defaultTempLife is what Telegram's applications ask for.
	defaultTempLife = 24 * time.Hour
	// resendAfter is how long an answer may take before the last packet is sent once more, unchanged. The server repeats
	// its answer to an identical query.
	resendAfter = 3 * time.Second
	// maxRetries bounds dh_gen_retry, which an honest server sends with probability 2^-64; tdesktop has the same bound.
	maxRetries = 5
	// maxDraws bounds the search for a b whose g_b is in range, which the first one is with probability 1 - 2^-63.
	maxDraws = 4
)

// ClientConfig says which key a Client is to make. The Client reads it, and changes nothing that it refers to.
type ClientConfig struct {
	// Rand gives the nonces, the exponent and the padding. It must be cryptographically secure. It is read during inputs
	// only, never by work.
	Rand io.Reader
	// Keys are the RSA keys the DC may have. The first fingerprint in resPQ that belongs to one of them decides.
	Keys []*crypt.PublicKey
	// Group is the well-known group (crypt.WellKnownGroup), made once and shared. nil means no prime is known.
	Group *crypt.Group
	// Proven finds the group of a prime that was proved before (Result.Proven); it returns nil when there is none. It is
	// called during Receive, so it must not wait. nil means nothing was proved before.
	Proven func(prime []byte, g int) *crypt.Group
	// DC is the DC as inner data states it: +10000 in the test environment, negative for media DCs (dc.Wire).
	DC int
	// Temp asks for a temp key.
	Temp bool
	// ExpiresIn is the life of a temp key, in whole seconds. 0 means 24 hours. Not used for a perm key.
	ExpiresIn time.Duration
	// Timeout is for the whole handshake. 0 means 10 seconds.
	Timeout time.Duration
}

// OutputKind tells which field of an Output is set.
type OutputKind uint8

// The kinds of output.
const (
	// OutPacket: Packet is to be sent.
	OutPacket OutputKind = iota + 1
	// OutWork: Work is to be run, elsewhere, and its result given to Done.
	OutWork
	// OutDone: Result holds the new key. The last output.
	OutDone
	// OutFailed: Err says why there is no key. The last output.
	OutFailed
)

// Output is one thing for the driver to do.
type Output struct {
	Kind OutputKind
	// Packet is valid until the next input.
	Packet []byte
	// Work touches nothing but its own data. It takes milliseconds; a quarter of a second when a prime is to be proved.
	Work func() WorkResult
	// Result is the driver's to keep.
	Result *Result
	// Err is a *StepError.
	Err error
}

// Result is a new auth key and what was learned with it.
type Result struct {
	// Key is the auth key.
	Key *crypt.AuthKey
	// ServerSalt is the key's first salt.
	ServerSalt int64
	// TimeOffset is server time minus local time, exact to about a second and the way of one packet.
	TimeOffset time.Duration
	// ExpiresAt is when the server forgets a temp key, by the server's clock, rounded down and counted from before the
	// request was sent. The zero time for a perm key.
	ExpiresAt time.Time
	// Fingerprint names the RSA key the server proved to hold.
	Fingerprint int64
	// Proven is a group that was proved during this handshake. Remember it, by prime and generator: the proof costs a
	// quarter of a second. nil when the prime was known.
	Proven *crypt.Group
}

// clientState is where a Client stands.
type clientState uint8

const (
	// clientNew: nothing happened. Start leaves it.
	clientNew clientState = iota
	// clientAwaitResPQ: req_pq_multi is out. resPQ leaves it.
	clientAwaitResPQ
	// clientFactoring: pq is being factored. Done leaves it, and sends req_DH_params.
	clientFactoring
	// clientAwaitDHParams: req_DH_params is out. server_DH_params_ok leaves it.
	clientAwaitDHParams
	// clientAgreeing: g_b and the key are being computed. Done leaves it, and sends set_client_DH_params.
	clientAgreeing
	// clientAwaitDHGen: set_client_DH_params is out. dh_gen_ok ends the handshake, dh_gen_retry leads back to clientAgreeing.
	clientAwaitDHGen
	// clientOver: there is a key, or an error. Every input is ignored.
	clientOver
)

// step is the message that the state is about: what is awaited, or what is being prepared.
func (s clientState) step() Step {
	switch s {
	case clientAwaitResPQ:
		return StepResPQ
	case clientFactoring:
		return StepReqDHParams
	case clientAwaitDHParams:
		return StepServerDHParams
	case clientAgreeing:
		return StepSetClientDHParams
	case clientAwaitDHGen:
		return StepDHGen
	}
	return StepReqPQ
}

// Client makes one auth key with a DC. Drive it as the package comment shows; it has one owner and is used once.
type Client struct {
	cfg    ClientConfig
	state  clientState
	out    []Output
	msgIDs msgIDs

	deadline   time.Time
	resendAt   time.Time
	lastPacket []byte              // what resendAt sends again
	answers    [][sha256.Size]byte // the bodies taken so far, at most 2 + maxRetries + 1; repetitions are ignored
	job        *job                // the work in progress

	clientExchange
	omitDC bool // the obsolete inner data without a DC, as recorded handshakes have it
}

// NewClient prepares a handshake; nothing happens before Start.
func NewClient(cfg ClientConfig) *Client {
	if cfg.ExpiresIn <= 0 {
		cfg.ExpiresIn = defaultTempLife
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = defaultTimeout
	}
	return &Client{cfg: cfg}
}

// Start sends the first packet and starts the clock. Call it once, when the connection stands.
func (c *Client) Start(now time.Time) {
	if c.state != clientNew {
		return
	}
	c.deadline = now.Add(c.cfg.Timeout)
	c.check(c.sendReqPQMulti(now))
}

// Receive takes a plain packet. A packet sent again is answered again, so a repetition of an earlier answer is ignored, and
// so is what a handshake before this one on the same connection left behind; anything else that does not belong here ends
// the handshake.
func (c *Client) Receive(now time.Time, packet []byte) {
	if c.over(now) {
		return
	}
	body, err := parsePlain(packet, msgIDAnswer)
	if err != nil {
		c.fail(c.state.step(), err)
		return
	}
	if c.leftover(body) {
		return
	}
	sum := sha256.Sum256(body)
	if slices.Contains(c.answers, sum) {
		return
	}
	c.answers = append(c.answers, sum)
	switch id := bodyID(body); {
	case c.state == clientAwaitResPQ && id == mt.ResPQID:
		err = c.receiveResPQ(body)
	case c.state == clientAwaitDHParams && (id == mt.ServerDHParamsOkID || id == mt.ServerDHParamsFailID):
		err = c.receiveServerDHParams(now, body)
	case c.state == clientAwaitDHGen && (id == mt.DHGenOkID || id == mt.DHGenRetryID || id == mt.DHGenFailID):
		err = c.receiveDHGen(body)
	default:
		err = ErrUnexpected
	}
	c.check(err)
}

// leftover recognises the answer to an earlier handshake: a message that is not the awaited one, for another nonce. (The
// awaited message for another nonce is a lie.)
func (c *Client) leftover(body []byte) bool {
	if len(body) < 20 || [16]byte(body[4:20]) == c.nonce {
		return false
	}
	switch bodyID(body) {
	case mt.ResPQID:
		return c.state != clientAwaitResPQ
	case mt.ServerDHParamsOkID, mt.ServerDHParamsFailID:
		return c.state != clientAwaitDHParams
	case mt.DHGenOkID, mt.DHGenRetryID, mt.DHGenFailID:
		return c.state != clientAwaitDHGen
	}
	return false
}

// String says how far the handshake is, and nothing secret.
func (c *Client) String() string { return "handshake.Client(" + c.state.step().String() + ")" }

// Format answers every verb with String.
func (c *Client) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// Done takes the result of the work put out last. A result that is not awaited is ignored.
func (c *Client) Done(now time.Time, w WorkResult) {
	if c.over(now) || w.job == nil || w.job != c.job {
		return
	}
	c.job = nil
	switch r := w.result.(type) {
	case factored:
		c.check(c.sendReqDHParams(now, r))
	case agreed:
		c.check(c.sendSetClientDHParams(now, r))
	}
}

// Refused reports that the DC answered with a transport error (-404, -429, -444) instead of a message. It ends the
// handshake with a *RefusedError at the message the DC refused.
func (c *Client) Refused(now time.Time, code int32) {
	if !c.over(now) {
		step := c.state.step()
		if c.job == nil && c.state != clientNew {
			step-- // the answer is awaited; the query before it is what was refused
		}
		c.fail(step, &RefusedError{Code: code})
	}
}

// Advance tells the time. At the deadline the handshake ends with ErrTimeout.
func (c *Client) Advance(now time.Time) {
	if c.over(now) || c.resendAt.IsZero() || now.Before(c.resendAt) {
		return
	}
	c.resendAt = now.Add(resendAfter)
	c.out = append(c.out, Output{Kind: OutPacket, Packet: c.lastPacket})
}

// Deadline is when Advance has something to do: to send a packet again, or to give up. Zero when never.
func (c *Client) Deadline() time.Time {
	if c.state == clientNew || c.state == clientOver {
		return time.Time{}
	}
	if !c.resendAt.IsZero() && c.resendAt.Before(c.deadline) {
		return c.resendAt
	}
	return c.deadline
}

// Next takes the next output; ok is false when there is none.
func (c *Client) Next() (out Output, ok bool) {
	if len(c.out) == 0 {
		return Output{}, false
	}
	out = c.out[0]
	c.out = c.out[1:]
	return out, true
}

// over says that inputs are ignored: before Start, after the end, and, noticing it here, after the deadline.
func (c *Client) over(now time.Time) bool {
	if c.state == clientNew || c.state == clientOver {
		return true
	}
	if now.Before(c.deadline) {
		return false
	}
	c.fail(c.state.step(), ErrTimeout)
	return true
}

// send puts out a packet and awaits its answer.
func (c *Client) send(now time.Time, next clientState, body []byte) {
	c.state = next
	c.resendAt = now.Add(resendAfter)
	c.lastPacket = appendPlain(nil, c.msgIDs.next(now, msgIDClient), body)
	c.out = append(c.out, Output{Kind: OutPacket, Packet: c.lastPacket})
}

// begin prepares for work: nothing is sent again until it is done.
func (c *Client) begin(next clientState) *job {
	c.state = next
	c.resendAt = time.Time{}
	c.job = &job{step: next.step()}
	return c.job
}

func (c *Client) work(do func() WorkResult) {
	c.out = append(c.out, Output{Kind: OutWork, Work: do})
}

// check ends the handshake if a step failed.
func (c *Client) check(err error) {
	if err == nil {
		return
	}
	// A lie that only arithmetic found out is told by its step already.
	if lie, ok := err.(*StepError); ok {
		c.fail(lie.Step, lie.Err)
		return
	}
	c.fail(c.state.step(), err)
}

func (c *Client) fail(step Step, err error) {
	if c.key != nil {
		c.key.Wipe()
	}
	c.finish(Output{Kind: OutFailed, Err: &StepError{step, err}})
}

// finish drops everything secret and puts out the last output.
func (c *Client) finish(out Output) {
	c.state = clientOver
	c.job = nil
	c.lastPacket = nil
	c.forget()
	c.out = append(c.out, out)
}
