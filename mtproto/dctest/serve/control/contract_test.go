package control_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve/control"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/contract.txt anew")

// rsaKey is the same in every run: its descriptor is part of the contract.
var rsaKey = sync.OnceValue(func() *crypt.PrivateKey {
	key, err := serve.NewRSAKey(rand.NewChaCha8([32]byte{1}))
	if err != nil {
		panic(err)
	}
	return key
})

// transcript writes down what is asked and answered.
type transcript struct {
	bytes.Buffer
	t      *testing.T
	h      http.Handler
	routes map[string]bool
}

var numbers = regexp.MustCompile(`/[0-9]+`)

func (tr *transcript) note(format string, args ...any) { fmt.Fprintf(tr, "# "+format+"\n\n", args...) }

// ask sends a request and returns the answer's body.
func (tr *transcript) ask(method, target string, body string) string {
	tr.t.Helper()
	status, answer := ask(tr.h, method, target, body)
	fmt.Fprintf(tr, "%s\n%d\n%s\n", strings.TrimSpace("> "+method+" "+target+" "+body), status, answer)
	path, _, _ := strings.Cut(target, "?")
	path = numbers.ReplaceAllString(path, "/{id}")
	if status == http.StatusOK {
		tr.routes[method+" "+path] = true
	}
	return answer
}

func newRecorder() *httptest.ResponseRecorder { return httptest.NewRecorder() }

func newStream(n byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{n}) }

// askFor asks for something long and writes one part of the answer down.
func (tr *transcript) askFor(part, target string) {
	tr.t.Helper()
	_, answer := ask(tr.h, "GET", target, "")
	var all map[string]json.RawMessage
	if err := json.Unmarshal([]byte(answer), &all); err != nil {
		tr.t.Fatal(err)
	}
	fmt.Fprintf(tr, "> GET %s, of which %q\n%s\n\n", target, part, all[part])
}

func ask(h http.Handler, method, target, body string) (status int, answer string) {
	r := httptest.NewRequest(method, "http://127.0.0.1:8090"+target, strings.NewReader(body))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// TestTheContract plays one life with everything that can be asked, and compares every byte with testdata/contract.txt:
// scripts in other languages depend on these shapes. What is changed there is changed for them.
func TestTheContract(t *testing.T) {
	rsaKey()
	crypt.WellKnownGroup()
	synctest.Test(t, func(t *testing.T) {
		tr := play(t)
		got := tr.String()
		const file = "testdata/contract.txt"
		if *rewrite {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		compare(t, strings.Split(got, "\n"), strings.Split(string(want), "\n"))
		_, list := ask(tr.h, "GET", "/", "")
		for i, line := range strings.Split(list, "\n") {
			if path, ok := strings.CutPrefix(strings.TrimSpace(line), `"path": "`); ok {
				method := strings.Trim(strings.TrimSpace(strings.Split(list, "\n")[i-1]), `",`)
				route := strings.TrimPrefix(method, `method": "`) + " " + strings.Trim(path, `",`)
				if !tr.routes[route] {
					t.Errorf("the contract does not show %s", route)
				}
			}
		}
	})
}

func compare(t *testing.T, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		var g, w string
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Fatalf("line %d is %q, and the contract says %q; go test -run TestTheContract -rewrite writes it anew", i+1, g, w)
		}
	}
}

