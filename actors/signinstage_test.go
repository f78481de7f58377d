package actors

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// This file is a stage for sign-ins: a manager, the test DCs, the network of
// play_test.go between them, somebody who answers, and one thing that goes wrong
// at a moment that is given.

// harm is what goes wrong.
type harm uint8

const (
	nothing harm = iota
	// killed: the process dies when the DC has executed the query, and another
	// goes on from the store.
	killed
	// killedBefore: it dies, and the DC has not executed the query.
	killedBefore
	// killedAsked: it dies when the step is shown.
	killedAsked
	// cut: every connection ends when the DC has executed the query.
	cut
	// cutAsked: every connection ends when the step is shown.
	cutAsked
	// canceled: whoever signs in cancels at the step, and begins anew at once.
	canceled
	// moved: the DC does not execute the query and names another DC.
	moved
)

var harmNames = [...]string{"nothing", "killed after query", "killed before query", "killed at step", "cut after query", "cut at step", "canceled at step", "moved at query"}

func (h harm) String() string { return harmNames[h] }

// conditions are what a sign-in is played under.
type conditions struct {
	noPFS, strict bool
}

func (c conditions) String() string { return fmt.Sprintf("pfs %v, bind strict %v", !c.noPFS, c.strict) }

// stage is one sign-in of one account.
type stage struct {
	t    *testing.T
	sim  *runtime.Sim
	net  *playNet
	b    *api.Backend
	disk *persistence.Memory
	m    *Manager
	a    *Account

	flow signInFlow
	user api.User
	harm harm
	at   int // which query or step it comes at, counted from 1; 0 never

	struck  bool     // it has come
	begun   bool     // the sign-in was, and goes on from then on
	cancels bool     // the human does, next
	dead    bool     // the process is, and no other was started
	queries []string // that the DCs executed, by their methods
	steps   []StepKind
	signIn  string // its id
	seen    string // the last step

	disks  func(persistence.Store) persistence.Store // what a process has in place of the disk, nil for itself
	export bool                                      // Options.AllowExport

	calls int64 // made by judge

	secrets secrets // that were typed or shown
	log     talk
}

// stageDCs are two: sign-ins begin at DC 2.
const stageDCs = 2

func newStage(t *testing.T, f signInFlow, on conditions, h harm, at int) *stage {
	t.Helper()
	sim := runtime.NewSim(1)
	st := &stage{t: t, sim: sim, disk: persistence.NewMemory(), flow: f, harm: h, at: at, secrets: secrets{}}
	bytes := rand.NewChaCha8([32]byte{2})
	none := api.RateLimit{Calls: -1}
	cfg := api.Config{
		DCs: stageDCs, Seed: 1, Rand: bytes, Group: playGroup(), LoginsPerDay: -1, PNV: true, Passkeys: anyPasskey{},
		Limits: api.Limits{SendCodeNumber: none, CheckPassword: none, Mail: none, ImportBot: none},
	}
	var err error
	if st.b, err = api.New(cfg); err == nil {
		err = st.b.Populate(stageDCs, stageDCs)
	}
	if err != nil {
		t.Fatal(err)
	}
	var ends []api.Endpoint
	for id := 1; id <= stageDCs; id++ {
		a := playAddress(id)
		ends = append(ends, api.Endpoint{DC: id, IP: a.Addr().String(), Port: int(a.Port())})
	}
	st.b.SetEndpoints(ends)
	core, err := dctest.New(dctest.Config{
		Rand: bytes, API: &harmedAPI{st.b, st}, Keys: []*crypt.PrivateKey{playKey()}, Group: playGroup(), DCs: stageDCs, BindStrict: on.strict,
	})
	if err != nil {
		t.Fatal(err)
	}
	st.net = &playNet{sim: sim, core: core, socks: map[dctest.ConnID]*playSocket{}}
	st.user = st.person()
	if f.setUp != nil {
		f.setUp(st)
	}
	st.open()
	if st.a, err = st.m.Add(context.Background(), "alice", AccountOptions{NoPFS: on.noPFS}); err != nil {
		t.Fatal(err)
	}
	return st
}

