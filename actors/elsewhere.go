package actors

import (
	"context"
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/persistence"
)

// This file asks the other nodes of a cluster about what an account has once in a
// manager: its user, and the phone number that a code is asked for.

// A Claim is what one account has and no other: a user, or a sign-in under way by a
// phone number, digits only.
type Claim struct {
	User  int64
	Phone string
}

// Claimed returns the account of this manager, other than the one that is named, that
// has the claim; empty for none.
func (m *Manager) Claimed(c Claim, but string) string {
	if c.User != 0 {
		return string(m.users.other(c.User, persistence.AccountID(but)))
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if id := m.phones[c.Phone]; c.Phone != "" && string(id) != but {
		return string(id)
	}
	return ""
}

// AskOthers has the other nodes asked by f, as Claimed answers: before a sign-in by a
// phone number or a bot token, or a session that says whose it is, has anything sent;
// and when somebody was signed in, for the user is known then. f blocks until they have
// answered or ctx ends, in a few seconds, and leaves out those that do not answer.
func (m *Manager) AskOthers(f func(ctx context.Context, c Claim, but string) string) {
	m.others.Store(&f)
}

// othersPatience bounds how long the other nodes are asked: a sign-in is not to wait
// for one that is down.
const othersPatience = 3 * time.Second

// claimedElsewhere returns the account of another node, other than the one that is
// named, that has the claim; empty for none.
func (m *Manager) claimedElsewhere(ctx context.Context, c Claim, but string) string {
	ask := m.others.Load()
	if ask == nil || c == (Claim{}) {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, othersPatience)
	defer cancel()
	return (*ask)(ctx, c, but)
}

// unclaimed fails where another node has an account that is the user whom a sign-in
// names, or that has a code pending for its number.
func (a *Account) unclaimed(ctx context.Context, phone string, user int64) error {
	if other := a.m.claimedElsewhere(ctx, Claim{User: user}, a.ID()); other != "" {
		return &SignInError{Reason: SignInAlready, Account: other, Message: fmt.Sprintf("account %q is that user already: use it, or log it out or remove it first; nothing was sent", other)}
	}
	if other := a.m.claimedElsewhere(ctx, Claim{Phone: phone}, a.ID()); other != "" {
		return &PhoneBusyError{Holder: persistence.AccountID(other)}
	}
	return nil
}

type (
	// signedIn says that an account was signed in here.
	signedIn struct {
		a    *Account
		user int64
	}
	// secondFound says that another node has an account of its user.
	secondFound struct {
		a     *Account
		other string
	}
)

func (signedIn) fleetMsg()    {}
func (secondFound) fleetMsg() {}

// onSignedIn looks whether the user whom somebody signed in is an account of another
// node. Who it is, is known by nothing but the sign-in.
func (f *fleet) onSignedIn(c *runtime.Context[fleetMsg], m signedIn) {
	c.GoIO(func() fleetMsg {
		return secondFound{m.a, f.m.claimedElsewhere(context.Background(), Claim{User: m.user}, m.a.ID())}
	})
}

func (f *fleet) onSecondFound(m secondFound) {
	if to := m.a.current(); m.other != "" && !to.IsZero() {
		f.m.log.Error("two accounts are the same user, and the one that was signed in last is taken out of service", "account", m.a.id, "other", m.other)
		to.Send(account.Second{Other: m.other})
	}
}
