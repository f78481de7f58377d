package login

import (
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// The sign-in of a bot: one call with its token. The token is all there is to
// the bot, so it is not stored: after a restart it is asked for again, unless
// the call of before turns out to have gone through.
// https://core.telegram.org/api/bots#login

const callImportBot call = "importBotAuthorization"

// BotPart is what is stored of a bot's sign-in.
type BotPart struct {
	ID int64 `json:"id,omitempty"` // its user id, which its token begins with
}

func (m *Machine) botMethod(c call) (method, bool) {
	if c != callImportBot {
		return method{}, false
	}
	return method{
		state: StateImporting, signsIn: true, moves: true, patient: true,
		query: func(m *Machine) tl.Object {
			if m.secret.token == "" {
				return nil
			}
			return &tg.AuthImportBotAuthorizationRequest{APIID: m.cfg.APIID, APIHash: m.cfg.APIHash, BotAuthToken: m.secret.token}
		},
		answer: reads(tg.ParseAnyAuthAuthorization, (*Machine).onAuthorization),
		refused: func(m *Machine, _ time.Time, e *tgerr.Error) bool {
			if e.Type != "ACCESS_TOKEN_INVALID" && e.Type != "ACCESS_TOKEN_EXPIRED" {
				return false
			}
			m.fail(&Error{Reason: ReasonToken, Err: e, Message: "the server does not know this bot token; copy it from @BotFather again, or make a new one there"})
			return true
		},
		lost: func(m *Machine, now time.Time) {
			switch {
			case m.secret.token == "":
				m.wait(StateWaitToken)
			case m.s.Repeats < repeatsMost:
				m.s.Repeats++
				m.s.Pending = string(callImportBot)
				m.again(now)
			default:
				m.fail(answersLost())
			}
		},
		forgotten: func(m *Machine) { m.wait(StateWaitToken) },
	}, true
}

func (m *Machine) inputBotToken(now time.Time, a Answer) error {
	token, problem := normalToken(a.Token)
	if problem != "" {
		return badToken(problem)
	}
	if id, _ := botID(token); id != m.s.Bot.ID {
		return badToken("this is the token of another bot; cancel this sign-in first")
	}
	if err := m.early(now); err != nil {
		return err
	}
	m.secret.token, m.s.LastError = token, ""
	m.call(callImportBot)
	return nil
}

func answersLost() *Error {
	return &Error{Reason: ReasonServer, Retry: true, Message: "the answers to the sign-in keep getting lost; try again later"}
}

// botID returns the user id in front of a bot token.
func botID(token string) (int64, bool) {
	digits, secret, ok := strings.Cut(token, ":")
	if !ok || secret == "" || len(digits) == 0 || len(digits) > 18 || len(token) > 256 {
		return 0, false
	}
	var id int64
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return 0, false
		}
		id = id*10 + int64(c-'0')
	}
	return id, id > 0
}

func badPhone(problem string) *Error {
	return &Error{Reason: ReasonPhone, Message: "this is no phone number: " + problem}
}

func badToken(problem string) *Error { return &Error{Reason: ReasonToken, Message: problem} }
