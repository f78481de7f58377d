package main

import (
	"context"
	"crypto/rand"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

// stage is a bot that serves in front of a test DC, in a bubble of virtual time.
type stage struct {
	t       *testing.T
	cluster *serve.Cluster
	account *actors.Account
	person  int64
	bot     serve.Bot
}

// play runs a test in virtual time: whatever waits, waits for nothing. What a
// bubble must not hold stays outside. That is sockets (MemoryOnly) and a store on
// disk: Badger has goroutines that wait for the disk, and synctest would take the
// bot's time for stopped. persistence.NewMemory keeps what a store keeps.
func play(t *testing.T, f func(*stage)) {
	key, err := crypt.GeneratePrivateKey(rand.Reader) // arithmetic takes real time: once, and before
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		cluster, err := serve.Start(serve.Config{Persons: 1, Bots: 1, MemoryOnly: true, RSAKey: key.PEM()})
		if err != nil {
			t.Fatal(err)
		}
		defer cluster.Close()
		d := cluster.Descriptor()
		dcs, err := d.Table()
		if err != nil {
			t.Fatal(err)
		}
		options := actors.Options{Store: persistence.NewMemory(), DCs: dcs, App: app(d)}
		options.Wire.Dialer = cluster.Dialer()
		manager, err := actors.Open(options)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := manager.Close(context.Background()); err != nil {
				t.Error(err)
			}
		}()
		ctx, end := context.WithCancel(t.Context())
		account, err := manager.Add(ctx, "echo", actors.AccountOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := account.SignIn(ctx, actors.BotToken(d.Bots[0].Token)); err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- serveBot(ctx, account) }()
		f(&stage{t, cluster, account, d.Phones[0].UserID, d.Bots[0]})
		end()
		if err := <-served; err != nil {
			t.Error("the bot ended with", err)
		}
	})
}

// says writes to the bot and returns what is answered within d of virtual time, "" for nothing.
func (s *stage) says(text string, how api.Delivery, d time.Duration) string {
	s.t.Helper()
	said, err := s.cluster.Say(s.person, s.bot.UserID, text, how)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), d)
	defer cancel()
	answers, err := s.cluster.Messages(ctx, s.person, said.FromID)
	if err != nil {
		s.t.Fatal(err)
	}
	if len(answers) == 0 {
		return ""
	}
	return answers[0].Text
}

func TestTheBotAnswersInTheSameWords(t *testing.T) {
	play(t, func(s *stage) {
		for _, text := range []string{"/start", "hello", "καλημέρα"} {
			if got := s.says(text, api.Delivery{}, time.Minute); got != text {
				t.Errorf("to %q the bot says %q", text, got)
			}
		}
	})
}

func TestAnHoursFloodWaitPassesInMilliseconds(t *testing.T) {
	play(t, func(s *stage) {
		began := time.Now()
		fault := dctest.Fault{Kind: dctest.FaultRPC, Method: "messages.sendMessage", Wait: dctest.Duration(time.Hour)}
		if _, err := s.cluster.Fault(fault); err != nil {
			t.Fatal(err)
		}
		if got := s.says("hello", api.Delivery{}, 2*time.Hour); got != "hello" {
			t.Errorf("the bot says %q", got)
		}
		if waited := time.Since(began); waited < time.Hour || waited > time.Hour+time.Minute {
			t.Errorf("the answer came after %v", waited)
		}
	})
}

func TestTheBotHearsWhatWasNotPushed(t *testing.T) {
	play(t, func(s *stage) {
		if got := s.says("hello", api.Delivery{}, time.Minute); got != "hello" {
			t.Errorf("the bot says %q", got)
		}
		if got := s.says("lost", api.Delivery{Lost: true}, time.Second); got != "" {
			t.Errorf("to a message that nobody pushed the bot says %q", got)
		}
		// The next one shows the gap, and the difference brings both.
		if got := s.says("pushed", api.Delivery{}, time.Minute); got != "lost" {
			t.Errorf("the bot says %q", got)
		}
	})
}

func TestAnAnswerIsSentOnce(t *testing.T) {
	play(t, func(s *stage) {
		// The server sends it, and the answer to the call is lost: was it sent?
		if _, err := s.cluster.Fault(dctest.Fault{Kind: dctest.FaultNoReply, Method: "messages.sendMessage", Count: 1}); err != nil {
			t.Fatal(err)
		}
		if got := s.says("hello", api.Delivery{}, time.Minute); got != "hello" {
			t.Errorf("the bot says %q", got)
		}
		if _, err := s.cluster.Fault(dctest.Fault{Kind: dctest.FaultForgetSessions}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if all, _ := s.cluster.Messages(t.Context(), s.person, 0); len(all) != 2 {
			t.Errorf("there are %d messages, want one and its answer", len(all))
		}
		if got := s.says("still there?", api.Delivery{}, time.Minute); got != "still there?" {
			t.Errorf("the bot says %q", got)
		}
	})
}
