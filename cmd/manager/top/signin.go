package top

import (
	"context"
	"fmt"
	"slices"

	tea "charm.land/bubbletea/v2"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/cmd/manager/wording"
	"github.com/mtfleet/mtfleet/mtproto/login"
)

// A stage is where the screen of a sign-in stands.
type stage int

const (
	choosing stage = iota // a way to sign in
	typing                // what that way begins with
	asking                // the manager: nothing can be done
	stepping              // a step waits for somebody
	over                  // it came to nothing
)

// signIn is one sign-in, from the choice of a way to its end.
type signIn struct {
	id    string
	stage stage

	flows []flowChoice
	index int // of flows

	form   *form // what is typed now; nil for nothing
	step   actors.Step
	more   bool   // the form is of a choice
	choice int    // what enter does: -1 sends the form, others take a choice
	why    string // what became of the last answer, or of the sign-in

	turn      int // what was asked before is nobody's any more
	cancel    context.CancelFunc
	canceling bool // the last call was to cancel it
}

// progressed is what became of a turn.
type progressed struct {
	id       string
	turn     int
	watched  bool // the step changed by itself
	progress control.Progress
	err      error
}

func openSignIn(m *Model, acc *control.Account) tea.Cmd {
	s := &signIn{id: acc.ID, flows: flows()}
	switch {
	case m.service == nil:
		m.note = noManager
		return nil
	case acc.Status.State == actors.SigningIn:
		m.push(s)
		return s.find(m)
	case acc.SignedIn:
		m.note = note{"Account " + acc.ID + " is signed in. To sign it in anew, log it out first: manager account logout " + acc.ID, true}
		return nil
	}
	m.push(s)
	return nil
}

// call asks the manager, and forgets what was asked before.
func (s *signIn) call(m *Model, f func(context.Context, control.Service) (control.Progress, error)) tea.Cmd {
	s.stop()
	if m.service == nil {
		m.note = noManager
		return nil
	}
	s.turn++
	s.stage, s.form, s.why = asking, nil, ""
	id, turn, service := s.id, s.turn, m.service
	ctx, cancel := context.WithTimeout(m.ctx, callTime)
	s.cancel = cancel
	return func() tea.Msg {
		defer cancel()
		p, err := f(ctx, service)
		return progressed{id: id, turn: turn, progress: p, err: err}
	}
}

// stop gives up what is asked; the sign-in goes on in the manager.
func (s *signIn) stop() {
	if s.cancel != nil {
		s.cancel()
		s.cancel = nil
	}
	if s.form != nil {
		s.form.wipe()
	}
}

// begin begins a sign-in by a way.
func (s *signIn) begin(m *Model, r control.SignInRequest) tea.Cmd {
	s.canceling = false
	return s.call(m, func(ctx context.Context, to control.Service) (control.Progress, error) {
		return control.SignIn.Call(ctx, to, r)
	})
}

// find goes on with what is under way.
func (s *signIn) find(m *Model) tea.Cmd {
	s.canceling = false
	return s.call(m, func(ctx context.Context, to control.Service) (control.Progress, error) {
		return control.Step.Call(ctx, to, control.StepRequest{ID: s.id})
	})
}

// answer answers the step that is shown. Of one that was refused it is found out whether
// it may be given again.
func (s *signIn) answer(m *Model, a actors.Answer) tea.Cmd {
	if a.Step == "" {
		a.Step = s.step.ID
	}
	s.canceling = a.Kind == actors.AnswerCancel
	id := s.id
	return s.call(m, func(ctx context.Context, to control.Service) (control.Progress, error) {
		p, err := control.Answer.Call(ctx, to, control.AnswerRequest{ID: id, Answer: a})
		if err == nil || a.Kind == actors.AnswerCancel {
			return p, err
		}
		if still, stepErr := control.Step.Call(ctx, to, control.StepRequest{ID: id}); stepErr == nil {
			return still, err
		}
		return control.Progress{}, err
	})
}

