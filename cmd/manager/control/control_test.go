package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/persistence"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a Service that answers from functions; the rest panics.
type fake struct {
	signIn func(context.Context, SignInRequest) (Progress, error)
	show   func(context.Context, AccountRequest) (Account, error)
}

func (f *fake) carry(ctx context.Context, m *method, r any) (any, error) {
	if m == Show.method {
		return f.show(ctx, r.(AccountRequest))
	}
	return f.signIn(ctx, r.(SignInRequest))
}

func (f *fake) Close() error { return nil }

// serve puts a service behind a socket and returns the other end.
func serve(t *testing.T, s Service) *Remote {
	t.Helper()
	l, err := Listen(filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	server := Serve(l, s)
	r, err := Dial(t.Context(), l.(*listener).path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = r.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return r
}

func TestAnAccountComesThroughTheSocketUnchanged(t *testing.T) {
	step := &actors.Step{Kind: actors.StepCode, How: actors.HowSMS, Length: 5, Supported: true, Message: "Type it."}
	for _, want := range []Account{
		{ID: "alice", State: "signing-in", Status: actors.Status{State: actors.SigningIn, Since: time.Unix(1, 0).UTC(), Step: step, PFS: true}},
		{ID: "bob", State: StateOffline, Status: actors.Status{State: actors.Connecting, UserID: 7, HomeDC: 2, SignedIn: true}},
		{ID: "carol", State: "waiting", Status: actors.Status{State: actors.Waiting, Until: time.Unix(9, 0).UTC(), Bound: true}},
	} {
		r := serve(t, &fake{show: func(_ context.Context, q AccountRequest) (Account, error) {
			if q.ID != want.ID {
				t.Errorf("asked for %q", q.ID)
			}
			return want, nil
		}})
		got, err := Show.Call(t.Context(), r, AccountRequest{want.ID})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestErrorsComeThroughTheSocketWithKindMessageAndTime(t *testing.T) {
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	for _, c := range []struct {
		err  error
		kind Kind
		text string
	}{
		{&actors.NoAccountError{ID: "x"}, KindNoAccount, `there is no account "x"`},
		{&actors.ExistsError{ID: "x"}, KindExists, "already"},
		{&actors.StateError{State: actors.Paused}, KindState, "is paused"},
		{&actors.WaitError{Method: "auth.sendCode", Until: until}, KindWait, "auth.sendCode"},
		{&actors.SignInError{Reason: actors.SignInToken, Message: "unknown token", Err: tgerr.New(400, "ACCESS_TOKEN_INVALID")}, KindRefused, "unknown token (the server said ACCESS_TOKEN_INVALID)"},
		{&actors.SignInError{Reason: actors.SignInFlood, Message: "too often", Until: until}, KindWait, "too often"},
		{&actors.SignInError{Reason: actors.SignInConfig, Message: "wrong api_id"}, KindConfig, "wrong api_id"},
		{fmt.Errorf("account x: %w", tgerr.New(500, "INTERNAL")), KindServer, "account x: server answered 500 INTERNAL"},
		{tgerr.New(420, "FLOOD_WAIT_3600"), KindWait, "FLOOD_WAIT"},
		{&persistence.LockedError{Dir: "/data", PID: 7}, KindInUse, "pid 7"},
		{&persistence.MasterKeyError{Source: "f", Reason: "wrong"}, KindMasterKey, "master key from f"},
		{&persistence.CorruptError{Why: "torn"}, KindDamaged, "torn"},
		{&persistence.InvalidError{Reason: "no"}, KindInvalid, "no"},
		{&actors.StoreError{Err: errors.New("full")}, KindStore, "full"},
		{errors.Join(errors.New("odd"), actors.ErrMayHaveRun), KindMayHaveRun, "odd"},
		{actors.ErrClosed, KindStopped, "closed"},
		{errors.New("odd"), KindInternal, "odd"},
	} {
		r := serve(t, &fake{signIn: func(context.Context, SignInRequest) (Progress, error) { return Progress{}, c.err }})
		_, err := SignIn.Call(t.Context(), r, SignInRequest{ID: "x", Phone: "+1"})
		var got *Error
		if !errors.As(err, &got) || got.Kind != c.kind || !strings.Contains(got.Message, c.text) {
			t.Errorf("%v became %v (%v)", c.err, err, KindOf(err))
			continue
		}
		if strings.Contains(got.Message, "tgerr: ") || strings.Contains(got.Message, "actors: ") {
			t.Errorf("a package shows in %q", got.Message)
		}
		if c.kind == KindWait && got.Until.Before(time.Now()) {
			t.Errorf("%v lost the end of the wait: %v", c.err, got.Until)
		}
		if _, known := codes[got.Kind]; !known {
			t.Errorf("kind %s has no code", got.Kind)
		}
	}
}

func TestTheServerKnowsHowLongTheClientWaits(t *testing.T) {
	r := serve(t, &fake{signIn: func(ctx context.Context, _ SignInRequest) (Progress, error) {
		deadline, ok := ctx.Deadline()
		if d := time.Until(deadline); !ok || d > time.Second {
			t.Errorf("the server may take %v (%v)", d, ok)
		}
		<-ctx.Done()
		return Progress{}, &Error{Kind: KindUnreachable, Message: "DC 2 cannot be reached"}
	}})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := SignIn.Call(ctx, r, SignInRequest{}); KindOf(err) != KindUnreachable || err.Error() != "DC 2 cannot be reached" {
		t.Error(err)
	}
	// A client that gives up does not wait for the answer.
	ctx, cancel = context.WithTimeout(t.Context(), time.Hour)
	r2 := serve(t, &fake{signIn: func(server context.Context, _ SignInRequest) (Progress, error) {
		cancel()
		<-server.Done()
		return Progress{}, nil
	}})
	if _, err := SignIn.Call(ctx, r2, SignInRequest{}); KindOf(err) != KindCanceled {
		t.Error(err)
	}
}

// post sends JSON as curl does, and returns the status and the body.
func post(t *testing.T, r *Remote, path, body string) (int, string) {
	t.Helper()
	resp, err := r.http.Post(baseURL+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestARequestThatIsNotOneIsRefusedWithoutItsText(t *testing.T) {
	r := serve(t, &fake{})
	for _, body := range []string{`{"id":"x","bot_tokn":"secret"}`, `{"id":"x","phone":{"tokn":"secret"}}`, `{"id":"x","botToken":"secret"`, ``, `[]`} {
		status, text := post(t, r, SignIn.procedure, body)
		if status != http.StatusBadRequest || !strings.Contains(text, "invalid_argument") || strings.Contains(text, "secret") || strings.Contains(text, "tokn") {
			t.Errorf("%s: %d %s", body, status, text)
		}
	}
	if status, _ := post(t, r, "/mtfleet.v1.AccountService/NoSuchMethod", "{}"); status != http.StatusNotFound {
		t.Errorf("of no such method: %d", status)
	}
	big := `{"id":"` + strings.Repeat("x", maxRequest) + `"}`
	if status, text := post(t, r, SignIn.procedure, big); status != http.StatusTooManyRequests || !strings.Contains(text, "resource_exhausted") {
		t.Errorf("of a request that is too large: %d %.200s", status, text)
	}
}

func TestAManagerThatGoesAwayIsToldApart(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	go func() { // accepts and hangs up, as a killed process does
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			_ = nc.Close()
		}
	}()
	r, err := Dial(t.Context(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := SignIn.Call(ctx, r, SignInRequest{}); KindOf(err) != KindStopped {
		t.Errorf("%v is of kind %v", err, KindOf(err))
	}
	_ = l.Close()
	if _, err := Events.Call(ctx, r, EventsRequest{}); KindOf(err) != KindStopped {
		t.Error(err)
	}
	if _, err := Dial(ctx, l.Addr().String()); !errors.Is(err, ErrNobody) {
		t.Error(err)
	}
}

func TestListen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s")

	// Left over from a process that was killed.
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	_ = dead.Close()
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}

	// In use.
	var socket *SocketError
	if _, err := Listen(path); !errors.As(err, &socket) || !strings.Contains(err.Error(), "in use") {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error("the socket is still there")
	}

	// Another file in the way is not touched.
	if err := os.WriteFile(path, []byte("diary"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path); !errors.As(err, &socket) {
		t.Error(err)
	}
	if b, _ := os.ReadFile(path); string(b) != "diary" {
		t.Error("the file was touched")
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	r := SignInRequest{ID: "a", Phone: "+15550100", BotToken: "1:secret"}
	q := AnswerRequest{ID: "a", Answer: actors.Answer{Kind: actors.AnswerCode, Code: "12345"}}
	if s := fmt.Sprintf("%v %+v %#v %v %+v %#v", r, r, r, q, q, q); strings.Contains(s, "secret") || strings.Contains(s, "555") || strings.Contains(s, "12345") {
		t.Error(s)
	}
}
