package binding

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors/dcconn"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/storetest"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// This file is a stage for plays of a binding, its connections and a real test
// DC under the seeded scheduler. pen_test.go writes down what was said, dcs_test.go is the
// other end of the connections.

var rewrite = flag.Bool("rewrite", false, "rewrite the transcripts in testdata; read the diff before committing it")

// Made once: they cost more than all plays together.
var (
	rsaKey = sync.OnceValue(func() *crypt.PrivateKey {
		k, err := crypt.GeneratePrivateKey(rand.NewChaCha8([32]byte{1}))
		if err != nil {
			panic(err)
		}
		return k
	})
	group = sync.OnceValue(crypt.WellKnownGroup)
)

// latency is the way from here to a DC, or back.
const latency = 20 * time.Millisecond

// play is one play.
type play struct {
	t     *testing.T
	sim   *runtime.Sim
	sys   *runtime.System
	gov   runtime.Ref[governor.Message]
	env   *Env
	net   *network
	api   *api.Backend
	store *storetest.Failing
	owner persistence.Owner
	acct  runtime.Ref[stageMessage]
	start time.Time

	deny  bool // dials are refused
	quiet bool // nothing is written down
	text  strings.Builder
	names map[crypt.KeyID]string
	conns map[*child]string
	home  *role
	calls QueryID

	tickets []*governor.Ticket // to make keys, which the desk has not granted yet
	done    []*governor.Ticket // and those it got back

	allowed map[dctest.Rule]bool // what the test DC will rightly note
	panics  int                  // planted and not seen yet
	planted bool                 // the next packet sent is the fault of the program
}

// role is a binding in the play, and what its account knows of it.
type role struct {
	at     dc.ID
	handle Handle
	actor  *binding
	route  Route
	closed bool
	events []Event
	ended  []string // how calls ended
}

// stageMessage is what the actor that plays the account does.
type stageMessage func(c *runtime.Context[stageMessage])

type stage struct{}

func (stage) Started(*runtime.Context[stageMessage])                              {}
func (stage) Receive(c *runtime.Context[stageMessage], m stageMessage)            { m(c) }
func (stage) Stopping(*runtime.Context[stageMessage])                             {}
func (stage) ChildStopped(*runtime.Context[stageMessage], runtime.ActorID, error) {}

// desk is a governor that grants every dial, and leaves keys to the test.
type desk struct{ p *play }

func (desk) Started(*runtime.Context[governor.Message])  {}
func (desk) Stopping(*runtime.Context[governor.Message]) {}

func (d desk) Receive(_ *runtime.Context[governor.Message], m governor.Message) {
	switch m := m.(type) {
	case governor.Want:
		if m.Ticket.Kind == governor.MakeKey {
			d.p.tickets = append(d.p.tickets, m.Ticket)
		} else {
			m.Ticket.Granted()
		}
	case governor.Done:
		if m.Ticket.Kind == governor.MakeKey {
			d.p.done = append(d.p.done, m.Ticket)
		}
	}
}

// setting is what a play may change of the world.
type setting struct {
	seed     uint64
	core     dctest.Config
	tempLife time.Duration
	desk     bool // the test plays the governor
}

func newPlay(t *testing.T, s setting) *play {
	t.Helper()
	sim := runtime.NewSim(s.seed + 1)
	p := &play{
		t: t, sim: sim, start: sim.Now(), names: map[crypt.KeyID]string{}, conns: map[*child]string{},
		allowed: map[dctest.Rule]bool{},
	}
	p.sys = runtime.NewSystem(runtime.Options{Sim: sim, Rand: sim, OnPanic: func(e *runtime.PanicError) {
		if p.panics--; p.panics < 0 {
			t.Errorf("%v\n%s", e, e.Stack)
		}
	}})
	bytes := rand.NewChaCha8([32]byte{2, byte(s.seed)})
	backend, err := api.New(api.Config{DCs: 4, Seed: 1, Rand: bytes})
	if err != nil {
		t.Fatal(err)
	}
	if err := backend.Populate(1, 4); err != nil {
		t.Fatal(err)
	}
	p.api = backend
	s.core.Rand, s.core.Keys, s.core.Group, s.core.DCs, s.core.AnonymousEcho = bytes, []*crypt.PrivateKey{rsaKey()}, group(), 4, true
	s.core.API = &listened{backend, p}
	core, err := dctest.New(s.core)
	if err != nil {
		t.Fatal(err)
	}
	p.net = &network{p: p, core: core, socks: map[dctest.ConnID]*socket{}}
	if s.desk {
		p.gov = runtime.SpawnRoot[governor.Message](p.sys, desk{p})
	} else {
		p.gov = runtime.SpawnRoot[governor.Message](p.sys, governor.New(governor.Limits{}, nil))
	}
	memory := persistence.NewMemory()
	if p.owner, err = memory.Claim("play"); err != nil {
		t.Fatal(err)
	}
	p.store = storetest.NewFailing(memory, nil)
	var table dc.Table
	for id := 1; id <= 4; id++ {
		table.Options = append(table.Options, dc.Option{DC: dc.ID(id), Addr: address(id)})
	}
	known := rsaKey().Public()
	p.env, err = NewEnv(EnvConfig{
		Network: p.net, Governor: p.gov, Table: func() dc.Table { return table }, RSAKeys: []*crypt.PublicKey{known},
		Header: header(backend.Apps()[0].ID), TempLife: s.tempLife,
		Observe: Observer{},
		Logger:  p.sys.Logger(),
		Trace:   func(conn, what any) { p.overhear(conn.(*child), what) },
	})
	if err != nil {
		t.Fatal(err)
	}
	p.acct = runtime.SpawnRoot[stageMessage](p.sys, stage{})
	t.Cleanup(p.close)
	return p
}

