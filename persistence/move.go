package persistence

import (
	"fmt"
	"time"
)

// Move is what a store says of itself when its fleet was copied to another one, or
// when it is such a copy that is not whole yet, or was restored and not adopted. Nothing
// starts on it then: two processes that use the same perm keys get them revoked.
type Move struct {
	// Partial says that it is the copy, and lacks records; otherwise it is what was
	// copied, or with a Store what was restored.
	Partial bool `json:"partial,omitempty"`
	// Other is where the other store is, for people.
	Other string `json:"other"`
	// Store is the id of the store that was copied or backed up, in the copy.
	Store string    `json:"store,omitempty"`
	At    time.Time `json:"at"`
}

// MovedError says that a store has a Move.
type MovedError struct {
	Place string // where the store is
	Move  Move
}

// Error says what to do.
func (e *MovedError) Error() string {
	at := e.Move.At.UTC().Format(time.RFC3339)
	if e.Move.Partial {
		return fmt.Sprintf("persistence: the store in %s is a copy of the one in %s that was begun at %s and is not whole: nothing was started; run the `manager store copy`, or `store restore`, that made it again", e.Place, e.Move.Other, at)
	}
	if e.Move.Store != "" {
		return fmt.Sprintf("persistence: the store in %s was restored at %s from %s, of the store %s: two managers with the same keys lose their accounts, so nothing was started; when that store is gone for good, run `manager store adopt`", e.Place, at, e.Move.Other, e.Move.Store)
	}
	return fmt.Sprintf("persistence: the store in %s was moved to %s at %s: two managers with the same keys lose their accounts, so nothing was started; if that one is gone for good, run `manager store adopt`", e.Place, e.Move.Other, at)
}

// NotEmptyError says that a store has accounts where a copy was to be made.
type NotEmptyError struct {
	Place string
	Do    string // what to do
}

// Error says what to do.
func (e *NotEmptyError) Error() string {
	return fmt.Sprintf("persistence: there are accounts in %s already: nothing was copied; %s", e.Place, e.Do)
}
