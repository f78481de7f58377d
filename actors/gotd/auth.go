package gotd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gotd/td/telegram/auth"
	"github.com/gotd/td/tg"
	gotderr "github.com/gotd/td/tgerr"

	"github.com/mtfleet/mtfleet/actors"
)

// Auth signs an account in in gotd's words. It is an auth.FlowClient, so that
// an auth.Flow with its UserAuthenticator asks whom it always asked:
//
//	err := client.Auth().IfNecessary(ctx, auth.NewFlow(terminal, auth.SendCodeOptions{}))
//
// The sign-in itself is mtfleet's: each step is on disk before the next is
// taken, and a process that dies between code and password goes on with the
// one that was begun. What gotd has no words for (a login e-mail, a payment, another code)
// ends with a *[StepError]; the account's Answer knows all of them.
type Auth struct {
	account *actors.Account
	api     *tg.Client
}

var _ auth.FlowClient = Auth{}

// StepError says that a sign-in waits for something that gotd's flow has no
// words for. The sign-in is still under way: the account's Answer takes what is
// asked for.
type StepError struct{ Step *actors.Step }

func (e *StepError) Error() string {
	return "the sign-in waits for what gotd's flow cannot ask; answer it with the account's Answer: " + e.Step.Message
}

// Status tells whether the account is signed in, and as whom. Where the account
// knows that it is not, nothing is asked.
func (a Auth) Status(ctx context.Context) (*auth.Status, error) {
	return auth.NewClient(a.api, nil, 0, "").Status(ctx)
}

// IfNecessary runs a flow unless the account is signed in.
func (a Auth) IfNecessary(ctx context.Context, flow auth.Flow) error {
	status, err := a.Status(ctx)
	if err != nil || status.Authorized {
		return err
	}
	return flow.Run(ctx, a)
}

// Bot signs in by the token of @BotFather. It fails with a *actors.SignInError, in
// whose tree is the server's.
func (a Auth) Bot(ctx context.Context, token string) (*tg.AuthAuthorization, error) {
	step, err := a.account.SignIn(ctx, actors.BotToken(token))
	return a.over(ctx, step, err)
}

// SendCode begins a sign-in, or goes on with the one for that number that an
// earlier process began. The options are not used: which codes are asked for is
// the same for all accounts.
func (a Auth) SendCode(ctx context.Context, phone string, _ auth.SendCodeOptions) (tg.AuthSentCodeClass, error) {
	step, err := a.begun(phone), error(nil)
	if step == nil {
		step, err = a.account.SignIn(ctx, actors.Phone(phone))
	}
	if step, err = a.waited(ctx, step, err); err != nil {
		return nil, mapped(err)
	}
	switch {
	case step == nil: // this number was signed in here before, and needs no code
		me, err := a.me(ctx)
		return &tg.AuthSentCodeSuccess{Authorization: me}, err
	case step.Kind == actors.StepCode:
		return sentCode(step), nil
	}
	return nil, &StepError{step}
}

// begun is the step of a sign-in of that number that waits for its code.
func (a Auth) begun(phone string) *actors.Step {
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, phone)
	step := a.account.Status().Step
	if step == nil || step.Kind != actors.StepCode || step.Phone != digits {
		return nil
	}
	return step
}

// SignIn answers the code. codeHash is the PhoneCodeHash that SendCode gave, or
// empty.
func (a Auth) SignIn(ctx context.Context, _, code, codeHash string) (*tg.AuthAuthorization, error) {
	step, err := a.account.Answer(ctx, actors.Answer{Step: codeHash, Kind: actors.AnswerCode, Code: code})
	return a.over(ctx, step, err)
}

// Password answers the two-step password.
func (a Auth) Password(ctx context.Context, password string) (*tg.AuthAuthorization, error) {
	step, err := a.account.Answer(ctx, actors.Answer{Kind: actors.AnswerPassword, Password: password})
	if err == nil && step != nil && step.Kind == actors.StepPassword {
		return nil, fmt.Errorf("%w: %s", auth.ErrPasswordInvalid, step.Message)
	}
	return a.over(ctx, step, err)
}

