package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/persistence"
)

// What a call was answered, and how it failed, comes through the socket whole.
func TestACallComesThroughTheSocket(t *testing.T) {
	s := actorstest.Cluster(t, actorstest.Small())
	m := actorstest.Open(t, actorstest.Options(s, persistence.NewMemory()))
	actorstest.SignInPhone(t, m, "alice", s.Descriptor().Phones[0], actors.AccountOptions{})
	remote := serve(t, &Local{Manager: m})

	const hi = `{"peer":{"_":"inputPeerSelf"},"message":"a < b & \"c\"","random_id":"1"}`
	got, err := Call.Call(t.Context(), remote, CallRequest{ID: "alice", Method: "messages.sendMessage", Params: json.RawMessage(hi)})
	if err != nil || !strings.HasPrefix(string(got.Result), `{"_":"update`) {
		t.Errorf("a call: %s, %v", got.Result, err)
	}
	got, err = Call.Call(t.Context(), remote, CallRequest{ID: "alice", Method: "messages.getHistory", Params: json.RawMessage(
		`{"peer":{"_":"inputPeerSelf"},"offset_id":0,"offset_date":0,"add_offset":0,"limit":9,"max_id":0,"min_id":0,"hash":"0"}`)})
	if err != nil || !strings.Contains(string(got.Result), `"message":"a < b & \"c\""`) {
		t.Errorf("the history: %s, %v", got.Result, err)
	}

	for _, x := range []struct {
		name string
		CallRequest
		fault dctest.Fault
		kind  Kind
		want  CallError // RetryAt: about so long from now
		says  string
	}{
		{name: "nobody", CallRequest: CallRequest{ID: "nobody", Method: "help.getConfig"}, kind: KindNoAccount, says: "add it first"},
		{name: "no method", CallRequest: CallRequest{Method: "help.getConfg"}, kind: KindInvalid, says: "did you mean help.getConfig?"},
		{name: "not for callers", CallRequest: CallRequest{Method: "auth.logOut"}, kind: KindInvalid, says: "`manager account logout`"},
		{name: "wrong parameters", CallRequest: CallRequest{Method: "messages.readHistory", Params: json.RawMessage(`{"peer":{"_":"inputPeerUser","access_hash":"1"},"max_id":1}`)},
			kind: KindInvalid, want: CallError{Path: "peer.user_id"}, says: "peer.user_id: missing"},
		{name: "no policy", CallRequest: CallRequest{Method: "help.getConfig", Policy: "twice"}, kind: KindInvalid, says: "once"},
		{name: "no DC", CallRequest: CallRequest{Method: "help.getConfig", DC: -1}, kind: KindInvalid, says: "from 1 on"},
		{name: "refused", CallRequest: CallRequest{Method: "messages.sendMessage", Params: json.RawMessage(hi)},
			fault: dctest.Fault{Method: "messages.sendMessage", Code: 400, Text: "PEER_ID_INVALID"}, kind: KindServer,
			want: CallError{Code: 400, Type: "PEER_ID_INVALID"}, says: "PEER_ID_INVALID"},
		{name: "a wait", CallRequest: CallRequest{Method: "help.getConfig"},
			fault: dctest.Fault{Method: "help.getConfig", Code: 420, Text: "FLOOD_WAIT_600"}, kind: KindWait,
			want: CallError{Code: 420, Type: "FLOOD_WAIT", Argument: 600, RetryAt: time.Now().Add(10 * time.Minute)}, says: "wait"},
		{name: "the same wait", CallRequest: CallRequest{Method: "help.getConfig"}, kind: KindWait,
			want: CallError{RetryAt: time.Now().Add(10 * time.Minute)}, says: "wait"},
	} {
		t.Run(x.name, func(t *testing.T) {
			if x.ID == "" {
				x.ID = "alice"
			}
			if x.fault.Method != "" {
				x.fault.Kind, x.fault.Count = dctest.FaultRPC, 1
				actorstest.Inject(t, s, x.fault)
			}
			_, err := Call.Call(t.Context(), remote, x.CallRequest)
			var e *Error
			if !errors.As(err, &e) || e.Kind != x.kind || e.Call == nil || !strings.Contains(e.Message, x.says) || strings.Contains(e.Message, "\n") {
				t.Fatalf("%+v", err)
			}
			got := *e.Call
			if d := got.RetryAt.Sub(x.want.RetryAt); d < -time.Minute || d > time.Minute {
				t.Errorf("retry at %v, want %v", got.RetryAt, x.want.RetryAt)
			}
			if got.RetryAt, x.want.RetryAt = (time.Time{}), (time.Time{}); got != x.want {
				t.Errorf("%+v, want %+v", got, x.want)
			}
		})
	}
}

