package gotd

import (
	"context"
	"errors"
	"sync"

	"github.com/gotd/td/bin"
	"github.com/gotd/td/tg"

	"github.com/mtfleet/mtfleet/actors"
)

// Client is an account with the methods that gotd programs call on a
// telegram.Client: it stands in its place. Everything it does is done by
// [Invoker], [Pump] and [Auth], which can be used without it.
type Client struct {
	account *actors.Account
	invoker tg.Invoker
	api     *tg.Client
	pump    Pump

	mu   sync.Mutex // guards seen
	seen actors.Cursor
}

// NewClient returns a client for the account of a name, which it makes in the
// manager's store if there is none yet. Handler gets its updates while Run
// runs; nil hears none. The options go with every call.
func NewClient(ctx context.Context, m *actors.Manager, name string, h Handler, opts ...actors.CallOption) (*Client, error) {
	account, err := m.Account(name)
	var none *actors.NoAccountError
	if errors.As(err, &none) {
		account, err = m.Add(ctx, name, actors.AccountOptions{})
	}
	if err != nil {
		return nil, err
	}
	return ClientOf(account, Pump{Handler: h}, opts...), nil
}

// ClientOf is NewClient for an account in hand, and a pump that says more than a handler.
func ClientOf(account *actors.Account, p Pump, opts ...actors.CallOption) *Client {
	c := &Client{account: account, invoker: Invoker(account, opts...), pump: p}
	c.api = tg.NewClient(c.invoker)
	return c
}

// Account is the account itself, for what gotd has no words for.
func (c *Client) Account() *actors.Account { return c.account }

// API is gotd's typed API.
func (c *Client) API() *tg.Client { return c.api }

// Invoke implements tg.Invoker.
func (c *Client) Invoke(ctx context.Context, input bin.Encoder, output bin.Decoder) error {
	return c.invoker.Invoke(ctx, input, output)
}

// Auth signs the account in.
func (c *Client) Auth() Auth { return Auth{c.account, c.api} }

// Self asks who is signed in.
func (c *Client) Self(ctx context.Context) (*tg.User, error) {
	me, err := c.Auth().me(ctx)
	if err != nil {
		return nil, err
	}
	user, _ := me.User.AsNotEmpty()
	return user, nil
}

// Run calls f and gives the handler the account's updates until f returns or a
// pump's Failed or Event say that it is over, which ends the context of f. It returns f's
// error, or else the pump's.
//
// Unlike telegram.Client.Run it connects nothing and disconnects nothing: the
// account is connected while its manager is open. The first Run begins with
// the updates that came since then, as far as the manager keeps them (see
// actors.Replay), and the next with what followed the one before. Run does
// not run twice at once.
func (c *Client) Run(ctx context.Context, f func(ctx context.Context) error) error {
	if c.pump.Handler == nil {
		return f(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events := c.pump.source(ctx, c.account, []actors.StreamOption{actors.After(c.after())})
	ended := make(chan error, 1)
	go func() {
		defer cancel()
		ended <- c.pump.carry(ctx, c.account, events, c.mark)
	}()
	err := f(ctx)
	over := ctx.Err() != nil // before f returned: somebody else's doing
	cancel()
	if carried := <-ended; !errors.Is(carried, context.Canceled) && (err == nil || over) {
		return carried
	}
	return err
}

func (c *Client) after() actors.Cursor {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen
}

func (c *Client) mark(at actors.Cursor) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = at
}