// person is who signs in.
func (st *stage) person() api.User {
	home := st.flow.home
	if home == 0 {
		home = 2
	}
	if st.flow.fresh {
		return api.User{HomeDC: home, Phone: "9996627777"}
	}
	for _, u := range st.b.Users() {
		if u.HomeDC == home && (u.BotToken != "") == st.flow.bot {
			return u
		}
	}
	st.t.Fatalf("nobody lives on DC %d", home)
	return api.User{}
}

// open starts a process on what the disk has.
func (st *stage) open() {
	st.t.Helper()
	st.disk = st.disk.Reopen()
	app := st.b.Apps()[0]
	o := Options{
		Store: st.disk, Sim: st.sim, Network: st.net, Logger: st.log.logger(), AllowExport: st.export,
		DCs: dc.Table{Keys: []string{string(playKey().Public().PEM())}},
		App: App{APIID: app.ID, APIHash: app.Hash, DeviceModel: "test", SystemVersion: "none", AppVersion: "0"},
	}
	for id := 1; id <= stageDCs; id++ {
		o.DCs.Options = append(o.DCs.Options, dc.Option{DC: dc.ID(id), Addr: playAddress(id), ThisPortOnly: true})
	}
	if st.disks != nil {
		o.Store = st.disks(st.disk)
	}
	m, err := Open(o)
	if err != nil {
		st.t.Fatal(err)
	}
	st.m, st.dead = m, false
}

// kill ends the process as SIGKILL does.
func (st *stage) kill() {
	st.dead = true
	for _, s := range st.net.socks {
		s.h = nil // nobody is there to be told
	}
	st.m.Crash()
	st.disk.Close()
	st.cut()
}

// cut ends every connection.
func (st *stage) cut() {
	for id := dctest.ConnID(1); id <= st.net.last; id++ { // the order of a map would not replay
		if s := st.net.socks[id]; s != nil {
			s.end(errors.New("cut"))
		}
	}
}

// revive starts another process, which finds the account by the id of its sign-in.
func (st *stage) revive() {
	st.t.Helper()
	st.sim.RunFor(time.Second)
	st.open()
	st.written()
	var err error
	if st.a, err = st.m.Account("alice"); err != nil {
		st.t.Fatal(err)
	}
	if s := st.a.Status(); s.State == SigningIn {
		if s.SignIn == "" || s.SignIn != st.signIn && st.signIn != "" {
			st.t.Errorf("the sign-in %q is %q to another process", st.signIn, s.SignIn)
		}
		for _, id := range []string{s.SignIn, s.SignIn + ".1"} {
			if a, err := st.m.SignIn(id); err != nil || a != st.a {
				st.t.Errorf("the sign-in %s is not found: %v", id, err)
			}
		}
	}
	var none *NoSignInError
	if a, err := st.m.SignIn("0123456789ab"); a != nil || !errors.As(err, &none) {
		st.t.Errorf("a sign-in that is not there is %v, %v", a, err)
	}
}

// asked counts a step that is shown, and lets happen what is to happen then.
func (st *stage) asked(step *Step) {
	if step == nil || step.ID == st.seen {
		return
	}
	st.seen = step.ID
	st.steps = append(st.steps, step.Kind)
	if len(st.steps) == st.at {
		switch st.harm {
		case killedAsked:
			st.struck = true
			st.kill()
		case cutAsked:
			st.struck = true
			st.cut()
		case canceled:
			st.struck, st.cancels = true, true
		}
	}
}

// harmedAPI is the DCs' other half, where things go wrong.
type harmedAPI struct {
	*api.Backend
	st *stage
}

