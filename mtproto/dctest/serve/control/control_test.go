package control_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve/control"
)

func start(t *testing.T) *serve.Cluster {
	t.Helper()
	cluster, err := serve.Start(serve.Config{
		Persons: 2, Bots: 1, MemoryOnly: true, Workers: 1,
		Core: dctest.Config{DCs: 2, Keys: []*crypt.PrivateKey{rsaKey()}, Group: crypt.WellKnownGroup()},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cluster.Close() })
	return cluster
}

func TestOnlyLoopbackAddressesAreListenedOn(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", "[::]:0", ":0", "192.0.2.1:80", "localhost:0", "127.0.0.1", ""} {
		l, err := control.Listen(addr)
		if refused := (*control.AddrError)(nil); !errors.As(err, &refused) || refused.Addr != addr {
			t.Errorf("%q: %v", addr, err)
		}
		if l != nil {
			_ = l.Close()
		}
	}
}

// TestTheServerAnswersOverTCPAndEndsWithEveryRequest asks over real loopback, and closes the server while somebody waits.
func TestTheServerAnswersOverTCPAndEndsWithEveryRequest(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	cluster := start(t)
	l, err := control.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := control.Serve(cluster, l)
	defer server.Close()
	url := "http://" + l.Addr().String()
	client := &http.Client{Transport: &http.Transport{}, Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()

	resp, err := client.Get(url + "/descriptor")
	if err != nil {
		t.Fatal(err)
	}
	var d serve.Descriptor
	if err := json.NewDecoder(resp.Body).Decode(&d); err != nil || d.Control != url || len(d.Phones) != 2 {
		t.Errorf("the descriptor is %+v, %v", d, err)
	}
	_ = resp.Body.Close()

	ended := make(chan error, 1)
	go func() {
		resp, err := client.Get(url + "/codes?wait=1m")
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
		ended <- err
	}()
	server.Close()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Error("a request outlives its server")
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("the address is listened on after Close")
	}
	_ = cluster.Close()
}

func TestWebPagesAndForeignNamesAreRefused(t *testing.T) {
	h := control.Handler(start(t))
	for _, c := range []struct {
		name, host string
		headers    map[string]string
		want       int
	}{
		{"an address of this machine", "127.0.0.1:8090", nil, 200},
		{"another of them", "[::1]:8090", nil, 200},
		{"without a port", "::1", nil, 200},
		{"its name", "localhost", nil, 200},
		{"a name that points here", "evil.example:8090", nil, 403},
		{"a name that begins like ours", "127.0.0.1.evil.example", nil, 403},
		{"no name", "", nil, 403},
		{"a page of another site", "127.0.0.1:8090", map[string]string{"Origin": "http://evil.example"}, 403},
		{"a page that hides where it is from", "127.0.0.1:8090", map[string]string{"Origin": "null"}, 403},
		{"a browser says so", "127.0.0.1:8090", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := http.NewRequest("POST", "http://127.0.0.1/pay", strings.NewReader(`{"phone":"9996610000"}`))
			if err != nil {
				t.Fatal(err)
			}
			r.Host = c.host
			for k, v := range c.headers {
				r.Header.Set(k, v)
			}
			w := newRecorder()
			h.ServeHTTP(w, r)
			if w.Code != c.want {
				t.Errorf("answered with %d %s", w.Code, w.Body)
			}
			if got := w.Header().Get("Access-Control-Allow-Origin"); got != "" {
				t.Errorf("a page may read the answer: %q", got)
			}
		})
	}
}

