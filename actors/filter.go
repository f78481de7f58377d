package actors

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mtfleet/mtfleet/persistence"
)

// A Filter says which events are wanted. What is empty wants all.
type Filter struct {
	// Accounts are names of accounts, of which one must be the event's; also of
	// accounts that are made later.
	Accounts []string `json:"accounts,omitempty"`
	// Kinds are the kinds of events. Who wants updates is told of holes too. What
	// is told of a stream itself, EventMissed and EventRestarted, always comes.
	Kinds []EventKind `json:"kinds,omitempty"`
	// Labels are what the account must have, all of them, at the moment: each
	// "key=value", or "key" for any value.
	Labels []string `json:"labels,omitempty"`
}

// filterMost bounds each list of a filter: 1,000 names of 64 characters and as
// many labels of 127 fit a record of the store, of 256 KiB.
const filterMost = 1000

// FilterError refuses a filter.
type FilterError struct{ Reason string }

func (e *FilterError) Error() string { return e.Reason }

// Check tells whether the filter makes sense. The error is a *FilterError. One
// that makes none wants no account.
func (f Filter) Check() error {
	if len(f.Accounts) > filterMost || len(f.Kinds) > filterMost || len(f.Labels) > filterMost {
		return &FilterError{fmt.Sprintf("a filter has at most %d accounts and %d labels: select by a label", filterMost, filterMost)}
	}
	for _, id := range f.Accounts {
		if err := persistence.CheckAccountID(persistence.AccountID(id)); err != nil {
			return &FilterError{err.Error()}
		}
	}
	for _, label := range f.Labels {
		key, value, _ := strings.Cut(label, "=")
		if err := persistence.CheckLabel(key, value); err != nil {
			return &FilterError{err.Error() + ": select by key=value or key"}
		}
	}
	return nil
}

// Selects reports whether an account of that name with those labels is wanted.
func (f *Filter) Selects(id string, labels persistence.Labels) bool {
	if len(f.Accounts) > 0 && !slices.Contains(f.Accounts, id) {
		return false
	}
	for _, label := range f.Labels {
		key, want, exact := strings.Cut(label, "=")
		if value, has := labels.Get(key); !has || exact && value != want {
			return false
		}
	}
	return true
}

// wants reports whether an event is wanted of an account that is.
func (f *Filter) wants(kind EventKind) bool {
	return len(f.Kinds) == 0 || slices.Contains(f.Kinds, kind) || kind == EventHole && slices.Contains(f.Kinds, EventUpdate)
}

// equal reports whether two filters are written the same.
func (f *Filter) equal(g *Filter) bool {
	return slices.Equal(f.Accounts, g.Accounts) && slices.Equal(f.Kinds, g.Kinds) && slices.Equal(f.Labels, g.Labels)
}