// watch waits until the step changes by itself, as a QR code does, or is answered
// elsewhere.
func (s *signIn) watch(m *Model) tea.Cmd {
	if m.service == nil {
		return nil
	}
	id, turn, step, service := s.id, s.turn, s.step.ID, m.service
	ctx, cancel := context.WithCancel(m.ctx)
	s.cancel = cancel
	return func() tea.Msg {
		defer cancel()
		p, err := control.Step.Call(ctx, service, control.StepRequest{ID: id, After: step})
		if ctx.Err() != nil {
			return nil // nobody waits for it
		}
		return progressed{id: id, turn: turn, watched: true, progress: p, err: err}
	}
}

func (s *signIn) update(m *Model, msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case progressed:
		if msg.id == s.id && msg.turn == s.turn {
			return s.progressed(m, msg)
		}
	case connected:
		if s.stage == asking || s.stage == stepping {
			return s.find(m) // it is stored
		}
	}
	return nil
}

func (s *signIn) progressed(m *Model, msg progressed) tea.Cmd {
	kind := control.KindOf(msg.err)
	switch {
	case s.canceling && (msg.err == nil || kind == control.KindState):
		s.leave(m, note{text: "The sign-in of account " + s.id + " is cancelled."})
		return nil
	case msg.err != nil && kind == control.KindStopped:
		return nil // it goes on when the manager is back
	case msg.progress.Step != nil:
		if msg.err != nil {
			s.why = m.sayError(msg.err)
		}
		return s.show(m, *msg.progress.Step, msg.watched)
	case msg.err == nil && msg.progress.Account.SignedIn:
		acc := msg.progress.Account
		who := "user"
		if acc.Bot {
			who = "bot"
		}
		s.leave(m, note{text: fmt.Sprintf("Account %s is signed in: %s %d, DC %d.", acc.ID, who, acc.UserID, acc.HomeDC)})
		return nil
	case msg.err != nil:
		s.why = m.sayError(msg.err)
	default:
		s.why = "The sign-in has ended."
	}
	s.stage, s.form = over, nil
	return nil
}

// show shows a step. What was begun to be typed stays when it is still the same one.
func (s *signIn) show(m *Model, step actors.Step, watched bool) tea.Cmd {
	same := watched && s.stage == stepping && s.step.ID == step.ID
	s.stage, s.step, s.canceling = stepping, step, false
	if !same {
		s.ask(m)
	}
	if watched {
		s.why = ""
	}
	return s.watch(m)
}

// ask begins to ask for the answer to the step.
func (s *signIn) ask(m *Model) {
	if s.form != nil {
		s.form.wipe()
	}
	s.more, s.choice = false, -1
	if s.form = stepForm(s.step, s.answer); s.form == nil {
		s.choice = 0
	}
	if s.step.Type == actors.TypeDisplay || s.step.Type == actors.TypeWaitUntil {
		s.choice = -1 // there is nothing to answer
	}
}

// choices are those of the step; esc cancels.
func (s *signIn) choices() []wording.Choice {
	return slices.DeleteFunc(wording.Choices(s.step), func(c wording.Choice) bool { return c.Kind == actors.AnswerCancel })
}

// leave takes the screen away, wherever it lies.
func (s *signIn) leave(m *Model, n note) {
	s.stop()
	s.turn++
	m.screens = slices.DeleteFunc(m.screens, func(other screen) bool { return other == screen(s) })
	m.note, m.question = n, nil
}

func (s *signIn) key(m *Model, k tea.KeyPressMsg) (tea.Cmd, bool) {
	name := k.String()
	if name == "esc" {
		s.escape(m)
		return nil, true
	}
	switch s.stage {
	case choosing:
		return s.chooseFlow(m, k), true
	case typing, stepping:
		return s.typed(m, k), true
	case over:
		if name == "enter" {
			return s.again(m), true
		}
	}
	return nil, s.stage != over && s.stage != asking
}

