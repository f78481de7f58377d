package gotd_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotd/td/telegram"
	"github.com/gotd/td/tg"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/actors/gotd"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
)

// heard is what a dispatcher's handlers were called with, in order.
type heard struct{ list []string }

func (h *heard) dispatcher() tg.UpdateDispatcher {
	d := tg.NewUpdateDispatcher()
	d.OnNewMessage(func(_ context.Context, e tg.Entities, u *tg.UpdateNewMessage) error {
		m := u.Message.(*tg.Message)
		from := m.PeerID.(*tg.PeerUser).UserID
		h.list = append(h.list, fmt.Sprintf("%s of %s", m.Message, name(e.Users[from])))
		return nil
	})
	d.OnNewChannelMessage(func(_ context.Context, e tg.Entities, u *tg.UpdateNewChannelMessage) error {
		m := u.Message.(*tg.Message)
		in := e.Channels[m.PeerID.(*tg.PeerChannel).ChannelID]
		h.list = append(h.list, fmt.Sprintf("%s in %s", m.Message, in.Title))
		return nil
	})
	d.OnDeleteMessages(func(_ context.Context, _ tg.Entities, u *tg.UpdateDeleteMessages) error {
		h.list = append(h.list, "a deletion")
		return nil
	})
	return d
}

func name(u *tg.User) string {
	if u == nil {
		return "nobody"
	}
	return fmt.Sprint(u.ID)
}

func TestUpdatesReachADispatcherInOrderWithTheirPeopleAndChats(t *testing.T) {
	start(t, func(ctx context.Context, t *testing.T, w *world) {
		channel, err := w.dcs.AddChannel(api.NewChannel{Title: "News", Creator: w.people[0].UserID, Members: []int64{w.botID}})
		if err != nil {
			t.Fatal(err)
		}
		var h heard
		ctx, cancel := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { ended <- gotd.Handle(ctx, w.bot, h.dispatcher()) }()
		synctest.Wait()
		var want []string
		for i := range 5 {
			text := fmt.Sprintf("message %d", i)
			w.say(t, i%2, text)
			want = append(want, fmt.Sprintf("%s of %d", text, w.people[i%2].UserID))
		}
		if _, err := w.dcs.Post(channel, 0, "post", api.Delivery{}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.dcs.PushUpdate(w.botID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		want = append(want, "post in News", "a deletion")
		if !slices.Equal(h.list, want) {
			t.Errorf("the handlers heard %q, want %q", h.list, want)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Handle ended with %v", err)
		}
	})
}

func TestAnUpdateThatWasPushedToNobodyComesWithItsPeopleToo(t *testing.T) {
	start(t, func(ctx context.Context, t *testing.T, w *world) {
		var h heard
		go gotd.Handle(ctx, w.bot, h.dispatcher())
		synctest.Wait()
		if _, err := w.dcs.Say(w.people[0].UserID, w.botID, "lost", api.Delivery{Lost: true}); err != nil {
			t.Fatal(err)
		}
		w.say(t, 1, "pushed") // the gap shows
		time.Sleep(time.Minute)
		synctest.Wait()
		want := []string{fmt.Sprintf("lost of %d", w.people[0].UserID), fmt.Sprintf("pushed of %d", w.people[1].UserID)}
		if !slices.Equal(h.list, want) {
			t.Errorf("the handlers heard %q, want %q", h.list, want)
		}
		actorstest.Close(t, w.manager)
		synctest.Wait()
	})
}

func TestWhatAHandlerFailsAtIsItsPumpsToDecide(t *testing.T) {
	errBad := errors.New("bad message")
	for _, c := range []struct {
		name  string
		again bool // Failed says to go on
		heard int
	}{{"go on", true, 3}, {"end", false, 2}} {
		t.Run(c.name, func(t *testing.T) {
			start(t, func(ctx context.Context, t *testing.T, w *world) {
				var heard, failed int
				p := gotd.Pump{
					Handler: telegram.UpdateHandlerFunc(func(context.Context, tg.UpdatesClass) error {
						if heard++; heard == 2 {
							return errBad
						}
						return nil
					}),
					Failed: func(_ context.Context, ev actors.Event, err error) error {
						if failed++; ev.Kind != actors.EventUpdate || !errors.Is(err, errBad) {
							t.Errorf("failed at %+v with %v", ev, err)
						}
						if c.again {
							return nil
						}
						return err
					},
				}
				ended := make(chan error, 1)
				go func() { ended <- p.Run(ctx, w.bot) }()
				synctest.Wait()
				for range 3 {
					if _, err := w.dcs.PushUpdate(w.botID); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(10 * time.Second)
				synctest.Wait()
				if heard != c.heard || failed != 1 {
					t.Errorf("the handler was called %d times, and %d failures were told", heard, failed)
				}
				actorstest.Close(t, w.manager)
				if err := <-ended; c.again && !errors.Is(err, actors.ErrClosed) || !c.again && !errors.Is(err, errBad) {
					t.Errorf("Run ended with %v", err)
				}
			})
		})
	}
}

func TestWhatIsNoUpdateGoesToAHookOfItsOwn(t *testing.T) {
	start(t, func(ctx context.Context, t *testing.T, w *world) {
		var states []actors.State
		over := errors.New("over")
		p := gotd.Pump{
			Handler: telegram.UpdateHandlerFunc(func(context.Context, tg.UpdatesClass) error { return nil }),
			Event: func(_ context.Context, ev actors.Event) error {
				if ev.Kind == actors.EventState {
					states = append(states, ev.Status.State)
					if ev.Status.State == actors.Paused {
						return over
					}
				}
				return nil
			},
		}
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx, w.bot) }()
		synctest.Wait()
		if err := w.bot.Pause(ctx); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, over) || !slices.Contains(states, actors.Paused) {
			t.Errorf("Run ended with %v after %v", err, states)
		}
	})
}

