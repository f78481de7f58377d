package control

import (
	"strings"
	"testing"

	"github.com/mtfleet/mtfleet/persistence"
)

// What is done over the wire is in the log under who did it, and what a role does not permit too; what reads is not.
func TestTheLogNamesWhoAskedAndWhatWasDenied(t *testing.T) {
	m, r := manage(t, persistence.NewMemory())
	if _, err := Add.Call(t.Context(), r, AddRequest{ID: "a"}); err != nil {
		t.Fatal(err)
	}
	ca := authority(t)
	url, tokens := overTCP(t, &Local{Manager: m}, ca)
	as := func(role string) *Remote {
		far, err := DialTCP(Elsewhere{URL: url, CA: ca.File + ".pem", Token: tokens[role]})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = far.Close() })
		return far
	}
	reader, operator := as("read"), as("operate")
	if _, err := List.Call(t.Context(), reader, ListRequest{}); err != nil {
		t.Error(err)
	}
	if _, err := Pause.Call(t.Context(), reader, AccountRequest{"a"}); KindOf(err) != KindRefused {
		t.Error(err)
	}
	if _, err := Label.Call(t.Context(), operator, LabelRequest{ID: "a", Put: map[string]string{"env": "prod"}}); err != nil {
		t.Error(err)
	}
	if _, err := Call.Call(t.Context(), operator, CallRequest{ID: "a", Method: "account.deleteAccount", Params: []byte(`{"reason":"secret"}`)}); KindOf(err) != KindRefused {
		t.Error(err)
	}
	if _, err := Call.Call(t.Context(), operator, CallRequest{ID: "a", Method: "help.getConfig"}); err == nil {
		t.Error("an account that is not signed in was called")
	}
	list, err := Audit.Call(t.Context(), reader, AuditRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range list.Entries {
		got = append(got, strings.Join([]string{strings.SplitN(e.Who, " ", 2)[0], e.What, e.Detail, e.Account, e.Outcome}, " "))
	}
	want := []string{
		"uid AccountService/Add  a ok", "reader AccountService/Pause   denied", "operateer AccountService/Label  a ok",
		"operateer AccountService/Call account.deleteAccount a denied",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the log has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if list, err = Audit.Call(t.Context(), reader, AuditRequest{Limit: 1, Account: "a"}); err != nil || len(list.Entries) != 1 || list.Entries[0].Seq != 4 {
		t.Errorf("the newest of a: %+v, %v", list, err)
	}
	if v, err := VerifyAudit.Call(t.Context(), reader, Empty{}); err != nil || !v.Whole || v.Last != 4 || v.Head != list.Entries[0].Hash {
		t.Errorf("%+v, %v", v, err)
	}
}
