// Command embed is a small service with mtfleet inside it: it signs a bot in,
// calls the API as the bot, listens to what happens to it, and ends cleanly. It
// needs no account and no network: the server is a test DC cluster in the same
// process, on loopback TCP. For a real account exchange what is marked.
package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/persistence/badgerstore"
	"github.com/mtfleet/mtfleet/persistence/seal"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx); err != nil {
		log.Fatalln("embed:", err)
	}
}

func run(ctx context.Context) (err error) {
	cluster, err := serve.Start(serve.Config{Bots: 1})
	if err != nil {
		return err
	}
	defer cluster.Close()
	d := cluster.Descriptor()
	dcs, err := d.Table() // for a real account: dc.Production()
	if err != nil {
		return err
	}
	// The store is a directory. The key that seals its records lives elsewhere,
	// so that a copy of the one is worth nothing without the other.
	dir, err := os.MkdirTemp("", "mtfleet-embed-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	data, keyFile := filepath.Join(dir, "data"), filepath.Join(dir, "store.key")
	key, source, err := badgerstore.LoadMasterKey(seal.KeyOptions{File: keyFile, StoreDir: data})
	if err != nil {
		return err
	}
	store, err := badgerstore.Open(badgerstore.Options{Dir: data, Key: key, KeySource: source})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	manager, err := actors.Open(actors.Options{
		Store: store, DCs: dcs,
		App: actors.App{
			APIID: d.Apps[0].ID, APIHash: d.Apps[0].Hash, // for a real account: yours, see https://my.telegram.org
			DeviceModel: "mtfleet example", SystemVersion: "Go", AppVersion: "1.0", // say what you are
		},
	})
	if err != nil {
		return err
	}
	// Deferred calls run backwards: the manager ends first, then its store.
	defer func() {
		ctx, cancel := actors.CloseGrace()
		defer cancel()
		err = errors.Join(err, manager.Close(ctx))
	}()
	return keep(ctx, manager, cluster, d.Bots[0])
}

// keep is where your service would be.
func keep(ctx context.Context, manager *actors.Manager, cluster *serve.Cluster, bot serve.Bot) error {
	robot, err := manager.Add(ctx, "robot", actors.AccountOptions{})
	if err != nil {
		return err
	}
	events := robot.Events(ctx, actors.Replay) // Replay: with what came before we listened
	if step, err := robot.SignIn(ctx, actors.BotToken(bot.Token)); err != nil || step != nil {
		return fmt.Errorf("signing in: step %v, error %w", step, err)
	}
	// From here on Open alone brings the account back. Calls and results have the
	// types of the API's schema; a call made before the account is online waits.
	self := &tg.UsersGetUsersRequest{ID: []tg.AnyInputUser{&tg.InputUserSelf{}}}
	config, err := actors.Invoke(ctx, robot, &tg.HelpGetConfigRequest{})
	if err != nil {
		return err
	}
	users, err := actors.Invoke(ctx, robot, self)
	if err != nil {
		return err
	}
	if me, ok := users[0].(*tg.User); ok { // a type with several constructors is an interface
		fmt.Printf("signed in as @%s at DC %d of %d\n", me.Username.Or("?"), config.ThisDC, len(config.DCOptions))
	}
	failing := func(f dctest.Fault) error { // the same call, while the server is told to misbehave
		f.Kind, f.Method = dctest.FaultRPC, self.TypeName()
		if _, err := cluster.Fault(f); err != nil {
			return err
		}
		_, err := actors.Invoke(ctx, robot, self)
		return err
	}
	// The server's refusals come in its own words.
	if err = failing(dctest.Fault{Code: 400, Text: "USER_ID_INVALID"}); !tgerr.Is(err, "USER_ID_INVALID") {
		return fmt.Errorf("wanted USER_ID_INVALID, got %w", err)
	}
	fmt.Println("refused:", err)
	// A wait that the server ordered is kept in the store. Until it is over, calls
	// of that method end at once: sending them would only make it longer. Every
	// local error says whether the server may have done it; here it did not.
	var wait *actors.WaitError
	err = failing(dctest.Fault{Wait: dctest.Duration(30 * time.Second)})
	if !errors.As(err, &wait) || !errors.Is(err, actors.ErrNotSent) {
		return fmt.Errorf("wanted a wait, got %w", err)
	}
	fmt.Printf("told to wait: no %s for the next %v\n", wait.Method, time.Until(wait.Until).Round(time.Second))
	if _, err := cluster.PushUpdate(bot.UserID); err != nil {
		return err
	}
	return listen(events)
}

// listen reads events up to the first update. A slow reader delays nobody: it
// is told how many events it missed.
func listen(events iter.Seq[actors.Event]) error {
	var state actors.State
	for ev := range events {
		switch {
		case ev.Kind == actors.EventUpdate:
			var gone tg.UpdateDeleteMessages
			err := tl.Unmarshal(ev.Update, &gone) // a service would skip updates that it does not know
			fmt.Printf("event %d: messages %v were deleted; pts %d\n", ev.Seq, gone.Messages, ev.Pts)
			return err
		case ev.Kind == actors.EventState && ev.Status.State != state:
			state = ev.Status.State
			fmt.Printf("event %d: %v, home DC %d, temp key bound: %v\n", ev.Seq, state, ev.Status.HomeDC, ev.Status.Bound)
		}
	}
	return errors.New("the stream of events ended before the update came")
}
