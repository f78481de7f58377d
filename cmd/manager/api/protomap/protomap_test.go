package protomap

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/actors"
	mtfleetv1 "github.com/mtfleet/mtfleet/cmd/manager/api/mtfleet/v1"
	"github.com/mtfleet/mtfleet/persistence"
)

func mapOfType[T any](t *testing.T, msg proto.Message) *Map {
	t.Helper()
	m, err := New(reflect.TypeFor[T](), msg.ProtoReflect().Descriptor())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// there carries a value to a message, over the wire and back.
func there[T any](t testing.TB, m *Map, v T, msg proto.Message) (got T, err error) {
	t.Helper()
	if err := m.Put(v, msg.ProtoReflect()); err != nil {
		return got, err
	}
	text, err := proto.Marshal(msg)
	if err != nil {
		t.Fatal(err)
	}
	again := msg.ProtoReflect().New().Interface()
	if err := proto.Unmarshal(text, again); err != nil {
		t.Fatal(err)
	}
	err = m.Take(again.ProtoReflect(), &got)
	return got, err
}

// Whatever a status is, it is the same at the other end.
func TestAStatusIsTheSameAtTheOtherEnd(t *testing.T) {
	m := mapOfType[actors.Status](t, &mtfleetv1.Account{})
	rapid.Check(t, func(r *rapid.T) {
		word := rapid.StringMatching(`[a-zäö \n]{0,12}`)
		at := func(name string) time.Time {
			if rapid.Bool().Draw(r, name+"?") {
				return time.Time{}
			}
			return time.Unix(rapid.Int64Range(-62135596800, 253402300799).Draw(r, name), rapid.Int64Range(0, 999999999).Draw(r, name+" ns")).UTC()
		}
		labels, err := persistence.NewLabels(rapid.MapOfN(rapid.StringMatching(`[a-z]{1,4}`), rapid.StringMatching(`[a-z]{0,4}`), 0, 3).Draw(r, "labels"))
		if err != nil {
			r.Fatal(err)
		}
		s := actors.Status{
			State: actors.State(rapid.IntRange(0, int(actors.Exported)).Draw(r, "state")), Since: at("since"), Why: word.Draw(r, "why"), Until: at("until"),
			UserID: rapid.Int64().Draw(r, "user"), Bot: rapid.Bool().Draw(r, "bot"), HomeDC: rapid.IntRange(-1<<31, 1<<31-1).Draw(r, "dc"),
			PFS: rapid.Bool().Draw(r, "pfs"), SignedIn: rapid.Bool().Draw(r, "signed in"), Labels: labels, Proxy: word.Draw(r, "proxy"),
		}
		if rapid.Bool().Draw(r, "step?") {
			s.Step = &actors.Step{
				ID: word.Draw(r, "id"), Type: actors.TypeWebAuthn, Kind: actors.StepKind(rapid.SampledFrom([]actors.StepKind{
					actors.StepCode, actors.StepSignUp, actors.StepRecovery, actors.StepEmailSetup, actors.StepPNV}).Draw(r, "kind")),
				Length: rapid.IntRange(0, 9).Draw(r, "length"), ResendAt: at("resend"), Options: `{"publicKey":{}}`,
				Payment: actors.Payment{Amount: rapid.Int64().Draw(r, "amount")}, Supported: true, Message: word.Draw(r, "message"),
			}
		}
		if rapid.Bool().Draw(r, "origin?") {
			s.Origin = actors.Origin{Format: "gotd", APIID: 7, At: time.Unix(5, 0).UTC()}
		}
		got, err := there(t, m, s, &mtfleetv1.Account{})
		if err != nil {
			r.Fatal(err)
		}
		if diff := cmp.Diff(s, got); diff != "" {
			r.Fatal(diff)
		}
	})
}

func TestEveryWordOfAnEnumerationIsCarried(t *testing.T) {
	m := mapOfType[actors.Status](t, &mtfleetv1.Account{})
	seen := map[mtfleetv1.AccountState]bool{}
	for state := actors.New; state <= actors.Exported; state++ {
		msg := &mtfleetv1.Account{}
		got, err := there(t, m, actors.Status{State: state}, msg)
		if err != nil || got.State != state || msg.GetState() == 0 || seen[msg.GetState()] {
			t.Errorf("%v becomes %v and then %v, %v", state, msg.GetState(), got.State, err)
		}
		seen[msg.GetState()] = true
	}
	a := mapOfType[actors.Answer](t, &mtfleetv1.StepAnswer{})
	for number, name := range mtfleetv1.AnswerKind_name {
		if number == 0 {
			continue
		}
		msg := &mtfleetv1.StepAnswer{Kind: mtfleetv1.AnswerKind(number)}
		var got actors.Answer
		if err := a.Take(msg.ProtoReflect(), &got); err != nil || strings.ToUpper(string(got.Kind)) != strings.TrimPrefix(name, "ANSWER_KIND_") {
			t.Errorf("%s becomes %q, %v", name, got.Kind, err)
		}
	}
	if err := a.Put(actors.Answer{Kind: "shrug"}, (&mtfleetv1.StepAnswer{}).ProtoReflect()); err == nil || strings.Contains(err.Error(), "shrug") {
		t.Errorf("a word that is none: %v", err)
	}
	var got actors.Answer // of a schema that is newer than this
	if err := a.Take((&mtfleetv1.StepAnswer{Kind: 99}).ProtoReflect(), &got); err != nil || got.Kind != "" {
		t.Errorf("a value that is not known: %q, %v", got.Kind, err)
	}
}

// What differs is found when the map is made, and named.
func TestTypesThatAreNotTheMessages(t *testing.T) {
	type more struct {
		ID    string `json:"id"`
		Extra string `json:"extra"`
	}
	type other struct {
		ID int `json:"id"`
	}
	type list struct {
		ID []string `json:"id"`
	}
	type stamp struct {
		Since string `json:"since"`
	}
	type inside struct {
		Labels map[string]int `json:"labels"`
	}
	account := (&mtfleetv1.Account{}).ProtoReflect().Descriptor()
	for _, c := range []struct {
		t    reflect.Type
		md   protoreflect.MessageDescriptor
		says string
	}{
		{reflect.TypeFor[more](), (&mtfleetv1.ShowRequest{}).ProtoReflect().Descriptor(), "no field extra"},
		{reflect.TypeFor[other](), account, "id of"},
		{reflect.TypeFor[list](), account, "id of"},
		{reflect.TypeFor[stamp](), account, "since of"},
		{reflect.TypeFor[inside](), account, "labels of"},
		{reflect.TypeFor[string](), account, "no struct"},
	} {
		if _, err := New(c.t, c.md); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v: %v, want %q", c.t, err, c.says)
		}
	}
}

