package api

import (
	"errors"
	"testing"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

func TestATestAddsAMethodOfItsOwn(t *testing.T) {
	w := newWorld(t, Config{})
	const id = 0x7e57add1
	heard := MethodCall{}
	add := Method{Name: "test.add", ID: id, HomeOnly: true, Answer: func(c *MethodCall) ([]byte, *Error) {
		heard = *c
		if len(c.Body) == 4 {
			return nil, &Error{400, "NOTHING_TO_ADD"}
		}
		return tl.AppendBool(nil, true), nil
	}}
	query := tl.AppendInt32(tl.AppendUint32(nil, id), 5)
	if err := w.raw(1, 1, query).Err; err == nil || err.Code != 400 {
		t.Errorf("before it was added: %v", err)
	}
	if err := w.b.Register(add); err != nil {
		t.Fatal(err)
	}
	if name := w.b.Method(query); name != "test.add" {
		t.Errorf("it is called %q", name)
	}
	if err := w.raw(1, 1, query).Err; text(err) != "AUTH_KEY_UNREGISTERED" {
		t.Errorf("nobody: %v", err)
	}
	u := w.person(1)
	w.login(u, 1)
	if r := w.raw(1, 1, query); r.Err != nil || idOf(r.Body) != tl.BoolTrueID || heard.UserID != u.ID || heard.DC != 1 || heard.Layer != tg.Layer {
		t.Errorf("answered %v, %v; heard %+v", r.Body, r.Err, heard)
	}
	if err := w.raw(1, 1, query[:4]).Err; text(err) != "NOTHING_TO_ADD" {
		t.Errorf("its own error: %v", err)
	}
	w.guest(u, 1, 2, 2)
	if err := w.raw(2, 2, query).Err; text(err) != "USER_MIGRATE_1" {
		t.Errorf("a guest: %v", err)
	}
	if err := w.b.FailNext("test.add", "FLOOD_WAIT_3"); err != nil {
		t.Fatal(err)
	}
	if err := w.raw(1, 1, query).Err; text(err) != "FLOOD_WAIT_3" {
		t.Errorf("a fault: %v", err)
	}
}

func TestATestReplacesAMethod(t *testing.T) {
	w := newWorld(t, Config{})
	nearest := Method{Name: "help.getNearestDc", ID: tg.HelpGetNearestDCRequestID, Anonymous: true,
		Answer: func(*MethodCall) ([]byte, *Error) { return (&tg.NearestDC{Country: "AQ"}).Append(nil), nil }}
	if err := w.b.Register(nearest); err != nil {
		t.Fatal(err)
	}
	if got := must(w, 1, 1, &tg.HelpGetNearestDCRequest{}); got.Country != "AQ" {
		t.Errorf("answered %+v", got)
	}
	nearest.Answer = func(*MethodCall) ([]byte, *Error) { return nil, nil }
	_ = w.b.Register(nearest)
	refused(w, "neither result nor error", 1, 1, &tg.HelpGetNearestDCRequest{}, 500, "RPC_CALL_FAIL")
	for _, m := range []Method{{}, {Name: "x", ID: 1}, {ID: 1, Answer: nearest.Answer}, {Name: "x", Answer: nearest.Answer}} {
		if err := w.b.Register(m); !errors.Is(err, ErrMethod) {
			t.Errorf("%+v: %v", m, err)
		}
	}
}
