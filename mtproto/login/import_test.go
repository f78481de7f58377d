package login

import (
	"errors"
	"testing"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// TestASessionThatIsBroughtInIsNeverLoggedOut: the authorization is the source's.
// Whatever is answered, and cancelled or restarted at whatever moment, nothing
// but the question whose it is goes to the server.
func TestASessionThatIsBroughtInIsNeverLoggedOut(t *testing.T) {
	ends := map[string]func(m *Machine, id CallID){"its own user": func(m *Machine, id CallID) { m.Result(epoch, id, answer([]string{"self", "42"})) },
		"another user":   func(m *Machine, id CallID) { m.Result(epoch, id, answer([]string{"self", "43"})) },
		"unreadable":     func(m *Machine, id CallID) { m.Result(epoch, id, []byte("what")) },
		"lost":           func(m *Machine, id CallID) { m.Lost(epoch, id) },
		"not sent":       func(m *Machine, id CallID) { m.Failed(epoch, id, errors.New("no connection")) },
		"not sent at it": func(m *Machine, id CallID) { m.Failed(epoch, id, unknown{}) },
	}
	for _, e := range []*tgerr.Error{
		tgerr.New(401, "AUTH_KEY_UNREGISTERED"), tgerr.New(401, "SESSION_REVOKED"), tgerr.New(401, "SESSION_PASSWORD_NEEDED"),
		tgerr.New(401, "USER_DEACTIVATED_BAN"), tgerr.New(401, "AUTH_KEY_PERM_EMPTY"), tgerr.New(406, "AUTH_KEY_DUPLICATED"),
		tgerr.New(303, "USER_MIGRATE_4"), tgerr.New(303, "PHONE_MIGRATE_4"), tgerr.New(420, "FLOOD_WAIT_30"), tgerr.New(500, "INTERNAL"),
		tgerr.New(-503, "Timeout"), tgerr.New(400, "CONNECTION_API_ID_INVALID"), tgerr.New(400, "FROZEN_METHOD_INVALID"),
		tgerr.New(403, "RECAPTCHA_CHECK_x__y"), tgerr.New(400, "NOBODY_KNOWS"),
	} {
		ends[e.Type] = func(m *Machine, id CallID) { m.Failed(epoch, id, e) }
	}
	for name, end := range ends {
		for _, meanwhile := range []string{"", "cancelled", "restarted", "restarted and cancelled"} {
			t.Run(name+" "+meanwhile, func(t *testing.T) {
				m, err := NewImport(testConfig(), ImportPart{UserID: 42, Bot: SaidNo})
				if err != nil {
					t.Fatal(err)
				}
				var id CallID
				var stored Snapshot
				over := false
				drain := func() {
					for out, ok := m.Next(); ok; out, ok = m.Next() {
						switch out.Kind {
						case OutCall:
							if _, asks := out.Query.(*tg.UsersGetUsersRequest); !asks {
								t.Errorf("it asks %s", out.Query.TypeName())
							}
							id = out.Call
						case OutSave:
							stored = out.Snapshot
						case OutDone, OutFailed:
							over = true
						case OutMigrate:
							t.Error("it moves")
						}
					}
				}
				m.Start(epoch)
				drain()
				if meanwhile == "restarted" || meanwhile == "restarted and cancelled" {
					if m, err = Restore(testConfig(), stored); err != nil {
						t.Fatal(err)
					}
					m.Start(epoch)
					drain()
				}
				if meanwhile == "cancelled" || meanwhile == "restarted and cancelled" {
					if err := m.Input(epoch, Answer{Kind: AnswerCancel}); err != nil {
						t.Fatal(err)
					}
				}
				end(m, id)
				drain()
				for range 10 { // pauses, and the server's orders to wait
					if at := m.Deadline(); !over && !at.IsZero() {
						m.Advance(at)
						drain()
						end(m, id)
						drain()
					}
				}
				if meanwhile != "" && meanwhile != "restarted" && !over {
					t.Errorf("cancelled, and %v", m.State())
				}
			})
		}
	}
}

func TestNobodySignsInByTheFlowOfAnImport(t *testing.T) {
	if _, err := Begin(testConfig(), Start{Flow: FlowImport}); err == nil {
		t.Error("it was begun")
	}
}
