// Command after is the bot of ../before as an account that mtfleet keeps: the
// lines that differ are the switch.
package main

import (
	"context"
	"log"
	"os"
	"os/signal"

	"github.com/gotd/td/telegram/message"
	"github.com/gotd/td/tg"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/gotd"
	"github.com/mtfleet/mtfleet/actors/gotd/example/settings"
	"github.com/mtfleet/mtfleet/actors/gotd/ondisk"
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
	app := actors.App{APIID: s.APIID, APIHash: s.APIHash, DeviceModel: "echo bot", SystemVersion: "Go", AppVersion: "1.0"}
	manager, err := ondisk.Open(s.Dir, actors.Options{App: app, DCs: s.DCs()})
	if err != nil {
		return err
	}
	defer manager.Close()
	client, err := gotd.NewClient(ctx, manager.Manager, "echo", dispatcher)
	if err != nil {
		return err
	}
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
