// Command before is a bot on gotd alone: it answers what is written to it with
// the same words.
package main

import (
	"context"
	"log"
	"os"
	"os/signal"

	"github.com/gotd/td/session"
	"github.com/gotd/td/telegram"
	"github.com/gotd/td/telegram/message"
	"github.com/gotd/td/tg"

	"github.com/mtfleet/mtfleet/actors/gotd/example/settings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil && ctx.Err() == nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	s, err := settings.Read()
	if err != nil {
		return err
	}
	dispatcher := tg.NewUpdateDispatcher()
	client := telegram.NewClient(s.APIID, s.APIHash, telegram.Options{
		DCList: s.List(), PublicKeys: s.Keys(),
		SessionStorage: &session.FileStorage{Path: s.File("session.json")},
		UpdateHandler:  dispatcher,
	})
	echo(dispatcher, client.API())
	return client.Run(ctx, func(ctx context.Context) error {
		status, err := client.Auth().Status(ctx)
		if err != nil {
			return err
		}
		if !status.Authorized {
			if _, err := client.Auth().Bot(ctx, s.Token); err != nil {
				return err
			}
		}
		self, err := client.Self(ctx)
		if err != nil {
			return err
		}
		log.Printf("@%s answers", self.Username)
		<-ctx.Done()
		return ctx.Err()
	})
}

// echo answers every message with its text.
func echo(dispatcher tg.UpdateDispatcher, api *tg.Client) {
	sender := message.NewSender(api)
	dispatcher.OnNewMessage(func(ctx context.Context, e tg.Entities, u *tg.UpdateNewMessage) error {
		m, ok := u.Message.(*tg.Message)
		if !ok || m.Out {
			return nil
		}
		_, err := sender.Answer(e, u).Text(ctx, m.Message)
		return err
	})
}