func play(t *testing.T) *transcript {
	cluster, err := serve.Start(serve.Config{
		Persons: 2, Bots: 1, MemoryOnly: true, Workers: 1, Now: func() time.Time { return time.Now().UTC() },
		Core: dctest.Config{DCs: 2, Rand: rand.NewChaCha8([32]byte{2}), Keys: []*crypt.PrivateKey{rsaKey()}, Group: crypt.WellKnownGroup()},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cluster.Close() })
	tr := &transcript{t: t, h: control.Handler(cluster), routes: map[string]bool{}}
	seed := rand.NewChaCha8([32]byte{3})

	tr.note("What can be asked.")
	tr.ask("GET", "/", "")
	tr.ask("GET", "/descriptor", "")
	tr.ask("GET", "/methods?name=auth.signIn", "")
	tr.ask("GET", "/fault", "")

	tr.note("A person at DC 1 signs in by phone; the first auth.signIn is made to fail.")
	p := connect(t, cluster, rsaKey(), seed, 1)
	p.bound()
	person := cluster.Descriptor().Phones[0]
	hash := p.sendCode(person.Number)
	tr.ask("GET", "/codes?phone="+person.Number, "")
	tr.ask("POST", "/fault", `{"method":"auth.signIn","error":"FLOOD_WAIT_3","phone":"`+person.Number+`"}`)
	signIn := &tg.AuthSignInRequest{PhoneNumber: person.Number, PhoneCodeHash: hash, PhoneCode: tl.Some(person.Code)}
	if _, text := p.call(signIn); text != "FLOOD_WAIT_3" {
		t.Errorf("auth.signIn answered %q", text)
	}
	time.Sleep(3 * time.Second)
	p.must(signIn)
	p.echo(7)
	tr.ask("POST", "/push", fmt.Sprintf(`{"kind":"update","user_id":%d}`, person.UserID))
	tr.ask("POST", "/push", fmt.Sprintf(`{"kind":"lost_update","user_id":%d}`, person.UserID))
	tr.ask("POST", "/push", fmt.Sprintf(`{"kind":"text","user_id":%d,"text":"hello"}`, person.UserID))
	tr.ask("POST", "/push", fmt.Sprintf(`{"kind":"notification","user_id":%d,"type":"TEST","text":"hello"}`, person.UserID))

	tr.note("Another client shows a QR code, which the second person scans.")
	other := connect(t, cluster, rsaKey(), seed, 2)
	other.bound()
	scanner := cluster.Descriptor().Phones[1]
	token := base64.RawURLEncoding.EncodeToString(other.showQR())
	scan := fmt.Sprintf(`{"token":"tg://login?token=%s","user_id":%d}`, token, scanner.UserID)
	tr.ask("POST", "/scan", scan)
	tr.ask("POST", "/scan", scan)

	tr.note("It sends a packet in a session of id 0, which is refused.")
	other.Session = 0
	_ = other.write(other.Packet(other.Message(time.Now(), []byte{1, 2, 3, 4}, true)))
	synctest.Wait()
	tr.ask("GET", "/violations?severity=refused", "")

	tr.note("What happened, and what is wrong with it.")
	tr.ask("GET", "/ledger", "")
	tr.ask("GET", "/ledger?list=keys&from=1&limit=1", "")
	tr.ask("GET", "/verdict", "")
	tr.ask("POST", "/verdict", `{"store":[{"dc":1,"id":"1"}],"delivered":[{"user_id":`+fmt.Sprint(person.UserID)+`,"pts":[2]}]}`)

	tr.note("People write to a bot, and to a channel.")
	bot := cluster.Descriptor().Bots[0].UserID
	tr.ask("GET", "/users", "")
	to := fmt.Sprintf("/users/%d/messages", bot)
	tr.ask("POST", to, fmt.Sprintf(`{"from":%d,"text":"/start"}`, person.UserID))
	tr.ask("POST", to, fmt.Sprintf(`{"from":%d,"text":"are you there?","form":"full","lost":true}`, person.UserID))
	tr.ask("POST", fmt.Sprintf("/users/%d/messages", scanner.UserID), fmt.Sprintf(`{"from":%d,"text":"hello"}`, bot))
	tr.ask("GET", fmt.Sprintf("/users/%d/messages?peer=%d&wait=10s", bot, person.UserID), "")
	tr.ask("POST", "/channels", fmt.Sprintf(`{"title":"News","username":"test_news","creator":%d,"members":[%d]}`, person.UserID, bot))
	channel := fmt.Sprintf("/channels/%d", int64(2200000001))
	tr.ask("POST", channel+"/messages", `{"text":"hello"}`)
	tr.ask("POST", channel+"/messages", fmt.Sprintf(`{"from":%d,"text":"hi","form":"too_long"}`, bot))
	tr.ask("PATCH", channel+"/messages", `{"message":3,"text":"hi all"}`)
	tr.ask("DELETE", channel+"/messages?message=2", "")
	tr.ask("GET", channel+"/messages?after=1", "")
	tr.ask("POST", channel+"/members", fmt.Sprintf(`{"user_id":%d}`, scanner.UserID))
	tr.ask("DELETE", fmt.Sprintf("%s/members?user_id=%d", channel, scanner.UserID), "")
	tr.ask("GET", "/channels", "")

	tr.note("What else an operator does.")
	tr.ask("POST", "/password", fmt.Sprintf(`{"user_id":%d,"password":"correct horse","hint":"a comic"}`, scanner.UserID))
	tr.ask("POST", "/login-email", fmt.Sprintf(`{"user_id":%d,"email":"a@example.org"}`, scanner.UserID))
	tr.ask("POST", "/web-token", fmt.Sprintf(`{"user_id":%d}`, scanner.UserID))
	tr.ask("POST", "/codes", `{"phone":"`+scanner.Number+`","chain":["payment","SMS"]}`)
	tr.ask("POST", "/pay", `{"phone":"`+scanner.Number+`"}`)
	tr.ask("POST", "/fault", `{"kind":"drop","dc":1,"direction":"out","count":3}`)
	tr.askFor("waiting", "/fault")
	tr.ask("DELETE", "/fault?id=1", "")
	tr.ask("POST", "/fault", fmt.Sprintf(`{"kind":"freeze","user_id":%d,"for":"1h"}`, person.UserID))
	tr.ask("POST", "/fault", fmt.Sprintf(`{"kind":"migrate","user_id":%d,"dc":2}`, scanner.UserID))
	tr.ask("POST", "/fault", `{"kind":"restart","dc":2}`)
	tr.ask("POST", "/revoke", fmt.Sprintf(`{"user_id":%d}`, person.UserID))

	tr.note("The bot is signed in without a handshake, by keys that its client has, too.")
	tr.ask("POST", "/seed", fmt.Sprintf(`{"seed":"1","temp":true,"users":[%d]}`, bot))
	tr.ask("POST", "/seed", fmt.Sprintf(`{"seed":"1","users":[%d]}`, bot))

	tr.note("What cannot be done.")
	tr.ask("POST", "/fault", `{"kind":"drop","delay":"1s"}`)
	tr.ask("POST", "/fault", `{"kind":"delay","delay":1}`)
	tr.ask("POST", "/fault", `{"method":"auth.singIn","error":"PHONE_CODE_INVALID"}`)
	tr.ask("POST", "/fault", `{"method":"auth.signIn","error":"PHONE_CODE_WRONG"}`)
	tr.ask("POST", "/scan", `{"token":"AAAA","user_id":1}`)
	tr.ask("GET", "/violations?severity=bad", "")
	tr.ask("GET", "/ledger/keys", "")
	tr.ask("POST", to, fmt.Sprintf(`{"from":%d,"text":"hello","form":"long"}`, person.UserID))
	tr.ask("GET", "/channels/1/messages", "")
	tr.ask("GET", "/users/me/messages", "")
	return tr
}
