package binding

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
// DC under the seeded scheduler, and the pen that writes down what was said.

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
		p.gov = runtime.SpawnRoot[governor.Message](p.sys, governor.New(governor.Limits{}))
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
		Observe: Observer{KeyMade: func(dc.ID, bool) {}, Bound: func(dc.ID) {}, ConnectionLost: func(dc.ID) {}},
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
	cfg := Config{
		Account: "alice", ID: ID{DC: at}, Home: home, PFS: true, Keys: RecordsOf(&state, at), Commit: p.commit,
		Notify: func(ev Event) { p.acct.Send(func(*runtime.Context[stageMessage]) { p.hear(r, ev) }) },
	}
	for _, f := range change {
		f(&cfg)
	}
	p.act(func(c *runtime.Context[stageMessage]) {
		if r.actor, err = newBinding(p.env, cfg, c.Rand()); err != nil {
			p.t.Fatal(err)
		}
		r.handle = Handle{runtime.Spawn[Message](c, r.actor)}
	})
	return r
}

// commit is the account's journal: a commit takes a millisecond.
func (p *play) commit(c persistence.Commit, done func(error)) {
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

// The pen.

// write writes a line down.
func (p *play) write(who, what string) {
	if !p.quiet {
		fmt.Fprintf(&p.text, "%12.3f  %-9s %s\n", p.sim.Now().Sub(p.start).Seconds(), who, p.hide(what))
	}
}

func (p *play) say(format string, args ...any) { p.write("account", fmt.Sprintf(format, args...)) }

// note writes a heading.
func (p *play) note(text string) { fmt.Fprintf(&p.text, "\n# %s\n\n", text) }

// keyIDs are not for transcripts.
var keyIDs = regexp.MustCompile(`\b[0-9a-f]{16}\b`)

func (p *play) hide(text string) string {
	return keyIDs.ReplaceAllStringFunc(text, func(id string) string {
		for key, name := range p.names {
			if key.String() == id {
				return name
			}
		}
		return "another"
	})
}

// key names a key.
func (p *play) key(id crypt.KeyID) string {
	if id == 0 {
		return "no key"
	}
	if name := p.names[id]; name != "" {
		return name
	}
	return "an unknown key"
}

func (p *play) name(id crypt.KeyID, kind string) {
	n := 1
	for _, other := range p.names {
		if strings.HasPrefix(other, kind) {
			n++
		}
	}
	p.names[id] = fmt.Sprint(kind, n)
}

// String names the binding.
func (r *role) String() string { return fmt.Sprint("binding ", int(r.at)) }

// conn names a connection.
func (p *play) conn(ch *child) string {
	if p.conns[ch] == "" {
		p.conns[ch] = fmt.Sprint("conn", len(p.conns)+1)
	}
	return p.conns[ch]
}

// overhear writes down what bindings and their connections say.
func (p *play) overhear(ch *child, what any) {
	name := p.conn(ch)
	switch m := what.(type) {
	case dcconn.Event:
		if m.Kind == dcconn.EventKeyMade {
			kind := "P"
			if m.Temp {
				kind = "T"
			}
			p.name(m.Made.Key.ID(), kind)
			p.write(name, "key made: "+p.key(m.Made.Key.ID()))
			return
		}
		if text := p.connEvent(m); text != "" {
			p.write(name, text)
		}
	case Others:
		p.write("governor", fmt.Sprintf("others get -404 under their perm keys too: %v", m.Too))
	case Stop:
		p.write("binding", "to "+name+": stop")
	case dcconn.Message:
		p.write("binding", "to "+name+": "+p.connMessage(m))
	}
}

func (p *play) connEvent(ev dcconn.Event) string {
	switch ev.Kind {
	case dcconn.EventSave, dcconn.EventClock:
		return ""
	case dcconn.EventDrained:
		return fmt.Sprintf("drained, %d pending", ev.Pending)
	case dcconn.EventProbed:
		return fmt.Sprintf("probed: answered %v", ev.Answered)
	case dcconn.EventPolled:
		return fmt.Sprintf("polled: %d pending, quiet for %v", ev.Pending, ev.Quiet)
	}
	return ev.String()
}

func (p *play) connMessage(m dcconn.Message) string {
	switch m := m.(type) {
	case dcconn.MakeKey:
		if m.Temp {
			return "make a temp key"
		}
		return "make a perm key"
	case dcconn.Run:
		text := "run under " + p.key(m.Key.ID())
		if m.Bind != nil {
			text += ", bind it to " + p.key(m.Bind.Perm.ID())
		}
		return text
	case dcconn.Call:
		return "call " + p.api.Method(m.Body)
	case dcconn.Drain:
		return fmt.Sprintf("drain for %v, keep %v", m.Limit, m.Keep)
	case dcconn.Listen:
		return fmt.Sprintf("listen for %v", m.Limit)
	case dcconn.Probe:
		return fmt.Sprintf("probe for %v", m.Limit)
	}
	return strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", m), "dcconn."))
}

func (p *play) event(r *role, ev Event) string {
	text := "hears " + r.String() + ": "
	switch ev := ev.(type) {
	case EventRoute:
		text += "Route under " + p.key(ev.Route.Where().Key)
		if ev.Again {
			text += " again"
		}
	case EventLost:
		text += "Lost: " + ev.Why
	case EventUnreachable:
		text += "Unreachable: " + ev.Why
	case EventCall:
		text += "Call " + ev.Query.TypeName()
	case EventGuest:
		text += fmt.Sprintf("Guest authorized %v", ev.Authorized)
	case EventSession:
		text += "Session"
	case EventClock:
		text += fmt.Sprintf("Clock %v", ev.Offset.Round(time.Second))
	default:
		name := strings.TrimPrefix(fmt.Sprintf("%T", ev), "binding.Event")
		if detail := strings.Trim(fmt.Sprintf("%v", ev), "{}"); detail != "" {
			name += ": " + detail
		}
		text += name
	}
	return text
}

func (p *play) how(err error) string {
	var query *QueryError
	switch {
	case err == nil:
		return "answered"
	case errors.As(err, &query) && errors.Is(err, dcconn.ErrClosed) && errors.Is(err, ErrNotSent):
		return "given back"
	case errors.As(err, &query) && errors.Is(err, ErrMayHaveRun):
		return "unknown: it may have run"
	}
	return "ended: " + err.Error()
}

// end holds the transcript against the one in testdata.
func (p *play) end(name string) {
	p.t.Helper()
	path := filepath.Join("testdata", name+".txt")
	got := strings.TrimPrefix(p.text.String(), "\n")
	if *rewrite {
		if err := os.MkdirAll("testdata", 0o777); err != nil {
			p.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
			p.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		p.t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		p.t.Errorf("the transcript has changed (-%s +now); see -rewrite:\n%s", path, diff)
	}
}

// listened writes down which queries reach the API of the test DC.
type listened struct {
	*api.Backend
	p *play
}

func (l *listened) Handle(req *api.Request) api.Reply {
	reply := l.Backend.Handle(req)
	text := l.Method(req.Body)
	if reply.Err != nil {
		text += ": " + reply.Err.Text
	}
	l.p.ran(req, text)
	return reply
}

func (l *listened) Admit(req *api.Request, name string) (time.Duration, *api.Error) {
	d, err := l.Backend.Admit(req, name)
	text := name
	if err != nil {
		text += ": " + err.Text
	}
	l.p.ran(req, text)
	return d, err
}

func (p *play) ran(req *api.Request, what string) {
	under := req.Temp
	if under == 0 {
		under = req.Perm
	}
	p.write(fmt.Sprintf("DC %d", req.DC), what+" under "+p.key(crypt.KeyID(under)))
}

// network carries packets between connections and the core of the test DC, in
// virtual time.
type network struct {
	p     *play
	core  *dctest.Cluster
	socks map[dctest.ConnID]*socket
	last  dctest.ConnID
	alarm runtime.Timer

	sent, plantAt int // the packet at which a connection panics
}

func address(at int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, byte(at)}), 443)
}