// SignUp makes the account at the server. It is refused at Telegram's own, as
// every sign-up is.
func (a Auth) SignUp(ctx context.Context, s auth.SignUp) (*tg.AuthAuthorization, error) {
	step, err := a.account.Answer(ctx, actors.Answer{Kind: actors.AnswerSignUp, FirstName: s.FirstName, LastName: s.LastName})
	return a.over(ctx, step, err)
}

// waited goes on after waits that the server ordered.
func (a Auth) waited(ctx context.Context, step *actors.Step, err error) (*actors.Step, error) {
	for err == nil && step != nil && step.Kind == actors.StepWait {
		step, err = a.account.NextStep(ctx, step)
	}
	return step, err
}

// over says what gotd would, had the server asked for the step.
func (a Auth) over(ctx context.Context, step *actors.Step, err error) (*tg.AuthAuthorization, error) {
	step, err = a.waited(ctx, step, err)
	switch {
	case err != nil:
		return nil, mapped(err)
	case step == nil:
		return a.me(ctx)
	case step.Kind == actors.StepPassword:
		return nil, auth.ErrPasswordAuthNeeded
	case step.Kind == actors.StepSignUp:
		return nil, &auth.SignUpRequired{TermsOfService: tg.HelpTermsOfService{Text: step.Terms, MinAgeConfirm: step.MinAge}}
	case step.Kind == actors.StepCode && step.ServerSaid() != "":
		return nil, &Error{gotderr.New(400, step.ServerSaid()), errors.New(step.Message)}
	}
	return nil, &StepError{step}
}

// me is the authorization of whoever is signed in.
func (a Auth) me(ctx context.Context) (*tg.AuthAuthorization, error) {
	list, err := a.api.UsersGetUsers(ctx, []tg.InputUserClass{&tg.InputUserSelf{}})
	if err != nil {
		return nil, err
	}
	user, ok := tg.UserClassArray(list).FirstAsNotEmpty()
	if !ok {
		return nil, errors.New("the server does not say who is signed in")
	}
	return &tg.AuthAuthorization{User: user}, nil
}

// sentCode is a step that waits for a code, as the server would have put it.
func sentCode(step *actors.Step) *tg.AuthSentCode {
	sent := &tg.AuthSentCode{PhoneCodeHash: step.ID, Type: sentCodeType(step)}
	if left := time.Until(step.ResendAt); left > 0 && !step.ResendAt.IsZero() {
		sent.SetTimeout(int(left.Seconds()))
	}
	return sent
}

func sentCodeType(step *actors.Step) tg.AuthSentCodeTypeClass {
	switch step.How {
	case actors.HowSMS:
		return &tg.AuthSentCodeTypeSMS{Length: step.Length}
	case actors.HowCall:
		return &tg.AuthSentCodeTypeCall{Length: step.Length}
	case actors.HowFlashCall:
		return &tg.AuthSentCodeTypeFlashCall{Pattern: step.Pattern}
	case actors.HowMissedCall:
		return &tg.AuthSentCodeTypeMissedCall{Prefix: step.Pattern, Length: step.Length}
	case actors.HowFragment:
		return &tg.AuthSentCodeTypeFragmentSMS{URL: step.URL, Length: step.Length}
	case actors.HowWord:
		return &tg.AuthSentCodeTypeSMSWord{Beginning: step.Pattern}
	case actors.HowPhrase:
		return &tg.AuthSentCodeTypeSMSPhrase{Beginning: step.Pattern}
	case actors.HowEmail:
		return &tg.AuthSentCodeTypeEmailCode{EmailPattern: step.Pattern, Length: step.Length}
	case actors.HowFirebase:
		return &tg.AuthSentCodeTypeFirebaseSMS{Length: step.Length}
	}
	return &tg.AuthSentCodeTypeApp{Length: step.Length}
}
