package control

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	dcserve "github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/foreign"
)

// pair are two nodes of one store in one bubble, whose requests to each other take no socket, and whose store takes its time,
// so that every part of a hand-over lasts.
type pair struct {
	t     *testing.T
	s     *dcserve.Cluster
	store *persistence.MemoryCluster
	users map[string]string // tokens of bots, by account

	mu    sync.Mutex // guards nodes
	nodes map[string]*placed
}

type placed struct {
	*Fleet
	serve http.Handler
}

// slow is a store that takes its time with accounts. What belongs to all is written under locks, in which no virtual time passes.
type slow struct{ *persistence.MemoryCluster }

const storeTakes = 10 * time.Millisecond

func takes(id persistence.AccountID) {
	if !strings.HasPrefix(string(id), "_") {
		time.Sleep(storeTakes)
	}
}

func (s slow) Load(id persistence.AccountID) ([]persistence.Record, error) {
	takes(id)
	return s.MemoryCluster.Load(id)
}

func (s slow) Commit(c persistence.Commit) error {
	if len(c.Put) > 0 {
		takes(c.Put[0].Account)
	}
	return s.MemoryCluster.Commit(c)
}

func (s slow) Take(ctx context.Context, o persistence.Owner, ids []persistence.AccountID) ([]persistence.AccountID, error) {
	time.Sleep(storeTakes)
	return s.MemoryCluster.Take(ctx, o, ids)
}

func (s slow) Release(ctx context.Context, o persistence.Owner, ids []persistence.AccountID) error {
	time.Sleep(storeTakes)
	return s.MemoryCluster.Release(ctx, o, ids)
}

func (p *pair) open(name string) *placed {
	p.t.Helper()
	store := slow{p.store.Node()}
	o := actorstest.Options(p.s, store)
	o.Node, o.Cluster, o.AllowExport = name, &actors.ClusterOptions{Address: name + ":1"}, true
	m := actorstest.Open(p.t, o)
	f := &Fleet{local: &Local{Manager: m, Cluster: store}, self: m.Owner(), links: &links{self: name}, log: slog.New(slog.DiscardHandler), ways: map[string]*way{}}
	m.AskOthers(f.elsewhere)
	n := &placed{f, Handler(kept{f.local})}
	p.mu.Lock()
	p.nodes[name] = n
	p.mu.Unlock()
	for _, other := range []string{"a", "b"} {
		f.ways[other] = &way{&Remote{node: other, base: "https://" + other, http: &http.Client{Transport: hands{p, name}}}, other + ":1"}
	}
	return n
}

func (p *pair) node(name string) *placed {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.nodes[name]
}

// hands takes requests of one node to the other.
type hands struct {
	p    *pair
	from string
}

// RoundTrip implements http.RoundTripper.
func (h hands) RoundTrip(r *http.Request) (*http.Response, error) {
	to := h.p.node(r.URL.Host)
	if to == nil {
		return nil, errors.New("connection refused")
	}
	w := httptest.NewRecorder()
	c := callerOf(r.Context())
	if c == (Caller{}) { // as of links.go
		c = Caller{"the manager", RoleNamed("admin")}
	}
	to.serve.ServeHTTP(w, r.WithContext(WithCaller(r.Context(), Caller{Name: c.Name + " on " + h.from, Role: c.Role})))
	return w.Result(), nil
}

func (p *pair) wish(node string, w persistence.Wish) {
	p.t.Helper()
	if err := p.store.Node().Wish(p.t.Context(), node, w); err != nil {
		p.t.Fatal(err)
	}
}

// moves begins to have every account move to a node.
func (p *pair) moves(from, to string) {
	p.wish(to, persistence.WishServe)
	p.wish(from, persistence.WishDrain)
}

// ends ends a node, whose accounts go to the other, and has it come back without any.
func (p *pair) ends(from, to string) {
	p.wish(to, persistence.WishServe)
	actorstest.Close(p.t, p.node(from).local.Manager)
	p.wish(from, persistence.WishDrain)
	p.open(from)
}

