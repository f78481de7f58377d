package account

import "github.com/mtfleet/mtfleet/mtproto/dc"

func (a *account) openGuest(c *ctx, id dc.ID) (*link, error) { return nil, &StateError{} }
func (l *link) authorized() bool                             { return false }
func (a *account) guestReady(c *ctx, l *link)                {}
func (a *account) advanceGuests(c *ctx)                      {}
func (a *account) guestUnauthorized(c *ctx, l *link)         {}
func (a *account) guestKeyGone(c *ctx, l *link)              {}
func (a *account) forgetKeys(l *link)                        {}

type guestState struct{}
