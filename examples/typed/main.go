// Command typed calls methods of the API that mtfleet itself has no use for, with Go types of its own making: package
// api beside it is what tlgen wrote for the few names in api/tlgen.txt. It is a module of its own, as yours is. The
// server is a test DC cluster in the same process, on loopback.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math/rand/v2"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/examples/typed/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx); err != nil {
		log.Fatalln("typed:", err)
	}
}

func run(ctx context.Context) (err error) {
	cluster, err := serve.Start(serve.Config{Persons: 1})
	if err != nil {
		return err
	}
	defer cluster.Close()
	d := cluster.Descriptor()
	dcs, err := d.Table()
	if err != nil {
		return err
	}
	manager, err := actors.Open(actors.Options{
		Store: persistence.NewMemory(), DCs: dcs,
		App: actors.App{APIID: d.Apps[0].ID, APIHash: d.Apps[0].Hash, DeviceModel: "mtfleet example", SystemVersion: "Go", AppVersion: "1.0"},
	})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := actors.CloseGrace()
		defer cancel()
		err = errors.Join(err, manager.Close(ctx))
	}()
	ada, err := manager.Add(ctx, "ada", actors.AccountOptions{})
	if err != nil {
		return err
	}
	if _, err = ada.SignIn(ctx, actors.Phone(d.Phones[0].Number)); err != nil {
		return err
	}
	code := actors.Answer{Kind: actors.AnswerCode, Code: d.Phones[0].Code}
	if step, err := ada.Answer(ctx, code); err != nil || step != nil {
		return fmt.Errorf("signing in: step %v, error %w", step, err)
	}
	return notes(ctx, ada)
}

// notes writes to oneself and reads it back.
func notes(ctx context.Context, a *actors.Account) error {
	// The query is api's, the peer is tl/tg's: a type that is there is used from there.
	sent, err := actors.Invoke(ctx, a, &api.MessagesSendMessageRequest{
		Peer: &tg.InputPeerSelf{}, Message: "buy milk", RandomID: rand.Int64(),
	})
	if err != nil {
		return err
	}
	switch sent := sent.(type) {
	case *tg.UpdateShortSentMessage:
		fmt.Println("sent as message", sent.ID)
	case *tg.Updates: // whose updates stay raw in tl/tg: they are read with types of one's own
		for _, raw := range sent.Updates {
			var news api.UpdateNewMessage
			if raw.ID() == news.TypeID() && tl.Unmarshal(raw, &news) == nil {
				fmt.Println("sent as message", news.Message.(*api.Message).ID)
			}
		}
	}
	// It only reads, and tg.Repeatable knows that of every method by its name: it is sent again when an answer is lost.
	history, err := actors.Invoke(ctx, a, &api.MessagesGetHistoryRequest{Peer: &tg.InputPeerSelf{}, Limit: 10})
	if err != nil {
		return err
	}
	list, ok := history.(*api.MessagesMessages)
	if !ok || len(list.Messages) != 1 {
		return fmt.Errorf("wanted one message, got %v", history)
	}
	for _, m := range list.Messages {
		if m, ok := m.(*api.Message); ok {
			fmt.Printf("message %d says %q\n", m.ID, m.Message)
		}
	}
	return nil
}
