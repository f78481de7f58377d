package actors

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/login"
)

// Credentials is what a sign-in begins with. Each way to sign in has a function
// that makes one.
type Credentials struct{ start login.Start }

// Phone signs in a person by phone number, with or without plus and spaces, and
// a code.
func Phone(number string) Credentials {
	return Credentials{login.Start{Flow: login.FlowPhone, Phone: number}}
}

// BotToken signs in a bot by the token of @BotFather.
func BotToken(token string) Credentials {
	return Credentials{login.Start{Flow: login.FlowBot, Token: token}}
}

// QR signs in whoever scans the code of its StepQR with an app that is signed
// in. A code lives for half a minute and is replaced before it ends: each is an
// event, and Status shows the newest.
func QR() Credentials { return Credentials{login.Start{Flow: login.FlowQR}} }

// Passkey signs in by the assertion of an authenticator; StepPasskey has the
// options for it. Telegram binds passkeys to its own domain.
func Passkey() Credentials { return Credentials{login.Start{Flow: login.FlowPasskey}} }

// WebToken signs in by the address that a signed-in client made for a web
// client, the text with #tgWebAuthToken=… in it. It is good for about a minute.
func WebToken(link string) Credentials {
	return Credentials{login.Start{Flow: login.FlowWeb, Token: link}}
}

// PNV signs in by the number that the carrier of a device vouches for. phone is
// the one that is expected, or empty; it is not sent, and no other account asks
// for a code for it meanwhile.
//
// Experimental: nobody has published what the server's methods mean.
func PNV(phone string) Credentials {
	return Credentials{login.Start{Flow: login.FlowPNV, Phone: phone}}
}

// String says what kind it is, and nothing secret.
func (c Credentials) String() string {
	switch c.start.Flow {
	case login.FlowBot:
		return "bot token"
	case login.FlowQR:
		return "QR code"
	case login.FlowPasskey:
		return "passkey"
	case login.FlowWeb:
		return "web token"
	case login.FlowPNV:
		return "number that the carrier vouches for"
	}
	return "phone number"
}

// GoString is String.
func (c Credentials) GoString() string { return c.String() }

// NoSignInError says that no sign-in of an id is under way.
type NoSignInError struct{ ID string }

// Error names the id.
func (e *NoSignInError) Error() string {
	return fmt.Sprintf("no sign-in %q is under way: it has ended, or its account is paused; the accounts say which are", e.ID)
}

// SignIn returns the account whose sign-in has an id, which is its
// Status.SignIn and what the ids of its steps begin with: also after a restart.
// It takes the id of a step too. It does not block. It fails with a
// *NoSignInError.
func (m *Manager) SignIn(id string) (*Account, error) {
	attempt, _, _ := strings.Cut(id, ".")
	for _, a := range m.Accounts() {
		if attempt != "" && a.Status().SignIn == attempt {
			return a, nil
		}
	}
	return nil, &NoSignInError{id}
}

// SignIn begins a sign-in and waits until it needs somebody: the returned step
// says what for. A nil step means that the account is signed in. When ctx ends
// first the sign-in goes on; Status shows its step. It fails with a
// *SignInError, a *StateError, a *StoreError or the error of a busy phone
// number.
func (a *Account) SignIn(ctx context.Context, c Credentials) (*Step, error) {
	if err := cmp.Or(a.leaves(), a.m.storeWorks()); err != nil {
		return nil, err
	}
	if phone, user := c.start.Names(); a.Status().State != SigningIn { // else it is refused for that
		if err := a.unclaimed(ctx, phone, user); err != nil {
			return nil, err
		}
	}
	defer a.link(ctx, &a.causes.signIn)()
	return a.step(ctx, func(r runtime.Reply[*login.Step]) account.Message {
		return account.SignIn{Start: c.start, Reply: r}
	})
}

// NextStep waits until a sign-in has another step than the one that was seen,
// nil for none: the next QR code, what follows a scan or a wait. A nil step means
// that the account is signed in. It fails as SignIn does when the sign-in ends
// otherwise, and with a *StateError that says why when it had ended before.
func (a *Account) NextStep(ctx context.Context, seen *Step) (*Step, error) {
	var after string
	if seen != nil {
		after = seen.ID
	}
	s, err := look(ctx, a, func(r runtime.Reply[*login.Step]) account.Message {
		return account.NextStep{After: after, Reply: r}
	})
	return stepOf(s), err
}

// Answer answers the step a sign-in waits for and waits for the next one. A
// nil step means that the account is signed in. An answer that does not fit is
// refused with a *SignInError and changes nothing.
func (a *Account) Answer(ctx context.Context, answer Answer) (*Step, error) {
	if answer.Kind == AnswerPhone {
		phone, _ := Phone(answer.Phone).start.Names()
		if err := a.unclaimed(ctx, phone, 0); err != nil {
			return nil, err
		}
	}
	return a.step(ctx, func(r runtime.Reply[*login.Step]) account.Message {
		return account.Answer{Answer: answer.inner(), Reply: r}
	})
}

func (a *Account) step(ctx context.Context, msg func(runtime.Reply[*login.Step]) account.Message) (*Step, error) {
	s, err := ask(ctx, a, msg)
	return stepOf(s), err
}
