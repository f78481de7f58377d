package account

import (
	"github.com/mtfleet/mtfleet/actors/binding"
	"github.com/mtfleet/mtfleet/actors/signin"
	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/persistence"
)

// Observer is told what happens in accounts, for metrics and traces. None of its
// functions may block. Metrics name no account: the one that is given finds what
// a span is linked to.
type Observer struct {
	// Bindings is told of keys and connections.
	Bindings binding.Observer
	// SignInBegan: see signin.Env; nil is allowed.
	SignInBegan func(id persistence.AccountID, flow login.Flow) SignInWatch
	// Waits are all waits that the server ordered the account, some of which may be
	// over. It is told of each change, and keeps the list; nil: nobody is.
	Waits func(id persistence.AccountID, all []Wait)
}

// What an Observer is told, and by whom.
type (
	// SignInWatch is told how one sign-in goes, and SignInEnd how it ended.
	SignInWatch = signin.Watch
	SignInEnd   = signin.End
	// Rotation is told how one rotation goes, and RotationEnd how it ended.
	Rotation    = binding.Rotation
	RotationEnd = binding.RotationEnd
	// BindingObserver is told of keys and connections.
	BindingObserver = binding.Observer
	// Wait is one that the server ordered.
	Wait = standing.InForce
)

// The ends of sign-ins and rotations.
const (
	SignInWorked   = signin.SignedIn
	SignInFailed   = signin.Failed
	SignInCanceled = signin.Canceled
	SignInLeft     = signin.Left

	RotationWorked  = binding.RotationWorked
	RotationFailed  = binding.RotationFailed
	RotationAborted = binding.RotationAborted
)
