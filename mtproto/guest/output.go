package guest

import (
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/tl"
)

// An OutputKind says what an [Output] asks for.
type OutputKind uint8

const (
	// OutExport asks to run Query, auth.exportAuthorization, at home. Answer
	// with Call: Exported or ExportFailed.
	OutExport OutputKind = iota + 1
	// OutImport asks to run Query, auth.importAuthorization, on the guest DC,
	// once and at once. Answer with Call: Imported or ImportFailed.
	OutImport
	// OutSave carries the Snapshot to store. Durable.
	OutSave
	// OutReady says that calls may go to the guest DC.
	OutReady
	// OutStop says that calls for the guest DC are to be held: it is not ready
	// any more. OutReady, OutRefused, OutWaiting or OutFailed follows.
	OutStop
	// OutRefused says that the DC cannot be used before Until. The calls that
	// wait for it end with Err, a *RefusedError with the server's last word in
	// its tree; later ones with Refusal.
	OutRefused
	// OutWaiting is the same for a wait that the server imposed: Err is a
	// *WaitError, which ends at Until.
	OutWaiting
	// OutDropKey asks to throw the guest DC's keys away, perm key and all, and
	// to make others. Answer: KeyReady.
	OutDropKey
	// OutHomeLost says that home refused the export with Err, a 401. The
	// account confirms it, then ends, or calls HomeAlive.
	OutHomeLost
	// OutFailed says that this DC cannot be a guest; Err says why. The calls
	// that wait for it fail with it.
	OutFailed
)

var outputNames = [...]string{
	OutExport:   "Export",
	OutImport:   "Import",
	OutSave:     "Save",
	OutReady:    "Ready",
	OutStop:     "Stop",
	OutRefused:  "Refused",
	OutWaiting:  "Waiting",
	OutDropKey:  "DropKey",
	OutHomeLost: "HomeLost",
	OutFailed:   "Failed",
}

// String is the kind in a word or two.
func (k OutputKind) String() string {
	if int(k) < len(outputNames) && outputNames[k] != "" {
		return outputNames[k]
	}
	return fmt.Sprintf("output %d", uint8(k))
}

// A CallID tells answers apart: one that belongs to an older call is ignored.
type CallID uint32

// An Output is one thing the driver should do. Which fields are set is said
// at each kind.
type Output struct {
	Kind     OutputKind
	Call     CallID    // OutExport, OutImport
	Query    tl.Object // OutExport, OutImport
	Snapshot Snapshot  // OutSave
	Until    time.Time // OutRefused, OutWaiting
	Err      error     // OutRefused, OutWaiting, OutHomeLost, OutFailed
}

// Durable reports whether the output must be on disk before the next is
// taken.
func (o Output) Durable() bool { return o.Kind == OutSave }

// String tells the output without any secret.
func (o Output) String() string {
	switch o.Kind {
	case OutSave:
		return fmt.Sprintf("Save{%v}", o.Snapshot)
	case OutRefused, OutWaiting, OutHomeLost, OutFailed:
		return fmt.Sprintf("%v{%v}", o.Kind, o.Err)
	}
	return o.Kind.String()
}

// GoString is String.
func (o Output) GoString() string { return o.String() }
