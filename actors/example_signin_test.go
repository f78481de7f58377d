package actors_test

import (
	"context"
	"fmt"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

// A sign-in is a loop: do what the step asks for until there is none. The same
// loop goes on with one that an earlier process began.
func ExampleAccount_SignIn() {
	cfg := actorstest.Small()
	cfg.MemoryOnly, cfg.RSAKey = true, actorstest.RSAKey()
	dcs, err := serve.Start(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer dcs.Close()
	m, err := actors.Open(actorstest.Options(dcs, persistence.NewMemory()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close(context.Background())
	ctx, person := context.Background(), dcs.Descriptor().Phones[0]
	a, err := m.Add(ctx, "alice", actors.AccountOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}

	step, err := a.SignIn(ctx, actors.Phone("+"+person.Number))
	for err == nil && step != nil {
		fmt.Println(step.Kind)
		answer := actors.Answer{Step: step.ID}
		switch step.Kind {
		case actors.StepCode:
			answer.Kind, answer.Code = actors.AnswerCode, person.Code // as it was typed
		case actors.StepQR, actors.StepWait: // show step.URL, or that step.Until is waited for
			step, err = a.NextStep(ctx, step)
			continue
		default:
			answer.Kind = actors.AnswerCancel
		}
		step, err = a.Answer(ctx, answer)
	}
	fmt.Println("signed in:", a.Status().SignedIn, err)
	// Output:
	// code
	// signed in: true <nil>
}
