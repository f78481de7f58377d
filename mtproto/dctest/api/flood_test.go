package api

import (
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/tl/tg"
)

func TestAFloodWaitCountsDown(t *testing.T) {
	w := newWorld(t, Config{Limits: Limits{SendCodeNumber: RateLimit{2, 10 * time.Minute}}})
	u := w.person(1)
	w.hash(1, 1, u.Phone)
	w.sleep(time.Minute)
	w.hash(1, 1, u.Phone)
	refused(w, "the third", 1, 1, sendCode(u.Phone), 420, "FLOOD_WAIT_540")
	w.sleep(39 * time.Second)
	refused(w, "39 seconds later", 1, 1, sendCode(u.Phone), 420, "FLOOD_WAIT_501")
	w.sleep(500*time.Second + 500*time.Millisecond)
	refused(w, "half a second before the end", 1, 1, sendCode(u.Phone), 420, "FLOOD_WAIT_1")
	w.sleep(500 * time.Millisecond)
	w.hash(1, 1, u.Phone)
	refused(w, "the second call's time is not over", 1, 1, sendCode(u.Phone), 420, "FLOOD_WAIT_60")
	w.hash(1, 1, "9996617777")
}

func TestSendCodeIsLimitedPerAddressButNotOnLoopback(t *testing.T) {
	w := newWorld(t, Config{})
	from := func(addr string, n int) *Error {
		phone := "99966155" + string(rune('0'+n/10)) + string(rune('0'+n%10))
		return w.b.Handle(&Request{Now: w.now, DC: 1, Perm: 1, App: w.app, RemoteAddr: addr, Body: sendCode(phone).Append(nil)}).Err
	}
	for i := range 20 {
		if err := from("192.0.2.1:1000", i); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
	}
	if err := from("192.0.2.1:2000", 20); text(err) != "FLOOD_WAIT_86400" {
		t.Errorf("the 21st from one address: %v", err)
	}
	for _, addr := range []string{"192.0.2.2:1", "127.0.0.1:1", "[::1]:1", "pipe"} {
		for i := 30; i < 34; i++ {
			if err := from(addr, i); err != nil {
				t.Errorf("from %s: %v", addr, err)
			}
		}
		w.sleep(24 * time.Hour)
	}
}

func TestMigrationIsNotCounted(t *testing.T) {
	w := newWorld(t, Config{Limits: Limits{SendCodeNumber: RateLimit{1, time.Hour}}})
	u := w.person(2)
	for range 3 {
		refused(w, "on another DC", 1, 1, sendCode(u.Phone), 303, "PHONE_MIGRATE_2")
	}
	w.hash(2, 2, u.Phone)
}

func TestBotLoginsAreLimitedPerBot(t *testing.T) {
	w := newWorld(t, Config{})
	for i := range 10 {
		w.login(w.bot(1), int64(i+1))
	}
	refused(w, "the eleventh", 1, 11, importBot(w.bot(1).BotToken), 420, "FLOOD_WAIT_600")
	w.login(w.bot(2), 1)
}

func TestInjectedErrorsHitWhomTheyShould(t *testing.T) {
	w := newWorld(t, Config{})
	a, b := w.person(1), w.bot(1)
	w.login(a, 1)
	w.login(b, 2)
	inject := func(f Fault) {
		t.Helper()
		if err := w.b.Inject(f); err != nil {
			t.Fatal(err)
		}
	}
	inject(Fault{Method: "users.getUsers", UserID: a.ID, Err: &Error{500, "RPC_CALL_FAIL"}, Count: 2})
	must(w, 1, 2, self())
	must(w, 1, 1, &tg.UpdatesGetStateRequest{})
	refused(w, "the first", 1, 1, self(), 500, "RPC_CALL_FAIL")
	refused(w, "the second", 1, 1, self(), 500, "RPC_CALL_FAIL")
	must(w, 1, 1, self())

	inject(Fault{Err: &Error{-503, "Timeout"}})
	refused(w, "any method of anybody", 1, 2, &tg.HelpGetConfigRequest{}, -503, "Timeout")
	must(w, 1, 2, &tg.HelpGetConfigRequest{})

	inject(Fault{Method: "auth.sendCode", Phone: "+99966 1 7777", Err: &Error{400, "PHONE_NUMBER_FLOOD"}})
	w.hash(1, 3, "9996616666")
	refused(w, "an unknown number", 1, 3, sendCode("9996617777"), 400, "PHONE_NUMBER_FLOOD")

	inject(Fault{Method: "auth.sendCode", UserID: a.ID, Err: &Error{500, "AUTH_RESTART"}, Count: -1})
	for range 3 {
		refused(w, "the account a number belongs to", 1, 3, sendCode(a.Phone), 500, "AUTH_RESTART")
	}
	w.b.ClearFaults()
	w.hash(1, 3, a.Phone)

	inject(Fault{Method: "help.getConfig", Delay: time.Second})
	if r := w.raw(1, 1, (&tg.HelpGetConfigRequest{}).Append(nil)); r.Delay != time.Second || r.Err != nil {
		t.Errorf("a late answer: %v after %v", r.Err, r.Delay)
	}
	if r := w.raw(1, 1, (&tg.HelpGetConfigRequest{}).Append(nil)); r.Delay != 0 {
		t.Errorf("the next answer is late too: %v", r.Delay)
	}
}

func TestAnInjectedWaitCountsDownAndCountsOnce(t *testing.T) {
	w := newWorld(t, Config{})
	w.login(w.person(1), 1)
	if err := w.b.InjectError("users.getUsers", 0, 420, "FLOOD_PREMIUM_WAIT_30", 2); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		refused(w, "the first call", 1, 1, self(), 420, "FLOOD_PREMIUM_WAIT_30")
		w.sleep(29 * time.Second)
		refused(w, "during the wait", 1, 1, self(), 420, "FLOOD_PREMIUM_WAIT_1")
		w.sleep(time.Second)
	}
	must(w, 1, 1, self())
	if len(w.b.faults) != 0 {
		t.Error("a spent fault is kept")
	}
	if err := w.b.InjectError("users.getUsers", 0, 420, "FLOOD_WAIT_0", 1); err != nil {
		t.Fatal(err)
	}
	refused(w, "a wait of nothing", 1, 1, self(), 420, "FLOOD_WAIT_0")
	must(w, 1, 1, self())
}

func TestFaultsAreBounded(t *testing.T) {
	w := newWorld(t, Config{})
	for range maxFaults {
		if err := w.b.Inject(Fault{Method: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.b.Inject(Fault{}); err == nil {
		t.Error("one too many was accepted")
	}
}
