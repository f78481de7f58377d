package governor

import (
	"time"

	"github.com/mtfleet/mtfleet/actors/runtime"
)

// Kind is what a ticket is for.
type Kind uint8

const (
	// Connect: one dial of a DC. Its outcome is wanted.
	Connect Kind = iota
	// MakeKey: one auth key from its first message to its last. It costs two
	// modular exponentiations here and two there, so few are made at a time.
	MakeKey
	// SignIn: the first call of one login.
	SignIn
	kinds
)

var kindNames = [...]string{Connect: "connect", MakeKey: "make key", SignIn: "sign in"}

// String names the kind.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown kind"
}

// Outcome is how the use of a permit ended.
type Outcome uint8

const (
	// Unknown says nothing about the DC: the ticket was not used, or was not
	// for a connection, or its use was broken off.
	Unknown Outcome = iota
	// Worked: the DC answered.
	Worked
	// Failed: the DC could not be reached, or closed the connection before it
	// said anything.
	Failed
	// Flooded: the DC answered -429.
	Flooded
)

// A Ticket is one wish for a permit. The exported fields are set by its holder
// before [Want] and not changed; a ticket is used once.
type Ticket struct {
	Kind Kind
	DC   int // number of the DC
	// Active puts the ticket before those that are not: somebody is waiting.
	Active bool
	// Granted is called once, by the governor, when the permit is given. It
	// must not block: send yourself a message.
	Granted func()

	// The rest is the governor's.
	state   ticketState
	granted time.Time
}

type ticketState uint8

const (
	ticketNew ticketState = iota
	ticketWaiting
	ticketGranted
	ticketDone
)

// Message is what the governor receives.
type Message interface{ governorMessage() }

type (
	// Want asks for a permit.
	Want struct{ Ticket *Ticket }
	// Hurry makes a waiting ticket active.
	Hurry struct{ Ticket *Ticket }
	// Done ends a ticket: withdraws it when it still waits, and gives its
	// permit back when it was granted. Further ones for the same ticket are
	// ignored, so a holder that stops may always send it.
	Done struct {
		Ticket  *Ticket
		Outcome Outcome
	}
	// Report tells an outcome without a ticket: a -429 on a connection that
	// worked before.
	Report struct {
		DC      int
		Outcome Outcome
	}
	// Census asks for what is going on.
	Census struct{ Reply runtime.Reply[[]DCStatus] }

	wake struct{}
)

func (Want) governorMessage()   {}
func (Hurry) governorMessage()  {}
func (Done) governorMessage()   {}
func (Report) governorMessage() {}
func (Census) governorMessage() {}
func (wake) governorMessage()   {}

// DCStatus is what the governor knows about one DC.
type DCStatus struct {
	DC      int
	Up      bool
	Flood   bool          // not up because of -429
	Since   time.Time     // when Up changed last; zero: never
	Delay   time.Duration // between probes now; zero while up
	Waiting [3]int        // tickets by kind
	Granted [3]uint64     // permits given since the start, by kind
}
