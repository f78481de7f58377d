package peers

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gotd/td/telegram"
	"github.com/gotd/td/telegram/auth"
	"github.com/gotd/td/telegram/auth/qrlogin"
	"github.com/gotd/td/tg"
	"github.com/gotd/td/tgerr"

	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
)

// signInWithPassword makes gotd's own sign-in flow give a two-step password after the code.
func signInWithPassword(ctx context.Context, client *telegram.Client, p person, password string) error {
	answers := auth.Constant(p.Number, password, auth.CodeAuthenticatorFunc(
		func(context.Context, *tg.AuthSentCode) (string, error) { return p.Code, nil }))
	return auth.NewFlow(answers, auth.SendCodeOptions{}).Run(ctx, client.Auth())
}

// A password set by gotd's arithmetic is taken by our DCs, and one set by ours is proved by gotd's, after PHONE_MIGRATE.
func TestGotdSignsInWithAPassword(t *testing.T) {
	for name, pfs := range map[string]bool{"perm key": false, "pfs": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := within(t, limit)
			s := actorstest.Start(t, serve.Config{Persons: 3})
			d := read(t, s)
			first := d.DCs[0].ID
			p := d.personAwayFrom(t, first)
			var failed error
			if err := s.API(func(b *api.Backend, _ time.Time) { failed = b.SetPassword(p.UserID, "correct horse") }); err != nil || failed != nil {
				t.Fatal(err, failed)
			}
			c := newGotd(t, d, first, nil).pfs(pfs, 0)
			err := c.run(ctx, func(ctx context.Context, client *telegram.Client) error {
				if err := signInWithPassword(ctx, client, p, "wrong horse"); !errors.Is(err, auth.ErrPasswordInvalid) {
					t.Errorf("a wrong password: %v", err)
				}
				if _, err := client.Auth().Password(ctx, "correct horse"); err != nil {
					return err
				}
				if err := checkSelf(ctx, t, client.API(), p.UserID, false); err != nil {
					return err
				}
				return client.Auth().UpdatePassword(ctx, "battery staple", auth.UpdatePasswordOptions{
					Hint: "a hint", Password: func(context.Context) (string, error) { return "correct horse", nil },
				})
			})
			if err != nil {
				t.Fatal(err)
			}
			again := newGotd(t, d, p.DC, nil).pfs(pfs, 0)
			if err := again.run(ctx, func(ctx context.Context, client *telegram.Client) error {
				return errors.Join(signInWithPassword(ctx, client, p, "battery staple"), checkSelf(ctx, t, client.API(), p.UserID, false))
			}); err != nil {
				t.Fatal(err)
			}
			judge(t, s, append(c.storeKeys(t), again.storeKeys(t)...))
		})
	}
}

// One gotd client shows a QR code, another that is signed in accepts it: at the same DC, at another, with a password.
func TestGotdSignsInByQR(t *testing.T) {
	for name, c := range map[string]struct{ away, password bool }{
		"at home": {false, false}, "from another DC": {true, false}, "with a password": {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := within(t, limit)
			s := actorstest.Start(t, serve.Config{Persons: 3})
			d := read(t, s)
			p := d.Phones[0]
			from := p.DC
			if c.away {
				from = d.otherDC(t, p.DC)
			}
			holder := newGotd(t, d, p.DC, nil).pfs(true, 0)
			dispatcher := tg.NewUpdateDispatcher()
			loggedIn := qrlogin.OnLoginToken(dispatcher)
			waiting := newGotd(t, d, from, nil).pfs(true, 0)
			waiting.options.UpdateHandler = dispatcher
			err := holder.run(ctx, func(ctx context.Context, phone *telegram.Client) error {
				if err := signInPerson(ctx, phone, p); err != nil {
					return err
				}
				if c.password {
					if err := phone.Auth().UpdatePassword(ctx, "correct horse", auth.UpdatePasswordOptions{}); err != nil {
						return err
					}
				}
				return waiting.run(ctx, func(ctx context.Context, client *telegram.Client) error {
					accepted := make(chan error, 1)
					_, err := client.QR().Auth(ctx, loggedIn, func(ctx context.Context, token qrlogin.Token) error {
						// gotd hears of the scan only once this has returned.
						go func() {
							_, err := phone.QR().Accept(ctx, token)
							accepted <- err
						}()
						return nil
					})
					if failed := <-accepted; failed != nil {
						return failed
					}
					if c.password {
						if !tgerr.Is(err, "SESSION_PASSWORD_NEEDED") {
							t.Errorf("with a password: %v", err)
						}
						_, err = client.Auth().Password(ctx, "correct horse")
					}
					return errors.Join(err, checkSelf(ctx, t, client.API(), p.UserID, false))
				})
			})
			if err != nil {
				t.Fatal(err)
			}
			judge(t, s, append(holder.storeKeys(t), waiting.storeKeys(t)...))
		})
	}
}
