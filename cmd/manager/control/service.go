package control

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/persistence"
)

// Empty is a request or an answer without contents.
type Empty struct{}

// About tells who is answering.
type About struct {
	Running bool      `json:"running"` // a manager runs; false for a store opened by a command
	PID     int       `json:"pid"`
	Version string    `json:"version"`
	Since   time.Time `json:"since"`
	Store   string    `json:"store"` // the store's directory
	// Command is what holds the store where no manager runs.
	Command string `json:"command,omitempty"`
}

// StateOffline is the state of a signed-in account that no manager runs.
const StateOffline = "offline"

// Account is one account as commands show it.
type Account struct {
	ID string `json:"id"`
	// State is the name of an actors.State, or StateOffline.
	State string `json:"state"`
	actors.Status
}

// UnmarshalJSON reads what encoding/json makes of an Account: the name of the
// state stands for both.
func (a *Account) UnmarshalJSON(b []byte) error {
	type plain Account // without this method
	if err := json.Unmarshal(b, (*plain)(a)); err != nil {
		return err
	}
	a.Taken()
	return nil
}

// Taken has the name of the state stand for both.
func (a *Account) Taken() {
	if a.Status.State.UnmarshalText([]byte(a.State)) != nil {
		a.Status.State = actors.Connecting // StateOffline, or between two states
	}
}

// States are the words for the states of an account, as requests and commands have them.
func States() []string {
	var all []string
	for s := actors.New; s <= actors.Exported; s++ {
		all = append(all, s.String())
	}
	return append(all, StateOffline)
}

// ListRequest says which accounts are wanted. What is empty wants all.
type ListRequest struct {
	// States are words of which one must be the account's state.
	States []string `json:"states,omitempty"`
	// Labels are what the account must have, all of them: each "key=value", or "key" for any value.
	Labels []string `json:"labels,omitempty"`
}

// check refuses a state and a label that are none.
func (r ListRequest) check() error {
	all := States()
	for _, state := range r.States {
		if !slices.Contains(all, state) {
			return &Error{Kind: KindInvalid, Message: fmt.Sprintf("there is no state %q: there are %s", state, strings.Join(all, ", "))}
		}
	}
	return Wrap(actors.Filter{Labels: r.Labels}.Check())
}

// Selects reports whether an account is wanted.
func (r *ListRequest) Selects(acc *Account) bool {
	of := actors.Filter{Labels: r.Labels}
	return (len(r.States) == 0 || slices.Contains(r.States, acc.State)) && of.Selects(acc.ID, acc.Labels)
}

// AccountList is accounts by id.
type AccountList struct {
	Accounts []Account `json:"accounts"`
	// Outages are the DCs that many of them are without.
	Outages []actors.Outage `json:"outages,omitempty"`
	// Silent are the nodes of a cluster that did not answer: their accounts are not here.
	Silent []string `json:"silent,omitempty"`
}

// AccountRequest names an account.
type AccountRequest struct {
	ID string `json:"id"`
}

// StepRequest names an account, and the step of its sign-in that is known.
type StepRequest struct {
	ID    string `json:"id"`
	After string `json:"after,omitempty"`
}

// ClearWaitRequest names an account and a method; an empty method is all of them.
type ClearWaitRequest struct {
	ID     string `json:"id"`
	Method string `json:"method,omitempty"`
}

// AddRequest names a new account and says how it is kept.
type AddRequest struct {
	ID string `json:"id"`
	// NoPFS makes calls travel under the perm key itself.
	NoPFS bool `json:"no_pfs,omitempty"`
	// Labels are the operator's own words for it.
	Labels persistence.Labels `json:"labels,omitzero"`
	// Proxy is how it connects, as of ProxyRequest.
	Proxy string `json:"proxy,omitempty"`
}

// String names the account alone.
func (r AddRequest) String() string { return "addition of " + r.ID }

// GoString is String.
func (r AddRequest) GoString() string { return r.String() }

// ProxyRequest names an account and how it is to connect: a proxy with all that
// opens it, "none" for directly, or empty for what the configuration says. It prints
// as the account.
type ProxyRequest struct {
	ID    string `json:"id"`
	Proxy string `json:"proxy"`
}

