package control

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpcreflect"
	"golang.org/x/time/rate"

	"github.com/mtfleet/mtfleet/actors"
	mtfleetv1 "github.com/mtfleet/mtfleet/cmd/manager/api/mtfleet/v1"
	"github.com/mtfleet/mtfleet/cmd/manager/api/mtfleet/v1/mtfleetv1connect"
	"github.com/mtfleet/mtfleet/persistence"
)

// strangers are clients that know the schema and nothing else of us: what anybody generates from it.
func strangers(r *Remote) map[string]func() (*http.Client, []connect.ClientOption) {
	overHTTP2 := func() *http.Client {
		var p http.Protocols
		p.SetUnencryptedHTTP2(true)
		return &http.Client{Transport: &http.Transport{
			Protocols: &p,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, "unix", strings.TrimPrefix(r.where, "behind "))
			},
		}}
	}
	return map[string]func() (*http.Client, []connect.ClientOption){
		"Connect": func() (*http.Client, []connect.ClientOption) { return r.http, nil },
		"Connect JSON": func() (*http.Client, []connect.ClientOption) {
			return r.http, []connect.ClientOption{connect.WithProtoJSON()}
		},
		"Connect GET": func() (*http.Client, []connect.ClientOption) {
			return r.http, []connect.ClientOption{connect.WithHTTPGet()}
		},
		"gRPC": func() (*http.Client, []connect.ClientOption) {
			return overHTTP2(), []connect.ClientOption{connect.WithGRPC()}
		},
		"gRPC-Web": func() (*http.Client, []connect.ClientOption) {
			return r.http, []connect.ClientOption{connect.WithGRPCWeb()}
		},
	}
}

