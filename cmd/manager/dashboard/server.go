package dashboard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"golang.org/x/time/rate"

	mtfleetv1 "github.com/mtfleet/mtfleet/cmd/manager/api/mtfleet/v1"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

// Options are what a dashboard shows and how.
type Options struct {
	// Service is where accounts are reached. Who asks is told by control.WithCaller.
	Service control.Service
	// Access is who is let in with a token or a certificate, where there is TLS; nil: links
	// let in, and nothing else.
	Access *control.Access
	// Log is told who comes in, and who tries to; nil: nobody is.
	Log *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Server serves the dashboard.
type Server struct {
	o        Options
	listener net.Listener
	secure   bool     // by TLS
	port     string   // that it listens on
	hosts    []string // what the Host header may be; the first is in links
	doors    *doors
	tries    tries
	denials  *rate.Limiter // of entries in the audit log
	streams  chan struct{} // a place for each that is open
	http     *http.Server
	ctx      context.Context // ends with the server: streams end with it
	stop     context.CancelFunc
	done     chan struct{} // closed when nothing is served any more; nil before Serve
}

const (
	// maxHeader and maxForm are more than a browser sends here: the longest form is the
	// names of 10,000 accounts for a plan, of some 20 bytes each.
	maxHeader = 16 << 10
	maxForm   = 1 << 20
	// maxTokenForm is for who is not let in yet.
	maxTokenForm = 4 << 10
	// maxStreams are open at a time, maxStreamsOf of one caller and maxStreamsEach of one
	// session: each holds what it has told of 10,000 accounts, some 2 MB.
	maxStreams     = 32
	maxStreamsOf   = 16
	maxStreamsEach = 8
	// formLimit is how long a form may take to come.
	formLimit = 30 * time.Second
	// answerLimit is how long what talks to a DC may take.
	answerLimit = 45 * time.Second
)

// ErrNotLoopback refuses an address that other machines reach.
var ErrNotLoopback = errors.New("other machines reach it, and the dashboard is served without TLS: use a loopback address such as 127.0.0.1:8070, and reach it from elsewhere through `ssh -L`, or give it a certificate")

// Listen begins to listen without TLS on an address of loopback, or of localhost, so that
// one that is refused or in use is known before anything else is begun. Port 0 takes a free
// one.
func Listen(addr string) (*Server, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("%q: %w", addr, ErrNotLoopback)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	at := l.Addr().(*net.TCPAddr)
	if !at.IP.IsLoopback() { // what this machine calls localhost is its own word
		_ = l.Close()
		return nil, fmt.Errorf("%q: %w", addr, ErrNotLoopback)
	}
	s := newServer(false, strconv.Itoa(at.Port), host, "localhost")
	s.listener = l
	return s, nil
}

// TLS is where a dashboard is served by TLS.
type TLS struct {
	// TCP is the address, any of this machine, and the files.
	control.TCP
	// Names are what browsers ask for it by, each with a port where that is another one;
	// without any it is the address, which must be a particular one then.
	Names []string
}

// ListenTLS begins to listen. The error is a *control.TCPError.
func ListenTLS(t TLS) (*Server, error) {
	t.Serves = "the dashboard"
	l, err := control.ListenTCP(t.TCP)
	if err != nil {
		return nil, err
	}
	at := l.Addr().(*net.TCPAddr)
	names := slices.Clone(t.Names)
	if host, _, err := net.SplitHostPort(t.Addr); err == nil && !at.IP.IsUnspecified() {
		names = append(names, host)
	}
	if at.IP.IsLoopback() {
		names = append(names, "localhost")
	}
	s := newServer(true, strconv.Itoa(at.Port), names...)
	s.listener = l
	return s, nil
}

// newServer is one that is asked for by any of some names.
func newServer(secure bool, port string, names ...string) *Server {
	s := &Server{secure: secure, port: port, streams: make(chan struct{}, maxStreams), denials: rate.NewLimiter(1, 60)}
	for _, name := range names {
		if host := s.hostOf(strings.ToLower(name)); !slices.Contains(s.hosts, host) {
			s.hosts = append(s.hosts, host)
		}
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// hostOf is a name as browsers have it in the header Host: with its port, or that of the
// server, unless it is the one of the scheme.
func (s *Server) hostOf(name string) string {
	host, port, err := net.SplitHostPort(name)
	if err != nil {
		host, port = name, s.port
	}
	if s.secure && port == "443" || !s.secure && port == "80" {
		return strings.TrimSuffix(net.JoinHostPort(host, port), ":"+port)
	}
	return net.JoinHostPort(host, port)
}

// origin is that of pages under a host.
func (s *Server) origin(host string) string {
	if s.secure {
		return "https://" + host
	}
	return "http://" + host
}

// URL is where the dashboard is.
func (s *Server) URL() string { return s.origin(s.hosts[0]) + "/" }

// Link makes a link that signs its reader in, once and within ten minutes.
func (s *Server) Link() string { return s.URL() + "enter/" + s.doors.link() }

// Serve begins to answer, once.
func (s *Server) Serve(o Options) {
	s.open(o)
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetHTTP2(s.secure)
	s.http = &http.Server{
		Handler: s.handler(), MaxHeaderBytes: maxHeader, Protocols: &p,
		// A limit for all of a request would end streams too: bodies have their own.
		ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: log.New(io.Discard, "", 0), // what browsers break off is nobody's business
	}
	s.done = make(chan struct{})
	go func() {
		defer close(s.done)
		_ = s.http.Serve(s.listener)
	}()
}

// open has it know what it shows.
func (s *Server) open(o Options) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if !s.secure {
		o.Access = nil // no secret is taken that others could read on its way
	}
	s.o, s.doors = o, newDoors(o.Now, o.Access)
}

// Close ends everything at once: a page says that it has lost the manager, and comes back
// with it. It may be called on nil, twice, and without Serve.
func (s *Server) Close() {
	if s == nil {
		return
	}
	s.stop()
	_ = s.listener.Close()
	if s.done != nil {
		_ = s.http.Close()
		<-s.done
	}
}

// handler has all pages. Each says the least role that may see it.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /enter/{token}", s.enter)
	if s.o.Access != nil {
		mux.HandleFunc("GET /enter", s.entrance)
		mux.HandleFunc("POST /enter", s.enterByToken)
	}
	mux.HandleFunc("GET /assets/{file}", asset)
	for pattern, page := range map[string]struct {
		role mtfleetv1.Role
		do   http.HandlerFunc
	}{
		"GET /{$}":                        {read, s.fleetPage},
		"GET /live/fleet":                 {read, s.fleetLive},
		"POST /fleet/plan":                {read, s.fleetPlan},
		"POST /fleet/act":                 {operate, s.fleetAct},
		"GET /accounts/{id}":              {read, s.accountPage},
		"GET /live/accounts/{id}":         {read, s.accountLive},
		"GET /accounts/{id}/timeline.svg": {read, s.accountTimeline},
		"POST /accounts/{id}/act":         {operate, s.accountAct},
		"POST /accounts/{id}/sessions":    {admin, s.accountSessions},
		"POST /accounts/{id}/passkeys":    {admin, s.accountPasskeys},
		"GET /sign-in":                    {operate, s.signInPage},
		"POST /sign-in":                   {operate, s.signInBegin},
		"GET /accounts/{id}/sign-in":      {operate, s.stepPage},
		"GET /live/accounts/{id}/sign-in": {operate, s.stepLive},
		"POST /accounts/{id}/sign-in":     {operate, s.stepAnswer},
		"GET /dcs":                        {read, s.dcsPage},
		"GET /live/dcs":                   {read, s.dcsLive},
		"GET /store":                      {read, s.storePage},
		"GET /live/store":                 {read, s.storeLive},
		"GET /audit":                      {admin, s.auditPage},
		"GET /events":                     {operate, s.eventsPage},
		"GET /live/events":                {operate, s.eventsLive},
		"POST /leave":                     {read, s.leave},
		"GET /":                           {read, s.noPage},
	} {
		mux.Handle(pattern, s.inside(page.role, page.do))
	}
	return s.guarded(mux)
}

func (s *Server) noPage(w http.ResponseWriter, r *http.Request) {
	s.fail(w, r, http.StatusNotFound, "There is no page here: begin at the fleet.")
}

// show writes a page.
func (s *Server) show(w http.ResponseWriter, r *http.Request, status int, title string, v view, body templ.Component) {
	v.title, v.path, v.user = title, r.URL.Path, sessionOf(r)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_ = layout(v, body).Render(r.Context(), w) // who went away reads nothing
}

// fail says in a page what is wrong.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, status int, words string) {
	if r.Header.Get("Accept") == "application/json" {
		writeJSON(w, status, map[string]string{"error": words})
		return
	}
	s.show(w, r, status, http.StatusText(status), view{}, message(words))
}

// failed says what a method of the API failed with.
func (s *Server) failed(w http.ResponseWriter, r *http.Request, err error) {
	s.fail(w, r, statusOf(err), sentence(err))
}

// statusOf is the status of HTTP that is nearest to an error of the API.
func statusOf(err error) int {
	switch control.KindOf(err) {
	case control.KindNoAccount:
		return http.StatusNotFound
	case control.KindExists, control.KindState, control.KindInUse:
		return http.StatusConflict
	case control.KindInvalid, control.KindRefused, control.KindConfig:
		return http.StatusUnprocessableEntity
	case control.KindWait, control.KindUnreachable, control.KindStopped, control.KindStore:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