var errRefused = errors.New("connection refused")

func (n *network) Dial(targets []dc.Target, _ int, done func(dcconn.Socket, error)) (cancel func()) {
	over := false
	end := func(s dcconn.Socket, err error) {
		if !over {
			over = true
			done(s, err)
		}
	}
	n.p.sim.AfterFunc(2*latency, func() {
		if over || n.p.deny {
			end(nil, errRefused)
			return
		}
		n.last++
		s := &socket{n: n, id: n.last}
		n.socks[s.id] = s
		n.core.Open(n.p.sim.Now(), s.id, int(targets[0].Addr.Addr().As4()[3]), fmt.Sprint("c", s.id))
		n.drain()
		end(s, nil)
	})
	return func() { n.p.sim.AfterFunc(0, func() { end(nil, context.Canceled) }) }
}

// drain carries out what the core wants.
func (n *network) drain() {
	for o, ok := n.core.Next(); ok; o, ok = n.core.Next() {
		s := n.socks[o.Conn]
		switch {
		case o.Kind == dctest.OutWork:
			n.p.sim.AfterFunc(time.Millisecond, func() {
				n.core.Done(n.p.sim.Now(), o.Work.Do())
				n.drain()
			})
		case s == nil:
		case o.Kind == dctest.OutPacket:
			n.p.sim.AfterFunc(latency, func() { s.deliver(o.Packet) })
		case o.Kind == dctest.OutError:
			n.p.sim.AfterFunc(latency, func() { s.end(codeError(o.Code)) })
		case o.Kind == dctest.OutClose:
			n.p.sim.AfterFunc(latency, func() { s.end(errors.New("connection closed")) })
		}
	}
	if n.alarm != nil {
		n.alarm.Stop()
		n.alarm = nil
	}
	if at := n.core.Deadline(); !at.IsZero() {
		n.alarm = n.p.sim.AfterFunc(max(at.Sub(n.p.sim.Now()), 0), func() {
			n.alarm = nil
			n.core.Advance(n.p.sim.Now())
			n.drain()
		})
	}
}

