package actors

import (
	"context"
	"errors"

	"github.com/mtfleet/mtfleet/mtproto/security"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
)

// This file and its neighbours are what the owner of a signed-in account can do
// about its safety. Each method is one or a few calls by Invoke and ends as those
// do: it waits for as long as ctx lets it, and what must not run twice may end
// with ErrMayHaveRun. Refusals of the server that belong to the matter are a
// *SecurityError, which holds the server's own error; what makes no sense is one
// too, and then nothing was sent.

// secure is Invoke for a query about the account's safety.
func secure[R any](ctx context.Context, a *Account, query tl.Query[R], opts ...CallOption) (R, error) {
	got, err := Invoke(ctx, a, query, opts...)
	return got, a.secured(err)
}

// agree is secure for a query that is answered by yes or no.
func agree(ctx context.Context, a *Account, query tl.Query[bool], opts ...CallOption) error {
	yes, err := secure(ctx, a, query, opts...)
	if err == nil && !yes {
		return &SecurityError{Reason: SecurityServer, Message: "the server said no to " + query.TypeName() + ", and not why"}
	}
	return err
}

// secured says what a refusal means, where it belongs to the matter.
func (a *Account) secured(err error) error {
	refusal, ok := tgerr.As(err)
	if !ok || errors.Is(err, ErrNotSent) || errors.Is(err, ErrMayHaveRun) {
		return own(err)
	}
	if e := security.Explain(a.m.sys.Clock().Now(), refusal); e != nil {
		return own(e)
	}
	return err
}
