package actors_test

import (
	"fmt"
	"testing"

	"go.uber.org/goleak"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAccountsSignInMigrateBindAndCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, serve.Config{Persons: 4, Bots: 4}), persistence.NewMemory()
		m := open(t, options(s, store))
		d := s.Descriptor()
		var all []*actors.Account
		for i, p := range d.Phones {
			all = append(all, signInPhone(t, m, fmt.Sprintf("person-%d", i), p, actors.AccountOptions{NoPFS: i%2 == 1}))
		}
		for i, b := range d.Bots {
			all = append(all, signInBot(t, m, fmt.Sprintf("bot-%d", i), b, actors.AccountOptions{}))
		}
		for _, a := range all {
			wait(t, a, actors.Online)
			call(t, a)
			if st := a.Status(); st.Bound != st.PFS {
				t.Errorf("%s is online with pfs %v and bound %v", a.ID(), st.PFS, st.Bound)
			}
		}
		verdict(t, s, store)
	})
}