// fault makes something go wrong at the DCs.
func (p *play) fault(f dctest.Fault) {
	p.t.Helper()
	if _, err := p.net.core.Fault(p.sim.Now(), f); err != nil {
		p.t.Fatal(err)
	}
	p.net.drain()
}

type codeError int32

func (e codeError) Error() string        { return fmt.Sprintf("the server answered %d", int32(e)) }
func (e codeError) TransportCode() int32 { return int32(e) }

// socket is one connection.
type socket struct {
	n     *network
	id    dctest.ConnID
	h     dcconn.Handler
	early [][]byte
	over  bool
}

func (s *socket) Start(h dcconn.Handler) {
	s.h = h
	for _, packet := range take(&s.early) {
		h.Packet(packet)
	}
}

func (s *socket) Send(packet []byte) error {
	if s.n.sent++; s.n.sent == s.n.plantAt || s.n.p.planted {
		s.n.p.planted = false
		s.n.p.panics++
		panic("planted")
	}
	if s.over {
		return errors.New("closed")
	}
	sent := append([]byte(nil), packet...)
	s.n.p.sim.AfterFunc(latency, func() {
		if !s.over {
			s.n.core.Packet(s.n.p.sim.Now(), s.id, sent, false)
			s.n.drain()
		}
	})
	return nil
}

func (s *socket) deliver(packet []byte) {
	switch {
	case s.over:
	case s.h == nil:
		s.early = append(s.early, packet)
	default:
		s.h.Packet(packet)
	}
}

func (s *socket) Room() int   { return 128 << 10 }
func (s *socket) Release(int) {}

func (s *socket) Close() { s.end(errors.New("closed by us")) }

// end ends the connection on both sides.
func (s *socket) end(err error) {
	if s.over {
		return
	}
	s.over = true
	delete(s.n.socks, s.id)
	s.n.p.sim.AfterFunc(0, func() {
		s.n.core.Closed(s.n.p.sim.Now(), s.id)
		s.n.drain()
		if s.h != nil {
			s.h.Closed(err)
		}
	})
}
