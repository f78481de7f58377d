package serve_test

import (
	"context"
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/tl"
)

// A script is a person: it writes to a bot and reads what the bot, a client of
// the cluster's, answers. Here nobody is the bot.
func ExampleCluster_Say() {
	cluster, err := serve.Start(serve.Config{Persons: 1, Bots: 1, MemoryOnly: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cluster.Close()
	d := cluster.Descriptor()
	person, bot := d.Phones[0].UserID, d.Bots[0].UserID
	said, err := cluster.Say(person, bot, "/start", api.Delivery{Form: api.FormShort}) // pushed as updateShortMessage
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("the bot's message", said.ID, "its pts", said.Pts)

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	answers, err := cluster.Messages(ctx, person, said.FromID) // waits for the next
	fmt.Println(len(answers), "answers,", err)
	// Output:
	// the bot's message 1 its pts 2
	// 0 answers, <nil>
}

// A method that the test DC does not serve is added by its constructor id.
func ExampleCluster_API() {
	cluster, err := serve.Start(serve.Config{Bots: 1, MemoryOnly: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cluster.Close()
	var refused error
	err = cluster.API(func(b *api.Backend, _ time.Time) {
		refused = b.Register(api.Method{
			Name: "bots.setBotCommands", ID: 0x0517165a,
			Answer: func(c *api.MethodCall) ([]byte, *api.Error) {
				if c.UserID == 0 {
					return nil, &api.Error{Code: 400, Text: "BOT_INVALID"}
				}
				return tl.AppendBool(nil, true), nil
			},
		})
	})
	fmt.Println(refused, err)
	// Output:
	// <nil> <nil>
}
