package gotd_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gotd/td/bin"
	"github.com/gotd/td/telegram"
	"github.com/gotd/td/telegram/auth"
	"github.com/gotd/td/tg"
	gotderr "github.com/gotd/td/tgerr"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/actors/gotd"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
)

// update is an update in bytes.
func update(t *testing.T) tl.Raw {
	t.Helper()
	var b bin.Buffer
	if err := (&tg.UpdateDeleteMessages{Messages: []int{1}, Pts: 2, PtsCount: 1}).Encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Buf
}

// bare runs a test in virtual time with a manager that has no account.
func bare(t *testing.T, cfg serve.Config, f func(ctx context.Context, t *testing.T, s *serve.Cluster, m *actors.Manager)) {
	t.Helper()
	actorstest.Bubble(t, func(t *testing.T) {
		s := actorstest.Cluster(t, cfg)
		f(actorstest.Soon(t), t, s, actorstest.Open(t, actorstest.Options(s, persistence.NewMemory())))
	})
}

func TestAClientStandsInForTelegramClient(t *testing.T) {
	bare(t, actorstest.Small(), func(ctx context.Context, t *testing.T, s *serve.Cluster, m *actors.Manager) {
		bot := s.Descriptor().Bots[0]
		updates := make(chan tg.UpdatesClass, 10)
		handler := telegram.UpdateHandlerFunc(func(_ context.Context, u tg.UpdatesClass) error {
			updates <- u
			return nil
		})
		client, err := gotd.NewClient(ctx, m, "bot", handler)
		if err != nil {
			t.Fatal(err)
		}
		done := errors.New("done")
		for round := range 2 {
			err = client.Run(ctx, func(ctx context.Context) error {
				status, err := client.Auth().Status(ctx)
				if err != nil || status.Authorized != (round == 1) {
					t.Errorf("round %d: %+v, error %v", round, status, err)
				}
				if !status.Authorized {
					if a, err := client.Auth().Bot(ctx, bot.Token); err != nil || a.User.GetID() != bot.UserID {
						t.Errorf("the sign-in ends with %+v, error %v", a, err)
					}
				}
				if self, err := client.Self(ctx); err != nil || self.ID != bot.UserID || !self.Bot {
					t.Errorf("self: %+v, error %v", self, err)
				}
				pts, err := s.PushUpdate(bot.UserID)
				if err != nil {
					return err
				}
				u := (<-updates).(*tg.Updates) // a client hears an update once, whatever Run it comes in
				if got := u.Updates[0].(*tg.UpdateDeleteMessages); got.Pts != int(pts) {
					t.Errorf("round %d: pts %d, want %d", round, got.Pts, pts)
				}
				return done
			})
			if !errors.Is(err, done) {
				t.Errorf("Run ended with %v", err)
			}
		}
		if again, err := gotd.NewClient(ctx, m, "bot", nil); err != nil || again.Account() != client.Account() {
			t.Errorf("the account of that name is not found again: %v", err)
		}
	})
}

