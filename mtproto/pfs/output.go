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

	// OutHold asks to hold new calls for this DC and to let the calls under
	// the serving key finish, up to the drain limit. Temp is the successor,
	// whose connection may be opened meanwhile. Answer: Held.
	OutHold

	// OutBind asks to bind Temp to Perm, on a connection under Temp. The end
	// to tell the server is Temp.ExpiresAt. Answer: Bound or BindFailed.
	OutBind

	// OutUse says that calls go under Temp from now on, or under Perm when
	// Temp is nil. Held calls are let go. Seeing the same key again means that
	// a rotation was given up.
	OutUse

	// OutStop says that nothing may be sent under the key ID any more, and
	// that no other key has taken its place yet: new calls wait for OutUse.
	OutStop

	// OutDrop asks to send auth.dropTempAuthKeys with Except, which names
	// every live temp key. Nothing waits for the answer.
	OutDrop

	// OutProve asks to run help.getNearestDc under Perm itself, on a TCP
	// connection of its own. Answer: ProofAnswered, ProofUnknown, ProofFailed.
	OutProve

	// OutGone says that the perm key is gone for good; Err says why. At home
	// the login is over, elsewhere call Forget and import again.
	OutGone
)

var outputNames = [...]string{
	OutPermit: "Permit",
	OutMake:   "Make",
	OutSave:   "Save",
	OutHold:   "Hold",
	OutBind:   "Bind",
	OutUse:    "Use",
	OutStop:   "Stop",
	OutDrop:   "Drop",
	OutProve:  "Prove",
	OutGone:   "Gone",
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
	ID        crypt.KeyID   // OutStop
	Except    []crypt.KeyID // OutDrop
	Err       error         // OutGone
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
	case OutStop:
		fields = append(fields, o.ID.String())
	case OutDrop:
		ids := make([]string, len(o.Except))
		for i, id := range o.Except {
			ids[i] = id.String()
		}
		add("except", strings.Join(ids, " "))
	case OutGone:
		add("because", o.Err)
	}
	if o.Temp != nil {
		add("temp", o.Temp.ID())
	}
	if o.Perm != nil {
		add("perm", o.Perm.ID())
	}
	return o.Kind.String() + "{" + strings.Join(fields, ", ") + "}"
}

// GoString is String.
func (o Output) GoString() string { return o.String() }
