package control

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/placement"
	"github.com/mtfleet/mtfleet/cmd/manager/certtest"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/persistence"
)

// several are nodes of one store in this process, each behind its own address with TLS.
type several struct {
	t     *testing.T
	ca    *certtest.Authority
	store *persistence.MemoryCluster
	nodes map[string]*member
}

type member struct {
	*Fleet
	store  *persistence.MemoryCluster
	server *Server
	tls    NodeTLS
	closed bool
}

func openSeveral(t *testing.T, names ...string) *several {
	t.Helper()
	k := &several{t: t, ca: authority(t), store: persistence.NewMemoryCluster(time.Now), nodes: map[string]*member{}}
	for _, name := range names {
		k.join(name)
	}
	return k
}

// patience is how long a test waits for what needs no time.
const patience = 20 * time.Second

func (k *several) identity(name string) NodeTLS {
	k.t.Helper()
	file, err := k.ca.Node(name)
	if err != nil {
		k.t.Fatal(err)
	}
	return NodeTLS{Node: name, Cert: file + ".pem", Key: file + ".key", CA: k.ca.File + ".pem"}
}

// join makes a node. No account of it is signed in, so that none dials.
func (k *several) join(name string) *member {
	k.t.Helper()
	n := &member{store: k.store.Node(), tls: k.identity(name)}
	l, err := ListenNodes("127.0.0.1:0", n.tls)
	if err != nil {
		k.t.Fatal(err)
	}
	m, err := actors.Open(actors.Options{
		Store: n.store, DCs: dc.Production(), Node: name, Cluster: &actors.ClusterOptions{Address: l.Addr().String(), Version: "test"},
		App: actors.App{APIID: 1 << 24, APIHash: "of nobody", DeviceModel: "a test", SystemVersion: "none", AppVersion: "0"},
	})
	if err != nil {
		k.t.Fatal(err)
	}
	n.Fleet, err = NewFleet(&Local{Manager: m, Cluster: n.store, About: About{Running: true}}, n.tls, slog.New(slog.DiscardHandler))
	if err != nil {
		k.t.Fatal(err)
	}
	n.server = ServeNodes(l, n.Fleet, slog.New(slog.DiscardHandler))
	k.nodes[name] = n
	k.t.Cleanup(n.close)
	return n
}

func (n *member) close() {
	if n.closed {
		return
	}
	n.closed = true
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = n.local.Manager.Close(ctx)
	_ = n.server.Shutdown(ctx)
	_ = n.Fleet.Close()
	_ = n.store.Close()
}

func as(t *testing.T, name, role string) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return WithCaller(ctx, Caller{Name: name, Role: RoleNamed(role)})
}

// add makes an account through the API of a node.
func (k *several) add(node, id string) {
	k.t.Helper()
	if _, err := Add.Call(as(k.t, "uid 1000", "admin"), k.nodes[node], AddRequest{ID: id}); err != nil {
		k.t.Fatal(err)
	}
}

// until waits for something that is looked at.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for begun := time.Now(); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Since(begun) > patience {
			t.Fatalf("in vain: %s", what)
		}
	}
}

