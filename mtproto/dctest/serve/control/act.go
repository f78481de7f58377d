package control

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
)

// done is the answer of what has nothing to tell.
type done struct {
	OK bool `json:"ok"`
}

// people runs f with the API half; its error is a problem of the request.
func (h *handler) people(f func(b *api.Backend, now time.Time) error) error {
	var refused error
	err := h.cluster.API(func(b *api.Backend, now time.Time) { refused = f(b, now) })
	return asProblem(errors.Join(err, refused))
}

// PushKinds lists what POST /push pushes.
func PushKinds() []string { return []string{"update", "lost_update", "text", "notification"} }

type pushRequest struct {
	Kind   string `json:"kind"`
	UserID int64  `json:"user_id"`
	Text   string `json:"text"`
	Type   string `json:"type"`
}

type pushAnswer struct {
	Pts int32 `json:"pts,omitempty"` // after the update; a notification has none
}

const maxText = 4096 // characters, as of a message

func (h *handler) push(r *http.Request) (any, error) {
	var q pushRequest
	given, err := decode(r, &q)
	if err != nil {
		return nil, err
	}
	if err := need(given, "kind", "user_id"); err != nil {
		return nil, err
	}
	texted := q.Kind == "text" || q.Kind == "notification"
	switch n := utf8.RuneCountInString(q.Text); {
	case texted && (n == 0 || n > maxText):
		return nil, bad("text", "text has 1 to %d characters", maxText)
	case !texted && n > 0:
		return nil, bad("text", "only a text and a notification have a text")
	case q.Kind != "notification" && q.Type != "":
		return nil, bad("type", "only a notification has a type")
	}
	var out pushAnswer
	err = h.people(func(b *api.Backend, now time.Time) (err error) {
		switch q.Kind {
		case "update":
			out.Pts, err = b.PushUpdate(now, q.UserID)
		case "lost_update":
			out.Pts, err = b.AppendDelete(now, q.UserID, lostMessage)
		case "text":
			out.Pts, err = b.Tell(now, q.UserID, q.Text)
		case "notification":
			err = b.Notify(now, q.UserID, q.Type, q.Text)
		default:
			err = (&problem{Error: "there is no such kind", Field: "kind", Allowed: PushKinds()}).asError()
		}
		return err
	})
	return out, err
}

// lostMessage is the id of the message that a lost update deletes: none has it.
const lostMessage = 1<<31 - 1

type seedRequest struct {
	Seed  uint64  `json:"seed,string"`
	Temp  bool    `json:"temp"`
	Users []int64 `json:"users"`
}

func (h *handler) seed(r *http.Request) (any, error) {
	var q seedRequest
	given, err := decode(r, &q)
	if err != nil {
		return nil, err
	}
	if err := need(given, "seed", "users"); err != nil {
		return nil, err
	}
	seed, err := h.cluster.Seed(q.Seed, q.Temp, q.Users)
	var refused *dctest.SeedError
	if errors.As(err, &refused) {
		return nil, bad("users", "%v", refused)
	}
	return seed, err
}

type revokeRequest struct {
	UserID int64 `json:"user_id"`
	DC     int   `json:"dc"`
	Perm   int64 `json:"perm,string"`
}

func (h *handler) revoke(r *http.Request) (any, error) {
	var q revokeRequest
	given, err := decode(r, &q)
	switch {
	case err != nil:
		return nil, err
	case q.UserID != 0 && len(given) > 1:
		return nil, bad("user_id", "either user_id, or dc and perm")
	case q.UserID == 0:
		if err := need(given, "dc", "perm"); err != nil {
			return nil, err
		}
	}
	return done{true}, h.people(func(b *api.Backend, now time.Time) error {
		if q.UserID != 0 {
			return b.Revoke(now, q.UserID)
		}
		if b.RevokeKey(now, q.DC, q.Perm) != nil {
			return bad("perm", "nobody is signed in on key %d at DC %d; GET /ledger?list=authorizations lists them", q.Perm, q.DC)
		}
		return nil
	})
}

type scanRequest struct {
	Token  string `json:"token"`
	UserID int64  `json:"user_id"`
}

