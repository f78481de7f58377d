package peers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/gotd/td/telegram"
	"github.com/gotd/td/telegram/updates"
	"github.com/gotd/td/tg"

	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
)

// newsOf are what gotd's dispatcher tells of messages, as words.
type newsOf struct{ words chan string }

func (n newsOf) handler() tg.UpdateDispatcher {
	d := tg.NewUpdateDispatcher()
	tell := func(format string, args ...any) error {
		select {
		case n.words <- fmt.Sprintf(format, args...):
			return nil
		default:
			return errors.New("peers: nobody reads the news")
		}
	}
	text := func(m tg.MessageClass) string {
		if m, ok := m.(*tg.Message); ok {
			return m.Message
		}
		return fmt.Sprintf("%T", m)
	}
	d.OnNewMessage(func(_ context.Context, _ tg.Entities, u *tg.UpdateNewMessage) error {
		return tell("said %s", text(u.Message))
	})
	d.OnNewChannelMessage(func(_ context.Context, _ tg.Entities, u *tg.UpdateNewChannelMessage) error {
		return tell("posted %s", text(u.Message))
	})
	d.OnEditChannelMessage(func(_ context.Context, _ tg.Entities, u *tg.UpdateEditChannelMessage) error {
		return tell("edited %s", text(u.Message))
	})
	d.OnDeleteChannelMessages(func(_ context.Context, _ tg.Entities, u *tg.UpdateDeleteChannelMessages) error {
		return tell("deleted %v", u.Messages)
	})
	d.OnBotStopped(func(_ context.Context, _ tg.Entities, u *tg.UpdateBotStopped) error {
		return tell("stopped %v", u.Stopped)
	})
	return d
}

// wants reads exactly these, in this order.
func (n newsOf) wants(ctx context.Context, words ...string) error {
	for i, want := range words {
		select {
		case got := <-n.words:
			if got != want {
				return fmt.Errorf("peers: gotd told %q, want %q (%d of %q)", got, want, i, words)
			}
		case <-ctx.Done():
			return fmt.Errorf("peers: gotd never told %q (%d of %q)", want, i, words)
		}
	}
	return nil
}

// TestGotdFollowsAChannel: gotd's own manager of updates, which knows nothing of us, finds what the test DC did not push:
// by the gap that the next update shows, and by updateChannelTooLong, in parts and whole.
func TestGotdFollowsAChannel(t *testing.T) {
	for name, form := range map[string]api.Form{"pushed": api.FormFull, "told that it moved": api.FormTooLong} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := within(t, limit)
			// Without a time to come back: gotd waits for it before it asks for the next gap.
			s := actorstest.Start(t, serve.Config{Persons: 1, Bots: 1, API: api.Config{ChannelTimeout: -1}})
			d := read(t, s)
			person, b := d.Phones[0].UserID, d.Bots[0]
			id, err := s.AddChannel(api.NewChannel{Title: "Group", Creator: person, Members: []int64{b.UserID}})
			if err != nil {
				t.Fatal(err)
			}
			news := newsOf{make(chan string, 1000)}
			manager := updates.New(updates.Config{Handler: news.handler()})
			c := newGotd(t, d, b.DC, nil)
			c.options.UpdateHandler = manager
			post := func(how api.Delivery, texts ...string) error {
				for _, text := range texts {
					if _, err := s.Post(id, person, text, how); err != nil {
						return err
					}
				}
				return nil
			}
			err = c.run(ctx, func(ctx context.Context, client *telegram.Client) error {
				if _, err := client.Auth().Bot(ctx, b.Token); err != nil {
					return err
				}
				ctx, end := context.WithCancel(ctx)
				defer end()
				ready, ended := make(chan struct{}), make(chan error, 1)
				go func() {
					ended <- manager.Run(ctx, client.API(), b.UserID, updates.AuthOptions{IsBot: true, OnStart: func(context.Context) { close(ready) }})
				}()
				select {
				case <-ready:
				case err := <-ended:
					return fmt.Errorf("gotd's manager ended: %w", err)
				}
				var many []string
				for i := range 120 {
					many = append(many, fmt.Sprint("post ", i))
				}
				lost, pushed := api.Delivery{Lost: true}, api.Delivery{Form: form}
				err := errors.Join(
					// gotd overlooks updateChannelTooLong of a channel that it has heard nothing of.
					post(api.Delivery{Form: api.FormFull}, "one"), news.wants(ctx, "posted one"),
					post(lost, "two", "three"), post(pushed, "four"), news.wants(ctx, "posted two", "posted three", "posted four"),
					post(lost, many...), post(pushed, "last"), news.wants(ctx, slices.Concat(told("posted", many), []string{"posted last"})...),
				)
				end()
				<-ended
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestGotdAnswersAPerson: a bot of gotd's is written to and answers with what the update brought it.
func TestGotdAnswersAPerson(t *testing.T) {
	t.Parallel()
	ctx := within(t, limit)
	s := actorstest.Start(t, serve.Config{Persons: 1, Bots: 1})
	d := read(t, s)
	person, b := d.Phones[0].UserID, d.Bots[0]
	dispatcher := tg.NewUpdateDispatcher()
	c := newGotd(t, d, b.DC, nil)
	manager := updates.New(updates.Config{Handler: dispatcher})
	c.options.UpdateHandler = manager
	err := c.run(ctx, func(ctx context.Context, client *telegram.Client) error {
		dispatcher.OnNewMessage(func(ctx context.Context, e tg.Entities, u *tg.UpdateNewMessage) error {
			m, ok := u.Message.(*tg.Message)
			if !ok || m.Out {
				return nil
			}
			from, ok := m.PeerID.(*tg.PeerUser)
			if !ok || e.Users[from.UserID] == nil {
				return errors.New("peers: the author of a message is not described")
			}
			_, err := client.API().MessagesSendMessage(ctx, &tg.MessagesSendMessageRequest{
				Peer: e.Users[from.UserID].AsInputPeer(), Message: m.Message, RandomID: int64(m.ID),
			})
			return err
		})
		if _, err := client.Auth().Bot(ctx, b.Token); err != nil {
			return err
		}
		ctx, end := context.WithCancel(ctx)
		defer end()
		ready, ended := make(chan struct{}), make(chan error, 1)
		go func() {
			ended <- manager.Run(ctx, client.API(), b.UserID, updates.AuthOptions{IsBot: true, OnStart: func(context.Context) { close(ready) }})
		}()
		<-ready
		var err error
		for _, how := range []api.Delivery{{Form: api.FormFull}, {Form: api.FormTooLong}, {Lost: true}} {
			said, sayErr := s.Say(person, b.UserID, "hello", how)
			if sayErr != nil {
				return sayErr
			}
			if how.Lost { // the next one shows the gap
				if _, err := s.Say(person, b.UserID, "hello", api.Delivery{Form: api.FormFull}); err != nil {
					return err
				}
			}
			answers, readErr := s.Messages(ctx, person, said.FromID)
			if err = errors.Join(err, readErr); len(answers) == 0 || answers[0].Text != "hello" {
				err = errors.Join(err, fmt.Errorf("peers: to a message pushed as %+v gotd's bot answers %+v", how, answers))
			}
		}
		end()
		<-ended
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range firstViolations(s) {
		t.Errorf("violation: %+v", v)
	}
}

func told(word string, texts []string) []string {
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = word + " " + text
	}
	return out
}

func firstViolations(s *serve.Cluster) []dctest.Violation {
	list, _ := s.Violations()
	return slices.DeleteFunc(list, func(v dctest.Violation) bool { return v.Severity != dctest.SeverityRefused })
}