// A call that is not answered in time may have run: what must not run twice is said to.
func TestACallThatWasNotAnswered(t *testing.T) {
	s := actorstest.Cluster(t, actorstest.Small())
	m := actorstest.Open(t, actorstest.Options(s, persistence.NewMemory()))
	a := actorstest.SignInPhone(t, m, "alice", s.Descriptor().Phones[0], actors.AccountOptions{})
	actorstest.Wait(t, a, actors.Online)
	local := &Local{Manager: m}
	actorstest.Inject(t, s, dctest.Fault{Kind: dctest.FaultSlow, Method: "messages.sendMessage", Delay: dctest.Duration(time.Minute), Count: 1})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err := Call.Call(ctx, local, CallRequest{ID: "alice", Method: "messages.sendMessage",
		Params: json.RawMessage(`{"peer":{"_":"inputPeerSelf"},"message":"hi","random_id":"1"}`)})
	var e *Error
	if !errors.As(err, &e) || e.Call == nil || !e.Call.MayHaveRun || !strings.Contains(e.Message, "look before it is repeated") {
		t.Errorf("%v", err)
	}
}

// What is asked and answered is no part of a printed request and result.
func TestACallIsNotPrinted(t *testing.T) {
	answer := CallResult{Result: json.RawMessage(`{"_":"exported","token":"secret"}`)}
	r := CallRequest{ID: "alice", Method: "messages.sendMessage", Params: json.RawMessage(`{"message":"secret"}`)}
	for _, s := range []string{fmt.Sprint(r, answer), fmt.Sprintf("%+v %#v %+v %#v", r, r, answer, answer)} {
		if strings.Contains(s, "secret") || strings.Contains(s, "115 101") {
			t.Errorf("printed: %s", s)
		}
	}
}

// An echo goes to the DC that is named and as once as is wanted, and fails as calls do.
func TestAnEchoHasADCAndAPolicy(t *testing.T) {
	s := actorstest.Cluster(t, actorstest.Small())
	m := actorstest.Open(t, actorstest.Options(s, persistence.NewMemory()))
	actorstest.SignInPhone(t, m, "alice", s.Descriptor().Phones[0], actors.AccountOptions{})
	remote := serve(t, &Local{Manager: m})
	for dc := range 3 {
		got, err := Echo.Call(t.Context(), remote, EchoRequest{ID: "alice", EchoID: int64(10 + dc), DC: dc, Payload: []byte("hi")})
		if err != nil || dc > 0 && int(got.DC) != dc || got.EchoID != int64(10+dc) || string(got.Payload) != "hi" {
			t.Errorf("on DC %d: %+v, %v", dc, got, err)
		}
	}
	actorstest.Inject(t, s, dctest.Fault{Kind: dctest.FaultSlow, Method: "testdc.echo", Delay: dctest.Duration(time.Minute), Count: 1})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := Echo.Call(ctx, remote, EchoRequest{ID: "alice", EchoID: 20, Policy: "once"})
	var e *Error
	if !errors.As(err, &e) || e.Call == nil || !e.Call.MayHaveRun || s.EchoCount(20) != 1 {
		t.Errorf("one that was not answered ends with %+v", err)
	}
	if _, err = Echo.Call(t.Context(), remote, EchoRequest{ID: "alice", EchoID: 21, Policy: "twice"}); KindOf(err) != KindInvalid || s.EchoCount(21) != 0 {
		t.Errorf("without such a policy it ends with %v", err)
	}
}