func (h *harmedAPI) Handle(req *api.Request) api.Reply {
	st, method := h.st, h.Method(req.Body)
	st.queries = append(st.queries, method)
	due := len(st.queries) == st.at
	if due && st.harm == moved {
		st.struck = true
		return api.Reply{Err: &api.Error{Code: 303, Text: fmt.Sprintf("%s_MIGRATE_%d", migrations[method], stageDCs+1-req.DC)}}
	}
	if due && st.harm == killedBefore {
		st.struck = true
		st.sim.AfterFunc(0, st.kill)
		return api.Reply{Err: &api.Error{Code: -503, Text: "Timeout"}} // which nobody hears
	}
	reply := h.Backend.Handle(req)
	if due && st.harm == killed {
		st.struck = true
		st.sim.AfterFunc(0, st.kill)
	}
	if due && st.harm == cut {
		st.struck = true
		st.sim.AfterFunc(0, st.cut)
	}
	return reply
}

// migrations are the queries at which a DC may name another, and which of the 303
// it answers.
var migrations = map[string]string{
	"auth.sendCode":                    "NETWORK",
	"auth.importBotAuthorization":      "USER",
	"auth.exportLoginToken":            "NETWORK",
	"auth.importLoginToken":            "USER",
	"auth.importWebTokenAuthorization": "USER",
	"auth.initPasskeyLogin":            "NETWORK",
	"auth.finishPasskeyLogin":          "USER",
	"auth.initFirebasePnvLogin":        "NETWORK",
	"auth.finishFirebasePnvLogin":      "PHONE",
}

// play does what a human would until the account is signed in.
func (st *stage) play() {
	st.t.Helper()
	for range 300 {
		if st.dead {
			st.revive()
		}
		s := st.a.Status()
		st.overheard(s)
		if s.SignIn != "" {
			st.signIn = s.SignIn
		}
		var step *Step
		var err error
		ctx := context.Background()
		switch {
		case s.SignedIn && s.State == Online:
			return
		case s.State == New && st.begun:
			st.t.Fatalf("the sign-in ended: %+v; %v", s, st)
		case s.State == New:
			st.begun = true
			c := st.flow.begin(st)
			st.secrets.began(c)
			step, err = st.a.SignIn(ctx, c)
		case s.Step != nil:
			if st.asked(s.Step); st.dead {
				continue
			}
			if st.cancels {
				st.cancel(s.Step)
				continue
			}
			if answer := st.flow.human(st, s.Step); answer.Kind == "" {
				step, err = st.a.NextStep(ctx, s.Step)
			} else {
				answer.Step = s.Step.ID
				st.secrets.answered(answer)
				step, err = st.a.Answer(ctx, answer)
			}
		default:
			st.sim.RunFor(100 * time.Millisecond)
		}
		var refused *SignInError
		switch {
		case err == nil:
			if !st.dead {
				st.asked(step)
			}
		case errors.Is(err, runtime.ErrCrashed):
		case errors.As(err, &refused) && refused.Reason == SignInEarly:
			st.sim.RunFor(refused.Until.Sub(st.sim.Now()))
		default:
			st.t.Fatalf("%v at %+v; %v", err, s, st)
		}
	}
	st.t.Fatalf("the sign-in came to no end: %+v; %v", st.a.Status(), st)
}

// cancel ends the sign-in, after which the server has nothing of it.
func (st *stage) cancel(step *Step) {
	st.t.Helper()
	_, err := st.a.Answer(context.Background(), Answer{Step: step.ID, Kind: AnswerCancel})
	var e *SignInError
	if !errors.As(err, &e) || e.Reason != SignInCanceled {
		st.t.Errorf("a sign-in cancelled at %v ended with %v", step.Kind, err)
	}
	for _, row := range st.net.core.Ledger().Authorizations {
		if row.UserID == st.user.ID && row.Ended.IsZero() {
			st.t.Errorf("cancelled at %v it left %+v", step.Kind, row)
		}
	}
	st.cancels, st.begun, st.signIn = false, false, ""
}

