package control

import (
	"testing"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	mtfleetv1 "github.com/mtfleet/mtfleet/cmd/manager/api/mtfleet/v1"
	"github.com/mtfleet/mtfleet/persistence"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Who scans the code of a QR sign-in decides who is signed in: it is shown to who may sign in, and to no reader.
func TestAReaderSeesNoCodeOfAQRSignIn(t *testing.T) {
	s := actorstest.Cluster(t, actorstest.Small())
	m := actorstest.Open(t, actorstest.Options(s, persistence.NewMemory()))
	a := actorstest.Add(t, m, "alice", actors.AccountOptions{})
	if _, err := a.SignIn(t.Context(), actors.QR()); err != nil {
		t.Fatal(err)
	}
	ca := authority(t)
	url, tokens := overTCP(t, &Local{Manager: m}, ca)
	for role, sees := range map[string]bool{"read": false, "operate": true, "admin": true} {
		r, err := DialTCP(Elsewhere{URL: url, CA: ca.File + ".pem", Token: tokens[role]})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		shown, err := Show.Call(t.Context(), r, AccountRequest{"alice"})
		if err != nil {
			t.Fatal(err)
		}
		list, err := List.Call(t.Context(), r, ListRequest{})
		if err != nil || len(list.Accounts) != 1 {
			t.Fatal(list, err)
		}
		for what, acc := range map[string]Account{"Show": shown, "List": list.Accounts[0]} {
			if acc.Step == nil || acc.Step.Kind != actors.StepQR || (acc.Step.URL != "") != sees {
				t.Errorf("%s: %s has the step %v, whose code is there: %v", role, what, acc.Step, acc.Step != nil && acc.Step.URL != "")
			}
		}
	}
	if a.Status().Step.URL == "" {
		t.Error("the account itself has forgotten the code")
	}
}

// Steps come to readers by two methods: another must withhold the code too.
func TestWhichMethodsForReadersHaveSteps(t *testing.T) {
	for _, m := range methods() {
		has := holds(m.schema.Output(), "mtfleet.v1.Step", map[protoreflect.FullName]bool{})
		if m.role() == mtfleetv1.Role_ROLE_READ && has != (m == Show.method || m == List.method) {
			t.Errorf("%s is for readers, and has a step: %v", m.procedure, has)
		}
	}
}

// holds reports whether a message of that name may be in another.
func holds(d protoreflect.MessageDescriptor, name protoreflect.FullName, seen map[protoreflect.FullName]bool) bool {
	if d.FullName() == name {
		return true
	}
	if seen[d.FullName()] {
		return false
	}
	seen[d.FullName()] = true
	for i := range d.Fields().Len() {
		if inner := d.Fields().Get(i).Message(); inner != nil && holds(inner, name, seen) {
			return true
		}
	}
	return false
}