// again goes on after an error: with the sign-in, where there still is one.
func (s *signIn) again(m *Model) tea.Cmd {
	if acc := m.fleet.byID[s.id]; acc != nil && acc.Status.State == actors.SigningIn {
		return s.find(m)
	}
	s.stage, s.why = choosing, ""
	return nil
}

func (s *signIn) chooseFlow(m *Model, k tea.KeyPressMsg) tea.Cmd {
	if by, ok := moved(k.String(), len(s.flows)); ok {
		s.index = max(min(s.index+by, len(s.flows)-1), 0)
		return nil
	}
	if k.String() != "enter" {
		return nil
	}
	way := s.flows[s.index]
	r := control.SignInRequest{ID: s.id, Flow: way.flow}
	if way.ask == nil {
		return s.begin(m, r)
	}
	s.stage, s.choice = typing, -1
	s.form = &form{fields: []*field{way.ask}, done: func(m *Model, v []string) (tea.Cmd, string) {
		r := r
		switch way.flow {
		case login.FlowPhone:
			r.Phone = v[0]
		case login.FlowBot:
			r.BotToken = v[0]
		default:
			r.WebToken = v[0]
		}
		return s.begin(m, r), ""
	}}
	return nil
}

func (s *signIn) typed(m *Model, k tea.KeyPressMsg) tea.Cmd {
	switch name := k.String(); {
	case name == "tab" || name == "shift+tab":
		s.nextChoice(name == "tab")
	case name != "enter" && s.form != nil && s.choice < 0:
		s.form.key(k)
	case name == "enter" && s.choice >= 0 && s.stage == stepping:
		return s.choose(m)
	case name == "enter" && s.form != nil:
		return s.form.enter(m)
	}
	return nil
}

// nextChoice goes round what enter may do: send what is typed, or one of the choices.
func (s *signIn) nextChoice(on bool) {
	n := len(s.choices())
	if s.stage != stepping || s.more || n == 0 {
		return
	}
	least := 0
	if s.form != nil {
		least = -1
	}
	by := 1
	if !on {
		by = -1
	}
	if s.choice += by; s.choice >= n {
		s.choice = least
	} else if s.choice < least {
		s.choice = n - 1
	}
}

func (s *signIn) choose(m *Model) tea.Cmd {
	choices := s.choices()
	if s.choice >= len(choices) {
		return nil
	}
	c := choices[s.choice]
	switch {
	case c.From.After(m.now()):
		s.why = "That can be had " + wording.When(c.From, m.now(), "at %s", "") + "."
		return nil
	case c.More:
		if s.form != nil {
			s.form.wipe()
		}
		s.form, s.more, s.choice, s.why = choiceForm(c, s.answer), true, -1, ""
		return nil
	}
	return s.answer(m, actors.Answer{Kind: c.Kind})
}

// escape goes back, and asks where a sign-in is under way.
func (s *signIn) escape(m *Model) {
	switch s.stage {
	case typing:
		s.form.wipe()
		s.form, s.stage = nil, choosing
		return
	case stepping:
		if s.more {
			s.ask(m)
			return
		}
	case asking:
		s.leave(m, note{text: "The sign-in of account " + s.id + " goes on in the manager: l shows where it stands."})
		return
	default:
		s.leave(m, note{})
		return
	}
	m.question = &question{
		text: "c cancels the sign-in of account " + s.id + ", l leaves it as it is (it is stored: l goes on with it); any other key stays here.",
		answers: map[string]func() tea.Cmd{
			"c": func() tea.Cmd { return s.answer(m, actors.Answer{Kind: actors.AnswerCancel}) },
			"l": func() tea.Cmd {
				s.leave(m, note{text: "The sign-in of account " + s.id + " is stored: l goes on with it."})
				return nil
			},
		},
	}
}

func (s *signIn) paste(text string) {
	if s.form != nil && s.choice < 0 {
		s.form.field().add(text)
	}
}