func TestAnyNodeAnswersForAnyAccount(t *testing.T) {
	k := openSeveral(t, "a", "b", "c")
	k.add("a", "alice")
	k.add("b", "bob")
	k.add("c", "carol")
	for _, at := range []string{"a", "b", "c"} {
		for _, id := range []string{"alice", "bob", "carol"} {
			acc, err := Show.Call(as(t, "reader", "read"), k.nodes[at], AccountRequest{id})
			if err != nil || acc.ID != id || acc.State != "new" {
				t.Errorf("%s of %s: %+v, %v", id, at, acc, err)
			}
		}
		_, err := Show.Call(as(t, "reader", "read"), k.nodes[at], AccountRequest{"dave"})
		if KindOf(err) != KindNoAccount {
			t.Errorf("of nobody %s says %v", at, err)
		}
		if _, err := Add.Call(as(t, "ops", "operate"), k.nodes[at], AddRequest{ID: "carol"}); KindOf(err) != KindExists {
			t.Errorf("of one that another node has %s says %v", at, err)
		}
		list, err := List.Call(as(t, "reader", "read"), k.nodes[at], ListRequest{})
		if err != nil || len(list.Accounts) != 3 || list.Accounts[0].ID != "alice" || list.Accounts[2].ID != "carol" || list.Silent != nil {
			t.Errorf("the list of %s: %+v, %v", at, list, err)
		}
		status, err := Status.Call(as(t, "reader", "read"), k.nodes[at], Empty{})
		if err != nil || status.Accounts != 3 || len(status.States) != 1 || status.States[0].Accounts != 3 || len(status.Nodes) != 3 || status.Silent != nil {
			t.Errorf("the status of %s: %+v, %v", at, status, err)
		}
		self := slices.IndexFunc(status.Nodes, func(n Node) bool { return n.Self })
		if self < 0 || status.Nodes[self].Name != at {
			t.Errorf("%s does not know itself among %+v", at, status.Nodes)
		}
		if pacing, err := Governor.Call(as(t, "reader", "read"), k.nodes[at], Empty{}); err != nil || pacing.DCs == nil {
			t.Errorf("the governors by %s: %+v, %v", at, pacing, err)
		}
	}
}

func TestTheCallerGoesAlongToTheNodeThatKeepsTheAccount(t *testing.T) {
	k := openSeveral(t, "a", "b")
	k.add("b", "bob")
	if _, err := Label.Call(as(t, "Ops & Söhne", "operate"), k.nodes["a"], LabelRequest{ID: "bob", Put: map[string]string{"team": "red"}}); err != nil {
		t.Fatal(err)
	}
	all, err := Audit.Call(as(t, "reader", "read"), k.nodes["a"], AuditRequest{Account: "bob"})
	if err != nil {
		t.Fatal(err)
	}
	var who []string
	for _, e := range all.Entries {
		who = append(who, e.Who+" "+e.What+" "+e.Outcome)
	}
	if fmt.Sprint(who) != "[uid 1000 AccountService/Add ok Ops & Söhne on a AccountService/Label ok]" {
		t.Errorf("the audit log has %q", who)
	}
	// The node that keeps it looks at the role too: whoever may not do it there may not through another.
	b, ok := k.nodes["a"].node(t.Context(), k.nodes["b"].self)
	if !ok {
		t.Fatal("b is not known")
	}
	_, err = Label.remote(as(t, "reader", "read"), k.nodes["a"].way(b), LabelRequest{ID: "bob"})
	if KindOf(err) != KindRefused || !strings.Contains(err.Error(), "reader on a has the role read") {
		t.Errorf("a reader through a node: %v", err)
	}
	// And what was handed over is handed to nobody else.
	k.add("a", "alice")
	if _, err = Label.remote(as(t, "ops", "operate"), k.nodes["a"].way(b), LabelRequest{ID: "alice"}); KindOf(err) != KindMoved {
		t.Errorf("of an account that it does not keep b says %v", err)
	}
}

