package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
)

// loginKind is how an account of a benchmark signs in.
type loginKind string

const (
	loginBot      loginKind = "bot"   // with its token
	loginPhone    loginKind = "phone" // with a code
	loginQR       loginKind = "qr"    // a code that somebody scans at once
	loginPassword loginKind = "2fa"   // with a code and a two-step password
)

var loginKinds = []loginKind{loginBot, loginPhone, loginQR, loginPassword}

// loginMix is how many of each kind there are to one of another.
type loginMix map[loginKind]int

// parseMix reads "bot", or weights: "bot=3,phone=1".
func parseMix(text string) (loginMix, error) {
	mix := loginMix{}
	for _, part := range strings.Split(text, ",") {
		name, value, given := strings.Cut(part, "=")
		kind, weight := loginKind(name), 1
		if given {
			n, err := strconv.Atoi(value)
			if err != nil {
				n = -1
			}
			weight = n
		}
		if !slices.Contains(loginKinds, kind) || weight < 0 || weight > 1000 || mix[kind] > 0 {
			return nil, usage("bench logins: --mix %s: this must be weights of bot, phone, qr and 2fa, each 0 to 1000 and named once, for example bot=3,phone=1", text)
		}
		mix[kind] = weight
	}
	if mix.sum() == 0 {
		return nil, usage("bench logins: --mix %s: nobody signs in", text)
	}
	return mix, nil
}

func (m loginMix) sum() (n int) {
	for _, weight := range m {
		n += weight
	}
	return n
}

// loginCrowd is who signs in, in which order.
type loginCrowd []loginKind

// crowd puts n accounts of the mix in an order in which every stretch has about as
// much of each kind: the next is the kind that is furthest behind its share.
func (m loginMix) crowd(n int) (list loginCrowd) {
	behind, sum := map[loginKind]int{}, m.sum()
	for range n {
		next := loginKinds[0]
		for _, kind := range loginKinds {
			if behind[kind] += m[kind]; behind[kind] > behind[next] {
				next = kind
			}
		}
		behind[next] -= sum
		list = append(list, next)
	}
	return list
}

func (c loginCrowd) counts() map[loginKind]int {
	n := map[loginKind]int{}
	for _, kind := range c {
		n[kind]++
	}
	return n
}

// dcFlags are those of a test DC that has the persons for so many such crowds.
func (c loginCrowd) dcFlags(crowds int) []string {
	n := c.counts()
	passwords := n[loginPassword] * crowds
	return []string{
		"--users", strconv.Itoa(passwords + (n[loginPhone]+n[loginQR])*crowds), "--passwords", strconv.Itoa(passwords),
	}
}

func mixWords(n map[loginKind]int) string {
	var words []string
	for _, kind := range loginKinds {
		if n[kind] > 0 {
			words = append(words, fmt.Sprintf("%s of kind %s", thousands(n[kind]), kind))
		}
	}
	return strings.Join(words, ", ")
}

// newcomer is one account that is to sign in.
type newcomer struct {
	account string
	kind    loginKind
	person  serve.Phone
	bot     serve.Bot
}

// loginPeople hands out the test DC's people, each once. The first bot is that of the
// warm-up.
type loginPeople struct {
	bots              []serve.Bot
	plain, passworded []serve.Phone
	taken             int
}

func newLoginPeople(d serve.Descriptor) *loginPeople {
	p := &loginPeople{bots: d.Bots[1:], taken: 1}
	for _, person := range d.Phones {
		if person.Password {
			p.passworded = append(p.passworded, person)
			continue
		}
		p.plain = append(p.plain, person)
	}
	return p
}

// take is a crowd of people that nobody was given before.
func (p *loginPeople) take(crowd loginCrowd) (list []newcomer) {
	for _, kind := range crowd {
		l := newcomer{account: fmt.Sprintf("account-%05d", p.taken), kind: kind}
		p.taken++
		switch kind {
		case loginBot:
			l.bot, p.bots = p.bots[0], p.bots[1:]
		case loginPassword:
			l.person, p.passworded = p.passworded[0], p.passworded[1:]
		default:
			l.person, p.plain = p.plain[0], p.plain[1:]
		}
		list = append(list, l)
	}
	return list
}

// logIn adds an account and signs it in; it is online then.
func (w *benchWorld) logIn(ctx context.Context, l newcomer, o actors.AccountOptions) error {
	ctx, cancel := context.WithTimeout(ctx, signInTimeout)
	defer cancel()
	acc, err := w.manager.Add(ctx, l.account, o)
	if err != nil {
		return err
	}
	with := actors.BotToken(l.bot.Token)
	switch l.kind {
	case loginPhone, loginPassword:
		with = actors.Phone(plus(l.person.Number))
	case loginQR:
		with = actors.QR()
	}
	step, err := acc.SignIn(ctx, with)
	for err == nil && step != nil {
		step, err = w.answer(ctx, acc, l, step)
	}
	if err != nil {
		return err
	}
	return online(ctx, acc)
}

// answer gives what a step asks for. What is asked again was refused.
func (w *benchWorld) answer(ctx context.Context, acc *actors.Account, l newcomer, step *actors.Step) (*actors.Step, error) {
	if step.LastError != "" {
		return nil, fmt.Errorf("the sign-in says: %s", step.LastError)
	}
	switch step.Kind {
	case actors.StepCode:
		return acc.Answer(ctx, actors.Answer{Kind: actors.AnswerCode, Code: l.person.Code})
	case actors.StepPassword:
		return acc.Answer(ctx, actors.Answer{Kind: actors.AnswerPassword, Password: l.person.PasswordText})
	case actors.StepQR:
		var done struct{}
		if err := w.dc.ask(ctx, "/scan", map[string]any{"token": step.URL, "user_id": l.person.UserID}, &done); err != nil {
			return nil, err
		}
		return acc.NextStep(ctx, step)
	}
	return nil, errors.New("the sign-in asks for " + string(step.Kind))
}

// firstFailure counts failures and keeps the words of the first.
type firstFailure struct {
	mu    sync.Mutex
	n     int
	first string
}

func (f *firstFailure) add(account string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n++; f.n == 1 {
		f.first = account + ": " + err.Error()
	}
}
