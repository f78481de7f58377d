package control

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/foreign"
	"github.com/mtfleet/mtfleet/persistence/storecopy"
)

// Kind says what went wrong, for programs.
type Kind string

// The kinds of errors.
const (
	KindNoAccount   Kind = "no_account"   // the store has no such account
	KindNoConsumer  Kind = "no_consumer"  // the store has no such durable consumer
	KindNoPeer      Kind = "no_peer"      // the account has not met such a peer
	KindExists      Kind = "exists"       // the store has such an account already
	KindInvalid     Kind = "invalid"      // the request makes no sense
	KindState       Kind = "state"        // not possible in the account's state
	KindRefused     Kind = "refused"      // the server does not accept the sign-in
	KindConfig      Kind = "config"       // api_id, api_hash or device info are wrong
	KindWait        Kind = "wait"         // the server ordered to wait until Until
	KindUnreachable Kind = "unreachable"  // a DC does not answer
	KindServer      Kind = "server"       // the server answered with an error
	KindStore       Kind = "store"        // the store refuses to write
	KindDamaged     Kind = "damaged"      // the store is damaged, or a record cannot be read
	KindInUse       Kind = "in_use"       // another process has the store, or may have it
	KindMasterKey   Kind = "master_key"   // the master key is missing or wrong
	KindStopped     Kind = "stopped"      // the manager stops, or has stopped
	KindMayHaveRun  Kind = "may_have_run" // the answer is lost, the server may have executed the call
	KindCanceled    Kind = "canceled"     // the caller gave up
	KindInternal    Kind = "internal"     // anything else
	KindMoved       Kind = "moved"        // the account moves to another node; nothing was done
)

// Error is what every method of a Service fails with.
type Error struct {
	// Kind is for programs.
	Kind Kind
	// Message is one sentence for people: what is wrong, and what to do.
	Message string
	// Until is the end of a wait.
	Until time.Time
	// Call says more of a call that failed; nil for other errors.
	Call *CallError
	// Err is the cause, where it happened in this process.
	Err error
}

func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is matches errors of the same kind, so that errors.Is(err, &Error{Kind: k}) works.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Kind == e.Kind && t.Message == ""
}

// KindOf returns the kind of an error, KindInternal for a foreign one.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return KindInternal
}

// Wrap turns an error into an *Error; nil stays nil.
func Wrap(err error) error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	kind, until := classify(err)
	return &Error{Kind: kind, Message: plain(kind, err), Until: until, Err: err}
}

// plain is an error's text without the packages it came through, and what can be
// done where only the server has spoken.
func plain(kind Kind, err error) string {
	if s, ok := plainSecurity(err); ok {
		return s
	}
	var l *actors.SignInError
	if errors.As(err, &l) {
		s := l.Message
		if server, ok := tgerr.As(l.Err); ok {
			said := server.Type
			if !strings.Contains(server.Error(), said) { // which prints no text that is not a name
				said = "what is no error name"
			}
			s += " (the server said " + said + ")"
		}
		return s
	}
	s := actors.Words(err)
	if server, ok := tgerr.As(err); ok && kind == KindServer {
		s += "; " + server.Advice()
	}
	return s
}