// Nobody but a node of this cluster gets an answer where the nodes listen.
func TestNodesAnswerNobodyElse(t *testing.T) {
	k := openSeveral(t, "a", "b")
	k.add("b", "bob")
	b, _ := k.nodes["a"].node(t.Context(), k.nodes["b"].self)
	ask := func(name string, from NodeTLS, claims string) error {
		t.Helper()
		links, err := openLinks(from)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		links.self = claims
		way := links.to("b", b.Address)
		defer way.Close()
		_, err = Show.remote(as(t, "uid 0", "admin"), way, AccountRequest{"bob"})
		return err
	}
	if err := ask("a node", k.nodes["a"].tls, "a"); err != nil {
		t.Errorf("a node: %v", err)
	}
	if err := ask("a node by another's name", k.nodes["a"].tls, "b"); KindOf(err) != KindRefused {
		t.Errorf("a node by another's name: %v", err)
	}
	if err := ask("one that is no node", k.identity("x"), "x"); KindOf(err) != KindRefused {
		t.Errorf("one that is no node: %v", err)
	}
	stranger := &several{t: t, ca: authority(t)}
	from := stranger.identity("a")
	from.CA = k.ca.File + ".pem"
	if _, err := openLinks(from); err == nil || !strings.Contains(err.Error(), "would not accept") {
		t.Errorf("a certificate of another authority, at home: %v", err)
	}
	pair, err := tls.LoadX509KeyPair(from.Cert, from.Key)
	if err != nil {
		t.Fatal(err)
	}
	for name, certs := range map[string][]tls.Certificate{"a certificate of another authority": {pair}, "none": nil} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: certs}, ForceAttemptHTTP2: true}
		resp, err := transport.RoundTrip(httpPost(t, "https://"+b.Address+Show.procedure))
		if err == nil {
			_ = resp.Body.Close()
			t.Errorf("%s: %s", name, resp.Status)
		}
		transport.CloseIdleConnections()
	}
	// A server that is not the node it is taken for is not told anything.
	a := k.nodes["a"]
	way := a.links.to("c", b.Address)
	defer way.Close()
	if _, err := Show.remote(as(t, "uid 0", "admin"), way, AccountRequest{"bob"}); !errors.As(err, new(*linkError)) {
		t.Errorf("a node in another's place: %v", err)
	}
}

func httpPost(t *testing.T, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(nodeHeader, "a")
	r.Header.Set(roleHeader, "admin")
	return r
}

func TestANodeThatDoesNotAnswerIsNamed(t *testing.T) {
	k := openSeveral(t, "a", "b")
	k.add("a", "alice")
	k.add("b", "bob")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := k.nodes["b"].server.Shutdown(ctx); err != nil { // it lives, and its API does not
		t.Fatal(err)
	}
	k.nodes["b"].server.done <- nil // for its end
	list, err := List.Call(as(t, "reader", "read"), k.nodes["a"], ListRequest{})
	if err != nil || len(list.Accounts) != 1 || fmt.Sprint(list.Silent) != "[b]" {
		t.Errorf("the list: %+v, %v", list, err)
	}
	status, err := Status.Call(as(t, "reader", "read"), k.nodes["a"], Empty{})
	if err != nil || status.Accounts != 1 || fmt.Sprint(status.Silent) != "[b]" {
		t.Errorf("the status: %+v, %v", status, err)
	}
	if len(status.Needs) == 0 || status.Needs[0].Urgency != "now" || !strings.Contains(status.Needs[0].What, "Node b keeps 1 accounts and does not answer") {
		t.Errorf("what needs somebody: %+v", status.Needs)
	}
	// What was never sent is told as such: nothing may have been done.
	_, err = Pause.Call(as(t, "ops", "operate"), k.nodes["a"], AccountRequest{"bob"})
	if KindOf(err) != KindUnreachable || !strings.Contains(err.Error(), "node b cannot be reached") {
		t.Errorf("of an account there: %v", err)
	}
	if _, err := RemoveConsumer.Call(as(t, "uid 1000", "admin"), k.nodes["a"], ConsumerRequest{"nobody"}); KindOf(err) != KindUnreachable {
		t.Errorf("what every node must do: %v", err)
	}
}

// While the database is away, a status says so, of the nodes as they last were.
func TestAStatusIsToldWhileTheStoreIsAway(t *testing.T) {
	k := openSeveral(t, "a", "b")
	k.add("a", "alice")
	k.add("b", "bob")
	a := k.nodes["a"]
	if _, err := List.Call(as(t, "reader", "read"), a, ListRequest{}); err != nil {
		t.Fatal(err)
	}
	away := k.store.Node()
	if err := away.Close(); err != nil {
		t.Fatal(err)
	}
	was := a.local.Cluster
	a.local.Cluster = away
	defer func() { a.local.Cluster = was }()
	a.mu.Lock()
	a.seen = time.Time{} // it is asked again
	a.mu.Unlock()
	status, err := Status.Call(as(t, "reader", "read"), a, Empty{})
	if err != nil || status.Accounts != 2 || status.Nodes != nil || !status.Store.Refuses || status.Store.Why == "" {
		t.Errorf("the status: %+v, %v", status, err)
	}
	if len(status.Needs) == 0 || !strings.Contains(status.Needs[0].What, "takes no commits") {
		t.Errorf("what needs somebody: %+v", status.Needs)
	}
}

