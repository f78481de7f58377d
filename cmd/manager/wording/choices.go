package wording

import (
	"slices"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/actors"
)

// A Choice is a word that answers a step, or begins an answer that takes more.
type Choice struct {
	Word string
	Kind actors.AnswerKind
	From time.Time // not before
	More bool      // something else is to be typed, which the word says
}

// The words that take more.
const (
	Number    = "number"
	Play      = "play"
	SafetyNet = "safetynet"
	IOS       = "ios"
	Paid      = "paid"
	Apple     = "apple"
	Google    = "google"
)

// Names are the words of choices.
func Names(choices []Choice) string {
	list := make([]string, len(choices))
	for i, c := range choices {
		list[i] = c.Word
	}
	return strings.Join(list, ", ")
}

// Choices are the words that fit a step; the last one cancels.
func Choices(s actors.Step) (choices []Choice) {
	add := func(fits bool, c Choice) {
		if fits {
			choices = append(choices, c)
		}
	}
	number := Choice{Word: Number, Kind: actors.AnswerPhone, More: true}
	cancel := Choice{Word: "cancel", Kind: actors.AnswerCancel}
	if !s.Supported {
		add(s.Kind == actors.StepSignUp, number)
		return append(choices, cancel)
	}
	add(s.Kind == actors.StepCode && s.Next != "" || s.Kind == actors.StepFirebase, Choice{Word: "resend", Kind: actors.AnswerResend, From: s.ResendAt})
	add(s.Kind == actors.StepNewCode, Choice{Word: "resend", Kind: actors.AnswerResend, From: s.Until})
	add(s.Kind == actors.StepFirebase, Choice{Word: Play, Kind: actors.AnswerFirebase, More: true})
	add(s.Kind == actors.StepFirebase, Choice{Word: SafetyNet, Kind: actors.AnswerFirebase, More: true})
	add(s.Kind == actors.StepFirebase, Choice{Word: IOS, Kind: actors.AnswerFirebase, More: true})
	add(s.Kind == actors.StepPayment, Choice{Word: Paid, Kind: actors.AnswerPaid, More: true})
	add(s.Apple, Choice{Word: Apple, Kind: actors.AnswerEmailToken, More: true})
	add(s.Google, Choice{Word: Google, Kind: actors.AnswerEmailToken, More: true})
	add(s.Kind == actors.StepCode && !s.ResetAt.IsZero(), Choice{Word: "reset", Kind: actors.AnswerResetEmail})
	add(s.Kind == actors.StepPassword && s.Recovery, Choice{Word: "forgot", Kind: actors.AnswerForgot, From: s.Until})
	add(s.Kind == actors.StepRecovery, Choice{Word: "again", Kind: actors.AnswerForgot, From: s.Until})
	add(s.Kind == actors.StepNewPassword, Choice{Word: "none", Kind: actors.AnswerNoPassword, From: s.Until})
	add(at(s, actors.StepRecovery, actors.StepNewPassword, actors.StepEmailSetup), Choice{Word: "back", Kind: actors.AnswerBack})
	add(at(s, actors.StepCode, actors.StepNewCode, actors.StepFirebase, actors.StepPayment, actors.StepEmail, actors.StepEmailSetup), number)
	add(s.Kind == actors.StepSignUp && s.Phone != "", number)
	return append(choices, cancel)
}

// A Question is how a step is asked for.
type Question struct {
	Prompt string // empty: there is nothing to type but a word
	Hidden bool   // nothing is shown of what is typed
	Wordy  bool   // any word may be the answer, also one of the choices
	// Answer makes the answer of what was typed.
	Answer func(text string) actors.Answer
}

// QuestionOf is how a step is asked for; the zero Question for one that knows choices
// alone.
func QuestionOf(s actors.Step) Question {
	if !s.Supported {
		return Question{Wordy: wordy(s)}
	}
	q := questions[s.Kind]
	q.Wordy = q.Wordy || wordy(s)
	return q
}

func wordy(s actors.Step) bool { return s.How == actors.HowWord || s.How == actors.HowPhrase }

func code(text string) actors.Answer { return actors.Answer{Kind: actors.AnswerCode, Code: text} }

func token(text string) actors.Answer { return actors.Answer{Kind: actors.AnswerToken, Token: text} }

var questions = map[actors.StepKind]Question{
	actors.StepPhone: {Prompt: "Phone number", Answer: func(text string) actors.Answer {
		return actors.Answer{Kind: actors.AnswerPhone, Phone: text}
	}},
	actors.StepCode:       {Prompt: "Code", Answer: code},
	actors.StepFirebase:   {Prompt: "Code", Answer: code},
	actors.StepEmailSetup: {Prompt: "Code", Answer: code},
	actors.StepRecovery:   {Prompt: "Code", Answer: code},
	actors.StepEmail: {Prompt: "E-mail address", Answer: func(text string) actors.Answer {
		return actors.Answer{Kind: actors.AnswerEmail, Email: text}
	}},
	actors.StepPassword: {Prompt: "Password", Hidden: true, Answer: func(text string) actors.Answer {
		return actors.Answer{Kind: actors.AnswerPassword, Password: text}
	}},
	actors.StepToken:    {Prompt: "Bot token", Hidden: true, Answer: token},
	actors.StepWebToken: {Prompt: "Link of the web client", Hidden: true, Answer: token},
	actors.StepNewPassword: {Prompt: "New password", Hidden: true, Answer: func(text string) actors.Answer {
		return actors.Answer{Kind: actors.AnswerNewPassword, Password: text}
	}},
	actors.StepPNV: {Prompt: "Token", Hidden: true, Answer: func(text string) actors.Answer {
		return actors.Answer{Kind: actors.AnswerPNV, Token: text}
	}},
	actors.StepSignUp: {Prompt: "First name", Wordy: true, Answer: func(text string) actors.Answer {
		return actors.Answer{Kind: actors.AnswerSignUp, FirstName: text}
	}},
	actors.StepPasskey: {Prompt: "Assertion, as JSON", Answer: func(text string) actors.Answer {
		return actors.Answer{Kind: actors.AnswerPasskey, Credential: actors.JSONText(text)}
	}},
}

// TakesCode tells whether a step is answered by a code.
func TakesCode(s actors.Step) bool {
	return at(s, actors.StepCode, actors.StepEmailSetup, actors.StepRecovery)
}

func at(s actors.Step, kinds ...actors.StepKind) bool { return slices.Contains(kinds, s.Kind) }
