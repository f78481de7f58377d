package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/gotd/td/crypto"
	stored "github.com/gotd/td/session"
	"github.com/gotd/td/telegram"
	"github.com/gotd/td/telegram/dcs"
	"github.com/gotd/td/tg"
)

// gotd is gotd/td, one client for each account, as its documentation shows it.
type gotd struct {
	ctx    context.Context
	o      Orders
	list   dcs.List
	keys   []telegram.PublicKey
	dialed atomic.Int64
}

func newGotd(ctx context.Context, o Orders) (*gotd, error) {
	g := &gotd{ctx: ctx, o: o, list: dcs.List{Test: o.Descriptor.Test}}
	for _, at := range o.Descriptor.DCs {
		g.list.Options = append(g.list.Options, tg.DCOption{ID: at.ID, IPAddress: at.IP, Port: at.Port})
	}
	for _, k := range o.Descriptor.PublicKeys {
		keys, err := crypto.ParseRSAPublicKeys([]byte(k.PEM))
		if err != nil {
			return nil, err
		}
		for _, key := range keys {
			g.keys = append(g.keys, telegram.PublicKey{RSA: key})
		}
	}
	return g, nil
}

func (g *gotd) dials() int64 { return g.dialed.Load() }

// dial is its way to its DCs, and to loopback only.
func (g *gotd) dial(ctx context.Context, network, address string) (net.Conn, error) {
	g.dialed.Add(1)
	if at, err := netip.ParseAddrPort(address); err != nil || !at.Addr().IsLoopback() {
		return nil, fmt.Errorf("pairs: %s is not a loopback address", address)
	}
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

// patience is longer than its defaults, which are short where several primes are
// proved at once.
const patience = 2 * time.Minute

func (g *gotd) signIn(ctx context.Context, n int) (s session, err error) {
	bot := g.o.Descriptor.Bots[n]
	c := telegram.NewClient(g.o.Descriptor.Apps[0].ID, g.o.Descriptor.Apps[0].Hash, telegram.Options{
		DC: bot.DC, DCList: g.list, PublicKeys: g.keys, SessionStorage: new(stored.StorageMemory),
		Resolver:      dcs.Plain(dcs.PlainOptions{Dial: g.dial}),
		UpdateHandler: telegram.UpdateHandlerFunc(func(context.Context, tg.UpdatesClass) error { return nil }),
		EnablePFS:     g.o.PFS, DialTimeout: patience, ExchangeTimeout: patience, MigrationTimeout: patience,
	})
	ready, ended := make(chan error, 1), make(chan error, 1)
	go func() {
		ended <- c.Run(g.ctx, func(ctx context.Context) error {
			_, err := c.Auth().Bot(ctx, bot.Token)
			if ready <- err; err != nil {
				return err
			}
			<-ctx.Done()
			return ctx.Err()
		})
	}()
	select {
	case err = <-ready:
	case err = <-ended:
	case <-ctx.Done():
		err = ctx.Err()
	}
	return gotdSession{c.API()}, err
}

type gotdSession struct{ api *tg.Client }

func (s gotdSession) call(ctx context.Context) error {
	list, err := s.api.UsersGetUsers(ctx, []tg.InputUserClass{&tg.InputUserSelf{}})
	if err == nil && len(list) != 1 {
		err = errNoAnswer
	}
	return err
}