// String names the account alone.
func (r ProxyRequest) String() string { return "proxy of " + r.ID }

// GoString is String.
func (r ProxyRequest) GoString() string { return r.String() }

// LabelRequest names an account, labels to put on it and keys of others to take
// away.
type LabelRequest struct {
	ID     string            `json:"id"`
	Put    map[string]string `json:"put,omitempty"`
	Remove []string          `json:"remove,omitempty"`
}

// SignInRequest begins a sign-in. Without a flow it is the one of what is given:
// a phone number, a bot token, or the link of a web client.
type SignInRequest struct {
	ID       string     `json:"id"`
	Flow     login.Flow `json:"flow,omitempty"`
	Phone    string     `json:"phone,omitempty"`
	BotToken string     `json:"bot_token,omitempty"`
	WebToken string     `json:"web_token,omitempty"`
}

// credentials are what the account is signed in with.
func (r SignInRequest) credentials() (actors.Credentials, error) {
	if r.Flow == "" {
		switch {
		case r.Phone != "":
			r.Flow = login.FlowPhone
		case r.BotToken != "":
			r.Flow = login.FlowBot
		case r.WebToken != "":
			r.Flow = login.FlowWeb
		}
	}
	want := map[login.Flow]struct {
		with bool // what it begins with
		make func() actors.Credentials
	}{
		login.FlowPhone:   {r.Phone != "", func() actors.Credentials { return actors.Phone(r.Phone) }},
		login.FlowBot:     {r.BotToken != "", func() actors.Credentials { return actors.BotToken(r.BotToken) }},
		login.FlowWeb:     {r.WebToken != "", func() actors.Credentials { return actors.WebToken(r.WebToken) }},
		login.FlowQR:      {true, actors.QR},
		login.FlowPasskey: {true, actors.Passkey},
		login.FlowPNV:     {true, func() actors.Credentials { return actors.PNV(r.Phone) }},
	}[r.Flow]
	others := r.Phone != "" && r.Flow != login.FlowPhone && r.Flow != login.FlowPNV ||
		r.BotToken != "" && r.Flow != login.FlowBot || r.WebToken != "" && r.Flow != login.FlowWeb
	if want.make == nil || !want.with || others {
		return actors.Credentials{}, &Error{Kind: KindInvalid, Message: "a sign-in begins with a phone number, a bot token or the link of a web client, or with the flow qr, passkey or pnv: give one of them"}
	}
	return want.make(), nil
}

// String names the account alone.
func (r SignInRequest) String() string { return "sign-in of " + r.ID }

// GoString is String.
func (r SignInRequest) GoString() string { return r.String() }

// AnswerRequest answers the step a sign-in waits for.
type AnswerRequest struct {
	ID     string        `json:"id"`
	Answer actors.Answer `json:"answer"`
}

// Progress is where a sign-in stands: a step that waits for somebody, or done.
type Progress struct {
	// Step is nil when the account is signed in.
	Step    *actors.Step `json:"step,omitempty"`
	Account Account      `json:"account"`
}

// RemoveRequest names an account to remove.
type RemoveRequest struct {
	ID string `json:"id"`
	// Force removes an account that is signed in; the server keeps an
	// authorization then that nobody can end from here.
	Force bool `json:"force,omitempty"`
}

// EchoRequest is one call of testdc.echo.
type EchoRequest struct {
	ID      string `json:"id"`
	EchoID  int64  `json:"echo_id"`
	DelayMs int32  `json:"delay_ms,omitempty"`
	Payload []byte `json:"payload,omitempty"`
	// DC, Media and Policy are as in CallRequest; without a policy it is repeatable.
	DC     int    `json:"dc,omitempty"`
	Media  bool   `json:"media,omitempty"`
	Policy string `json:"policy,omitempty"`
}

// check refuses a policy and a DC that are none.
func (r EchoRequest) check() error {
	_, _, err := callOptions(r.Policy, r.DC, false)
	return WrapCall(err)
}

// EchoResult is what testdc.echo answered.
type EchoResult struct {
	EchoID  int64  `json:"echo_id"`
	UserID  int64  `json:"user_id"`
	DC      int32  `json:"dc"`
	Payload []byte `json:"payload,omitempty"`
}
