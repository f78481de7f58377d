package actors_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAccountsSignInMigrateBindAndCall(t *testing.T) {
	s := cluster(t, serve.Config{Persons: 4, Bots: 4})
	m := open(t, options(s, persistence.NewMemory()))
	d := s.Descriptor()
	var all []*actors.Account
	for i, p := range d.Phones {
		all = append(all, signInPhone(t, m, "person-"+string(rune('a'+i)), p, actors.AccountOptions{NoPFS: i%2 == 1}))
	}
	for i, b := range d.Bots {
		all = append(all, signInBot(t, m, "bot-"+string(rune('a'+i)), b, actors.AccountOptions{}))
	}
	for i, a := range all {
		wait(t, a, actors.Online)
		got, err := actors.Invoke(soon(t), a, &echo.EchoRequest{ID: int64(i + 1), Payload: []byte("hello")})
		if err != nil || string(got.Payload) != "hello" {
			t.Fatalf("echo as %s: %+v, %v", a.ID(), got, err)
		}
		if st := a.Status(); st.Bound != st.PFS {
			t.Errorf("%s is online with pfs %v and bound %v", a.ID(), st.PFS, st.Bound)
		}
	}
	if list, total := s.Violations(); total > 0 {
		t.Errorf("the test DC saw %d violations, the first: %+v", total, list[0])
	}
}
