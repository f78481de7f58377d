package peers

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/gotd/td/crypto"
	"github.com/gotd/td/session"
	"github.com/gotd/td/telegram"
	"github.com/gotd/td/telegram/auth"
	"github.com/gotd/td/telegram/dcs"
	"github.com/gotd/td/tg"

	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
)

// gotdClient is one gotd client and what it keeps between two runs.
type gotdClient struct {
	d       descriptor
	options telegram.Options
	stored  session.StorageMemory
	updates chan tg.UpdatesClass // nil when it does not want any
}

// newGotd makes a client from a descriptor that begins at the given DC.
func newGotd(tb testing.TB, d descriptor, dc int, resolver dcs.Resolver) *gotdClient {
	tb.Helper()
	c := &gotdClient{d: d}
	c.options = telegram.Options{
		DC: dc, DCList: dcs.List{Test: d.Test}, Resolver: resolver, SessionStorage: &c.stored,
		// Its defaults are too short for a machine that proves several primes at once.
		DialTimeout: limit, ExchangeTimeout: limit, MigrationTimeout: limit,
	}
	for _, o := range d.DCs {
		c.options.DCList.Options = append(c.options.DCList.Options, tg.DCOption{ID: o.ID, IPAddress: o.IP, Port: o.Port})
	}
	for _, k := range d.PublicKeys {
		keys, err := crypto.ParseRSAPublicKeys([]byte(k.PEM))
		if err != nil {
			tb.Fatal(err)
		}
		for _, key := range keys {
			public := telegram.PublicKey{RSA: key}
			if public.Fingerprint() != k.Fingerprint {
				tb.Fatalf("gotd computes fingerprint %x of our RSA key, the descriptor says %x", public.Fingerprint(), k.Fingerprint)
			}
			c.options.PublicKeys = append(c.options.PublicKeys, public)
		}
	}
	return c
}

// wantUpdates makes the client ask for updates; without it gotd wraps every query in invokeWithoutUpdates.
func (c *gotdClient) wantUpdates() *gotdClient {
	c.updates = make(chan tg.UpdatesClass, 100)
	c.options.UpdateHandler = telegram.UpdateHandlerFunc(func(_ context.Context, u tg.UpdatesClass) error {
		select {
		case c.updates <- u:
			return nil
		default:
			return errors.New("peers: nobody reads the updates")
		}
	})
	return c
}

// pfs makes the client use temp keys that live so many seconds.
func (c *gotdClient) pfs(on bool, seconds int) *gotdClient {
	c.options.EnablePFS, c.options.TempKeyTTL = on, seconds
	return c
}

// run connects and runs f; the client is gone when it returns.
func (c *gotdClient) run(ctx context.Context, f func(ctx context.Context, client *telegram.Client) error) error {
	client := telegram.NewClient(c.d.Apps[0].ID, c.d.Apps[0].Hash, c.options)
	return client.Run(ctx, func(ctx context.Context) error { return f(ctx, client) })
}

