package actors

import (
	"context"
	"fmt"
	"strings"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/peers"
)

// NoPeerError says that an account has not met whom it was asked for, or that it was too long ago: of the peers.Limit
// seen last it knows all.
type NoPeerError struct {
	Account string
	// Who was asked for: "user 123" or "@name".
	Who string
}

// Error implements error.
func (e *NoPeerError) Error() string {
	return fmt.Sprintf("account %s has not met %s: it comes with the first update that mentions it", e.Account, e.Who)
}

// Peer returns a user, a basic chat or a channel that the account has met: it came along with an update, or with the
// result of a call that is one. Its Input is what a call takes. What the account knows is in the store; Peer waits until
// that is read. The error is a *NoPeerError for whom it has not met.
func (a *Account) Peer(ctx context.Context, kind peers.Kind, id int64) (peers.Peer, error) {
	return a.peer(ctx, peers.Query{Kind: kind, ID: id})
}

// PeerNamed is Peer for a username, with or without the @: the one that it was seen with last, for the account is not told
// when somebody gives a name up. Nobody is asked: contacts.resolveUsername does that.
func (a *Account) PeerNamed(ctx context.Context, username string) (peers.Peer, error) {
	return a.peer(ctx, peers.Query{Username: strings.TrimPrefix(username, "@")})
}

func (a *Account) peer(ctx context.Context, q peers.Query) (peers.Peer, error) {
	if q.ID == 0 && q.Username == "" { // which asks for everybody
		return peers.Peer{}, &NoPeerError{a.ID(), q.String()}
	}
	list, err := a.FindPeers(ctx, q)
	if err != nil {
		return peers.Peer{}, err
	}
	if len(list) == 0 {
		return peers.Peer{}, &NoPeerError{a.ID(), q.String()}
	}
	return list[0], nil
}

// Peers lists whom the account has met, at most peers.Limit, by kind and id.
func (a *Account) Peers(ctx context.Context) ([]peers.Peer, error) {
	return a.FindPeers(ctx, peers.Query{})
}

// FindPeers is Peers of those that a query asks for; nobody is no error.
func (a *Account) FindPeers(ctx context.Context, q peers.Query) ([]peers.Peer, error) {
	return ask(ctx, a, func(r runtime.Reply[[]peers.Peer]) account.Message { return account.Peers{Query: q, Reply: r} })
}