func TestAnEventOfANewerLayerIsATypedError(t *testing.T) {
	unknown := tl.Raw{1, 2, 3, 4}
	for _, c := range []struct {
		ev   actors.Event
		what string
	}{
		{actors.Event{Update: unknown}, "update"},
		{actors.Event{Update: update(t), Users: []tl.Raw{unknown}}, "user"},
		{actors.Event{Update: update(t), Chats: []tl.Raw{unknown}}, "chat"},
	} {
		_, err := gotd.Updates(c.ev)
		var decode *gotd.DecodeError
		if !errors.As(err, &decode) || decode.What != c.what || decode.ID != 0x04030201 {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	got, err := gotd.Updates(actors.Event{Update: update(t), At: time.Unix(1000, 0)})
	if err != nil || len(got.Updates) != 1 || got.Date != 1000 {
		t.Errorf("one that can be read: %+v, error %v", got, err)
	}
}

// TestADurableConsumerHearsAgainWhatItsHandlerDidNotFinish: over three lives of
// a manager, of which the first two end at a failure.
func TestADurableConsumerHearsAgainWhatItsHandlerDidNotFinish(t *testing.T) {
	actorstest.Bubble(t, func(t *testing.T) {
		s := actorstest.Cluster(t, actorstest.Small())
		bot, store := s.Descriptor().Bots[0], persistence.NewMemory()
		var heard []int
		ctx := actorstest.Soon(t)
		crash := errors.New("crash")
		// life runs a pump until its handler has heard so many, the last of them in vain.
		life := func(n int, then func(m *actors.Manager)) {
			m, err := actors.Open(actorstest.Options(s, store))
			if err != nil {
				t.Fatal(err)
			}
			a, err := m.Account("bot")
			if err != nil {
				a = actorstest.SignInBot(t, m, "bot", bot, actors.AccountOptions{})
			}
			actorstest.Wait(t, a, actors.Online)
			c, err := m.Consumer(ctx, actors.ConsumerOptions{Name: "echo"})
			if err != nil {
				t.Fatal(err)
			}
			left := n
			p := gotd.Pump{
				Consumer: c,
				Handler: telegram.UpdateHandlerFunc(func(ctx context.Context, u tg.UpdatesClass) error {
					ev, ok := gotd.EventOf(ctx)
					d := u.(*tg.Updates).Updates[0].(*tg.UpdateDeleteMessages)
					if !ok || ev.Account != "bot" || int(ev.Pts) != d.Pts || ev.Box.Kind != actors.BoxCommon {
						t.Errorf("the event of pts %d is %+v", d.Pts, ev)
					}
					heard = append(heard, d.Pts)
					if left--; left == 0 {
						return crash
					}
					return nil
				}),
				Failed: func(_ context.Context, _ actors.Event, err error) error { return err },
			}
			ended := make(chan error, 1)
			go func() { ended <- p.Run(ctx, a) }()
			synctest.Wait()
			then(m)
			if err := <-ended; !errors.Is(err, crash) && n > 0 {
				t.Errorf("Run ended with %v", err)
			}
			actorstest.Close(t, m)
		}
		var pts []int
		push := func(*actors.Manager) {
			for range 3 {
				n, err := s.PushUpdate(bot.UserID)
				if err != nil {
					t.Fatal(err)
				}
				pts = append(pts, int(n))
			}
		}
		life(2, push)                     // hears the first, fails at the second
		life(2, func(*actors.Manager) {}) // begins with the second, fails at the third
		life(2, func(*actors.Manager) {}) // has both again: they came in one difference
		want := []int{pts[0], pts[1], pts[1], pts[2], pts[1], pts[2]}
		if !slices.Equal(heard, want) {
			t.Errorf("heard %v, want %v", heard, want)
		}
	})
}

// TestAShortMessageHasItsAuthor: the server leaves users out of a push to who has
// heard of them.
func TestAShortMessageHasItsAuthor(t *testing.T) {
	start(t, func(ctx context.Context, t *testing.T, w *world) {
		var h heard
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		go gotd.Handle(ctx, w.bot, h.dispatcher())
		synctest.Wait()
		short := func(text string) {
			t.Helper()
			if _, err := w.dcs.Say(w.people[0].UserID, w.botID, text, api.Delivery{Form: api.FormShort}); err != nil {
				t.Fatal(err)
			}
		}
		short("first")
		w.say(t, 0, "full")
		short("short")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		of := fmt.Sprintf(" of %d", w.people[0].UserID)
		if !slices.Equal(h.list, []string{"first" + of, "full" + of, "short" + of}) {
			t.Errorf("the handlers heard %q", h.list)
		}
		cancel()
		synctest.Wait()
	})
}
