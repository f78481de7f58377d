package main

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/foreign"
)

// thereAndBack lets a client sign in, takes its session into a manager and calls
// as the account there, hands it out in the client's own form, lets the client go
// on with that, and takes it back. One of them at a time is online.
func (o orders) thereAndBack(ctx context.Context, s *serve.Cluster, node, dir string) error {
	text, err := o.run(ctx, node, dir, []string{"signed in", "call", "content", "update", "done"})
	if err != nil {
		return err
	}
	session, err := foreign.ParseText([]byte(text))
	if err != nil {
		return fmt.Errorf("its session: %w", err)
	}
	if string(session.Format) != o.Client {
		return fmt.Errorf("its session is taken for %s", session.Format)
	}
	store := persistence.NewMemory()
	m, err := manager(s, store)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := actors.CloseGrace()
		defer cancel()
		_ = m.Close(closing)
	}()
	a, err := m.Import(ctx, "moved", session, actors.AccountOptions{})
	if err != nil {
		return fmt.Errorf("taking it in: %w", err)
	}
	if err := o.calls(ctx, a, 1); err != nil {
		return err
	}
	out, err := a.Export(ctx, session.Format)
	if err != nil {
		return fmt.Errorf("handing it out: %w", err)
	}
	o.Session = string(out)
	if _, err := o.run(ctx, node, dir, []string{"taken in", "update", "done"}); err != nil {
		return fmt.Errorf("going on with what was handed out: %w", err)
	}
	if err := a.TakeBack(ctx); err != nil {
		return fmt.Errorf("taking it back: %w", err)
	}
	if err := o.calls(ctx, a, 2); err != nil {
		return fmt.Errorf("taken back: %w", err)
	}
	return ledger(s, store)
}

// calls makes a call as the account, which is who the client was.
func (o orders) calls(ctx context.Context, a *actors.Account, id int64) error {
	got, err := actors.Invoke(ctx, a, &echo.EchoRequest{ID: id, Payload: []byte("as the client was")})
	switch {
	case err != nil:
		return fmt.Errorf("a call as the account: %w", err)
	case got.UserID != o.User || !bytes.Equal(got.Payload, []byte("as the client was")):
		return fmt.Errorf("a call as the account was made by user %d", got.UserID)
	}
	return nil
}

// budget is what our manager is paced by.
func budget() governor.Budget { return governor.Loopback() }

// manager keeps accounts of a cluster.
func manager(s *serve.Cluster, store persistence.Store) (*actors.Manager, error) {
	d := s.Descriptor()
	o := actors.Options{
		Store: store, AllowExport: true, Limits: budget().Limits(runtime.NumCPU()),
		App: actors.App{APIID: d.Apps[0].ID, APIHash: d.Apps[0].Hash, DeviceModel: "mtfleet peers", SystemVersion: "none", AppVersion: "0"},
	}
	for _, k := range d.PublicKeys {
		o.DCs.Keys = append(o.DCs.Keys, k.PEM)
	}
	for _, at := range d.DCs {
		ip, err := netip.ParseAddr(at.IP)
		if err != nil {
			return nil, err
		}
		o.DCs.Options = append(o.DCs.Options, dc.Option{DC: dc.ID(at.ID), Addr: netip.AddrPortFrom(ip, uint16(at.Port)), ThisPortOnly: true})
	}
	o.Wire.RequireLoopback = true
	return actors.Open(o)
}

// ledger holds what the DCs saw against the store.
func ledger(s *serve.Cluster, store persistence.Store) error {
	records, err := store.Load("moved")
	if err != nil {
		return err
	}
	state, err := persistence.DecodeState(records)
	if err != nil {
		return err
	}
	var keys []dctest.StoreKey
	for _, k := range state.PermKeys {
		keys = append(keys, dctest.StoreKey{DC: k.DC, ID: k.KeyID})
	}
	v := s.Ledger().Verdict(keys, nil, time.Time{})
	if len(v.Overlaps) > 0 || len(v.Orphans) > 0 {
		return fmt.Errorf("the ledger finds overlaps %+v, orphans %+v", v.Overlaps, v.Orphans)
	}
	return nil
}
