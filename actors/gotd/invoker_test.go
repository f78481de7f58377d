package gotd_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotd/td/bin"
	"github.com/gotd/td/telegram"
	"github.com/gotd/td/telegram/auth"
	"github.com/gotd/td/telegram/message"
	"github.com/gotd/td/tg"
	gotderr "github.com/gotd/td/tgerr"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/actors/gotd"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	mttg "github.com/mtfleet/mtfleet/tl/tg"
)

// What gotd's own packages ask of a handler is what a Handler is.
var _ gotd.Handler = telegram.UpdateHandler(nil)

func TestBothSpeakTheSameLayer(t *testing.T) {
	if tg.Layer != mttg.Layer {
		t.Fatalf("gotd speaks layer %d, accounts speak %d: the server answers in a layer that gotd cannot read", tg.Layer, mttg.Layer)
	}
}

func TestGotdsTypedAPICallsAnAccount(t *testing.T) {
	start(t, func(ctx context.Context, t *testing.T, w *world) {
		config, err := w.api.HelpGetConfig(ctx)
		if err != nil || config.ThisDC != w.bot.Status().HomeDC || len(config.DCOptions) != 2 {
			t.Errorf("help.getConfig: %+v, error %v", config, err)
		}
		users, err := w.api.UsersGetUsers(ctx, []tg.InputUserClass{&tg.InputUserSelf{}}) // a vector
		if err != nil || len(users) != 1 || users[0].GetID() != w.botID {
			t.Errorf("users.getUsers: %v, error %v", users, err)
		}
		state, err := w.api.UpdatesGetState(ctx)
		if err != nil || state.Date == 0 {
			t.Errorf("updates.getState: %+v, error %v", state, err)
		}
		done, err := w.api.MessagesSetTyping(ctx, &tg.MessagesSetTypingRequest{Peer: w.peer(ctx, t), Action: &tg.SendMessageTypingAction{}})
		if err != nil || !done { // a Bool
			t.Errorf("messages.setTyping: %v, error %v", done, err)
		}
		sent, err := message.NewSender(w.api).To(w.peer(ctx, t)).Text(ctx, "hello") // gotd's helpers, and a result that is Updates
		if err != nil {
			t.Errorf("messages.sendMessage: %v, error %v", sent, err)
		}
		box, err := w.dcs.Messages(ctx, w.people[0].UserID, 0)
		if err != nil || len(box) == 0 || box[len(box)-1].Text != "hello" {
			t.Errorf("the person has %+v, error %v", box, err)
		}
		if err := gotd.Invoker(w.bot).Invoke(ctx, &tg.HelpGetConfigRequest{}, nil); err != nil {
			t.Errorf("a call whose result nobody wants: %v", err)
		}
	})
}

// peer is the first person, who writes to the bot first: a bot may not begin.
func (w *world) peer(ctx context.Context, t *testing.T) tg.InputPeerClass {
	t.Helper()
	w.say(t, 0, "/start")
	return &tg.InputPeerUser{UserID: w.people[0].UserID}
}

func TestACallRunsOnTheDCThatItNames(t *testing.T) {
	start(t, func(ctx context.Context, t *testing.T, w *world) {
		home := w.bot.Status().HomeDC
		other := dc.ID(3 - home)
		config, err := w.api.HelpGetConfig(gotd.With(ctx, actors.OnDC(other)))
		if err != nil || config.ThisDC != int(other) {
			t.Errorf("by its context: %+v, error %v", config, err)
		}
		there := tg.NewClient(gotd.Invoker(w.bot, actors.OnDC(other)))
		if config, err = there.HelpGetConfig(ctx); err != nil || config.ThisDC != int(other) {
			t.Errorf("by its invoker: %+v, error %v", config, err)
		}
		if config, err = there.HelpGetConfig(gotd.With(ctx, actors.OnDC(dc.ID(home)))); err != nil || config.ThisDC != home {
			t.Errorf("its context comes after its invoker: %+v, error %v", config, err)
		}
	})
}