// A number that the other side has no room for is refused and not cut.
func TestANumberThatDoesNotFitIsRefused(t *testing.T) {
	type budget struct {
		Preset string `json:"preset"`
		Per    int    `json:"connects_per_second"`
	}
	m := mapOfType[budget](t, &mtfleetv1.Budget{})
	if err := m.Put(budget{Per: 1 << 40}, (&mtfleetv1.Budget{}).ProtoReflect()); err == nil {
		t.Error("2^40 fits 32 bits")
	}
	type small struct {
		Sent uint8 `json:"sent"`
	}
	var got small
	if err := mapOfType[small](t, &mtfleetv1.Webhook{}).Take((&mtfleetv1.Webhook{Sent: 256}).ProtoReflect(), &got); err == nil {
		t.Errorf("256 fits 8 bits: %d", got.Sent)
	}
}

// Lists are never nil on the way back, so that JSON has [] and not null; what is absent stays absent.
func TestListsAndAbsence(t *testing.T) {
	type consumers struct {
		Consumers []actors.ConsumerStatus `json:"consumers"`
	}
	got, err := there(t, mapOfType[consumers](t, &mtfleetv1.ConsumersResponse{}), consumers{}, &mtfleetv1.ConsumersResponse{})
	if err != nil || got.Consumers == nil {
		t.Errorf("%+v, %v", got, err)
	}
	type change struct {
		Email *string `json:"email"`
	}
	m := mapOfType[change](t, &mtfleetv1.ChangePasswordRequest{})
	none := ""
	for _, want := range []*string{nil, &none} {
		got, err := there(t, m, change{want}, &mtfleetv1.ChangePasswordRequest{})
		if err != nil || (got.Email == nil) != (want == nil) {
			t.Errorf("%v becomes %v, %v", want, got.Email, err)
		}
	}
}

// JSON goes through as it is, but for the order of fields; what is none is refused without its text.
func TestJSONPassesThrough(t *testing.T) {
	type call struct {
		Params json.RawMessage `json:"params"`
	}
	m := mapOfType[call](t, &mtfleetv1.CallRequest{})
	for _, text := range []string{`{"_":"a","b":[1,2147483647,-1,0.5],"c":"9223372036854775807","d":true,"e":null,"f":"a < b & \"c\" é"}`, `[]`, `"x"`, `7`} {
		got, err := there(t, m, call{json.RawMessage(text)}, &mtfleetv1.CallRequest{})
		if err != nil || string(got.Params) != text {
			t.Errorf("%s becomes %s, %v", text, got.Params, err)
		}
	}
	if err := m.Put(call{json.RawMessage(`{"secret`)}, (&mtfleetv1.CallRequest{}).ProtoReflect()); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("half a text: %v", err)
	}
}

// FuzzTake: no message makes it panic, whatever it is.
func FuzzTake(f *testing.F) {
	m, err := New(reflect.TypeFor[actors.EventJSON](), (&mtfleetv1.Event{}).ProtoReflect().Descriptor())
	if err != nil {
		f.Fatal(err)
	}
	seed, err := proto.Marshal(&mtfleetv1.Event{Cursor: "5-5", Kind: mtfleetv1.EventKind_EVENT_KIND_STATE, Status: &mtfleetv1.Account{Id: "a"}, Box: "channel:7"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, b []byte) {
		var msg mtfleetv1.Event
		if proto.Unmarshal(b, &msg) != nil {
			return
		}
		var ev actors.EventJSON
		if m.Take(msg.ProtoReflect(), &ev) != nil {
			return
		}
		again, err := there(t, m, ev, &mtfleetv1.Event{})
		if err != nil {
			return // a word that no event of ours has
		}
		x, _ := json.Marshal(ev)
		y, _ := json.Marshal(again)
		if string(x) != string(y) {
			t.Errorf("%s becomes %s", x, y)
		}
	})
}