func TestRequestsThatCannotBeMeantNameTheirField(t *testing.T) {
	h := control.Handler(start(t))
	tooMany := "/channels/2200000001/messages?message=1"
	ask(h, "POST", "/channels", `{"title":"News","creator":6000000001}`)
	for id := range 100 {
		ask(h, "POST", "/channels/2200000001/messages", `{"text":"hello"}`)
		tooMany += fmt.Sprintf("&message=%d", id+2)
	}
	for _, c := range []struct{ method, target, body, field string }{
		{"POST", "/fault", `{}`, "kind"},
		{"POST", "/fault", `{"kind":"dropp"}`, "kind"},
		{"POST", "/fault", `{"kind":"drop","Count":1}`, "Count"},
		{"POST", "/fault", `{"kind":"drop","count":"1"}`, "count"},
		{"POST", "/fault", `{"kind":"drop","count":-1}`, "count"},
		{"POST", "/fault", `{"kind":"drop","direction":"up"}`, "direction"},
		{"POST", "/fault", `{"kind":"drop","dc":9}`, "dc"},
		{"POST", "/fault", `{"kind":"delay"}`, "delay"},
		{"POST", "/fault", `{"kind":"delay","delay":"soon"}`, "delay"},
		{"POST", "/fault", `{"kind":"delay","delay":"-1s"}`, "delay"},
		{"POST", "/fault", `{"kind":"forget_perm_key","perm":1}`, "perm"},
		{"POST", "/fault", `{"kind":"rpc_error"}`, "code"},
		{"POST", "/fault", `{"kind":"stop_dc","dc":9}`, "dc"},
		{"POST", "/fault", `{"kind":"migrate","user_id":6000000001,"dc":9}`, "dc"},
		{"POST", "/fault", `{"kind":"ban","user_id":1}`, "user_id"},
		{"POST", "/fault", `{"kind":"renew_token","user_id":6000000001}`, "user_id"},
		{"POST", "/fault", `{"kind":"duplicate_use","dc":1,"perm":"5"}`, "perm"},
		{"POST", "/fault", `{"method":"auth.signIn","error":"NO_SUCH"}`, "error"},
		{"POST", "/fault", `{"method":"auth.nothing","error":"FLOOD_WAIT_3"}`, "method"},
		{"POST", "/fault", `{"method":"auth.signIn","error":"FLOOD_WAIT_3","user_id":6000000001,"dc":1}`, "user_id"},
		{"DELETE", "/fault?id=x", ``, "id"},
		{"DELETE", "/fault?kind=drop", ``, "kind"},
		{"POST", "/push", `{"kind":"update"}`, "user_id"},
		{"POST", "/push", `{"kind":"news","user_id":6000000001}`, "kind"},
		{"POST", "/push", `{"kind":"text","user_id":6000000001}`, "text"},
		{"POST", "/push", `{"kind":"update","user_id":6000000001,"text":"x"}`, "text"},
		{"POST", "/push", `{"kind":"text","user_id":6000000001,"text":"x","type":"T"}`, "type"},
		{"POST", "/push", `{"kind":"update","user_id":5}`, "user_id"},
		{"POST", "/seed", `{"users":[6000000001]}`, "seed"},
		{"POST", "/seed", `{"seed":"1"}`, "users"},
		{"POST", "/seed", `{"seed":"1","users":[5]}`, "users"},
		{"POST", "/seed", `{"seed":1,"users":[6000000001]}`, "seed"},
		{"POST", "/revoke", `{}`, "dc"},
		{"POST", "/revoke", `{"user_id":6000000001,"dc":1}`, "user_id"},
		{"POST", "/revoke", `{"dc":1,"perm":"5"}`, "perm"},
		{"POST", "/scan", `{"token":"not base64!","user_id":6000000001}`, "token"},
		{"POST", "/scan", `{"token":"tg://login","user_id":6000000001}`, "token"},
		{"POST", "/pay", `{"phone":"12"}`, "phone"},
		{"POST", "/codes", `{"phone":"9996610000","chain":["pigeon"]}`, "chain"},
		{"POST", "/codes", `{"phone":"9996610000","chain":["payment"]}`, "chain"},
		{"POST", "/password", `{"user_id":6000000003,"password":"x"}`, "user_id"},
		{"POST", "/password", `{"user_id":6000000001,"password":"","hint":"x"}`, "password"},
		{"POST", "/login-email", `{"user_id":6000000001,"email":"x"}`, "email"},
		{"POST", "/web-token", `{"user_id":6000000003}`, "user_id"},
		{"POST", "/verdict", `{"store":5}`, "store"},
		{"POST", "/verdict", `{"before":"now"}`, "before"},
		{"GET", "/ledger?list=cars", ``, "list"},
		{"GET", "/ledger?limit=0", ``, "limit"},
		{"GET", "/ledger?limit=10001", ``, "limit"},
		{"GET", "/ledger?from=-1", ``, "from"},
		{"GET", "/ledger?form=1", ``, "form"},
		{"GET", "/violations?rule=gravity", ``, "rule"},
		{"GET", "/codes?wait=1h", ``, "wait"},
		{"GET", "/methods?name=auth.nothing", ``, "name"},
		{"GET", "/channels?limit=0", ``, "limit"},
		{"GET", "/channels?page=2", ``, "page"},
		{"DELETE", "/channels/2200000001/messages?message=2&lost=yes", ``, "lost"},
		{"DELETE", "/channels/2200000001/messages?message=2&twice=1", ``, "twice"},
		{"DELETE", "/channels/2200000001/messages?message=two", ``, "message"},
		{"DELETE", "/channels/2200000001/messages", ``, "message"},
		{"DELETE", tooMany, ``, "message"},
	} {
		status, answer := ask(h, c.method, c.target, c.body)
		var p struct {
			Error, Field string
			Allowed      []string
		}
		if err := json.Unmarshal([]byte(answer), &p); err != nil || status != 400 || p.Field != c.field || p.Error == "" {
			t.Errorf("%s %s %s: %d %s", c.method, c.target, c.body, status, answer)
		}
	}
}