// String is how far it came.
func (st *stage) String() string {
	return fmt.Sprintf("steps %v, queries %v", st.steps, st.queries)
}

// judge holds what came of it against the ledger and the store.
func (st *stage) judge() {
	st.t.Helper()
	st.calls++
	if _, err := Invoke(context.Background(), st.a, &echo.EchoRequest{ID: st.calls, Payload: []byte("payload")}); err != nil {
		st.t.Errorf("a call as who signed in: %v", err)
	}
	st.sim.RunFor(10 * time.Second)
	ledger := st.net.core.Ledger()
	records, err := st.disk.Load("alice")
	st.must(err)
	state, err := persistence.DecodeState(records)
	st.must(err)
	var keys []dctest.StoreKey
	for _, p := range state.PermKeys {
		keys = append(keys, dctest.StoreKey{DC: p.DC, ID: p.KeyID})
	}
	v := ledger.Verdict(keys, nil, time.Time{})
	if len(v.Overlaps) > 0 || len(v.Orphans) > 0 || len(v.Repeated) > 0 {
		st.t.Errorf("the ledger's verdict: overlaps %+v, orphans %+v, repeated %+v", v.Overlaps, v.Orphans, v.Repeated)
	}
	list, _ := st.net.core.Violations()
	for _, v := range list {
		st.t.Errorf("the test DC notes: %v", v)
	}
	homes, s := 0, st.a.Status()
	for _, row := range ledger.Authorizations {
		if row.UserID == s.UserID && row.Home && row.Ended.IsZero() {
			homes++
		}
	}
	if homes != 1 || s.HomeDC != st.user.HomeDC || st.user.ID != 0 && s.UserID != st.user.ID || s.Bot != st.flow.bot || s.SignIn != "" || s.Step != nil {
		st.t.Errorf("%d authorizations, and the account is %+v; want user %d of DC %d", homes, s, st.user.ID, st.user.HomeDC)
	}
	st.written()
	if st.silent() {
		st.t.Error("nothing was logged: who listens?")
	}
	if state.Login != nil {
		st.t.Error("a sign-in is in the store still")
	}
	if st.at > 0 && !st.struck {
		st.t.Error("nothing went wrong, as it should have")
	}
	if st.t.Failed() {
		st.t.Logf("%v", st)
	}
}

// close ends the process in order.
func (st *stage) close() {
	st.t.Helper()
	if err := st.m.Close(context.Background()); err != nil {
		st.t.Error(err)
	}
}

// anyPasskey takes what signs the challenge: package webauthn checks signatures,
// and has tests of its own.
type anyPasskey struct{}

func (anyPasskey) Register(c api.PasskeyCheck, _ string, _ []byte) (api.PasskeyRecord, error) {
	return api.PasskeyRecord{ID: c.ID}, nil
}

func (anyPasskey) Check(c api.PasskeyCheck, _ api.PasskeyRecord, a api.PasskeyAssertion) (uint32, error) {
	if !strings.Contains(a.ClientData, base64.RawURLEncoding.EncodeToString(c.Challenge)) {
		return 0, errors.New("another challenge")
	}
	return 0, nil
}

// raw sends a query of another client, of a key that is in nobody's store.
func raw[R any](st *stage, q tl.Query[R]) R {
	st.t.Helper()
	app := st.b.Apps()[0]
	r := st.b.Handle(&api.Request{
		Now: st.sim.Now(), DC: st.user.HomeDC, Perm: 99, Session: 99, Layer: tg.Layer, Inited: true, Body: q.Append(nil),
		App: api.AppInfo{APIID: app.ID, DeviceModel: "another", SystemVersion: "1", AppVersion: "1", SystemLangCode: "en"},
	})
	if r.Err != nil {
		st.t.Fatalf("%s: %v", q.TypeName(), r.Err)
	}
	return q.ParseResult(tl.NewReader(r.Body))
}
