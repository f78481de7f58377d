package gotd_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/gotd/td/session"
	"github.com/gotd/td/telegram/auth"
	"github.com/gotd/td/telegram/message"
	"github.com/gotd/td/tg"
	"github.com/gotd/td/tgerr"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/actors/gotd"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

// stage is a test DC and a manager for one example.
func stage() (*serve.Cluster, *actors.Manager, func()) {
	cfg := actorstest.Small()
	cfg.MemoryOnly, cfg.RSAKey = true, actorstest.RSAKey()
	dcs, err := serve.Start(cfg)
	if err != nil {
		panic(err)
	}
	manager, err := actors.Open(actorstest.Options(dcs, persistence.NewMemory()))
	if err != nil {
		panic(err)
	}
	return dcs, manager, func() {
		ctx, cancel := actors.CloseGrace()
		defer cancel()
		_ = manager.Close(ctx)
		_ = dcs.Close()
	}
}

// gotd's typed API, its errors and its helpers, on an account.
func ExampleInvoker() {
	dcs, manager, end := stage()
	defer end()
	ctx, bot := context.Background(), dcs.Descriptor().Bots[0]
	account, err := manager.Add(ctx, "robot", actors.AccountOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := account.SignIn(ctx, actors.BotToken(bot.Token)); err != nil {
		fmt.Println(err)
		return
	}

	client := tg.NewClient(gotd.Invoker(account))
	users, err := client.UsersGetUsers(ctx, []tg.InputUserClass{&tg.InputUserSelf{}})
	fmt.Println(len(users), err)

	_, err = client.MessagesSendMessage(ctx, &tg.MessagesSendMessageRequest{Peer: &tg.InputPeerSelf{}, Message: "hi", RandomID: 1})
	fmt.Println(tgerr.Is(err, "USER_IS_BOT"))

	config, err := client.HelpGetConfig(gotd.With(ctx, actors.OnDC(1)))
	fmt.Println(config.ThisDC, err)
	// Output:
	// 1 <nil>
	// true
	// 1 <nil>
}

// An echo bot: a dispatcher gets the account's updates, and gotd's sender
// answers.
func ExampleHandle() {
	dcs, manager, end := stage()
	defer end()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	bot, person := dcs.Descriptor().Bots[0], dcs.Descriptor().Phones[0]
	account, err := manager.Add(ctx, "echo", actors.AccountOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := account.SignIn(ctx, actors.BotToken(bot.Token)); err != nil {
		fmt.Println(err)
		return
	}

	sender := message.NewSender(tg.NewClient(gotd.Invoker(account)))
	dispatcher := tg.NewUpdateDispatcher()
	dispatcher.OnNewMessage(func(ctx context.Context, e tg.Entities, u *tg.UpdateNewMessage) error {
		m, ok := u.Message.(*tg.Message)
		if !ok || m.Out {
			return nil
		}
		_, err := sender.Answer(e, u).Text(ctx, m.Message)
		return err
	})
	go gotd.Handle(ctx, account, dispatcher, actors.Replay)

	said, err := dcs.Say(person.UserID, bot.UserID, "hello", api.Delivery{})
	if err != nil {
		fmt.Println(err)
		return
	}
	box, err := dcs.Messages(ctx, person.UserID, said.FromID)
	fmt.Println(box[0].Text, err)
	// Output: hello <nil>
}

// A person signs in by gotd's own flow: the authenticator that asked before asks
// now.
func ExampleAuth() {
	dcs, manager, end := stage()
	defer end()
	ctx, person := context.Background(), dcs.Descriptor().Phones[0]
	terminal := auth.CodeOnly("+"+person.Number, auth.CodeAuthenticatorFunc(
		func(context.Context, *tg.AuthSentCode) (string, error) { return person.Code, nil }))

	client, err := gotd.NewClient(ctx, manager, "alice", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	err = client.Auth().IfNecessary(ctx, auth.NewFlow(terminal, auth.SendCodeOptions{}))
	fmt.Println(client.Account().Status().SignedIn, err)
	// Output: true <nil>
}

// The session of a gotd client becomes an account. The client must never run
// with it again.
func ExampleImport() {
	_, manager, end := stage()
	defer end()
	ctx := context.Background()
	account, err := gotd.Import(ctx, manager, "echo", &session.FileStorage{Path: "no/session.json"}, actors.AccountOptions{})
	fmt.Println(account, err)
	// Output: <nil> session storage: not found
}

// A durable consumer: what the handler had not finished when the process died
// comes again.
func ExamplePump() {
	dcs, manager, end := stage()
	defer end()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	client, err := gotd.NewClient(ctx, manager, "robot", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := client.Auth().Bot(ctx, dcs.Descriptor().Bots[0].Token); err != nil {
		fmt.Println(err)
		return
	}

	dispatcher := tg.NewUpdateDispatcher()
	dispatcher.OnDeleteMessages(func(ctx context.Context, _ tg.Entities, u *tg.UpdateDeleteMessages) error {
		ev, _ := gotd.EventOf(ctx)
		fmt.Println(ev.Account, ev.Box, len(u.Messages))
		cancel()
		return nil
	})
	consumer, err := manager.Consumer(ctx, actors.ConsumerOptions{Name: "deletions", Filter: &actors.Filter{Accounts: []string{"robot"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	pump := gotd.Pump{
		Handler: dispatcher, Consumer: consumer, Log: slog.Default(),
		Event: func(ctx context.Context, ev actors.Event) error {
			if ev.Kind == actors.EventHole || ev.Kind == actors.EventMissed {
				// read anew what you keep of it
			}
			return nil
		},
	}
	if _, err := dcs.PushUpdate(dcs.Descriptor().Bots[0].UserID); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(pump.Run(ctx, client.Account()))
	// Output:
	// robot common 1
	// context canceled
}