func TestBodiesAreBoundedAndObjects(t *testing.T) {
	h := control.Handler(start(t))
	for body, want := range map[string]int{
		"": 400, "null": 400, "[]": 400, `"x"`: 400, `{"phone":"9996610000"} {}`: 400, `{"phone":"9996610000"}`: 200,
		`{"phone":"` + strings.Repeat("9", 8<<20) + `"}`: http.StatusRequestEntityTooLarge,
	} {
		if status, answer := ask(h, "POST", "/pay", body); status != want {
			t.Errorf("%.40s: %d %s", body, status, answer)
		}
	}
}

// TestEveryKindOfFaultOfTheCoreCanBeAskedFor reads the kinds from the source, so that a new one is not forgotten.
func TestEveryKindOfFaultOfTheCoreCanBeAskedFor(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../../fault.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			if typ, ok := v.Type.(*ast.Ident); ok && typ.Name == "FaultKind" {
				kind, _ := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
				kinds = append(kinds, kind)
			}
		}
		return true
	})
	if len(kinds) < 20 {
		t.Fatalf("only %q were found", kinds)
	}
	h := control.Handler(start(t))
	_, answer := ask(h, "GET", "/fault", "")
	var table struct {
		Kinds []struct {
			Kind          string
			Needs, Fields []string
		}
	}
	if err := json.Unmarshal([]byte(answer), &table); err != nil {
		t.Fatal(err)
	}
	values := map[string]string{
		"dc": "1", "perm": `"5"`, "conn": "1", "count": "1", "every": "2", "for": `"1s"`, "direction": `"in"`, "delay": `"1s"`, "bytes": "3",
		"code": "-404", "text": `"X"`, "method": `"auth.signIn"`, "wait": `"1s"`, "keep_temp_keys": "true", "media": "true", "user_id": "6000000001",
		"url": `"https://example.org"`, "error": `"PHONE_CODE_INVALID"`, "phone": `"9996610000"`,
	}
	for _, k := range table.Kinds {
		kinds = slices.DeleteFunc(kinds, func(have string) bool { return have == k.Kind })
		body := `{"kind":"` + k.Kind + `"`
		for _, f := range slices.Concat(k.Needs, k.Fields) {
			if k.Kind == "error" && (f == "user_id" || f == "phone") || k.Kind == "renew_token" {
				continue
			}
			body += fmt.Sprintf(`,"%s":%s`, f, values[f])
		}
		if k.Kind == "renew_token" {
			body += `,"user_id":6000000003`
		}
		status, answer := ask(h, "POST", "/fault", body+"}")
		if k.Kind == "duplicate_use" {
			if status != 400 || !strings.Contains(answer, "nobody's home key") {
				t.Errorf("%s}: %d %s", body, status, answer)
			}
			continue
		}
		if status != 200 {
			t.Errorf("%s}: %d %s", body, status, answer)
		}
	}
	if len(kinds) > 0 {
		t.Errorf("these cannot be asked for: %q", kinds)
	}
}

func TestWhoeverWaitsForACodeHasItWhenItIsSent(t *testing.T) {
	rsaKey()
	crypt.WellKnownGroup()
	synctest.Test(t, func(t *testing.T) {
		cluster := start(t)
		h := control.Handler(cluster)
		person := cluster.Descriptor().Phones[0]
		begun, answers := time.Now(), make(chan string, 1)
		go func() {
			_, answer := ask(h, "GET", "/codes?wait=30s&phone=%2B"+person.Number, "")
			answers <- answer
		}()
		p := connect(t, cluster, rsaKey(), newStream(4), 1)
		p.bound()
		time.Sleep(5 * time.Second)
		p.sendCode(person.Number)
		answer := <-answers
		if !strings.Contains(answer, `"code": "`+person.Code+`"`) || !strings.Contains(answer, `"next": 1`) {
			t.Errorf("answered with %s", answer)
		}
		if took := time.Since(begun); took != 5*time.Second {
			t.Errorf("after %s", took)
		}
		if _, answer := ask(h, "GET", "/codes?wait=30s&from=1", ""); !strings.Contains(answer, `"codes": []`) {
			t.Errorf("nothing was sent, and answered is %s", answer)
		}
		if took := time.Since(begun); took != 35*time.Second {
			t.Errorf("nothing came, and that was known after %s", took)
		}
	})
}

func TestAClosedClusterSaysSo(t *testing.T) {
	cluster := start(t)
	h := control.Handler(cluster)
	_ = cluster.Close()
	if status, answer := ask(h, "POST", "/pay", `{"phone":"9996610000"}`); status != http.StatusServiceUnavailable {
		t.Errorf("%d %s", status, answer)
	}
	if status, _ := ask(h, "GET", "/ledger", ""); status != 200 {
		t.Errorf("the ledger of a closed cluster: %d", status)
	}
}