func TestAMethodDecidesWhetherItsCallMayRunTwice(t *testing.T) {
	start(t, func(ctx context.Context, t *testing.T, w *world) {
		peer := w.peer(ctx, t)
		typing := &tg.MessagesSetTypingRequest{Peer: peer, Action: &tg.SendMessageTypingAction{}}
		for _, c := range []struct {
			name   string
			method string
			call   func(ctx context.Context) error
			ends   bool // with the server's own trouble, because it may not run twice
		}{
			{"one that reads", "users.getUsers", func(ctx context.Context) error {
				_, err := w.api.UsersGetUsers(ctx, []tg.InputUserClass{&tg.InputUserSelf{}})
				return err
			}, false},
			{"one that writes", "messages.setTyping", func(ctx context.Context) error {
				_, err := w.api.MessagesSetTyping(ctx, typing)
				return err
			}, true},
			{"one that writes, and may", "messages.setTyping", func(ctx context.Context) error {
				_, err := w.api.MessagesSetTyping(gotd.With(ctx, actors.WithPolicy(actors.Repeatable)), typing)
				return err
			}, false},
		} {
			actorstest.Inject(t, w.dcs, dctest.Fault{Kind: dctest.FaultRPC, Method: c.method, Code: 500, Text: "INTERDC_CALL_ERROR"})
			if err := c.call(ctx); gotderr.Is(err, "INTERDC_CALL_ERROR") != c.ends || !c.ends && err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	})
}

func TestARefusalOfTheServerIsGotdsErrorAndOurs(t *testing.T) {
	start(t, func(ctx context.Context, t *testing.T, w *world) {
		_, err := w.api.MessagesSendMessage(ctx, &tg.MessagesSendMessageRequest{Peer: w.peer(ctx, t), RandomID: 1})
		if !gotderr.Is(err, "MESSAGE_EMPTY") || !gotderr.IsCode(err, 400) || !tg.IsMessageEmpty(err) {
			t.Errorf("gotd does not know it: %v", err)
		}
		if !tgerr.Is(err, "MESSAGE_EMPTY") || strings.Contains(err.Error(), "\n") {
			t.Errorf("we do not know it: %v", err)
		}
	})
}

func TestAFloodWaitIsHeldByTheAccountAndReadByGotd(t *testing.T) {
	start(t, func(_ context.Context, t *testing.T, w *world) {
		ctx, self := t.Context(), []tg.InputUserClass{&tg.InputUserSelf{}}
		actorstest.Inject(t, w.dcs, dctest.Fault{Kind: dctest.FaultRPC, Method: "users.getUsers", Wait: dctest.Duration(time.Hour)})
		begun := time.Now()
		_, err := w.api.UsersGetUsers(ctx, self)
		if wait, ok := gotderr.AsFloodWait(err); !ok || wait != time.Hour || !errors.Is(err, actors.ErrNotSent) {
			t.Fatalf("the first call waits %v, %v, error %v", wait, ok, err)
		}
		time.Sleep(20*time.Minute + time.Millisecond)
		before := w.dcs.Counts().Queries
		_, err = w.api.UsersGetUsers(ctx, self)
		if wait, ok := gotderr.AsFloodWait(err); !ok || wait > 40*time.Minute || wait < 40*time.Minute-2*time.Second {
			t.Errorf("the second call waits %v, %v, error %v; want the forty minutes that are left", wait, ok, err)
		}
		if after := w.dcs.Counts().Queries; after != before {
			t.Errorf("the server was asked %d times during the wait", after-before)
		}
		// gotd's helper sleeps for it, and then it is over.
		for range 3 {
			var again bool
			if again, err = gotderr.FloodWait(ctx, err); !again {
				break
			}
			if _, err = w.api.UsersGetUsers(ctx, self); err == nil {
				break
			}
		}
		if passed := time.Since(begun); err != nil || passed < time.Hour || passed > time.Hour+time.Minute {
			t.Errorf("after %v: %v", passed, err)
		}
	})
}

func TestACallThatNobodyWaitsForEndsWithItsContext(t *testing.T) {
	start(t, func(ctx context.Context, t *testing.T, w *world) {
		if err := w.dcs.StopDC(w.bot.Status().HomeDC, true); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() {
			_, err := w.api.MessagesSetTyping(ctx, &tg.MessagesSetTypingRequest{Peer: &tg.InputPeerSelf{}, Action: &tg.SendMessageTypingAction{}})
			ended <- err
		}()
		synctest.Wait()
		select {
		case err := <-ended:
			t.Fatalf("it did not wait: %v", err)
		default:
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) || !errors.Is(err, actors.ErrMayHaveRun) {
			t.Errorf("it ended with %v", err)
		}
	})
}

func TestAnAccountThatNobodyIsSignedInOnIsUnauthorized(t *testing.T) {
	start(t, func(ctx context.Context, t *testing.T, w *world) {
		empty := actorstest.Add(t, w.manager, "empty", actors.AccountOptions{})
		_, err := tg.NewClient(gotd.Invoker(empty)).UpdatesGetState(ctx)
		if !auth.IsUnauthorized(err) || !errors.Is(err, actors.ErrNotSent) {
			t.Errorf("before a sign-in: %v", err)
		}
		if err := w.bot.Pause(ctx); err != nil {
			t.Fatal(err)
		}
		_, err = w.api.UpdatesGetState(ctx)
		if _, answered := gotderr.As(err); answered || !errors.Is(err, actors.ErrNotSent) {
			t.Errorf("paused, which is nothing that the server said: %v", err)
		}
		if err := w.bot.Resume(ctx); err != nil {
			t.Fatal(err)
		}
		if err := w.bot.LogOut(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err = w.api.UpdatesGetState(ctx); !auth.IsUnauthorized(err) {
			t.Errorf("after a logout: %v", err)
		}
	})
}

// TestAWrapperIsCalledByTheMethodInside: its waits, and whether it may run twice.
func TestAWrapperIsCalledByTheMethodInside(t *testing.T) {
	start(t, func(ctx context.Context, t *testing.T, w *world) {
		time.Sleep(time.Minute) // the account's own questions after a sign-in are over: they would get the fault
		state := &tg.UpdatesGetStateRequest{}
		for _, query := range []bin.Object{
			state, nameless{state},
			&tg.InvokeWithTakeoutRequest{TakeoutID: 1, Query: state},
			&tg.InvokeWithBusinessConnectionRequest{ConnectionID: "a connection", Query: state},
			&tg.InvokeWithReCaptchaRequest{Token: "t", Query: state},
			&tg.InvokeWithMessagesRangeRequest{Range: tg.MessageRange{MinID: 1, MaxID: 2}, Query: &tg.InvokeWithTakeoutRequest{Query: state}},
		} {
			actorstest.Inject(t, w.dcs, dctest.Fault{Kind: dctest.FaultRPC, Code: 420, Text: "FLOOD_WAIT_60"})
			err := gotd.Invoker(w.bot).Invoke(ctx, query, nil)
			var wait *actors.WaitError
			if !errors.As(err, &wait) || wait.Method != "updates.getState" {
				t.Errorf("%T waits as %v", query, err)
			}
			if err := w.bot.ClearWaits(ctx, ""); err != nil {
				t.Fatal(err)
			}
		}
		empty := &tg.InvokeWithTakeoutRequest{Query: nothing{}}
		if err := gotd.Invoker(w.bot).Invoke(ctx, empty, nil); !errors.As(err, new(*gotd.EncodeError)) {
			t.Errorf("a wrapper around nothing: %v", err)
		}
	})
}

// nothing is a query of no bytes.
type nothing struct{}

func (nothing) Encode(*bin.Buffer) error { return nil }
func (nothing) Decode(*bin.Buffer) error { return nil }

// nameless is a query that cannot say its name.
type nameless struct{ bin.Object }

func TestMethodsThatAreTheAccountsOwnAreRefused(t *testing.T) {
	start(t, func(ctx context.Context, t *testing.T, w *world) {
		config := &tg.HelpGetConfigRequest{}
		for _, c := range []struct {
			query bin.Object
			names string
			hint  string
		}{
			{&tg.AuthSendCodeRequest{}, "auth.sendCode", "SignIn"},
			{&tg.AuthImportBotAuthorizationRequest{}, "auth.importBotAuthorization", "SignIn"},
			{&tg.AuthLogOutRequest{}, "auth.logOut", "LogOut"},
			{&tg.AuthExportAuthorizationRequest{}, "auth.exportAuthorization", "OnDC"},
			{&tg.AuthBindTempAuthKeyRequest{}, "auth.bindTempAuthKey", "itself"},
			{&tg.InvokeWithLayerRequest{Layer: 1, Query: config}, "invokeWithLayer", "layer"},
			{&tg.InitConnectionRequest{Query: config}, "initConnection", "device"},
			{&tg.InvokeAfterMsgRequest{Query: config}, "invokeAfterMsg", "ended"},
			{&tg.InvokeWithoutUpdatesRequest{Query: config}, "invokeWithoutUpdates", "alone"},
			{&tg.InvokeWithTakeoutRequest{Query: &tg.AuthLogOutRequest{}}, "auth.logOut", "LogOut"},
			{&tg.InvokeWithBusinessConnectionRequest{ConnectionID: "x", Query: &tg.AuthLogOutRequest{}}, "auth.logOut", "LogOut"},
			{&tg.InvokeWithMessagesRangeRequest{Query: &tg.InvokeWithLayerRequest{Query: config}}, "invokeWithLayer", "layer"},
			{nameless{&tg.AuthLogOutRequest{}}, "auth.logOut", "LogOut"},
		} {
			err := gotd.Invoker(w.bot).Invoke(ctx, c.query, nil)
			var refused *actors.ReservedError
			if !errors.As(err, &refused) || refused.Method != c.names || !strings.Contains(refused.Instead, c.hint) || !errors.Is(err, actors.ErrNotSent) {
				t.Errorf("%T: %v", c.query, err)
			}
		}
		if _, err := w.api.AuthResetAuthorizations(ctx); errors.As(err, new(*actors.ReservedError)) {
			t.Errorf("ending other sessions is refused: %v", err)
		}
		if err := gotd.Invoker(w.bot).Invoke(ctx, nameless{config}, nil); err != nil {
			t.Errorf("a query without a name: %v", err)
		}
	})
}

func TestAQueryWithoutATLFormIsNotSent(t *testing.T) {
	start(t, func(ctx context.Context, t *testing.T, w *world) {
		_, err := w.api.MessagesSendMessage(ctx, &tg.MessagesSendMessageRequest{}) // no peer
		var encode *gotd.EncodeError
		if !errors.As(err, &encode) || !errors.Is(err, actors.ErrNotSent) {
			t.Errorf("without its peer: %v", err)
		}
	})
}

func TestAResultThatGotdCannotReadSaysThatTheCallRan(t *testing.T) {
	start(t, func(ctx context.Context, t *testing.T, w *world) {
		err := gotd.Invoker(w.bot).Invoke(ctx, &tg.HelpGetConfigRequest{}, &tg.UpdatesState{})
		var result *actors.ResultError
		if !errors.As(err, &result) || result.Method != "help.getConfig" || !errors.Is(err, actors.ErrMayHaveRun) {
			t.Errorf("read as something else: %v", err)
		}
	})
}