func TestAPumpThatIsOverEndsItsClientsRun(t *testing.T) {
	start(t, func(ctx context.Context, t *testing.T, w *world) {
		errBad := errors.New("bad")
		var heard []string
		client := gotd.ClientOf(w.bot, gotd.Pump{
			Handler: telegram.UpdateHandlerFunc(func(_ context.Context, u tg.UpdatesClass) error {
				heard = append(heard, u.(*tg.Updates).Updates[0].(*tg.UpdateNewMessage).Message.(*tg.Message).Message)
				if len(heard) == 1 {
					return errBad
				}
				return nil
			}),
			Failed: func(_ context.Context, _ actors.Event, err error) error { return err },
		})
		err := client.Run(ctx, func(ctx context.Context) error {
			w.say(t, 0, "hello")
			<-ctx.Done()
			return ctx.Err()
		})
		if !errors.Is(err, errBad) {
			t.Errorf("Run ended with %v", err)
		}
		ctx, cancel := context.WithCancel(ctx)
		err = client.Run(ctx, func(ctx context.Context) error {
			time.Sleep(time.Second)
			cancel()
			<-ctx.Done()
			return ctx.Err()
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled Run ended with %v", err)
		}
		if !slices.Equal(heard, []string{"hello", "hello"}) {
			t.Errorf("the handler heard %q: the next Run begins with what was not handled", heard)
		}
	})
}

// person is a gotd UserAuthenticator that counts what it is asked.
type person struct {
	auth.UserAuthenticator
	asked *[]string
}

func authenticator(p serve.Phone, code, password string, asked *[]string) auth.UserAuthenticator {
	ask := auth.CodeAuthenticatorFunc(func(_ context.Context, sent *tg.AuthSentCode) (string, error) {
		*asked = append(*asked, strings.TrimPrefix(sent.Type.TypeName(), "auth.sentCodeType"))
		return code, nil
	})
	return person{auth.Constant("+"+p.Number, password, ask), asked}
}

func (p person) Password(ctx context.Context) (string, error) {
	*p.asked = append(*p.asked, "password")
	return p.UserAuthenticator.Password(ctx)
}

func TestGotdsFlowSignsPeopleIn(t *testing.T) {
	cfg := actorstest.Small()
	const secret = "correct horse"
	for _, c := range []struct {
		name     string
		password bool
		wrong    string // "code" or "password"
		asked    []string
	}{
		{"by code", false, "", []string{"Sms"}},
		{"by code and password", true, "", []string{"Sms", "password"}},
		{"with a wrong code", false, "code", []string{"Sms"}},
		{"with a wrong password", true, "password", []string{"Sms", "password"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bare(t, cfg, func(ctx context.Context, t *testing.T, s *serve.Cluster, m *actors.Manager) {
				p := s.Descriptor().Phones[0]
				if c.password {
					err := s.API(func(b *api.Backend, _ time.Time) { _ = b.SetPassword(p.UserID, secret) })
					if err != nil {
						t.Fatal(err)
					}
				}
				client, err := gotd.NewClient(ctx, m, "alice", nil)
				if err != nil {
					t.Fatal(err)
				}
				code, password := p.Code, secret
				switch c.wrong {
				case "code":
					code = strings.Repeat("9", len(code))
				case "password":
					password = "wrong"
				}
				var asked []string
				err = client.Auth().IfNecessary(ctx, auth.NewFlow(authenticator(p, code, password, &asked), auth.SendCodeOptions{}))
				if !slices.Equal(asked, c.asked) {
					t.Errorf("it was asked for %q, want %q", asked, c.asked)
				}
				switch c.wrong {
				case "":
					if st := client.Account().Status(); err != nil || st.UserID != p.UserID {
						t.Errorf("it ended with %v, the account is %+v", err, st)
					}
				case "code":
					if !gotderr.Is(err, "PHONE_CODE_INVALID") {
						t.Errorf("it ended with %v", err)
					}
				case "password":
					if !errors.Is(err, auth.ErrPasswordInvalid) {
						t.Errorf("it ended with %v", err)
					}
				}
			})
		})
	}
}

func TestASignInGoesOnWithTheCodeThatWasSent(t *testing.T) {
	bare(t, actorstest.Small(), func(ctx context.Context, t *testing.T, s *serve.Cluster, m *actors.Manager) {
		p := s.Descriptor().Phones[0]
		client, err := gotd.NewClient(ctx, m, "alice", nil)
		if err != nil {
			t.Fatal(err)
		}
		first, err := client.Auth().SendCode(ctx, "+"+p.Number, auth.SendCodeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // the program is started again
		var asked []string
		if err := client.Auth().IfNecessary(ctx, auth.NewFlow(authenticator(p, p.Code, "", &asked), auth.SendCodeOptions{})); err != nil {
			t.Errorf("the second flow ended with %v", err)
		}
		if codes := s.Codes(); len(codes) != 1 {
			t.Errorf("%d codes were sent, the first as %+v", len(codes), first)
		}
	})
}
