package api

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// FuzzHandle sends bytes on keys in every state: no panic, exactly one of body and error, and what is answered is TL.
func FuzzHandle(f *testing.F) {
	for _, m := range methodTable {
		f.Add(bodyOf(f, m), uint8(0))
	}
	f.Add(sendCode("9996611234", []byte("token")).Append(nil), uint8(1))
	f.Add(signIn("9996610000", "00", "11111").Append(nil), uint8(2))
	f.Add(self().Append(nil), uint8(3))
	f.Add([]byte{1, 2, 3}, uint8(4))
	f.Fuzz(func(t *testing.T, body []byte, where uint8) {
		w := newWorld(t, Config{})
		u := w.person(1)
		w.login(u, 1)
		w.guest(u, 1, 2, 2)
		w.login(w.bot(1), 3)
		_ = w.b.SetPassword(u.ID, "correct horse")
		_, _ = ask(w, 1, 4, signIn(u.Phone, w.hash(1, 4, u.Phone), w.b.Code(u.Phone)))
		w.pushes()

		dc, perm := 1+int(where>>4)%3, int64(where&15)
		w.checked(dc, perm, body)
		w.sleep(time.Minute)
		w.checked(dc, perm, body)
		w.pushes()
	})
}

// checked sends raw bytes and looks at the form of the answer.
func (w *world) checked(dc int, perm int64, body []byte) {
	w.t.Helper()
	name := w.b.Method(body)
	r := w.raw(dc, perm, body)
	switch {
	case r.Err != nil:
		if r.Err.Code == 0 || r.Err.Text == "" || strings.ToUpper(r.Err.Text) != r.Err.Text {
			w.t.Fatalf("%q answered %+v", name, r.Err)
		}
	case len(r.Body) < 4:
		w.t.Fatalf("%q answered %d bytes", name, len(r.Body))
	case binary.LittleEndian.Uint32(r.Body) == tl.VectorID, idOf(r.Body) == tl.BoolTrueID, idOf(r.Body) == tl.BoolFalseID:
	default:
		if n, err := tl.Skip(tg.Schema, r.Body); err != nil || n != len(r.Body) {
			w.t.Fatalf("%q answered %d bytes of which %d are a value: %v", name, len(r.Body), n, err)
		}
	}
}

// FuzzHistory plays a history of operations, one byte each with an argument, and checks what must always hold: every
// live row belongs to a key that names it, and guests have a living home.
func FuzzHistory(f *testing.F) {
	f.Add([]byte{0, 1, 1, 2, 2, 3, 3, 0, 4, 1, 5, 2})
	f.Add([]byte{0, 0, 0, 1, 2, 0, 2, 1, 6, 0, 3, 1, 7, 0, 8, 0, 9, 0, 0, 1})
	f.Fuzz(func(t *testing.T, ops []byte) {
		if len(ops) > 400 {
			return
		}
		w := newWorld(t, Config{LoginsPerDay: -1, FreshSession: -1, Limits: Limits{
			SendCodeNumber: RateLimit{Calls: -1}, ExportAuthorization: RateLimit{Calls: -1}, ImportBot: RateLimit{Calls: -1},
		}})
		for i := 0; i+1 < len(ops); i += 2 {
			w.step(ops[i], ops[i+1])
			w.invariants()
			w.pushes()
			w.sleep(time.Second)
		}
	})
}

func (w *world) step(op, arg byte) {
	users := w.b.Users() // three persons, then three bots
	u, bot := users[arg%3], users[3+arg%3]
	dc, perm := u.HomeDC, int64(arg>>2)%4+1
	switch op % 12 {
	case 0:
		if sent, err := ask(w, dc, perm, sendCode(u.Phone)); err == nil {
			hash := sent.(*tg.AuthSentCode).PhoneCodeHash
			_, _ = ask(w, dc, perm, signIn(u.Phone, hash, w.b.Code(u.Phone)))
		}
	case 1:
		_, _ = ask(w, bot.HomeDC, perm, importBot(bot.BotToken))
	case 2:
		to := int(arg>>4)%3 + 1
		if e, err := ask(w, dc, perm, exportTo(to)); err == nil {
			_, _ = ask(w, to, perm+10, imported(e))
			_, _ = ask(w, to, perm, imported(e))
		}
	case 3:
		_, _ = ask(w, dc, perm, &tg.AuthLogOutRequest{})
	case 4:
		_, _ = ask(w, dc, perm, &tg.AuthResetAuthorizationsRequest{})
	case 5:
		w.b.KeyGone(w.now, int(arg>>4)%3+1, perm)
	case 6:
		_ = w.b.Move(u.ID, int(arg>>4)%3+1)
	case 7:
		_ = w.b.SetPassword(u.ID, [...]string{"", "correct horse"}[arg>>7])
	case 8:
		_ = w.b.InjectDuplicate(dc, perm)
	case 9:
		if arg&64 != 0 {
			_ = w.b.Revoke(w.now, u.ID)
		}
	case 10:
		_, _ = ask(w, dc, perm+10, self())
	case 11:
		_, _ = w.b.PushUpdate(w.now, u.ID)
	}
}

func (w *world) invariants() {
	w.t.Helper()
	live := 0
	for _, row := range w.b.history {
		if !row.ended.IsZero() {
			continue
		}
		live++
		if row.key.row != row || w.b.keys[row.key.ref] != row.key {
			w.t.Fatalf("a live row on a key %+v that does not name it", row.key.ref)
		}
		if want := map[rowKind]keyState{kindHome: keyHome, kindGuest: keyGuest}[row.kind]; row.key.state != want {
			w.t.Fatalf("a row of kind %d on a key in state %d", row.kind, row.key.state)
		}
		if !contains(row.user.rows, row) {
			w.t.Fatal("a live row its user does not list")
		}
		if row.kind == kindGuest && (!row.parent.ended.IsZero() || row.parent.kind != kindHome || !contains(row.parent.guests, row)) {
			w.t.Fatal("a guest without a living home")
		}
	}
	for ref, k := range w.b.keys {
		if k.state == keyRevoked != (k.why != nil) || (k.row != nil) != (k.state == keyHalf || k.state == keyHome || k.state == keyGuest) {
			w.t.Fatalf("key %+v is in state %d with row %v and reason %v", ref, k.state, k.row != nil, k.why)
		}
	}
	for _, a := range w.b.Authorizations() {
		if a.Ended.IsZero() {
			live--
			if id, ok := w.b.UserOf(a.DC, a.Perm); !ok || id != a.UserID {
				w.t.Fatalf("%+v lives, but UserOf says %d, %v", a, id, ok)
			}
		} else if a.Why == "" {
			w.t.Fatalf("%+v ended without a reason", a)
		}
	}
	if live != 0 {
		w.t.Fatal("Authorizations and the rows differ")
	}
}