func (h *handler) scan(r *http.Request) (any, error) {
	var q scanRequest
	given, err := decode(r, &q)
	if err != nil {
		return nil, err
	}
	if err := need(given, "token", "user_id"); err != nil {
		return nil, err
	}
	token, err := readToken(q.Token)
	if err != nil {
		return nil, err
	}
	return done{true}, h.people(func(b *api.Backend, now time.Time) error {
		err := b.Scan(now, token, q.UserID)
		if refused := (*api.Error)(nil); errors.As(err, &refused) {
			return (&problem{Error: refused.Text, Field: "token", status: http.StatusConflict}).asError()
		}
		return err
	})
}

// readToken reads what a QR code shows, tg://login?token=..., or the token of it alone.
func readToken(text string) ([]byte, error) {
	if u, err := url.Parse(text); err == nil && u.Scheme == "tg" {
		text = u.Query().Get("token")
	}
	text = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(text, "="))
	token, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(token) == 0 {
		return nil, bad("token", "token is what the QR code shows, tg://login?token=..., or its token in base64url")
	}
	return token, nil
}

type payRequest struct {
	Phone string `json:"phone"`
}

func (h *handler) pay(r *http.Request) (any, error) {
	var q payRequest
	given, err := decode(r, &q)
	if err != nil {
		return nil, err
	}
	if err := needPhone(given, q.Phone); err != nil {
		return nil, err
	}
	return done{true}, h.people(func(b *api.Backend, _ time.Time) error {
		b.Pay(q.Phone)
		return nil
	})
}

// needPhone refuses what cannot be a phone number.
func needPhone(given []string, phone string) error {
	digits := 0
	for _, c := range phone {
		if c >= '0' && c <= '9' {
			digits++
		}
	}
	if err := need(given, "phone"); err != nil || digits >= 5 && digits <= 15 {
		return err
	}
	return bad("phone", "phone is a number of 5 to 15 digits")
}

type codesRequest struct {
	Phone string   `json:"phone"`
	Chain []string `json:"chain"`
}

func (h *handler) setCodes(r *http.Request) (any, error) {
	var q codesRequest
	given, err := decode(r, &q)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(needPhone(given, q.Phone), need(given, "chain")); err != nil {
		return nil, err
	}
	var chain []api.CodeType
	for _, name := range q.Chain {
		t, err := api.ParseCodeType(name)
		if err != nil {
			return nil, asProblem(err)
		}
		chain = append(chain, t)
	}
	return done{true}, h.people(func(b *api.Backend, _ time.Time) error { return b.SetCodes(q.Phone, chain...) })
}

type passwordRequest struct {
	UserID   int64  `json:"user_id"`
	Password string `json:"password"`
	Hint     string `json:"hint"`
	Email    string `json:"email"`
}

func (h *handler) password(r *http.Request) (any, error) {
	var q passwordRequest
	given, err := decode(r, &q)
	if err != nil {
		return nil, err
	}
	if err := need(given, "user_id", "password"); err != nil {
		return nil, err
	}
	if q.Password == "" && q.Hint+q.Email != "" {
		return nil, bad("password", "an empty password removes it, and has no hint or e-mail")
	}
	return done{true}, h.people(func(b *api.Backend, _ time.Time) error {
		return b.SetTwoStep(q.UserID, api.TwoStep{Password: q.Password, Hint: q.Hint, Email: q.Email})
	})
}

type loginEmailRequest struct {
	UserID int64  `json:"user_id"`
	Email  string `json:"email"`
}

func (h *handler) loginEmail(r *http.Request) (any, error) {
	var q loginEmailRequest
	given, err := decode(r, &q)
	if err != nil {
		return nil, err
	}
	if err := need(given, "user_id", "email"); err != nil {
		return nil, err
	}
	return done{true}, h.people(func(b *api.Backend, _ time.Time) error { return b.SetLoginEmail(q.UserID, q.Email) })
}

type webTokenRequest struct {
	UserID int64 `json:"user_id"`
}

type webTokenAnswer struct {
	Token string `json:"token"`
	DC    int    `json:"dc"` // where it is good, for a minute
}

func (h *handler) webToken(r *http.Request) (any, error) {
	var q webTokenRequest
	given, err := decode(r, &q)
	if err != nil {
		return nil, err
	}
	if err := need(given, "user_id"); err != nil {
		return nil, err
	}
	var out webTokenAnswer
	err = h.people(func(b *api.Backend, now time.Time) (err error) {
		out.Token, out.DC, err = b.WebToken(now, q.UserID)
		return err
	})
	return out, err
}