func (p *play) close() {
	if err := p.sys.Close(context.Background()); err != nil {
		p.t.Error(err)
	}
	list, _ := p.net.core.Violations()
	for _, v := range list {
		if !p.allowed[v.Rule] {
			p.t.Errorf("the test DC notes: %v", v)
		}
	}
}

// header is what goes before the first query under each key.
func header(apiID int) []byte {
	query := make(tl.Raw, 4) // cut off again
	init := tg.InitConnectionRequest{
		APIID: int32(apiID), DeviceModel: "test", SystemVersion: "1", AppVersion: "1", SystemLangCode: "en", LangCode: "en", Query: query,
	}
	layer := tg.InvokeWithLayerRequest{Layer: tg.Layer, Query: init.Append(nil)}
	all := layer.Append(nil)
	return all[:len(all)-len(query)]
}

// act runs f as the account.
func (p *play) act(f func(c *runtime.Context[stageMessage])) {
	p.acct.Send(f)
	p.run(0)
}

// stop closes a binding.
func (p *play) stop(r *role) {
	p.act(func(*runtime.Context[stageMessage]) {
		p.say("stops %v", r)
		r.route, r.closed = Route{}, true
		r.handle.Stop()
	})
	p.run(time.Second)
}

// run lets time pass.
func (p *play) run(d time.Duration) { p.sim.RunFor(d) }

// open makes a binding of the account, with what the store has of its DC.
func (p *play) open(at dc.ID, home bool, change ...func(*Config)) *role {
	p.t.Helper()
	r := &role{at: at}
	if home && p.home == nil {
		p.home = r
	}
	p.say("opens %v", r)
	records, err := p.store.Load("alice")
	if err != nil {
		p.t.Fatal(err)
	}
	state, err := persistence.DecodeState(records)
	if err != nil {
		p.t.Fatal(err)
	}
	keys := RecordsOf(&state, at)
	cfg := Config{
		Account: "alice", ID: ID{DC: at}, Home: home, PFS: true, Keys: &keys, Commit: p.commit,
		Notify: func(ev Event) { p.acct.Send(func(*runtime.Context[stageMessage]) { p.hear(r, ev) }) },
	}
	for _, f := range change {
		f(&cfg)
	}
	p.act(func(c *runtime.Context[stageMessage]) {
		r.actor = newBinding(p.env, cfg)
		r.handle = Handle{runtime.Spawn[Message](c, r.actor)}
	})
	return r
}

// commit is the account's journal: a commit takes a millisecond.
func (p *play) commit(c persistence.Commit, _ bool, done func(error)) {
	c.Owner = p.owner
	p.sim.AfterFunc(time.Millisecond, func() {
		err := p.store.Commit(c)
		var what []string
		for _, r := range c.Put {
			what = append(what, "put "+p.record(r.Key))
		}
		for _, k := range c.Delete {
			what = append(what, "delete "+p.record(k))
		}
		if err != nil {
			p.write("store", "refuses to "+strings.Join(what, ", "))
		} else {
			p.write("store", strings.Join(what, ", "))
		}
		done(err)
	})
}

