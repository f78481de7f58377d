package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"sync/atomic"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/wire"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// ours is one manager with all accounts.
type ours struct {
	o Orders
	m *actors.Manager
	*counting
}

// counting is a dialer that counts.
type counting struct {
	wire.Dialer
	dialed atomic.Int64
}

func (d *counting) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	d.dialed.Add(1)
	return d.Dialer.DialContext(ctx, network, address)
}

func (d *counting) dials() int64 { return d.dialed.Load() }

// budget is what our manager is paced by: so wide that nothing waits for a permit.
func budget() governor.Budget { return governor.Loopback() }

func newOurs(o Orders) (*ours, error) {
	c := &counting{Dialer: wire.NewDialer()}
	opts := actors.Options{
		Store:  persistence.NewMemory(),
		App:    actors.App{APIID: o.Descriptor.Apps[0].ID, APIHash: o.Descriptor.Apps[0].Hash, DeviceModel: "mtfleet pairs", SystemVersion: "none", AppVersion: "0"},
		Limits: budget().Limits(runtime.NumCPU()),
	}
	for _, a := range o.Descriptor.DCs {
		addr, err := netip.ParseAddr(a.IP)
		if err != nil {
			return nil, err
		}
		opts.DCs.Options = append(opts.DCs.Options, dc.Option{DC: dc.ID(a.ID), Addr: netip.AddrPortFrom(addr, uint16(a.Port)), ThisPortOnly: true})
	}
	for _, k := range o.Descriptor.PublicKeys {
		opts.DCs.Keys = append(opts.DCs.Keys, k.PEM)
	}
	opts.Wire.RequireLoopback, opts.Wire.Dialer = true, c
	m, err := actors.Open(opts)
	return &ours{o, m, c}, err
}

func (c *ours) signIn(ctx context.Context, n int) (session, error) {
	a, err := c.m.Add(ctx, "bot-"+strconv.Itoa(n), actors.AccountOptions{NoPFS: !c.o.PFS})
	if err != nil {
		return nil, err
	}
	events := a.Events(ctx)
	if step, err := a.SignIn(ctx, actors.BotToken(c.o.Descriptor.Bots[n].Token)); err != nil || step != nil {
		return nil, fmt.Errorf("pairs: sign-in: step %+v, error %w", step, err)
	}
	if a.Status().State == actors.Online {
		return ourSession{a}, nil
	}
	for ev := range events {
		if ev.Kind == actors.EventState && ev.Status.State == actors.Online {
			return ourSession{a}, nil
		}
	}
	return nil, fmt.Errorf("pairs: the account is not online: %+v", a.Status())
}

type ourSession struct{ a *actors.Account }

var getSelf = &tg.UsersGetUsersRequest{ID: []tg.AnyInputUser{&tg.InputUserSelf{}}}

func (s ourSession) call(ctx context.Context) error {
	list, err := actors.Invoke(ctx, s.a, getSelf)
	if err == nil && len(list) != 1 {
		err = errNoAnswer
	}
	return err
}
