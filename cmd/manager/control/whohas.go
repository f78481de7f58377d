package control

import (
	"context"
	"slices"
	"sync"

	"github.com/mtfleet/mtfleet/actors"
)

// WhoHasRequest asks which account is a user, or has a sign-in by a phone number under way, digits only; another than But. It
// prints as nothing of it.
type WhoHasRequest struct {
	UserID int64  `json:"user_id,omitempty,string"`
	Phone  string `json:"phone,omitempty"`
	But    string `json:"but,omitempty"`
}

// String says nothing of it.
func (WhoHasRequest) String() string { return "question who has a user or a number" }

// GoString is String.
func (r WhoHasRequest) GoString() string { return r.String() }

// Holder is an account, empty for none.
type Holder struct {
	Account string `json:"account,omitempty"`
	// Silent are the nodes of a cluster that did not answer.
	Silent []string `json:"silent,omitempty"`
}

// check refuses a question about nothing, and about both.
func (r WhoHasRequest) check() error {
	if (r.UserID == 0) == (r.Phone == "") {
		return &Error{Kind: KindInvalid, Message: "give a user or a phone number"}
	}
	return nil
}

// WhoHas carries out [WhoHas].
func (l *Local) WhoHas(_ context.Context, r WhoHasRequest) (Holder, error) {
	return Holder{Account: l.Manager.Claimed(actors.Claim{User: r.UserID, Phone: r.Phone}, r.But)}, nil
}

// joinHolders is the first that any node knows of.
func joinHolders(parts []part[Holder]) (h Holder, err error) {
	if h.Silent, err = silent(parts); err != nil {
		return h, err
	}
	if i := slices.IndexFunc(parts, func(p part[Holder]) bool { return p.got.Account != "" }); i >= 0 {
		h.Account = parts[i].got.Account
	}
	return h, nil
}

// elsewhere asks the other nodes for an account which has what one of this node is to have. It waits for none that does not
// answer longer than ctx lasts.
func (f *Fleet) elsewhere(ctx context.Context, c actors.Claim, but string) string {
	list, err := f.list(ctx, false)
	if err != nil {
		return "" // the store does not answer, without which nothing is signed in either
	}
	parts := make([]string, len(list))
	var wg sync.WaitGroup
	for i, n := range list {
		if n.Owner() == f.self || !n.Live() {
			continue
		}
		wg.Go(func() {
			got, err := WhoHas.remote(ctx, f.way(n), WhoHasRequest{UserID: c.User, Phone: c.Phone, But: but})
			if err != nil {
				f.log.Warn("a node was not asked whether it has the user, or a code for the number, of a sign-in: it does not answer", "account", but, "node", n.Name, "err", err)
				return
			}
			parts[i] = got.(Holder).Account
		})
	}
	wg.Wait()
	if i := slices.IndexFunc(parts, func(id string) bool { return id != "" }); i >= 0 {
		return parts[i]
	}
	return ""
}
