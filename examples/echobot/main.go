// Command echobot is a bot that answers every text with the same text. Without
// flags it needs no account and no network: the server is a test DC in the same
// process, where somebody writes to the bot, reads its answer and goes away.
//
//	go run ./examples/echobot
//	go run ./examples/echobot -descriptor dc.json   # of manager testdc; until Ctrl-C
//
// Its test (bot_test.go) plays an hour's wait in milliseconds.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

func main() {
	descriptor := flag.String("descriptor", "", "a test DC's descriptor, to serve as its first bot until Ctrl-C")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if *descriptor != "" {
		err = serveAt(ctx, *descriptor)
	} else {
		err = show(ctx)
	}
	if err != nil {
		log.Fatalln("echobot:", err)
	}
}

// show runs the bot in front of a test DC of its own until it has answered once.
func show(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cluster, err := serve.Start(serve.Config{Persons: 1, Bots: 1})
	if err != nil {
		return err
	}
	defer cluster.Close()
	d := cluster.Descriptor()
	return withBot(ctx, d, func(ctx context.Context, a *actors.Account) error {
		ctx, end := context.WithCancel(ctx)
		served := make(chan error, 1)
		go func() { served <- serveBot(ctx, a) }()
		person, bot := d.Phones[0].UserID, d.Bots[0]
		fmt.Printf("somebody writes to @%s: hello\n", bot.Username)
		said, err := cluster.Say(person, bot.UserID, "hello", api.Delivery{})
		if err != nil {
			end()
			return errors.Join(err, <-served)
		}
		answers, err := cluster.Messages(ctx, person, said.FromID)
		for _, m := range answers {
			fmt.Printf("@%s answers: %s\n", bot.Username, m.Text)
		}
		end()
		return errors.Join(err, <-served)
	})
}

// serveAt serves as the first bot of a test DC that runs elsewhere.
func serveAt(ctx context.Context, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var d serve.Descriptor
	if err := json.Unmarshal(text, &d); err != nil {
		return err
	}
	if len(d.Bots) == 0 {
		return errors.New("the descriptor has no bot: manager testdc --bots 1")
	}
	return withBot(ctx, d, func(ctx context.Context, a *actors.Account) error {
		fmt.Printf("serving as @%s; stop with Ctrl-C\n", d.Bots[0].Username)
		return serveBot(ctx, a)
	})
}

// withBot signs the first bot in and runs f as it. The store is in memory: it is
// forgotten with the process. One on disk is in examples/embed.
func withBot(ctx context.Context, d serve.Descriptor, f func(context.Context, *actors.Account) error) (err error) {
	dcs, err := d.Table()
	if err != nil {
		return err
	}
	manager, err := actors.Open(actors.Options{Store: persistence.NewMemory(), DCs: dcs, App: app(d)})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := actors.CloseGrace()
		defer cancel()
		err = errors.Join(err, manager.Close(ctx))
	}()
	a, err := manager.Add(ctx, "echo", actors.AccountOptions{})
	if err != nil {
		return err
	}
	if step, err := a.SignIn(ctx, actors.BotToken(d.Bots[0].Token)); err != nil || step != nil {
		return fmt.Errorf("signing in: step %v, error %w", step, err)
	}
	return f(ctx, a)
}

// app is what the bot says about itself. For a real bot api_id and api_hash are
// yours: https://my.telegram.org.
func app(d serve.Descriptor) actors.App {
	return actors.App{
		APIID: d.Apps[0].ID, APIHash: d.Apps[0].Hash,
		DeviceModel: "mtfleet example", SystemVersion: "Go", AppVersion: "1.0",
	}
}
