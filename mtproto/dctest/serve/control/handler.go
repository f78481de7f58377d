package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
)

// Limits; doc.go has their arithmetic.
const (
	maxBody     = 8 << 20
	maxRequests = 64
	maxWaits    = 32 // of them, those that wait for codes
)

// route is one method of one path.
type route struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	About  string `json:"about"`

	run func(r *http.Request) (any, error)
}

// handler answers for one cluster.
type handler struct {
	cluster *serve.Cluster
	routes  []route
	slots   chan struct{} // one is held by each request that is answered
	waits   chan struct{} // and one by each of those that waits for codes
	ledgers chan struct{} // held by the one that has a copy of the whole ledger
	quit    chan struct{}
	inner   http.Handler
}

// Handler answers for a cluster, for who has a server already. It checks the Host of each request as Serve does.
func Handler(cluster *serve.Cluster) http.Handler { return newHandler(cluster) }

func newHandler(cluster *serve.Cluster) *handler {
	h := &handler{
		cluster: cluster, quit: make(chan struct{}),
		slots: make(chan struct{}, maxRequests), waits: make(chan struct{}, maxWaits), ledgers: make(chan struct{}, 1),
	}
	h.routes = h.table()
	pages := http.NewCrossOriginProtection()
	pages.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		write(w, http.StatusForbidden, problem{Error: "a web page may not control a test cluster"})
	}))
	h.inner = pages.Handler(http.HandlerFunc(h.answer))
	return h
}