// What was sent to a node that went away may have been done: it is not tried again, unless it only reads.
func TestWhatANodeTookWithItIsNotDoneTwice(t *testing.T) {
	k := openSeveral(t, "a", "b")
	k.add("b", "bob")
	b := k.nodes["b"]
	asked := make(chan string, 64)
	broken, err := ListenNodes("127.0.0.1:0", b.tls)
	if err != nil {
		t.Fatal(err)
	}
	var p http.Protocols
	p.SetHTTP2(true)
	breaks := &http.Server{Protocols: &p, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
		Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			asked <- r.URL.Path
			panic(http.ErrAbortHandler)
		})}
	go func() { _ = breaks.Serve(broken) }()
	defer breaks.Close()
	a := k.nodes["a"]
	known, _ := a.node(t.Context(), b.self)
	a.mu.Lock() // the way to b leads to one that takes every request and goes away
	a.ways["b"] = &way{a.links.to("b", broken.Addr().String()), known.Address}
	a.mu.Unlock()

	_, err = Pause.Call(as(t, "ops", "operate"), a, AccountRequest{"bob"})
	var e *Error
	if !errors.As(err, &e) || e.Kind != KindMayHaveRun || e.Call == nil || !e.Call.MayHaveRun {
		t.Errorf("a pause: %v", err)
	}
	if n := len(asked); n != 1 {
		t.Errorf("a pause was sent %d times", n)
	}
	if _, err = Show.Call(as(t, "ops", "operate"), a, AccountRequest{"bob"}); KindOf(err) != KindUnreachable {
		t.Errorf("a look: %v", err)
	}
	if n := len(asked); n < 3 {
		t.Errorf("a look was tried %d times", n-1)
	}
}

