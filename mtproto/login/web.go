package login

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// The sign-in by the address that a signed-in client made for a web client. Its
// fragment holds a token for one DC and one user, good once and for about a
// minute; it is not stored.

const callImportWeb call = "importWebTokenAuthorization"

// WebPart is what is stored of a sign-in by a web client's address.
type WebPart struct {
	DC     dc.ID `json:"dc,omitempty"`      // where the token is good; 0: it did not say
	UserID int64 `json:"user_id,omitempty"` // whose it is; 0: it did not say
}

func (m *Machine) webMethod(c call) (method, bool) {
	if c != callImportWeb {
		return method{}, false
	}
	return method{
		state: StateImportingWeb, signsIn: true, moves: true,
		query: func(m *Machine) tl.Object {
			if m.secret.web == "" {
				return nil
			}
			return &tg.AuthImportWebTokenAuthorizationRequest{APIID: m.cfg.APIID, APIHash: m.cfg.APIHash, WebAuthToken: m.secret.web}
		},
		answer: reads(tg.ParseAnyAuthAuthorization, (*Machine).onAuthorization),
		refused: func(m *Machine, _ time.Time, e *tgerr.Error) bool {
			switch e.Type {
			case "WEBAUTH_TOKEN_EXPIRED", "WEBAUTH_TOKEN_INVALID", "AUTH_TOKEN_INVALID", "AUTH_TOKEN_EXPIRED":
				m.webAgain(e.Type)
				return true
			}
			return false
		},
		// It is good once, and may have been spent.
		lost:      func(m *Machine, _ time.Time) { m.webAgain(answerLost) },
		forgotten: func(m *Machine) { m.webAgain(restarted) },
		late:      func(m *Machine, until time.Time) { m.s.Until = until; m.webAgain(floodWait) },
	}, true
}

func (m *Machine) webAgain(why string) {
	m.secret.web, m.s.LastError = "", why
	m.wait(StateWaitWebToken)
}

func (m *Machine) inputWebToken(now time.Time, a Answer) error {
	web, token, problem := readWebLink(a.Token)
	switch {
	case problem != "":
		return badWebToken(problem)
	case web.UserID != 0 && m.s.Web.UserID != 0 && web.UserID != m.s.Web.UserID:
		return badWebToken("this link is of another user; cancel this sign-in first")
	}
	if err := m.early(now); err != nil {
		return err
	}
	m.s.Web, m.secret.web, m.s.LastError = web, token, ""
	if web.DC.Valid() && web.DC != m.s.DC {
		m.moveFirst()
	} else {
		m.call(callImportWeb)
	}
	return nil
}

// webMost bounds a link, in bytes.
const webMost = 4096

// readWebLink reads the token out of an address, or takes it alone.
func readWebLink(text string) (WebPart, string, string) {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > webMost {
		return WebPart{}, "", "there is nothing in it, or far too much"
	}
	i := strings.Index(text, "tgWebAuthToken=")
	if i < 0 {
		if strings.ContainsAny(text, " \t\r\n/#?&=:") && !strings.HasSuffix(text, "=") {
			return WebPart{}, "", "there is no tgWebAuthToken in it"
		}
		return WebPart{}, text, ""
	}
	// The parameters are in no fixed order.
	start := strings.LastIndexAny(text[:i], "#?") + 1
	values, err := url.ParseQuery(text[start:])
	token := values.Get("tgWebAuthToken")
	if err != nil || token == "" {
		return WebPart{}, "", "its tgWebAuthToken cannot be read"
	}
	var web WebPart
	if n, err := strconv.ParseInt(values.Get("tgWebAuthUserId"), 10, 64); err == nil && n > 0 {
		web.UserID = n
	}
	if n, err := strconv.Atoi(values.Get("tgWebAuthDcId")); err == nil && dc.ID(n).Valid() {
		web.DC = dc.ID(n)
	}
	return web, token, ""
}

func badWebToken(problem string) *Error {
	return &Error{Reason: ReasonToken, Message: "this is no link of a web client: " + problem}
}