// table lists every path, in the order of docs/testdc.md.
func (h *handler) table() []route {
	return []route{
		{"GET", "/", "this list", h.index},
		{"GET", "/descriptor", "addresses, RSA key, phones, codes, passwords, bot tokens, layers", h.descriptor},
		{"GET", "/ledger", "what happened: counts, keys, binds, sessions, echoes, logins, authorizations, updates; ?list=&from=&limit=", h.ledger},
		{"GET", "/verdict", "what the ledger alone finds wrong: overlapping sessions, echoes that ran twice", h.verdict},
		{"POST", "/verdict", "the same and, against a client's keys and updates, orphaned authorizations and lost updates", h.verdict},
		{"GET", "/violations", "what clients did against the protocol; ?severity=refused|noted|info&rule=&from=&limit=", h.violations},
		{"GET", "/codes", "the codes sent by message, call, app and mail; ?phone=&email=&from=&limit=, &wait=10s for the next", h.codes},
		{"POST", "/codes", "how codes reach a number from now on: app, SMS, call, e-mail, payment, ...", h.setCodes},
		{"GET", "/methods", "the methods that are answered, with their documented errors; ?name=", h.methods},
		{"GET", "/fault", "the faults that wait, and the kinds there are with their fields", h.faults},
		{"POST", "/fault", "let something go wrong, now or at the next candidates", h.fault},
		{"DELETE", "/fault", "end faults; ?id= (repeatable), all without", h.clearFaults},
		{"POST", "/push", "push an update, a text from 777000, or a service notification to a user", h.push},
		{"GET", "/users", "the people and bots there are, with their usernames", h.users},
		{"GET", "/users/{id}/messages", "what a user wrote and was written to; ?peer=&after=&limit=, &wait=10s for the next", h.userMessages},
		{"POST", "/users/{id}/messages", "write to a user as another, in a form of your choice, or so that the push is lost", h.say},
		{"GET", "/channels", "the channels and groups there are", h.channels},
		{"POST", "/channels", "make one, with its members", h.addChannel},
		{"POST", "/channels/{id}/members", "make a user a member", h.join},
		{"DELETE", "/channels/{id}/members", "end a user's membership; ?user_id=", h.leave},
		{"GET", "/channels/{id}/messages", "what is in a channel; ?after=&limit=, &wait=10s for the next", h.posts},
		{"POST", "/channels/{id}/messages", "write to it as a member, or as its creator", h.post},
		{"PATCH", "/channels/{id}/messages", "give a message of it another text", h.editPost},
		{"DELETE", "/channels/{id}/messages", "delete messages of it; ?message= (repeatable)", h.deletePosts},
		{"POST", "/seed", "sign users in by keys that both sides have from a number, without a handshake", h.seed},
		{"POST", "/revoke", "end a user's authorizations, or that of one key", h.revoke},
		{"POST", "/scan", "accept a QR login token as a user", h.scan},
		{"POST", "/pay", "pay for the sign-ins of a number", h.pay},
		{"POST", "/password", "set or remove a user's two-step password", h.password},
		{"POST", "/login-email", "give a user a login e-mail, or take it away", h.loginEmail},
		{"POST", "/web-token", "make a token that signs a user in from a web address", h.webToken},
	}
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !ours(r.Host) {
		write(w, http.StatusForbidden, problem{Error: fmt.Sprintf("the Host %q is no name of this machine: use localhost or a loopback address", r.Host)})
		return
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-h.quit:
		return
	case <-r.Context().Done():
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	h.inner.ServeHTTP(w, r)
}

// ours tells whether a Host header names this machine's loopback.
func ours(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
}

// answer finds the route.
func (h *handler) answer(w http.ResponseWriter, r *http.Request) {
	var methods []string
	for _, route := range h.routes {
		if !route.takes(r) {
			continue
		}
		if route.Method != r.Method {
			methods = append(methods, route.Method)
			continue
		}
		v, err := route.run(r)
		if err != nil {
			fail(w, err)
			return
		}
		write(w, http.StatusOK, v)
		return
	}
	if methods != nil {
		w.Header().Set("Allow", strings.Join(methods, ", "))
		write(w, http.StatusMethodNotAllowed, problem{Error: r.URL.Path + " does not take " + r.Method, Allowed: methods})
		return
	}
	paths := make([]string, 0, len(h.routes))
	for _, route := range h.routes {
		paths = append(paths, route.Path)
	}
	write(w, http.StatusNotFound, problem{Error: "there is no " + r.URL.Path, Allowed: slices.Compact(paths)})
}

// takes tells whether a request is for the route, and notes what stands for the {names} of its path.
func (route *route) takes(r *http.Request) bool {
	want, got := strings.Split(route.Path, "/"), strings.Split(r.URL.Path, "/")
	if len(want) != len(got) {
		return false
	}
	for i, w := range want {
		if name, ok := strings.CutPrefix(w, "{"); ok {
			r.SetPathValue(strings.TrimSuffix(name, "}"), got[i])
		} else if w != got[i] {
			return false
		}
	}
	return true
}

func (h *handler) index(r *http.Request) (any, error) {
	return struct {
		Paths []route `json:"paths"`
	}{h.routes}, params(r)
}

// problem is what is answered in place of a result: what is wrong, at which field or parameter, what may stand there.
type problem struct {
	Error   string   `json:"error"`
	Field   string   `json:"field,omitempty"`
	Allowed []string `json:"allowed,omitempty"`

	status int // 400 when 0
}

func (p *problem) asError() error { return &problemError{*p} }

// problemError is a problem on its way to fail.
type problemError struct{ problem }

// Error implements error.
func (e *problemError) Error() string { return "control: " + e.problem.Error }

// bad is a problem with one field.
func bad(field, format string, args ...any) error {
	return (&problem{Error: fmt.Sprintf(format, args...), Field: field}).asError()
}

// fail answers an error.
func fail(w http.ResponseWriter, err error) {
	var p *problemError
	switch {
	case errors.As(err, &p):
		status := p.status
		if status == 0 {
			status = http.StatusBadRequest
		}
		write(w, status, p.problem)
	case errors.Is(err, serve.ErrClosed):
		write(w, http.StatusServiceUnavailable, problem{Error: "the cluster is closed"})
	case errors.Is(err, serve.ErrNoBackend):
		write(w, http.StatusNotImplemented, problem{Error: "this cluster runs with people of its owner's, which cannot be controlled from here"})
	default:
		write(w, http.StatusInternalServerError, problem{Error: err.Error()})
	}
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // whoever went away needs no answer
}