func TestARequestWaitsForAnAccountThatMoves(t *testing.T) {
	k := openSeveral(t, "a", "b", "c")
	for i := range 6 {
		k.add("a", fmt.Sprintf("robot-%d", i))
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	drained := make(chan error, 1)
	go func() { drained <- k.nodes["a"].local.Manager.Drain(ctx) }()
	asked := 0
	for done := false; !done; {
		select {
		case err := <-drained:
			if err != nil {
				t.Fatal(err)
			}
			done = true
		default:
		}
		for i := range 6 {
			id := fmt.Sprintf("robot-%d", i)
			if acc, err := Show.Call(as(t, "reader", "read"), k.nodes["b"], AccountRequest{id}); err != nil || acc.ID != id {
				t.Fatalf("%s: %v", id, err)
			}
			asked++
		}
	}
	if n := len(k.nodes["a"].local.Manager.Accounts()); n != 0 || asked < 6 {
		t.Errorf("%d accounts are left, after %d requests", n, asked)
	}
}

// However many a node has, the limit is of all accounts that there are.
func TestTheLimitOfAccountsIsThatOfAllNodes(t *testing.T) {
	k := openSeveral(t, "a", "b")
	for _, n := range k.nodes {
		n.local.MaxAccounts = 3
	}
	k.add("a", "alice")
	k.add("b", "bob")
	k.add("b", "carol")
	a := k.nodes["a"]
	a.local.counting.Lock()
	a.local.countedAt = time.Time{} // the count is not fresh
	a.local.counting.Unlock()
	for _, at := range []string{"a", "b"} {
		_, err := Add.Call(as(t, "ops", "operate"), k.nodes[at], AddRequest{ID: "dave"})
		if KindOf(err) != KindState || !strings.Contains(err.Error(), "there are 3 accounts, as many as limits.accounts allows") {
			t.Errorf("one more by %s: %v", at, err)
		}
	}
	if _, err := Remove.Call(as(t, "ops", "admin"), a, RemoveRequest{ID: "carol"}); err != nil {
		t.Fatal(err)
	}
	k.add("b", "dave") // a count that reaches the limit is made anew
}

func TestWhatIsWantedOfANode(t *testing.T) {
	k := openSeveral(t, "a", "b")
	k.add("b", "bob")
	list, err := SetNodeWish.Call(as(t, "uid 1000", "admin"), k.nodes["a"], WishRequest{"b", "drain"})
	if err != nil || len(list.Nodes) != 2 || list.Nodes[1].Wish != "drain" || list.Nodes[0].Wish != "serve" || list.Nodes[0].Address == "" {
		t.Errorf("the nodes: %+v, %v", list, err)
	}
	until(t, "b has given its account away", func() bool { return len(k.nodes["a"].local.Manager.Accounts()) == 1 })
	for _, r := range []WishRequest{{"b", "rest"}, {"nobody", "drain"}, {"two words", "drain"}} {
		if _, err := SetNodeWish.Call(as(t, "uid 1000", "admin"), k.nodes["a"], r); err == nil {
			t.Errorf("%+v was taken", r)
		}
	}
	d := NewDirect(actors.Options{Store: k.store.Node()}, About{}, 0) // what a command finds where no manager of its machine runs
	defer d.Close()
	if list, err := SetNodeWish.Call(t.Context(), d, WishRequest{"b", "serve"}); err != nil || list.Nodes[1].Wish != "serve" {
		t.Errorf("in the store itself: %+v, %v", list, err)
	}
	alone := &Local{}
	if list, err := Nodes.Call(t.Context(), alone, Empty{}); err != nil || list.Nodes == nil || len(list.Nodes) != 0 {
		t.Errorf("of a manager alone: %+v, %v", list, err)
	}
	if _, err := SetNodeWish.Call(t.Context(), alone, WishRequest{"b", "drain"}); KindOf(err) != KindState {
		t.Errorf("of a manager alone: %v", err)
	}
}

func TestWhereAccountsBelongIsCounted(t *testing.T) {
	k := openSeveral(t, "a", "b")
	for i := range 8 {
		k.add("b", fmt.Sprintf("robot-%d", i))
	}
	if list, err := Rebalance.Call(as(t, "uid 1000", "operate"), k.nodes["b"], Empty{}); err != nil || len(list.Nodes) != 2 {
		t.Fatalf("they look: %+v, %v", list, err)
	}
	// What belongs to a goes there as soon as it has been there for a while.
	until(t, "nothing is left to move", func() bool {
		list, err := Balance.Call(as(t, "reader", "read"), k.nodes["b"], Empty{})
		return err == nil && list.ToMove == 0 && list.Nodes[0].Accounts > 0
	})
	list, err := Balance.Call(as(t, "reader", "read"), k.nodes["a"], Empty{})
	if err != nil || len(list.Nodes) != 2 {
		t.Fatalf("the balance: %+v, %v", list, err)
	}
	for _, n := range list.Nodes {
		if got := len(k.nodes[n.Name].local.Manager.Accounts()); n.Accounts != got || n.Belong != got || n.ToMove+n.Stay != 0 || n.Why != "" {
			t.Errorf("%s has %d accounts: %+v", n.Name, got, n)
		}
	}
	store := k.store.Node()
	if err := store.Wish(t.Context(), "b", persistence.WishCordon); err != nil {
		t.Fatal(err)
	}
	list, err = Balance.Call(as(t, "reader", "read"), k.nodes["a"], Empty{})
	if b := list.Nodes[1]; err != nil || b.Stay != b.Accounts || b.Belong != 0 || b.Why != "it is cordoned: it keeps what it has, and takes nothing" || list.ToMove != 0 {
		t.Errorf("of one that is cordoned: %+v, %v", list, err)
	}
	d := NewDirect(actors.Options{Store: store}, About{}, 0) // what a command finds where no manager of its machine runs
	if direct, err := Balance.Call(t.Context(), d, Empty{}); err != nil || !slices.Equal(direct.Nodes, list.Nodes) {
		t.Errorf("in the store itself: %+v, %v", direct, err)
	}
	for _, m := range []Method[Empty, BalanceList]{Balance, Rebalance} {
		if _, err := m.Call(t.Context(), &Local{}, Empty{}); KindOf(err) != KindState {
			t.Errorf("of a manager alone: %v", err)
		}
	}
}

func TestWhyAccountsStayOrGo(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(n []persistence.Node) // a and b, which serve
		want   string
	}{
		{"nothing is special", func([]persistence.Node) {}, ""},
		{"its lease is over", func(n []persistence.Node) { n[0].Left = -time.Second }, "its lease is over: the others take what it has"},
		{"it ends", func(n []persistence.Node) { n[0].Departs = true }, "it ends, and gives what it has to the others"},
		{"it is drained", func(n []persistence.Node) { n[0].Wish = persistence.WishDrain }, "it is drained: it gives what it has to the others"},
		{"both are drained", func(n []persistence.Node) { n[0].Wish, n[1].Wish = persistence.WishDrain, persistence.WishDrain }, "it is drained, and there is no other node that serves"},
		{"it is cut off", func(n []persistence.Node) { n[0].CutOff = true }, "it is cut off from the DCs: it gives what it has to nodes that reach them"},
		{"both are cut off", func(n []persistence.Node) { n[0].CutOff, n[1].CutOff = true, true }, "no node reaches the DCs: nothing moves until one does"},
		{"it has just come", func(n []persistence.Node) { n[0].Joined = time.Now() }, "it has just come: the others give it what belongs to it when it has been there for a while"},
	} {
		var nodes []persistence.Node
		for i, name := range []string{"a", "b"} {
			nodes = append(nodes, persistence.Node{NodeInfo: persistence.NodeInfo{Name: name, Capacity: 100}, Epoch: uint64(i + 1), Left: time.Second})
		}
		c.change(nodes)
		b := placement.NewBalance(nodes)
		var ids []persistence.AccountID
		for i := range 20 {
			ids = append(ids, persistence.AccountID(fmt.Sprint("robot-", i)))
		}
		if c.name == "it has just come" {
			b.Count("b", ids)
		} else {
			b.Count("a", ids)
		}
		if got := whyBalance(b, b.Nodes[0]); got != c.want {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}

func TestACertificateIsLookedAtBeforeItIsUsed(t *testing.T) {
	ca := authority(t)
	served := server(t, ca, "only-a-server")
	node, err := ca.Node("node-a")
	if err != nil {
		t.Fatal(err)
	}
	good := NodeTLS{Node: "node-a", Cert: node + ".pem", Key: node + ".key", CA: ca.File + ".pem"}
	for _, c := range []struct {
		name   string
		change func(*NodeTLS)
		want   string
	}{
		{"it is good", func(*NodeTLS) {}, ""},
		{"it has another name", func(n *NodeTLS) { n.Node = "node-b" }, "it is not one of the node node-b"},
		{"it has no name", func(n *NodeTLS) { n.Cert, n.Key = served+".pem", served+".key" }, "it is not one of the node node-a"},
		{"there is none", func(n *NodeTLS) { n.Cert += "x" }, "cluster.cert and cluster.key cannot be used"},
		{"there is no authority", func(n *NodeTLS) { n.CA = node + ".key" }, "cluster.ca cannot be used: there is no certificate in"},
		{"another authority signed it", func(n *NodeTLS) { n.CA = authority(t).File + ".pem" }, "other nodes would not accept it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := good
			c.change(&n)
			var l net.Listener
			l, err := ListenNodes("127.0.0.1:0", n)
			if err == nil {
				_ = l.Close()
			}
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
}
