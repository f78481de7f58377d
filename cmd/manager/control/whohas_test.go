package control

import (
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/persistence"
)

// What a manager sees to among its accounts is seen to among those of all nodes: a user has one account, and a number one code.
func TestAUserAndANumberAreOneAccountsOnAllNodes(t *testing.T) {
	actorstest.RSAKey()
	actorstest.Bubble(t, func(t *testing.T) {
		p := &pair{t: t, s: actorstest.Cluster(t, actorstest.Small()), store: persistence.NewMemoryCluster(time.Now), nodes: map[string]*placed{}}
		a, b := p.open("a"), p.open("b")
		for _, node := range []string{"a", "b"} {
			p.wish(node, persistence.WishCordon) // each keeps what it makes
		}
		d := p.s.Descriptor()
		for node, ids := range map[*placed][]string{a: {"robot", "anna"}, b: {"robot-2", "anna-2"}} {
			for _, id := range ids {
				actorstest.Add(t, node.local.Manager, id, actors.AccountOptions{})
			}
		}
		signIn := func(at *placed, r SignInRequest) error {
			_, err := SignIn.Call(p.admin(), at, r)
			return err
		}

		// A bot is known by its token.
		if err := signIn(a, SignInRequest{ID: "robot", BotToken: d.Bots[0].Token}); err != nil {
			t.Fatal(err)
		}
		logins := p.s.Ledger().Counts.Logins
		if err := signIn(b, SignInRequest{ID: "robot-2", BotToken: d.Bots[0].Token}); KindOf(err) != KindState || !strings.Contains(err.Error(), `account "robot" is that user already`) {
			t.Errorf("a bot of another node: %v", err)
		}
		if n := p.s.Ledger().Counts.Logins; n != logins {
			t.Errorf("the server saw %d logins for that", n-logins)
		}

		// Of one number one code is asked for at a time.
		phone := d.Phones[0]
		if err := signIn(a, SignInRequest{ID: "anna", Phone: phone.Number}); err != nil {
			t.Fatal(err)
		}
		if err := signIn(b, SignInRequest{ID: "anna-2", Phone: phone.Number}); KindOf(err) != KindState || !strings.Contains(err.Error(), "already pending for account anna") {
			t.Errorf("a number of another node: %v", err)
		}
		got, err := WhoHas.Call(p.admin(), b, WhoHasRequest{Phone: phone.Number})
		if err != nil || got.Account != "anna" || got.Silent != nil {
			t.Errorf("who has the number: %+v, %v", got, err)
		}
		answer := func(at *placed, id string) {
			t.Helper()
			if _, err := Answer.Call(p.admin(), at, AnswerRequest{ID: id, Answer: actors.Answer{Kind: actors.AnswerCode, Code: phone.Code}}); err != nil {
				t.Fatal(err)
			}
		}
		answer(a, "anna")

		// A person is known once signed in: the second is taken out of service, until its owner says otherwise.
		if err := signIn(b, SignInRequest{ID: "anna-2", Phone: phone.Number}); err != nil {
			t.Fatal(err)
		}
		answer(b, "anna-2")
		second, _ := b.local.Manager.Account("anna-2")
		actorstest.Wait(t, second, actors.Quarantined)
		if s := second.Status(); !strings.Contains(s.Why, `account "anna", on another node, is the same user`) || s.Advice == "" || !s.SignedIn {
			t.Errorf("the second is %+v", s)
		}
		first, _ := a.local.Manager.Account("anna")
		actorstest.Wait(t, first, actors.Online)
		got, err = WhoHas.Call(p.admin(), b, WhoHasRequest{UserID: first.Status().UserID, But: "anna-2"})
		if err != nil || got.Account != "anna" {
			t.Errorf("who else is the user: %+v, %v", got, err)
		}
		if _, err := Resume.Call(p.admin(), b, AccountRequest{"anna-2"}); err != nil {
			t.Fatal(err)
		}
		actorstest.Wait(t, second, actors.Online)

		// A node that does not answer is not waited for.
		p.mu.Lock()
		delete(p.nodes, "a")
		p.mu.Unlock()
		begun := time.Now()
		if err := signIn(b, SignInRequest{ID: "robot-2", BotToken: d.Bots[0].Token}); err != nil || time.Since(begun) > time.Minute {
			t.Errorf("while a does not answer: %v after %v", err, time.Since(begun))
		}
	})
}
