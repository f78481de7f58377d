// Command signin walks through the sign-ins of persons by phone number: what
// the manager asks, what can be answered, and what comes after a mistake.
//
// Each step is printed as JSON. It is the same JSON that `manager account
// login --json` prints and that the control API sends: a sign-in is a
// conversation, whoever leads it. The server is a test DC cluster in this
// process; the codes are read from its directory, where a person would look at
// a phone.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "signin:", err)
		os.Exit(1)
	}
}

// A story is one sign-in: a number, and what the person says to each step.
type story struct {
	title, id, phone string
	say              []actors.Answer
	signsIn          bool // how it ends
}

const begin dc.ID = 2

func run(ctx context.Context) (err error) {
	cluster, err := serve.Start(serve.Config{Persons: 3})
	if err != nil {
		return err
	}
	defer cluster.Close()
	d := cluster.Descriptor()
	dcs, err := d.Table()
	if err != nil {
		return err
	}
	manager, err := actors.Open(actors.Options{
		Store: persistence.NewMemory(), // nothing stays; see examples/embed for a store on disk
		DCs:   dcs,
		// Where sign-ins begin; the server moves those whose account lives elsewhere.
		DefaultDC: begin,
		App:       actors.App{APIID: d.Apps[0].ID, APIHash: d.Apps[0].Hash, DeviceModel: "mtfleet example", SystemVersion: "Go", AppVersion: "1.0"},
	})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := actors.CloseGrace()
		defer cancel()
		err = errors.Join(err, manager.Close(ctx))
	}()

	// A test number 99966XYYYY belongs to DC X, and its code is X five times.
	ada, grace, nobody := d.Phones[0], d.Phones[1], "+999 66 3 4321"
	if failed := cluster.API(func(b *api.Backend, _ time.Time) { err = b.SetPassword(grace.UserID, "correct horse") }); failed != nil || err != nil {
		return errors.Join(failed, err)
	}
	code := func(text string) actors.Answer { return actors.Answer{Kind: actors.AnswerCode, Code: text} }
	for _, s := range []story{
		{
			"a wrong code, then the right one; the account lives at another DC", "ada", ada.Number,
			[]actors.Answer{code("00000"), code(ada.Code)},
			true,
		},
		{
			"a number without an account, which gets one (never at Telegram's own DCs)", "newcomer", nobody,
			[]actors.Answer{code("33333"), {Kind: actors.AnswerSignUp, FirstName: "New", LastName: "Comer"}},
			true,
		},
		{
			"an account with a two-step password, typed wrong at first", "grace", grace.Number,
			[]actors.Answer{
				code(grace.Code),
				{Kind: actors.AnswerPassword, Password: "wrong horse"},
				{Kind: actors.AnswerPassword, Password: "correct horse"},
			},
			true,
		},
	} {
		if err := s.tell(ctx, manager); err != nil {
			return fmt.Errorf("%s: %w", s.title, err)
		}
	}
	return nil
}

// tell leads the conversation. This loop is all that a sign-in needs; in a real
// program a human fills in the answer to the step that is shown.
func (s story) tell(ctx context.Context, manager *actors.Manager) error {
	fmt.Printf("\n# %s\n", s.title)
	a, err := manager.Add(ctx, s.id, actors.AccountOptions{})
	if err != nil {
		return err
	}
	fmt.Printf("-> phone %s, to %v\n", s.phone, begin)
	step, err := a.SignIn(ctx, actors.Phone(s.phone))
	if home := a.Status().HomeDC; home != 0 {
		fmt.Printf("<- moved to DC %d\n", home)
	}
	for _, answer := range s.say {
		if err != nil || step == nil {
			break
		}
		text, broken := json.MarshalIndent(step, "", "  ")
		if broken != nil {
			return broken
		}
		fmt.Printf("<- step %s\n-> %s %s\n", text, answer.Kind, answer.Code+answer.FirstName)
		step, err = a.Answer(ctx, answer)
	}
	// A nil step without an error is the end. An answer that does not fit (an
	// empty code, another code asked for too early) is a *login.Error and
	// changes nothing: show the error, and ask again.
	got := a.Status()
	fmt.Printf("<- signed in: %v; user %d, home DC %d; error: %v\n", got.SignedIn, got.UserID, got.HomeDC, err)
	if step != nil || got.SignedIn != s.signsIn || (err == nil) != s.signsIn {
		return errors.New("that is not how this was to end")
	}
	return nil
}
