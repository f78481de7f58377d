package actors

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/peers"
	"github.com/mtfleet/mtfleet/tl"
)

const (
	// meetingMost bounds whom results have named and the account's actor has not remembered yet, for each account: as
	// many as it keeps, some 300 KiB. Past it they are dropped, and come again with whatever names them. A result that
	// finds nobody on the way always goes.
	meetingMost = peers.Limit
	// meetAtOnce is how many the actor takes at a time: some 15 us of its time, and 200 us where it keeps as many as it can
	// and has met none of them (BenchmarkSee and BenchmarkSeeOthers of mtproto/peers). Others have their turn between.
	meetAtOnce = 64
	// meetInActorMost bounds what is read of a result where a call of Start ends, which is within an actor, in bytes: 340
	// users in their smallest form, some 200 us (BenchmarkAmong). Whom a larger one names is not remembered. Who waits in
	// Invoke reads results of any size himself.
	meetInActorMost = 16 << 10
)

// meet remembers whom the result of a call names. The result is read here, on the goroutine of who asked; the account's
// actor is told who they are, and before the caller's next wish.
func (a *Account) meet(call *account.Call, result tl.Raw) {
	list := peers.Among(result)
	to, n := a.current(), int64(len(list))
	if n == 0 || to.IsZero() {
		return
	}
	if on := a.meeting.Add(n); on > n && on > meetingMost {
		a.meeting.Add(-n)
		return
	}
	for some := range slices.Chunk(list, meetAtOnce) {
		to.Send(account.Met{Call: call, List: some, Taken: func() { a.meeting.Add(-int64(len(some))) }})
	}
}

// meetInActor is meet for where the caller is an actor.
func (a *Account) meetInActor(call *account.Call, result tl.Raw) {
	if len(result) <= meetInActorMost {
		a.meet(call, result)
	}
}

// NoPeerError says that an account has not met whom it was asked for, or that it was too long ago: of the peers.Limit
// seen last it knows all.
type NoPeerError struct {
	Account string
	// Who was asked for: "user 123" or "@name".
	Who string
}

// Error implements error.
func (e *NoPeerError) Error() string {
	return fmt.Sprintf("account %s has not met %s: it comes with the first update, or result of a call, that names it", e.Account, e.Who)
}

// Peer returns a user, a basic chat or a channel that the account has met: an update brought it, or the result of a call
// named it. Whom a result names is met when Invoke returns; past 4,096 who are not remembered yet, they are left out. Its
// Input is what a call takes. What the account knows is in the store; Peer waits until that is read. The error is a
// *NoPeerError for whom it has not met.
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
	return look(ctx, a, func(r runtime.Reply[[]peers.Peer]) account.Message { return account.Peers{Query: q, Reply: r} })
}