// storeKeys is the perm key in gotd's session file.
func (c *gotdClient) storeKeys(t *testing.T) []dctest.StoreKey {
	t.Helper()
	data, err := (&session.Loader{Storage: &c.stored}).Load(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return []dctest.StoreKey{{DC: data.DC, ID: int64(binary.LittleEndian.Uint64(data.AuthKeyID))}}
}

// self asks who the client is.
func self(ctx context.Context, api *tg.Client) (*tg.User, error) {
	list, err := api.UsersGetUsers(ctx, []tg.InputUserClass{&tg.InputUserSelf{}})
	if err != nil {
		return nil, err
	}
	if len(list) != 1 {
		return nil, errors.New("peers: users.getUsers(self) does not answer one user")
	}
	user, ok := list[0].AsNotEmpty()
	if !ok {
		return nil, errors.New("peers: users.getUsers(self) answers userEmpty")
	}
	return user, nil
}

// checkSelf asks who the client is and compares.
func checkSelf(ctx context.Context, t *testing.T, api *tg.Client, id int64, isBot bool) error {
	t.Helper()
	user, err := self(ctx, api)
	if err != nil {
		return err
	}
	if user.ID != id || user.Bot != isBot || !user.Self {
		t.Errorf("users.getUsers(self): id %d, bot %v, self %v; want id %d, bot %v", user.ID, user.Bot, user.Self, id, isBot)
	}
	return nil
}

// checkConfig asks for the config and compares it with the descriptor.
func (c *gotdClient) checkConfig(ctx context.Context, t *testing.T, api *tg.Client, dc int) error {
	t.Helper()
	config, err := api.HelpGetConfig(ctx)
	if err != nil {
		return err
	}
	if config.ThisDC != dc || config.TestMode != c.d.Test || len(config.DCOptions) != len(c.d.DCs) {
		t.Errorf("help.getConfig: this_dc %d, test_mode %v, %d options; want DC %d, %v, %d options",
			config.ThisDC, config.TestMode, len(config.DCOptions), dc, c.d.Test, len(c.d.DCs))
	}
	for i, o := range config.DCOptions {
		if want := c.d.DCs[i]; o.ID != want.ID || o.IPAddress != want.IP || o.Port != want.Port {
			t.Errorf("help.getConfig: option %d is DC %d at %s:%d, the descriptor says %+v", i, o.ID, o.IPAddress, o.Port, want)
		}
	}
	return nil
}

// checkPush lets the cluster push one update and waits for it.
func (c *gotdClient) checkPush(ctx context.Context, t *testing.T, s *serve.Cluster, user int64) error {
	t.Helper()
	pts, err := s.PushUpdate(user)
	if err != nil {
		return err
	}
	for {
		select {
		case u := <-c.updates:
			list, ok := u.(*tg.Updates)
			if !ok {
				continue
			}
			for _, one := range list.Updates {
				if d, ok := one.(*tg.UpdateDeleteMessages); ok {
					if d.Pts != int(pts) || d.PtsCount != 1 || len(d.Messages) != 1 {
						t.Errorf("pushed pts %d, gotd received %+v", pts, d)
					}
					return nil
				}
			}
		case <-ctx.Done():
			return errors.New("peers: the pushed update did not reach gotd's handler")
		}
	}
}

// signInPerson gives gotd's own sign-in flow a phone number and its code.
func signInPerson(ctx context.Context, client *telegram.Client, p person) error {
	answers := auth.Constant(p.Number, "", auth.CodeAuthenticatorFunc(
		func(context.Context, *tg.AuthSentCode) (string, error) { return p.Code, nil }))
	return auth.NewFlow(answers, auth.SendCodeOptions{}).Run(ctx, client.Auth())
}

func TestGotdSpeaksAServedLayer(t *testing.T) {
	s := actorstest.Start(t, serve.Config{})
	d := read(t, s)
	for _, layer := range d.Layers {
		if layer == tg.Layer {
			return
		}
	}
	t.Errorf("gotd speaks layer %d, the test DC serves %v", tg.Layer, d.Layers)
}

func TestGotdBotSignsIn(t *testing.T) {
	for name, pfs := range map[string]bool{"perm key": false, "pfs": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := within(t, limit)
			s := actorstest.Start(t, serve.Config{Bots: 1})
			d := read(t, s)
			b := d.Bots[0]
			c := newGotd(t, d, b.DC, nil).pfs(pfs, 0).wantUpdates()
			err := c.run(ctx, func(ctx context.Context, client *telegram.Client) error {
				if _, err := client.Auth().Bot(ctx, b.Token); err != nil {
					return err
				}
				return errors.Join(
					checkSelf(ctx, t, client.API(), b.UserID, true),
					c.checkConfig(ctx, t, client.API(), b.DC),
					c.checkPush(ctx, t, s, b.UserID),
				)
			})
			if err != nil {
				t.Fatal(err)
			}
			// Again from what it stored: the same perm key, no sign-in.
			err = c.run(ctx, func(ctx context.Context, client *telegram.Client) error {
				return checkSelf(ctx, t, client.API(), b.UserID, true)
			})
			if err != nil {
				t.Fatal(err)
			}
			want := dctest.Counts{PermKeys: 1, Logins: 1}
			if pfs {
				want.TempKeys, want.Binds = 2, 2 // gotd keeps no temp key
			}
			checkCounts(t, s, want)
			judge(t, s, c.storeKeys(t))
		})
	}
}