func TestClientsMadeOfTheSchemaAreAnswered(t *testing.T) {
	_, r := manage(t, persistence.NewMemory())
	if _, err := Add.Call(t.Context(), r, AddRequest{ID: "a"}); err != nil {
		t.Fatal(err)
	}
	for name, make := range strangers(r) {
		t.Run(name, func(t *testing.T) {
			client, opts := make()
			defer client.CloseIdleConnections()
			accounts := mtfleetv1connect.NewAccountServiceClient(client, baseURL, opts...)
			got, err := accounts.Show(t.Context(), &mtfleetv1.ShowRequest{Id: "a"})
			if err != nil || got.GetAccount().GetId() != "a" || got.GetAccount().GetState() != mtfleetv1.AccountState_ACCOUNT_STATE_NEW {
				t.Errorf("an account: %v, %v", got, err)
			}
			_, err = accounts.Pause(t.Context(), &mtfleetv1.PauseRequest{Id: "nobody"})
			var said *connect.Error
			if !errors.As(err, &said) || said.Code() != connect.CodeNotFound || len(said.Details()) != 1 {
				t.Fatalf("of nobody: %v", err)
			}
			detail, err := said.Details()[0].Value()
			if e, ok := detail.(*mtfleetv1.ErrorDetail); err != nil || !ok || e.GetKind() != mtfleetv1.ErrorKind_ERROR_KIND_NO_ACCOUNT {
				t.Errorf("the detail is %v, %v", detail, err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			events, err := mtfleetv1connect.NewUpdateServiceClient(client, baseURL, opts...).Events(ctx, &mtfleetv1.EventsRequest{Kept: true})
			if err != nil {
				t.Fatal(err)
			}
			var cursors []string
			for events.Receive() {
				cursors = append(cursors, events.Msg().GetEvent().GetCursor())
			}
			if err := errors.Join(events.Err(), events.Close()); err != nil || len(cursors) != 2 || cursors[0] != "" || !strings.HasSuffix(cursors[1], "-1") {
				t.Errorf("events with the cursors %q, %v", cursors, err)
			}
		})
	}
}

// A shell that asks for a stream is answered a line for each event.
func TestAStreamInLines(t *testing.T) {
	_, r := manage(t, persistence.NewMemory())
	if _, err := Add.Call(t.Context(), r, AddRequest{ID: "a"}); err != nil {
		t.Fatal(err)
	}
	status, text := post(t, r, Events.procedure, `{"kept":true,"kinds":["EVENT_KIND_STATE"]}`)
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if status != http.StatusOK || len(lines) != 2 || lines[0] != "{}" || !strings.HasPrefix(lines[1], `{"event":{"cursor":"`) {
		t.Errorf("%d %s", status, text)
	}
	for body, want := range map[string]string{
		`{"now":true,"after":"1-1"}`:   `"code":"invalid_argument"`,
		`{"after":"yesterday"}`:        `"code":"invalid_argument"`,
		`{"secret":"x"}`:               `"message":"the request is not the JSON object this method takes"`,
		`{"accounts":["not a name!"]}`: `"code":"invalid_argument"`,
	} {
		status, text := post(t, r, Events.procedure, body)
		if status != http.StatusBadRequest || !strings.Contains(text, want) || strings.Contains(text, "secret") {
			t.Errorf("%s: %d %s", body, status, text)
		}
	}
	// One that breaks off says why on a line of its own: here somebody else begins to read.
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, baseURL+Consume.procedure, strings.NewReader(`{"name":"app"}`))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/json")
	first, err := r.http.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Body.Close()
	d := json.NewDecoder(first.Body)
	var line map[string]any
	if err := d.Decode(&line); err != nil || len(line) != 0 {
		t.Fatalf("%v, %v", line, err)
	}
	second, err := Consume.Call(ctx, r, ConsumeRequest{Name: "app"})
	if err != nil {
		t.Fatal(err)
	}
	for range second {
		break
	}
	for err == nil && line["error"] == nil {
		line = nil
		err = d.Decode(&line)
	}
	if said, _ := line["error"].(map[string]any); err != nil || said["code"] != "failed_precondition" || said["message"] == "" {
		t.Errorf("it ended with %v, %v", line, err)
	}
}

// Everything is refused to who is not known, and to each role what is not for it.
func TestTheGuard(t *testing.T) {
	g := newGuard(methods(), nil)
	as := func(role mtfleetv1.Role) context.Context { return WithCaller(t.Context(), Caller{"joe", role}) }
	for _, m := range methods() {
		if connect.CodeOf(g.admit(t.Context(), m.procedure)) != connect.CodeUnauthenticated {
			t.Errorf("%s is open to everybody", m.procedure)
		}
		for role := mtfleetv1.Role_ROLE_READ; role <= mtfleetv1.Role_ROLE_ADMIN; role++ {
			err := g.admit(as(role), m.procedure)
			if may := role >= m.role(); may && err != nil || !may && connect.CodeOf(err) != connect.CodePermissionDenied {
				t.Errorf("%s by %v: %v", m.procedure, role, err)
			}
		}
	}
	const health = "/grpc.health.v1.Health/Check"
	if connect.CodeOf(g.admit(t.Context(), health)) != connect.CodeUnauthenticated || g.admit(as(mtfleetv1.Role_ROLE_READ), health) != nil {
		t.Error("health is for readers")
	}

	for method, need := range map[string]mtfleetv1.Role{
		"messages.sendMessage": mtfleetv1.Role_ROLE_OPERATE, "account.deleteAccount": mtfleetv1.Role_ROLE_ADMIN, "auth.resetAuthorizations": mtfleetv1.Role_ROLE_ADMIN,
	} {
		for role := mtfleetv1.Role_ROLE_READ; role <= mtfleetv1.Role_ROLE_ADMIN; role++ {
			err := allowed(as(role), CallRequest{ID: "a", Method: method})
			if may := role >= need; may && err != nil || !may && connect.CodeOf(err) != connect.CodePermissionDenied {
				t.Errorf("%s by %v: %v", method, role, err)
			}
		}
	}

	g.calls = rate.NewLimiter(0, 2)
	for i := range 3 {
		if err := g.admit(as(mtfleetv1.Role_ROLE_ADMIN), List.procedure); (i == 2) != (connect.CodeOf(err) == connect.CodeResourceExhausted) {
			t.Errorf("request %d: %v", i+1, err)
		}
	}
	g = newGuard(methods(), nil)
	var open []func()
	for range maxStreams {
		release, err := g.admitStream(as(mtfleetv1.Role_ROLE_ADMIN), Events.procedure)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, release)
	}
	if _, err := g.admitStream(as(mtfleetv1.Role_ROLE_ADMIN), Events.procedure); connect.CodeOf(err) != connect.CodeResourceExhausted {
		t.Errorf("one stream more: %v", err)
	}
	open[7]()
	if _, err := g.admitStream(as(mtfleetv1.Role_ROLE_ADMIN), Events.procedure); err != nil {
		t.Errorf("in the place of one that was closed: %v", err)
	}
}

// Who opens the unix socket is known by its user.
func TestThePeerOfTheSocketIsItsOwner(t *testing.T) {
	var asked Caller
	r := serve(t, &fake{show: func(ctx context.Context, _ AccountRequest) (Account, error) {
		asked = callerOf(ctx)
		return Account{ID: "a", Status: actors.Status{}}, nil
	}})
	if _, err := Show.Call(t.Context(), r, AccountRequest{"a"}); err != nil {
		t.Fatal(err)
	}
	if asked.Role != mtfleetv1.Role_ROLE_ADMIN || asked.Name == "" {
		t.Errorf("asked by %+v", asked)
	}
}

// grpcurl and its like find out by themselves what can be asked.
func TestTheSchemaIsToldByReflection(t *testing.T) {
	_, r := manage(t, persistence.NewMemory())
	client, _ := strangers(r)["gRPC"]()
	defer client.CloseIdleConnections()
	stream := grpcreflect.NewClient(client, baseURL, connect.WithGRPC()).NewStream(t.Context())
	names, err := stream.ListServices()
	if err != nil {
		t.Fatal(err)
	}
	if want := services(); len(names) != len(want) || len(want) < 5 {
		t.Errorf("told are %v, there are %v", names, want)
	}
	files, err := stream.FileContainingSymbol("mtfleet.v1.AccountService")
	if err != nil || len(files) == 0 {
		t.Errorf("the file of a service: %d, %v", len(files), err)
	}
	if _, err := stream.Close(); err != nil {
		t.Error(err)
	}
}