// rests waits until so many accounts stand where they were on a node.
func (p *pair) rests(to string, n int) {
	p.t.Helper()
	for range 600 {
		all := p.node(to).local.Manager.Accounts()
		busy := 0
		for _, a := range all {
			if s := a.Status().State; s != actors.Online && s != actors.New && s != actors.SigningIn && s != actors.Paused && s != actors.Exported {
				busy++
			}
		}
		if len(all) == n && busy == 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	for _, a := range p.node(to).local.Manager.Accounts() {
		p.t.Logf("%s is %v", a.ID(), a.Status().State)
	}
	p.t.Fatalf("%d accounts are not on %s", n, to)
}

// asks are the requests of the test: each method that names an account has one.
var asks = map[string]struct {
	fill   any                                // what the request has beside the account
	begins func(*pair, *actors.Account) error // what the account is; nil: not signed in
	undo   func(p *pair, at, id string) error // what the request did
}{
	"Add":        {undo: with(Remove)},
	"Import":     {fill: ImportRequest{Format: string(foreign.Telethon), DC: 9, Key: make([]byte, 256)}},
	"Remove":     {fill: RemoveRequest{Force: true}, undo: with(Add)},
	"Show":       {begins: aBot},
	"Timeline":   {begins: aBot},
	"Label":      {fill: LabelRequest{Put: map[string]string{"team": "red"}}, begins: aBot},
	"Proxy":      {begins: aBot},
	"Pause":      {begins: aBot, undo: with(Resume)},
	"Resume":     {begins: aBot},
	"Rotate":     {begins: aBot},
	"ClearWait":  {begins: aBot},
	"RestoreKey": {begins: aBot},
	"LogOut":     {begins: aBot, undo: signedInAgain},
	"Export":     {fill: ExportRequest{Format: string(foreign.Telethon)}, begins: aBot, undo: with(TakeBack)},
	"TakeBack":   {begins: aBot},
	"Peers":      {begins: aBot},
	"Call":       {fill: CallRequest{Method: "help.getNearestDc"}, begins: aBot},
	"Echo":       {fill: EchoRequest{EchoID: 1, DelayMs: 20, Policy: "once"}, begins: aBot},

	"SignIn":   {fill: SignInRequest{Flow: login.FlowPasskey}, undo: canceled},
	"Answer":   {fill: AnswerRequest{Answer: actors.Answer{Kind: actors.AnswerCode, Code: "1"}}, begins: aSignIn},
	"Step":     {begins: aSignIn},
	"AcceptQR": {fill: AcceptRequest{Link: "tg://login?token=AQEBAQ"}, begins: aBot},

	"TwoStep":                 {begins: aBot},
	"ChangePassword":          {fill: PasswordRequest{New: "secret"}, begins: aBot},
	"RecoveryEmail":           {begins: aBot},
	"ConfirmPasswordEmail":    {fill: CodeRequest{Code: "1"}, begins: aBot},
	"ResendPasswordEmail":     {begins: aBot},
	"CancelPasswordEmail":     {begins: aBot},
	"ResetPassword":           {begins: aBot},
	"DeclinePasswordReset":    {begins: aBot},
	"RequestPasswordRecovery": {begins: aBot},
	"RecoverPassword":         {fill: RecoverRequest{Code: "1", New: "secret"}, begins: aBot},
	"Sessions":                {begins: aBot},
	"TerminateSession":        {fill: TerminateRequest{Others: true}, begins: aBot},
	"ConfirmSession":          {fill: SessionRequest{Session: "7"}, begins: aBot},
	"SetSessionsTTL":          {fill: TTLRequest{Days: 30}, begins: aBot},
	"Passkeys":                {begins: aBot},
	"DeletePasskey":           {fill: PasskeyRequest{Passkey: "x"}, begins: aBot},
	"InitPasskey":             {begins: aBot},
	"FinishPasskey":           {begins: aBot},
}

func aBot(p *pair, a *actors.Account) error {
	p.users[a.ID()] = p.s.Descriptor().Bots[len(p.users)].Token
	_, err := a.SignIn(p.t.Context(), actors.BotToken(p.users[a.ID()]))
	return err
}

// aSignIn waits for somebody.
func aSignIn(p *pair, a *actors.Account) error {
	_, err := a.SignIn(p.t.Context(), actors.Passkey())
	return err
}

func with[Req, Resp any](m Method[Req, Resp]) func(*pair, string, string) error {
	return func(p *pair, at, id string) error {
		_, err := p.node(at).carry(p.admin(), m.method, naming(m.method, nil, id))
		if KindOf(err) == KindState || KindOf(err) == KindExists || KindOf(err) == KindNoAccount {
			return nil // it was not done
		}
		return err
	}
}

func signedInAgain(p *pair, at, id string) error {
	_, err := SignIn.Call(p.admin(), p.node(at), SignInRequest{ID: id, BotToken: p.users[id]})
	if KindOf(err) == KindState {
		return nil
	}
	return err
}

func canceled(p *pair, at, id string) error {
	_, err := Answer.Call(p.admin(), p.node(at), AnswerRequest{ID: id, Answer: actors.Answer{Kind: actors.AnswerCancel}})
	if KindOf(err) == KindState {
		return nil
	}
	return err
}

// naming is a request of a method that names an account.
func naming(m *method, fill any, id string) any {
	r := reflect.New(m.request).Elem()
	if fill != nil {
		r.Set(reflect.ValueOf(fill))
	}
	r.FieldByName("ID").SetString(id)
	if f := r.FieldByName("Confirm"); f.IsValid() {
		f.SetString(id)
	}
	return r.Interface()
}

func (p *pair) admin() context.Context {
	ctx, cancel := context.WithTimeout(WithCaller(p.t.Context(), Caller{Name: "ops", Role: RoleNamed("admin")}), time.Minute)
	p.t.Cleanup(cancel)
	return ctx
}

func idOf(method string) string { return "of-" + strings.ToLower(method) }

// ask asks what the table says, through a node. It returns the kind of the error, "" for none.
func (p *pair) ask(m *method, through, name string) (Kind, error) {
	_, err := p.node(through).carry(p.admin(), m, naming(m, asks[name].fill, idOf(name)))
	if err == nil {
		return "", nil
	}
	return KindOf(err), err
}

func (p *pair) undo(at, name string) {
	if undo := asks[name].undo; undo != nil {
		if err := undo(p, at, idOf(name)); err != nil {
			p.t.Errorf("undoing %s: %v", name, err)
		}
	}
}

// byAccount are the methods that name an account, by name. Each is in the table, and each that has an account's id in the schema is
// one of them.
func byAccount(t *testing.T) map[string]*method {
	t.Helper()
	all := map[string]*method{}
	for _, m := range methods() {
		name := string(m.schema.Name())
		if _, ok := reflect.Zero(m.request).Interface().(named); ok {
			all[name] = m
			if _, ok := asks[name]; !ok {
				t.Errorf("%s names an account: say in the table how it is asked", m.procedure)
			}
		} else if m.schema.Input().Fields().ByName("id") != nil && m != RetryWebhook.method { // whose id is of a letter
			t.Errorf("%s has an id, and is not taken to the node that keeps the account", m.procedure)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
	return all
}

// Whatever is asked of an account while it goes to another node is done, or answered as it is of one that rests: whenever it
// comes, by whichever node. What may have been done is told so.
func TestWhateverIsAskedOfAnAccountThatMovesIsDone(t *testing.T) {
	all := byAccount(t)
	for _, c := range []struct {
		name    string
		rounds  int
		goes    func(p *pair, from, to string)
		through []string // which node is asked: the old one, the new one
	}{
		{"it is handed over", 32, (*pair).moves, []string{"from", "to"}},
		{"its node ends", 12, (*pair).ends, []string{"to"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			actorstest.RSAKey() // made outside: it costs real arithmetic, not time
			actorstest.Bubble(t, func(t *testing.T) {
				p := &pair{t: t, store: persistence.NewMemoryCluster(time.Now), users: map[string]string{}, nodes: map[string]*placed{}}
				p.s = actorstest.Cluster(t, dcserve.Config{Core: dctest.Config{DCs: 2}, Bots: len(asks), API: api.Config{Limits: api.Limits{ImportBot: api.RateLimit{Calls: -1}}}})
				p.open("a")
				accounts := 0
				for name, ask := range asks {
					if ask := all[name]; ask == Add.method || ask == Import.method {
						continue // which make it
					}
					accounts++
					a := actorstest.Add(t, p.node("a").local.Manager, idOf(name), actors.AccountOptions{})
					if ask.begins != nil {
						if err := ask.begins(p, a); err != nil {
							t.Fatal(err)
						}
					}
				}
				p.open("b")
				p.moves("b", "a")
				p.rests("a", accounts)
				rests := map[string]Kind{}
				for name, m := range all {
					rests[name], _ = p.ask(m, "a", name)
					p.undo("a", name)
				}
				var doubtful atomic.Int32
				for round := range c.rounds {
					from, to := "a", "b"
					if round%2 == 1 {
						from, to = to, from
					}
					through := map[string]string{"from": from, "to": to}[c.through[round/2%len(c.through)]]
					var wg sync.WaitGroup
					for name, m := range all {
						wg.Go(func() {
							time.Sleep(time.Duration(round/2) * 11 * time.Millisecond)
							switch got, err := p.ask(m, through, name); {
							case got == KindMayHaveRun && !m.reads():
								doubtful.Add(1)
							case got == KindWait && m == Answer.method: // its turn has not come yet, on its new node
							case got != rests[name]:
								t.Errorf("round %d: %s: %q, and %q of an account that rests: %v", round, name, got, rests[name], err)
							}
						})
					}
					c.goes(p, from, to)
					wg.Wait()
					for name := range all {
						p.undo(to, name)
					}
					p.rests(to, accounts)
				}
				t.Logf("%d of %d may have been done", doubtful.Load(), c.rounds*len(all))
				if n := int(doubtful.Load()); n > c.rounds*len(all)/20 {
					t.Errorf("of %d requests %d may have been done", c.rounds*len(all), n)
				}
			})
		})
	}
}
