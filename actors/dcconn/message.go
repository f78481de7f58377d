package dcconn

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/handshake"
	"github.com/mtfleet/mtfleet/mtproto/proxy"
)

// Env is what all DC connections of one process share. It does not change
// while they run, and what it points to is safe for concurrent use.
type Env struct {
	// Network makes the sockets.
	Network Network
	// Governor gives the permits to dial.
	Governor runtime.Ref[governor.Message]
	// Table returns the addresses of the DCs as known now.
	Table func() dc.Table
	// RSAKeys are the keys a DC may prove to hold in a handshake.
	RSAKeys []*crypt.PublicKey
	// Group is the well-known Diffie-Hellman group; Proven finds others that
	// were proved before. Both may be nil.
	Group  *crypt.Group
	Proven func(prime []byte, g int) *crypt.Group

	addresses addresses
}

// Config is what one connection is for.
type Config struct {
	DC dc.ID
	// Media asks for the DC's media addresses.
	Media bool
	// Active puts the first dial before those of connections nobody waits for.
	Active bool
	// Notify receives the events, one at a time, from within the actor: it must
	// not wait. Send yourself a message.
	Notify func(Event)
	// Address is which of the DC's addresses is dialled first, counted around.
	Address uint32
	// Way is how the DC is reached, until a Through.
	Way Way
	// Who names the account for the governor; see governor.Ticket. Zero: nobody.
	Who uint64
	// Spoken, if set, is told the last msg_id when the connection ends.
	Spoken *Spoken
}

// Way is how a DC is reached: through a proxy, nil for none, which the governor knows
// by a number.
type Way struct {
	Server *proxy.Server
	Route  governor.Route
}

// is reports whether two ways are the same.
func (w Way) is(other Way) bool {
	if w.Server == nil || other.Server == nil {
		return w == other
	}
	return w.Route == other.Route && *w.Server == *other.Server
}

// Spoken is how far the msg_ids of connections went that have ended: for those
// that come after them under the same keys. It is safe for concurrent use.
type Spoken struct{ last atomic.Uint64 }

// Last is the highest of them, zero for none.
func (s *Spoken) Last() uint64 {
	if s == nil {
		return 0
	}
	return s.last.Load()
}

func (s *Spoken) note(id uint64) {
	if s == nil {
		return
	}
	for last := s.last.Load(); id > last && !s.last.CompareAndSwap(last, id); last = s.last.Load() {
	}
}

// Message is what a DC connection receives.
type Message interface{ dcconnMessage() }

type (
	// MakeKey asks for an auth key to be made on the current socket, before
	// Run. It ends in EventKeyMade or EventKeyFailed. Without a socket it waits
	// for the dial under way, and fails with it.
	MakeKey struct {
		Temp      bool
		ExpiresIn time.Duration // of a temp key; zero: 24 hours
	}

	// Run begins the session. Further ones are ignored: another key needs
	// another connection.
	Run struct {
		Key     *crypt.AuthKey
		Session mtproto.Config
		Bind    *Bind // bind the temp key first; nil: it is bound, or is a perm key
	}

	// Call sends a query. Reply is called exactly once, from within the actor:
	// with the boxed result, which it owns; with the server's *tgerr.Error; or
	// with a *mtproto.QueryError that says what the server may have done. A
	// reason of mtproto.ErrClosed there means that this connection gives the
	// call back. Reply must not wait.
	Call struct {
		ID     mtproto.QueryID
		Method string // of Recall; may be empty
		Body   []byte
		Policy mtproto.Policy
		Reply  func(body []byte, err error)
	}

	// Cancel ends a call whose caller has left; its Reply is called.
	Cancel struct{ ID mtproto.QueryID }

	// Recall gives back the calls of a method, or of all when it is empty, that
	// were not sent.
	Recall struct{ Method string }

	// Hurry says that somebody waits for the connection: the next dial goes
	// before those of connections nobody waits for.
	Hurry struct{}

	// Poll asks for EventPolled: how busy the connection is.
	Poll struct{}

	// Drain lets calls under way finish, for Limit at most, and gives back every
	// new call. Once nothing is pending, or the limit is over, it falls silent
	// and says EventDrained. What has not ended at the limit is given back, or
	// with Keep stays pending: it may still be answered while the connection is
	// silent. What was not sent by then is given back in either case.
	//
	// A silent connection listens and sends nothing at all, no ack and no ping,
	// so that the server sees a successor's session as the newer one. It is not
	// replaced when it is lost. A Drain for it changes Limit and Keep for the
	// calls still pending, and EventDrained is said again; at once if there are
	// none, or if its socket is lost.
	Drain struct {
		Limit time.Duration
		Keep  bool
	}

	// Listen is for a connection that was replaced: it falls silent at once, says
	// EventSilent, and says EventDrained when nothing is pending any more, or the limit is over
	// or its socket lost; what has not ended then is given back.
	Listen struct{ Limit time.Duration }

	// Resume ends Drain, Listen and silence.
	Resume struct{}

	// Probe sends one ping at once, also on a silent connection, and says in
	// EventProbed whether the DC answered it: whether it still knows the
	// session's key. It has not answered when the limit is over, the socket is
	// lost first (by -404, say), or there is none and none on its way. A silent
	// connection says EventSilent before, once the ping is out or never will be.
	Probe struct{ Limit time.Duration }

	// Check asks the DC for a sign of life at once, and gives the socket up when
	// none has come after five seconds: others were answered by silence. Without
	// a session on an open socket, or while a Probe is under way, it does nothing.
	// With Back it is another message: the DC answers others again, so that a
	// pause before the next dial is of no use. The governor paces the dials.
	Check struct{ Back bool }

	// Through changes the way. A socket of another way is closed and the next is
	// dialled at once, under the same session; what waits for a permit waits for one
	// of the new way.
	Through struct{ Way Way }

	// Follow is for the connection that replaces one that said EventDrained or
	// EventSilent: its msg_ids from now on are greater than Last there. It comes
	// after Run.
	Follow struct{ Last uint64 }
)

