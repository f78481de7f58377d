package api

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// attemptOf plays a client's sign-in by phone against the DCs. It returns the authorization and how many codes it
// took. lose drops the answer to the first auth.sendCode.
func (w *world) attemptOf(u User, perm int64, tokens [][]byte, lose bool) (*login.Authorization, int) {
	w.t.Helper()
	at, codes := 1, 0
	m, err := login.NewPhone(login.Config{APIID: int32(TestApp().ID), APIHash: TestApp().Hash, FutureTokens: func(string) [][]byte { return tokens }, Rand: rand.NewChaCha8([32]byte{})}, u.Phone)
	if err != nil {
		w.t.Fatal(err)
	}
	m.Start(w.now)
	for range 100 {
		out, ok := m.Next()
		if !ok {
			w.t.Fatalf("the sign-in stands still: %v", m.State())
		}
		switch out.Kind {
		case login.OutCall:
			r := w.raw(at, perm, out.Query.Append(nil))
			switch {
			case r.Err != nil:
				m.Failed(w.now, out.Call, tgerr.New(r.Err.Code, r.Err.Text))
			case lose && out.Query.TypeID() == tg.AuthSendCodeRequestID:
				lose = false
				m.Lost(w.now, out.Call)
			default:
				m.Result(w.now, out.Call, r.Body)
			}
		case login.OutMigrate:
			at = int(out.DC)
			m.Migrated(w.now)
		case login.OutAsk:
			answer := login.Answer{Kind: login.AnswerCode, Code: w.b.Code(u.Phone)}
			if codes++; out.Step.Kind == login.StepNewCode {
				answer = login.Answer{Kind: login.AnswerResend}
			}
			if err := m.Input(w.now, answer); err != nil {
				w.t.Fatalf("%v: %v", out.Step.Kind, err)
			}
		case login.OutDone:
			if dc.ID(at) != dc.ID(u.HomeDC) || out.Authorization.UserID != u.ID {
				w.t.Fatalf("%v is signed in on DC %d", out.Authorization, at)
			}
			return out.Authorization, codes
		case login.OutFailed:
			w.t.Fatal(out.Err)
		}
	}
	w.t.Fatal("the sign-in does not end")
	return nil, 0
}

// The client's sign-in and the DCs agree on what a future auth token is good for.
func TestAClientSignsInWithAFutureTokenInsteadOfACode(t *testing.T) {
	w := newWorld(t, Config{LoginsPerDay: -1})
	u := w.person(2)
	first, codes := w.attemptOf(u, 1, nil, false)
	if codes != 1 || len(first.FutureAuthToken) == 0 {
		t.Fatalf("the first sign-in took %d codes and brought a token of %d bytes", codes, len(first.FutureAuthToken))
	}
	out := must(w, 2, 1, &tg.AuthLogOutRequest{}).FutureAuthToken.Value

	second, codes := w.attemptOf(u, 2, [][]byte{out, first.FutureAuthToken}, false)
	if codes != 0 {
		t.Errorf("with the token of the log-out it took %d codes", codes)
	}
	w.sleep(25 * time.Hour) // the number's codes of a day
	third, codes := w.attemptOf(u, 3, [][]byte{second.FutureAuthToken}, true)
	if codes != 0 || third.FutureAuthToken != nil { // the token was in the answer that is lost
		t.Errorf("with the fresh token and a lost answer it took %d codes; the next token has %d bytes", codes, len(third.FutureAuthToken))
	}
	if _, codes := w.attemptOf(u, 4, [][]byte{out}, true); codes == 0 {
		t.Error("a spent token was good again")
	}
	w.sleep(25 * time.Hour)
	fourth := w.login(u, 8)
	strange := make([][]byte, 20)
	for i := range strange {
		strange[i] = []byte("somebody else's")
	}
	if _, codes := w.attemptOf(u, 5, append(strange, fourth.FutureAuthToken.Value), false); codes == 0 {
		t.Error("a token beyond the twentieth was sent")
	}
	if _, codes := w.attemptOf(u, 6, append(strange[1:], fourth.FutureAuthToken.Value), false); codes != 0 {
		t.Error("the twentieth token was not good")
	}
	if _, codes := w.attemptOf(w.person(1), 7, [][]byte{first.FutureAuthToken}, false); codes == 0 {
		t.Error("a token signed in to another account")
	}
}