// record names a record without the id of a key.
func (p *play) record(k persistence.Key) string {
	sub, id, found := strings.Cut(k.Sub, ".")
	if found {
		var n uint64
		_, _ = fmt.Sscanf(id, "%x", &n)
		sub += " " + p.key(crypt.KeyID(n))
	}
	return strings.TrimSpace(fmt.Sprintf("%v of DC %s", k.Kind, sub))
}

// hear does what an account does with an event.
func (p *play) hear(r *role, ev Event) {
	r.events = append(r.events, ev)
	p.say("%s", p.event(r, ev))
	switch ev := ev.(type) {
	case EventRoute:
		r.route = ev.Route
	case EventHeld, EventLost:
		r.route = Route{}
	case EventCall:
		p.errand(r, ev)
	}
}

// errand runs a query of a guest, as the account does.
func (p *play) errand(r *role, ev EventCall) {
	at := r
	if ev.For == Export {
		at = p.home
	}
	policy := Repeatable
	if ev.For == Import {
		policy = Once
	}
	call := Call{ID: p.id(), Method: ev.Query.TypeName(), Body: ev.Query.Append(nil), Policy: policy, Own: true}
	call.Reply = func(body []byte, err error, _ Where) {
		p.acct.Send(func(*runtime.Context[stageMessage]) {
			p.say("answers %v: %s %s", r, call.Method, p.how(err))
			r.handle.Send(Answered{ID: ev.ID, Body: body, Err: err})
		})
	}
	p.send(at, call)
}

func (p *play) id() QueryID { p.calls++; return p.calls }

// send sends a call where it goes now.
func (p *play) send(r *role, call Call) {
	if r.route.IsZero() {
		p.say("to %v: %s", r, call.Method)
		r.handle.Send(call)
		return
	}
	p.say("by the route under %s: %s", p.key(r.route.Where().Key), call.Method)
	r.route.Send(call)
}

// signIn signs a bot in at home.
func (p *play) signIn(r *role) {
	p.t.Helper()
	for _, u := range p.api.Users() {
		if u.BotToken == "" || u.HomeDC != int(r.at) {
			continue
		}
		app := p.api.Apps()[0]
		q := tg.AuthImportBotAuthorizationRequest{APIID: int32(app.ID), APIHash: app.Hash, BotAuthToken: u.BotToken}
		p.query(r, "sign-in", q.TypeName(), q.Append(nil))
		p.run(10 * time.Second)
		return
	}
	p.t.Fatal("no bot lives there")
}

// start opens the home binding and signs in, and writes nothing of it down.
func (p *play) begin() *role {
	p.t.Helper()
	p.quiet = true
	home := p.open(2, true)
	p.run(time.Second)
	p.signIn(home)
	if len(home.ended) != 1 || home.ended[0] != "sign-in answered" {
		p.t.Fatalf("the sign-in ended so: %v", home.ended)
	}
	home.ended = nil
	p.quiet = false
	return home
}

// call asks testdc.echo, which takes so long, and does with its end what an
// account does. It returns the id under which the DC counts how often it ran.
func (p *play) call(r *role, name string, takes time.Duration) int64 {
	q := echo.EchoRequest{ID: int64(p.calls) + 1, DelayMs: int32(takes / time.Millisecond), Payload: []byte("payload")}
	p.query(r, name, q.TypeName(), q.Append(nil))
	return q.ID
}

func (p *play) query(r *role, name, method string, body []byte) {
	call := Call{ID: p.id(), Method: method, Body: body}
	call.Reply = func(_ []byte, err error, on Where) {
		p.acct.Send(func(*runtime.Context[stageMessage]) { p.ended(r, name, call, err, on) })
	}
	p.act(func(*runtime.Context[stageMessage]) {
		p.say("has call %s", name)
		p.send(r, call)
	})
}

func (p *play) ended(r *role, name string, call Call, err error, on Where) {
	under := ""
	if on.Key != 0 {
		under = " under " + p.key(on.Key)
	}
	p.say("call %s %s%s", name, p.how(err), under)
	var query *QueryError
	switch {
	case on.Key != 0 && tgerr.Is(err, "AUTH_KEY_PERM_EMPTY"):
		r.route = Route{}
		p.say("to %v: Unbound %s", r, p.key(on.Key))
		r.handle.Send(Unbound{on.Key})
		p.send(r, call)
	case !r.closed && errors.As(err, &query) && errors.Is(err, dcconn.ErrClosed) && errors.Is(err, ErrNotSent):
		p.send(r, call)
	default:
		r.ended = append(r.ended, name+" "+p.how(err))
	}
}