func TestGotdPersonSignsInAcrossDCs(t *testing.T) {
	for name, pfs := range map[string]bool{"perm key": false, "pfs": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := within(t, limit)
			s := actorstest.Start(t, serve.Config{Persons: 3})
			d := read(t, s)
			first := d.DCs[0].ID
			p := d.personAwayFrom(t, first)
			c := newGotd(t, d, first, nil).pfs(pfs, 0).wantUpdates()
			err := c.run(ctx, func(ctx context.Context, client *telegram.Client) error {
				if err := signInPerson(ctx, client, p); err != nil {
					return err
				}
				return errors.Join(
					checkSelf(ctx, t, client.API(), p.UserID, false),
					c.checkConfig(ctx, t, client.API(), p.DC), // PHONE_MIGRATE moved it
					c.checkPush(ctx, t, s, p.UserID),
				)
			})
			if err != nil {
				t.Fatal(err)
			}
			want := dctest.Counts{PermKeys: 2, Logins: 1}
			if pfs {
				want.TempKeys, want.Binds = 2, 2
			}
			checkCounts(t, s, want)
			judge(t, s, c.storeKeys(t))
		})
	}
}

// TestGotdCarriesAnAuthorization: auth.exportAuthorization at home, auth.importAuthorization on a guest DC.
func TestGotdCarriesAnAuthorization(t *testing.T) {
	t.Parallel()
	ctx := within(t, limit)
	s := actorstest.Start(t, serve.Config{Persons: 1})
	d := read(t, s)
	p := d.Phones[0]
	guest := d.otherDC(t, p.DC)
	c := newGotd(t, d, p.DC, nil)
	err := c.run(ctx, func(ctx context.Context, client *telegram.Client) error {
		if err := signInPerson(ctx, client, p); err != nil {
			return err
		}
		there, err := client.DC(ctx, guest, 1)
		if err != nil {
			return err
		}
		defer there.Close()
		api := tg.NewClient(there)
		return errors.Join(checkSelf(ctx, t, api, p.UserID, false), c.checkConfig(ctx, t, api, guest))
	})
	if err != nil {
		t.Fatal(err)
	}
	checkCounts(t, s, dctest.Counts{PermKeys: 2, Logins: 2}) // an import counts as a login
	keys := c.storeKeys(t)
	for _, a := range s.Ledger().Authorizations {
		if !a.Home && a.DC == guest {
			keys = append(keys, dctest.StoreKey{DC: a.DC, ID: a.Perm}) // gotd does not store keys of guest DCs
		}
	}
	if len(keys) != 2 {
		t.Errorf("the ledger knows %d guest authorizations on DC %d, want one", len(keys)-1, guest)
	}
	judge(t, s, keys)
}

// checkCounts compares the keys, binds and logins of the ledger; a bind that failed is always wrong.
func checkCounts(t *testing.T, s *serve.Cluster, want dctest.Counts) {
	t.Helper()
	n := s.Counts()
	got := dctest.Counts{PermKeys: n.PermKeys, TempKeys: n.TempKeys, Binds: n.Binds, BindErrors: n.BindErrors, Logins: n.Logins}
	if got != want {
		t.Errorf("the ledger counts %+v, want %+v", got, want)
	}
}
