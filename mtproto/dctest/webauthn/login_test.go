package webauthn_test

import (
	"math/rand/v2"
	"testing"

	"github.com/descope/virtualwebauthn"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

// Our client's sign-in, an authenticator and the DCs agree, also when the challenge came from another DC and when the last
// answer is lost.
func TestAClientSignsInByPasskey(t *testing.T) {
	for _, from := range []int{1, home} {
		for lose := range 4 {
			w := newWorld(t)
			w.register()
			at, calls := from, 0
			m, err := login.NewPasskey(login.Config{
				APIID: int32(api.TestApp().ID), APIHash: api.TestApp().Hash, Rand: rand.NewChaCha8([32]byte{}), DC: dc.ID(from),
				PermKeyID: func(dc.ID) (int64, bool) { return 7, true },
			})
			if err != nil {
				t.Fatal(err)
			}
			m.Start(w.now)
			for done := false; !done; {
				out, ok := m.Next()
				if !ok {
					if !m.Deadline().After(w.now) {
						t.Fatalf("from DC %d, lost %d: it stands still: %v", from, lose, m.State())
					}
					w.now = m.Deadline()
					m.Advance(w.now)
					continue
				}
				switch out.Kind {
				case login.OutCall:
					r := w.handle(at, 7, out.Query.Append(nil))
					switch calls++; {
					case calls == lose:
						m.Lost(w.now, out.Call)
					case r.Err != nil:
						m.Failed(w.now, out.Call, tgerr.New(r.Err.Code, r.Err.Text))
					default:
						m.Result(w.now, out.Call, r.Body)
					}
				case login.OutMigrate:
					at = int(out.DC)
					m.Migrated(w.now)
				case login.OutAsk:
					opts, err := virtualwebauthn.ParseAssertionOptions(string(out.Step.Options))
					if err != nil {
						t.Fatal(err)
					}
					w.key.Counter++
					answer := login.JSONText(virtualwebauthn.CreateAssertionResponse(w.rp, w.auth, w.key, *opts))
					if err := m.Input(w.now, login.Answer{Kind: login.AnswerPasskey, Credential: answer}); err != nil {
						t.Fatal(err)
					}
				case login.OutDone:
					if out.Authorization.UserID != w.user.ID || at != home {
						t.Errorf("from DC %d: %d is signed in on DC %d", from, out.Authorization.UserID, at)
					}
					done = true
				case login.OutFailed:
					t.Fatalf("from DC %d, lost %d: %v", from, lose, out.Err)
				}
			}
		}
	}
}
