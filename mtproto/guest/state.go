package guest

import "fmt"

// A State is where the guest stands.
//
//	New ─► Keying ─ key ready ─► Exporting ─► Importing ─► Ready
//	          ▲                    ▲  │ ▲          │          │ 401
//	          │                    │  ▼ └─ refused ┤          │
//	          │                    │ Waiting       │          │
//	          │                    └───────────────┼── once ──┤
//	          └──── drop the key ──────────────────┴── again ─┘
type State uint8

const (
	// StateNew: not started. Left by Start.
	StateNew State = iota

	// StateKeying: there is no usable key on the guest DC. Left by KeyReady.
	StateKeying

	// StateExporting: auth.exportAuthorization is under way at home. Left by
	// its answer.
	StateExporting

	// StateImporting: auth.importAuthorization is under way on the guest DC.
	// Left by its answer.
	StateImporting

	// StateWaiting: something failed, and the export is tried again when a
	// backoff or an imposed wait is over. Left by Advance.
	StateWaiting

	// StateReady: the guest key is authorized; calls may go. Left when the
	// server says otherwise.
	StateReady

	// StateHomeLost: home refused the export as unauthorized. Left by
	// HomeAlive, when the account finds that it was not so.
	StateHomeLost

	// StateFailed: this DC cannot be a guest. Final.
	StateFailed
)

var stateNames = [...]string{
	StateNew:       "new",
	StateKeying:    "keying",
	StateExporting: "exporting",
	StateImporting: "importing",
	StateWaiting:   "waiting",
	StateReady:     "ready",
	StateHomeLost:  "home-lost",
	StateFailed:    "failed",
}

// String is the state's name.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state %d", uint8(s))
}
