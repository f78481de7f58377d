package guest

import "fmt"

// A State is where the guest stands.
//
//	New ─► Keying ─ key ready ─► Exporting ─► Importing ─► Ready
//	          ▲                   ▲   │  ▲        │          │ 401
//	          │                   │   ▼  └ backoff┤          │
//	          │                   │ Pausing ◄─────┤          │
//	          │                   ├────────────── │ ─ once ──┤
//	          │                   │ wanted again  ▼          │
//	          │                   └─── Refused, Waiting ◄────┤
//	          └──── drop the key, once a day ◄────┴── again ─┘
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

	// StatePausing: something failed, and the export is tried again after a
	// backoff of seconds. Calls wait meanwhile. Left by Advance.
	StatePausing

	// StateReady: the guest key is authorized; calls may go. Left when the
	// server says otherwise.
	StateReady

	// StateRefused: the authorization was refused again and again. Calls end at
	// once with the server's words until the pause is over (1 minute, doubling
	// to 1 hour); then the next that wants the DC tries again, under the same
	// key. There is no deadline. Left by Wanted.
	StateRefused

	// StateWaiting: the server imposed a wait on the export or the import. Calls
	// end at once and are told until when; nothing is asked before, and after it
	// only when somebody wants the DC. There is no deadline. Left by Wanted.
	StateWaiting

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
	StatePausing:   "pausing",
	StateReady:     "ready",
	StateRefused:   "refused",
	StateWaiting:   "waiting",
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