// Bind says to what and until when the session's temp key is to be bound.
type Bind struct {
	Perm      *crypt.AuthKey
	ExpiresAt time.Time // by the server's clock
}

// The rest a connection says to itself. Epochs tell sockets apart.
type (
	permitted struct{ ticket *governor.Ticket }
	dialed    struct {
		epoch  uint32
		socket Socket
		err    error
	}
	received struct {
		epoch  uint32
		packet []byte
	}
	writable struct{ epoch uint32 }
	closed   struct {
		epoch uint32
		err   error
	}
	worked struct {
		client *handshake.Client
		result handshake.WorkResult
	}
	redial  struct{}
	settled struct{}
	due     struct{}
	drained struct{}
	probed  struct{}
	checked struct{}
	ask     struct {
		witness *governor.Witness
		round   uint32
	}
)

func (MakeKey) dcconnMessage()   {}
func (Run) dcconnMessage()       {}
func (Call) dcconnMessage()      {}
func (Cancel) dcconnMessage()    {}
func (Recall) dcconnMessage()    {}
func (Hurry) dcconnMessage()     {}
func (Poll) dcconnMessage()      {}
func (Drain) dcconnMessage()     {}
func (Resume) dcconnMessage()    {}
func (Listen) dcconnMessage()    {}
func (Probe) dcconnMessage()     {}
func (Check) dcconnMessage()     {}
func (Follow) dcconnMessage()    {}
func (Through) dcconnMessage()   {}
func (permitted) dcconnMessage() {}
func (dialed) dcconnMessage()    {}
func (received) dcconnMessage()  {}
func (writable) dcconnMessage()  {}
func (closed) dcconnMessage()    {}
func (worked) dcconnMessage()    {}
func (redial) dcconnMessage()    {}
func (settled) dcconnMessage()   {}
func (due) dcconnMessage()       {}
func (drained) dcconnMessage()   {}
func (probed) dcconnMessage()    {}
func (checked) dcconnMessage()   {}
func (ask) dcconnMessage()       {}

// EventKind says what an Event tells.
type EventKind uint8

const (
	// EventUp: a socket stands.
	EventUp EventKind = iota + 1
	// EventDown: it is lost, or could not be made; Err says why. The next is
	// on its way, unless EventKeyUnknown follows or the connection is silent.
	// CodeInvalidDC in it (see [CodeOf]) means that the table of addresses is
	// wrong.
	EventDown
	// EventKeyMade: Made is the key of the last MakeKey.
	EventKeyMade
	// EventKeyFailed: there is no key; Err says why.
	EventKeyFailed
	// EventBound: the temp key is bound and calls flow.
	EventBound
	// EventBindFailed: the server refused, or could not be made to answer; Err
	// is as in mtproto.OutBindFailed.
	EventBindFailed
	// EventKeyUnknown: the DC answered -404 under the session's key. The
	// connection does nothing more; stop it.
	EventKeyUnknown
	// EventUpdates: Updates is one boxed value the server sent unasked. The
	// receiver owns it.
	EventUpdates
	// EventGap: updates may have been missed. With Pushes some have been: too much
	// is on its way, see Pushes.
	EventGap
	// EventSave: Snapshot is worth keeping.
	EventSave
	// EventDrained: nothing will be sent; Pending calls may still be answered.
	// See Drain and Listen.
	EventDrained
	// EventClock: Offset is server time minus local time, as now known. It comes
	// after the first valid packet on each socket, and when the offset has moved
	// by what is worth saving; before the replies and updates of that packet.
	EventClock
	// EventProbed: Answered says how a Probe ended.
	EventProbed
	// EventPolled: Pending calls have not ended; when there are none, Quiet is
	// for how long that has been so.
	EventPolled
	// EventSilent: nothing is sent any more, by Listen or after the ping of a
	// Probe. Last is the last msg_id that was used.
	EventSilent
)

var eventNames = [...]string{
	EventUp: "up", EventDown: "down", EventKeyMade: "key made", EventKeyFailed: "key failed", EventBound: "bound",
	EventBindFailed: "bind failed", EventKeyUnknown: "key unknown", EventUpdates: "updates", EventGap: "gap",
	EventSave: "save", EventDrained: "drained",
	EventClock: "clock", EventProbed: "probed", EventPolled: "polled", EventSilent: "silent",
}

// String names the kind.
func (k EventKind) String() string {
	if int(k) < len(eventNames) && eventNames[k] != "" {
		return eventNames[k]
	}
	return fmt.Sprintf("event(%d)", uint8(k))
}

// Event is what a connection tells its owner.
type Event struct {
	Kind     EventKind
	Err      error             // EventDown, EventKeyFailed, EventBindFailed
	Temp     bool              // EventKeyMade, EventKeyFailed: which key
	Made     *handshake.Result // EventKeyMade
	Updates  []byte            // EventUpdates
	Pushes   *Pushes           // EventUpdates: to be told when it is taken; EventGap: what was dropped
	Snapshot mtproto.Snapshot  // EventSave
	Pending  int               // EventDrained, EventPolled: calls that have not ended
	Quiet    time.Duration     // EventPolled
	Offset   time.Duration     // EventClock
	Answered bool              // EventProbed
	Last     uint64            // EventDrained, EventSilent: the session's last msg_id, 0 if there is none
}

// String names the event and its error, and nothing of its contents.
func (e Event) String() string {
	if e.Err != nil {
		return e.Kind.String() + ": " + e.Err.Error()
	}
	return e.Kind.String()
}
