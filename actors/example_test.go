package actors_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// A stage is what the examples play on: a test DC in memory, and a manager with a
// bot that is signed in.
type stage struct {
	dcs     *serve.Cluster
	manager *actors.Manager
	robot   *actors.Account
}

func newStage(ctx context.Context) (*stage, error) {
	cfg := actorstest.Small()
	cfg.MemoryOnly, cfg.RSAKey = true, actorstest.RSAKey()
	dcs, err := serve.Start(cfg)
	if err != nil {
		return nil, err
	}
	s := &stage{dcs: dcs}
	if s.manager, err = actors.Open(actorstest.Options(dcs, persistence.NewMemory())); err != nil {
		return nil, err
	}
	if s.robot, err = s.manager.Add(ctx, "robot", actors.AccountOptions{}); err != nil {
		return nil, err
	}
	_, err = s.robot.SignIn(ctx, actors.BotToken(dcs.Descriptor().Bots[0].Token))
	return s, err
}

// say writes to the bot, as somebody would.
func (s *stage) say(text string) {
	d := s.dcs.Descriptor()
	if _, err := s.dcs.Say(d.Phones[0].UserID, d.Bots[0].UserID, text, api.Delivery{}); err != nil {
		fmt.Println(err)
	}
}

// refuse has the server answer the next call of a method with an error.
func (s *stage) refuse(method, text string) {
	if _, err := s.dcs.Fault(dctest.Fault{Kind: dctest.FaultRPC, Method: method, Code: 400, Text: text}); err != nil {
		fmt.Println(err)
	}
}

func (s *stage) close() {
	_ = s.manager.Close(context.Background())
	_ = s.dcs.Close()
}

// textOf is the text of a message that an event brings.
func textOf(ev actors.Event) string {
	var update struct{ Message struct{ Message string } }
	_ = json.Unmarshal(actors.NewEventJSON(ev, false).Update, &update)
	return update.Message.Message
}

// Open brings every account of the store to where it was: a sign-in is done once.
func ExampleOpen() {
	cfg := actorstest.Small() // a test DC in memory, with a person and a bot
	cfg.MemoryOnly, cfg.RSAKey = true, actorstest.RSAKey()
	dcs, err := serve.Start(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer dcs.Close()
	ctx, d := context.Background(), dcs.Descriptor()
	table, err := d.Table() // dc.Production() are Telegram's
	if err != nil {
		fmt.Println(err)
		return
	}
	options := actors.Options{
		Store: persistence.NewMemory(), // badgerstore.Open for one on disk
		DCs:   table,
		App: actors.App{
			APIID: d.Apps[0].ID, APIHash: d.Apps[0].Hash, // yours, see https://my.telegram.org
			DeviceModel: "example", SystemVersion: "Go", AppVersion: "1.0",
		},
	}
	options.Wire.Dialer = dcs.Dialer() // left out, it is TCP

	for range 2 {
		m, err := actors.Open(options)
		if err != nil {
			fmt.Println(err)
			return
		}
		robot, err := m.Account("robot")
		if err != nil {
			fmt.Println(err)
			if robot, err = m.Add(ctx, "robot", actors.AccountOptions{}); err == nil {
				_, err = robot.SignIn(ctx, actors.BotToken(d.Bots[0].Token))
			}
		}
		fmt.Println("signed in:", robot.Status().SignedIn, err)
		if err := m.Close(ctx); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// there is no account "robot": add it first
	// signed in: true <nil>
	// signed in: true <nil>
}

// A call has the types of the schema. It waits until its account is online, and
// ends once: with its result, or with an error that says whose it is.
func ExampleInvoke() {
	ctx := context.Background()
	s, err := newStage(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.close()

	self := []tg.AnyInputUser{&tg.InputUserSelf{}}
	users, err := actors.Invoke(ctx, s.robot, &tg.UsersGetUsersRequest{ID: self})
	fmt.Println(len(users), "user", err)

	nearest, err := actors.Invoke(ctx, s.robot, &tg.HelpGetNearestDCRequest{}, actors.OnDC(2)) // the login is carried there
	fmt.Println("answered by DC", nearest.ThisDC, err)

	s.refuse("users.getUsers", "USER_ID_INVALID")
	_, err = actors.Invoke(ctx, s.robot, &tg.UsersGetUsersRequest{ID: self})
	fmt.Println("refused by the server:", tgerr.Is(err, "USER_ID_INVALID"))
	// Output:
	// 1 user <nil>
	// answered by DC 2 <nil>
	// refused by the server: true
}

// A stream tells what happens to an account, from the beginning of what is kept
// on, or from now. What nobody reads while the process lives is lost to it.
func ExampleAccount_Events() {
	ctx := context.Background()
	s, err := newStage(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.close()

	s.say("hello, robot")
	updates := actors.Matching(actors.Filter{Kinds: []actors.EventKind{actors.EventUpdate}})
	for ev := range s.robot.Events(ctx, actors.Replay, updates) {
		fmt.Println(ev.Account, "heard", textOf(ev), "in box", ev.Box)
		break
	}
	// Output:
	// robot heard hello, robot in box common
}

// A durable consumer is told an update until it acknowledges it. Here it
// acknowledges the first of two, and whoever reads after it is told the second.
func ExampleManager_Consumer() {
	ctx := context.Background()
	s, err := newStage(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.close()

	app, err := s.manager.Consumer(ctx, actors.ConsumerOptions{
		Name: "app", Filter: &actors.Filter{Kinds: []actors.EventKind{actors.EventUpdate}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	s.say("first")
	s.say("second")
	for ev, err := range app.Events(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("handled", textOf(ev))
		fmt.Println("acknowledged:", app.Ack(ev.Cursor))
		break // as if the program had died here
	}
	for ev, err := range app.Events(ctx) {
		fmt.Println("still to do:", textOf(ev), err)
		break
	}
	// Output:
	// handled first
	// acknowledged: <nil>
	// still to do: second <nil>
}
