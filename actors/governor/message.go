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
	// Answered: the DC answered under a key of ours, which is more than Worked:
	// it is the DC we take it for. Whoever said Worked may say so later.
	Answered
)

// A Ticket is one wish for a permit. The exported fields are set by its holder
// before [Want] and not changed; a ticket is used once.
type Ticket struct {
	Kind Kind
	DC   int // number of the DC; with a minus its addresses for media, which are a DC of their own here
	// Route is how the DC is reached; zero: directly.
	Route Route
	// Active puts the ticket before those that are not: somebody is waiting.
	Active bool
	// Who names the account, for [Doubt]: any number that no other account
	// has, 0 for nobody.
	Who uint64
	// Pulse is set by the governor when the permit is given: tell it of every packet.
	Pulse *Pulse
	// Granted is called once, by the governor, when the permit is given. It
	// must not block: send yourself a message.
	Granted func()

	// The rest is the governor's.
	state   ticketState
	probe   bool      // granted to find out whether the DC is up again
	granted time.Time // when
	held    time.Time // since when, for the limits
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
		Tried   Tried // of a Connect
	}
	// Report tells an outcome without a ticket: a -429, or the first answer
	// under a key, on a connection that worked before.
	Report struct {
		DC      int
		Route   Route
		Outcome Outcome
		// Who is the account, as in [Ticket]. Made is when the socket was made;
		// zero: not known. Without either an Answered counts as Worked.
		Who  uint64
		Made time.Time
	}
	// KeyUnknown tells that an account got -404 under its perm key. Without Who
	// it is ignored.
	KeyUnknown struct {
		DC    int
		Route Route
		Who   uint64
	}
	// Silent tells that a connection of an account had no answer for so long that
	// it gave its socket up. Without Who it is ignored.
	Silent struct {
		DC    int
		Route Route
		Who   uint64
	}
	// Attend says that a connection can be asked whether its DC is there, whose first
	// answer took so long (zero: not known); Leave that it cannot any more. Both
	// may be said again.
	Attend struct {
		Witness *Witness
		Took    time.Duration
	}
	Leave struct{ Witness *Witness }
	// Asked says that after a [Witness]'s Ask a ping is out and not answered, if
	// only one of before. It is not said where none could leave.
	Asked struct {
		Witness *Witness
		Round   uint32
	}
	// Took says how long a ping that was asked for was out.
	Took struct {
		Witness *Witness
		Time    time.Duration
	}
	// Doubt asks whether a DC that answered an account's perm key with -404 at
	// Since is itself in doubt. Reply is called once, by the governor, and must
	// not block: others is true when the DC said the same to another account by
	// the same route in the last quarter of an hour, and no socket made after Since has brought
	// another account an answer under a key.
	Doubt struct {
		DC    int
		Route Route
		Who   uint64
		Since time.Time
		Reply func(others bool)
	}
	// Renew says that a route is another proxy's from now on: whether DCs are down
	// by it is forgotten.
	Renew struct{ Route Route }
	// Adjust has other limits from now on. Who waits is given permits by them at
	// once; what was granted stays granted.
	Adjust struct{ Limits Limits }
	// Census asks for what is going on.
	Census struct{ Reply runtime.Reply[[]DCStatus] }

	wake struct{}
	look struct{}
)

func (Want) governorMessage()       {}
func (Hurry) governorMessage()      {}
func (Done) governorMessage()       {}
func (Report) governorMessage()     {}
func (KeyUnknown) governorMessage() {}
func (Silent) governorMessage()     {}
func (Attend) governorMessage()     {}
func (Leave) governorMessage()      {}
func (Asked) governorMessage()      {}
func (Took) governorMessage()       {}
func (Doubt) governorMessage()      {}
func (Adjust) governorMessage()     {}
func (Census) governorMessage()     {}
func (Renew) governorMessage()      {}
func (wake) governorMessage()       {}
func (look) governorMessage()       {}

// Families is a set of families of addresses: 1 is IPv4, 2 is IPv6.
type Families uint8

// Tried says by which families a dial has reached the DC, and by which it has not.
type Tried struct{ Reached, Missed Families }

// WordKind is what a [Word] says of a DC.
type WordKind uint8

const (
	// Suspected: two accounts had no answer, see [Silent]. The other connections
	// there had better ask.
	Suspected WordKind = iota + 1
	// IsSilent: nobody hears anything of it since Since, and none of four
	// connections had its answer in time. It may be late: no connection was
	// closed for that, but all of them had better ask.
	IsSilent
	// Answers: after IsSilent something has come. Who waits to dial may do so.
	Answers
)

// Word is what the governor tells of a DC by itself.
type Word struct {
	Kind  WordKind
	DC    int
	Route Route
	Since time.Time // IsSilent: when it was heard last; Answers: now
}

// DCStatus is what the governor knows about one DC by one route.
type DCStatus struct {
	DC      int
	Route   Route
	Via     string // the name of the route, filled in by who numbers them; empty: directly
	Up      bool
	Flood   bool          // not up because of -429
	Since   time.Time     // when Up changed last; zero: never
	Delay   time.Duration // between probes now; zero while up
	Waiting [3]int        // tickets by kind
	Granted [3]uint64     // permits given since the start, by kind
	// Tried is how the last dial by each family ended; a family in neither was
	// not tried. It changes nothing of what is granted.
	Tried Tried
	// Trips are round trips and losses by family, IPv4 and IPv6.
	Trips [2]Trips
	// Heard is when the last packet came; zero: none has. Mute is since when it was
	// said to be silent, see IsSilent; zero: it was not, or was heard since.
	Heard, Mute time.Time
}
