package pfs

import (
	"fmt"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
)

// An OutputKind says what an [Output] asks for.
type OutputKind uint8

const (
	// OutPermit asks the governor for leave to make a key of Output.Key.
	// Answer: Permitted.
	OutPermit OutputKind = iota + 1

	// OutMake asks for a handshake for a key of Output.Key; a temp key is to
	// live for ExpiresIn. Answer: Made or MakeFailed.
	OutMake

	// OutSave carries Changes. It is durable: Next may be called again only
	// when they are on disk.
	OutSave

	// OutHold asks to hold new calls for this DC from now on. Temp is the
	// successor, whose connection may be opened meanwhile. Answer: Held.
	//
	// With Wait the calls under the serving key may finish, up to the drain
	// limit; at the limit they are kept with Keep, and else ended as unknown.
	// Without Wait they are kept: the driver falls silent on the connection at
	// once, keeps what is pending there, and answers. Kept calls may be answered
	// after the bind, see OutUse and OutEnd.
	//
	// Seeing it again before Held means that the words have changed.
	OutHold

	// OutBind asks to bind Temp to Perm, on a connection under Temp. The end
	// to tell the server is Temp.ExpiresAt. Answer: Bound, BindFailed or Blocked.
	OutBind

	// OutProbe asks to ping, at once and before anything is sent under the
	// successor, on the connection under the replaced key ID: does the key still
	// live? That connection listens until then, whatever is pending. Answer:
	// Probed, after ProbeLimit at the latest.
	OutProbe

	// OutUse says that calls go under Temp from now on, or under Perm when
	// Temp is nil. Held calls are let go. Seeing the same key again means that
	// a rotation was given up.
	//
	// With Listen another key was replaced: its connection sends nothing more
	// and listens until nothing is pending there, or for Listen at most; what is
	// pending then ends as unknown. When it has stopped: Retired.
	OutUse

	// OutReading says what this account found the DC to make of a replaced key:
	// Reading is for Learned of every other account on the DC, and for
	// Config.Reading of those that begin later.
	OutReading

	// OutEnd asks to stop the connection under the replaced key ID at once: the
	// key is dead, and the calls pending there end as unknown. Answer: Retired.
	OutEnd

	// OutStop says that nothing may be sent under the key ID any more, and
	// that no other key has taken its place yet: new calls wait for OutUse.
	//
	// With Drain the server refused the key and not the calls (it has lost the
	// binding): every call under way is still answered, and its connection
	// listens until nothing is pending, or for Listen at most. Without, no
	// answer will come under the key. Loss is why.
	OutStop

	// OutDrop asks to send auth.dropTempAuthKeys with Except, which names
	// every live temp key of this slot; those of others come on top, see [Slots]. Answer:
	// Dropped, NotDropped or DropLater; Connected, if it can be sent only then. A successor that
	// Except does not name is not bound before: the order would drop it too.
	OutDrop

	// OutProve asks to run help.getNearestDc under Perm itself, on a TCP
	// connection of its own. Answer: ProofAnswered, ProofUnknown, ProofFailed.
	OutProve

	// OutGone says that the perm key is gone for good; Err says why, with
	// ErrGone in its tree. At home the login is over, elsewhere call Forget and
	// import again. In a slot to which the perm key is lent: there is none.
	OutGone

	// OutRotated answers Rotate: Err is nil when a new temp key serves, and says
	// otherwise why none will for now: ErrNoPFS, ErrGone, a *BindWaitError, a
	// *DropWaitError or a *ForeignKeyError.
	OutRotated

	// OutForeign says that the perm key belongs to another environment; Err is
	// a *ForeignKeyError. Nothing is connected and nothing is deleted: the
	// operator has to look at the DC table.
	OutForeign
)

var outputNames = [...]string{
	OutPermit:  "Permit",
	OutMake:    "Make",
	OutSave:    "Save",
	OutHold:    "Hold",
	OutBind:    "Bind",
	OutProbe:   "Probe",
	OutUse:     "Use",
	OutReading: "Reading",
	OutEnd:     "End",
	OutStop:    "Stop",
	OutDrop:    "Drop",
	OutProve:   "Prove",
	OutGone:    "Gone",
	OutRotated: "Rotated",
	OutForeign: "Foreign",
}

// String is the kind in a word.
func (k OutputKind) String() string {
	if int(k) < len(outputNames) && outputNames[k] != "" {
		return outputNames[k]
	}
	return fmt.Sprintf("output %d", uint8(k))
}

// An Output is one thing the driver should do. Which fields are set is said
// at each kind.
type Output struct {
	Kind      OutputKind
	Key       KeyKind       // OutPermit, OutMake
	ExpiresIn time.Duration // OutMake of a temp key; whole seconds
	Changes   Changes       // OutSave
	Perm      *PermKey      // OutBind, OutProve, OutUse without PFS
	Temp      *TempKey      // OutHold, OutBind, OutUse with PFS
	ID        crypt.KeyID   // OutProbe, OutEnd, OutStop
	Wait      bool          // OutHold: calls under way may finish first
	Keep      bool          // OutHold: what has not finished is kept, not ended
	Loss      Loss          // OutStop
	Drain     bool          // OutStop: calls under way are still answered
	Listen    time.Duration // OutUse that replaces a key, OutStop with Drain
	Reading   Reading       // OutReading
	Except    []crypt.KeyID // OutDrop
	Err       error         // OutGone, OutForeign, OutRotated
}

// Durable reports whether the output must be on disk before the next is
// taken.
func (o Output) Durable() bool { return o.Kind == OutSave }

// String tells the output without any secret.
func (o Output) String() string {
	var fields []string
	add := func(name string, value any) { fields = append(fields, fmt.Sprintf("%s: %v", name, value)) }
	switch o.Kind {
	case OutPermit:
		add("key", o.Key)
	case OutMake:
		add("key", o.Key)
		if o.Key == Temp {
			add("expires in", o.ExpiresIn)
		}
	case OutSave:
		fields = append(fields, o.Changes.String())
	case OutHold:
		add("wait", o.Wait)
		add("keep", o.Keep)
	case OutProbe, OutEnd:
		fields = append(fields, o.ID.String())
	case OutStop:
		fields = append(fields, o.ID.String())
		if o.Drain {
			add("drain", o.Listen)
		}
	case OutReading:
		fields = append(fields, o.Reading.String())
	case OutDrop:
		ids := make([]string, len(o.Except))
		for i, id := range o.Except {
			ids[i] = id.String()
		}
		add("except", strings.Join(ids, " "))
	case OutRotated:
		if o.Err != nil {
			add("not, because", o.Err)
		}
	case OutGone, OutForeign:
		add("because", o.Err)
	}
	if o.Temp != nil {
		add("temp", o.Temp.ID())
	}
	if o.Perm != nil {
		add("perm", o.Perm.ID())
	}
	if o.Kind == OutUse && o.Listen > 0 {
		add("the old listens", o.Listen)
	}
	return o.Kind.String() + "{" + strings.Join(fields, ", ") + "}"
}

// GoString is String.
func (o Output) GoString() string { return o.String() }