func classify(err error) (Kind, time.Time) {
	if kind, until, ok := classifyLogin(err); ok {
		return kind, until
	}
	if kind, until, ok := classifySecurity(err); ok {
		return kind, until
	}
	if kind, ok := classifyCall(err); ok {
		return kind, time.Time{}
	}
	if kind, ok := classifyStore(err); ok {
		return kind, time.Time{}
	}
	var (
		none   *actors.NoAccountError
		exists *actors.ExistsError
		state  *actors.StateError
		wait   *actors.WaitError
		busy   *actors.BusyError
		phone  *actors.PhoneBusyError
		server *tgerr.Error
		label  *persistence.LabelError
		filter *actors.FilterError
		cursor *actors.CursorError
		nobody *actors.NoConsumerError
		many   *actors.ConsumerLimitError
	)
	switch {
	case errors.As(err, new(*actors.ElsewhereError)):
		return KindMoved, time.Time{}
	case errors.As(err, &label), errors.As(err, &filter), errors.As(err, new(*foreign.Error)), errors.As(err, new(*foreign.PasscodeError)), errors.As(err, new(*actors.ProxyError)):
		return KindInvalid, time.Time{}
	case errors.Is(err, actors.ErrExportOff):
		return KindConfig, time.Time{}
	case errors.As(err, &cursor), errors.As(err, &many), errors.Is(err, actors.ErrConsumerTaken), errors.Is(err, actors.ErrConsumerRemoved):
		return KindState, time.Time{}
	case errors.As(err, &nobody):
		return KindNoConsumer, time.Time{}
	case errors.As(err, new(*actors.NoPeerError)):
		return KindNoPeer, time.Time{}
	case errors.As(err, &none):
		return KindNoAccount, time.Time{}
	case errors.As(err, &exists):
		return KindExists, time.Time{}
	case errors.As(err, &wait):
		return KindWait, wait.Until
	case errors.As(err, &state), errors.As(err, &busy), errors.As(err, new(*actors.RotateError)), errors.As(err, &phone), errors.Is(err, account.ErrSignedIn):
		return KindState, time.Time{}
	case errors.As(err, &server):
		if d, ok := server.Wait(); ok {
			return KindWait, time.Now().Add(d)
		}
		return KindServer, time.Time{}
	case errors.Is(err, context.DeadlineExceeded):
		return KindUnreachable, time.Time{}
	case errors.Is(err, context.Canceled):
		return KindCanceled, time.Time{}
	case errors.Is(err, actors.ErrClosed), errors.Is(err, account.ErrStopped):
		return KindStopped, time.Time{}
	case errors.Is(err, actors.ErrMayHaveRun):
		return KindMayHaveRun, time.Time{}
	}
	return KindInternal, time.Time{}
}

func classifyLogin(err error) (Kind, time.Time, bool) {
	var l *actors.SignInError
	if !errors.As(err, &l) {
		return "", time.Time{}, false
	}
	switch l.Reason {
	case actors.SignInFlood, actors.SignInEarly:
		return KindWait, l.Until, true
	case actors.SignInConfig:
		return KindConfig, time.Time{}, true
	case actors.SignInMigrate, actors.SignInServer:
		return KindServer, l.Until, true
	case actors.SignInAnswer, actors.SignInCanceled, actors.SignInUnsupported, actors.SignInAlready:
		return KindState, time.Time{}, true
	}
	return KindRefused, l.Until, true
}

func classifyStore(err error) (Kind, bool) {
	var (
		locked  *persistence.LockedError
		key     *persistence.MasterKeyError
		version *persistence.VersionError
		corrupt *persistence.CorruptError
		invalid *persistence.InvalidError
		stale   *persistence.StaleOwnerError
		write   *persistence.WriteError
		damaged *persistence.DamagedError
		copied  *persistence.CopiedError
		full    *persistence.FullError
		disk    *persistence.DiskError
		closing *persistence.CloseError
		refused *actors.StoreError
	)
	switch {
	case errors.As(err, &locked), errors.As(err, &stale), errors.As(err, &copied), errors.As(err, new(*persistence.NodesRunError)), errors.As(err, new(*persistence.NodeTakenError)), errors.As(err, new(*persistence.ClaimedError)),
		errors.As(err, new(*persistence.MovedError)):
		return KindInUse, true
	case errors.As(err, new(*persistence.NotEmptyError)):
		return KindExists, true
	case errors.As(err, new(*persistence.UnreachableError)):
		return KindStore, true
	case errors.As(err, &key):
		return KindMasterKey, true
	case errors.As(err, &version), errors.As(err, &corrupt), errors.As(err, &damaged):
		return KindDamaged, true
	case errors.As(err, &invalid):
		return KindInvalid, true
	case errors.As(err, &refused), errors.As(err, &write), errors.As(err, &full), errors.As(err, &disk), errors.As(err, &closing), errors.Is(err, persistence.ErrClosed), errors.As(err, new(*storecopy.DifferenceError)):
		return KindStore, true
	}
	return "", false
}
