package watch

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/cmd/manager/dashboard"
)

//go:embed assets
var assets embed.FS

var pages = template.Must(template.New("").Funcs(template.FuncMap{"button": newButton}).ParseFS(assets, "assets/*.html"))

const (
	// pace is how often an open page is told what has changed.
	pace = 250 * time.Millisecond
	// maxStreams are open at a time.
	maxStreams = 16
	// actLimit is how long what was pressed may take: a manager that is started again is
	// waited for.
	actLimit = 45 * time.Second
)

// Server serves the page.
type Server struct {
	o        Options
	listener net.Listener
	host     string
	streams  chan struct{} // a place for each that is open
	cookie   string        // of the browsers that were let in
	http     *http.Server
	ctx      context.Context // ends with the server: streams end with it
	stop     context.CancelFunc
	done     chan struct{}

	mu    sync.Mutex // guards the following field
	links []string   // tokens that nobody has used
}

// Serve serves the page on a free port of loopback.
func Serve(o Options) (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{
		o: o, listener: l, host: l.Addr().String(), streams: make(chan struct{}, maxStreams), cookie: rand.Text(), done: make(chan struct{}),
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.http = &http.Server{
		Handler: s.handler(), MaxHeaderBytes: 16 << 10, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: log.New(io.Discard, "", 0), // what browsers break off is nobody's business
	}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(l)
	}()
	return s, nil
}

// Close ends everything at once.
func (s *Server) Close() {
	s.stop()
	_ = s.http.Close()
	<-s.done
}

// Link makes a link that lets one browser in, once.
func (s *Server) Link() string {
	token := rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links = append(s.links, token)
	return "http://" + s.host + "/enter/" + token
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /enter/{token}", s.enter)
	// What the page loads is the same for everybody.
	for _, name := range []string{"style.css", "icon.svg"} {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			http.ServeFileFS(w, r, dashboard.Assets(), name)
		})
	}
	mux.HandleFunc("GET /watch.js", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, assets, "assets/watch.js")
	})
	mux.Handle("GET /{$}", s.inside(s.page))
	mux.Handle("GET /live", s.inside(s.live))
	mux.Handle("POST /act", s.inside(s.act))
	mux.Handle("GET /dashboard", s.inside(s.dashboard))
	// What changes something comes from our own page, says the browser, or from none.
	strangers := http.NewCrossOriginProtection()
	strangers.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fail(w, r, http.StatusForbidden, "This was not sent by the page of the demo, and was refused.")
	}))
	return s.guarded(strangers.Handler(mux))
}

// guarded refuses what was sent to another name, as a page of elsewhere has it sent whose
// name was made to lead here.
func (s *Server) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		dashboard.Protect(w.Header())
		if r.Host != s.host {
			fail(w, r, http.StatusMisdirectedRequest, "This is the page of a demo, and it answers under http://"+s.host+"/ alone.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// cookieName has the port: cookies are of a host whatever the port.
func (s *Server) cookieName() string {
	return "mtfleet-demo-" + strconv.Itoa(s.listener.Addr().(*net.TCPAddr).Port)
}

// inside lets in the browsers that came by a link.
func (s *Server) inside(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := r.Cookie(s.cookieName())
		if err != nil || !same(c.Value, s.cookie) {
			fail(w, r, http.StatusUnauthorized, "Nobody was let in here. The demo has printed a link.")
			return
		}
		next(w, r)
	})
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// enter lets a browser in by a link.
func (s *Server) enter(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet { // HEAD comes here too, and is of somebody who only looks
		w.WriteHeader(http.StatusNoContent)
		return
	}
	s.mu.Lock()
	at := slices.IndexFunc(s.links, func(token string) bool { return same(token, r.PathValue("token")) })
	if at >= 0 {
		s.links = slices.Delete(s.links, at, at+1)
	}
	last := at >= 0 && len(s.links) == 0
	s.mu.Unlock()
	if at < 0 {
		fail(w, r, http.StatusForbidden, "This link was used already. The demo has printed another one.")
		return
	}
	if last {
		s.o.Used(s.Link())
	}
	http.SetCookie(w, &http.Cookie{Name: s.cookieName(), Value: s.cookie, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	// The next page is asked for by this one: a browser that followed a link of another
	// site would not show the cookie at once.
	show(w, http.StatusOK, "enter.html", nil)
}

func (s *Server) page(w http.ResponseWriter, _ *http.Request) {
	show(w, http.StatusOK, "page.html", s.o.Figures().view())
}

// act does what was pressed.
func (s *Server) act(w http.ResponseWriter, r *http.Request) {
	act, dc := Act(r.FormValue("act")), 0
	switch act {
	case Kill:
	case Cut, Give, Forget:
		var err error
		if dc, err = strconv.Atoi(r.FormValue("dc")); err != nil || dc < 1 {
			fail(w, r, http.StatusBadRequest, fmt.Sprintf("%q is no number of a DC.", r.FormValue("dc")))
			return
		}
	default:
		fail(w, r, http.StatusBadRequest, fmt.Sprintf("There is nothing here that is called %q.", act))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), actLimit)
	defer cancel()
	if err := s.o.Do(ctx, act, dc); err != nil {
		fail(w, r, http.StatusConflict, err.Error())
		return
	}
	if wantsJSON(r) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther) // a browser without scripts
}

// dashboard leads to the dashboard.
func (s *Server) dashboard(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), actLimit)
	defer cancel()
	link, err := s.o.Dashboard(ctx)
	if err != nil {
		fail(w, r, http.StatusServiceUnavailable, "There is no link to the dashboard: "+err.Error())
		return
	}
	http.Redirect(w, r, link, http.StatusSeeOther)
}

// live tells an open page what has changed, as server-sent events.
func (s *Server) live(w http.ResponseWriter, r *http.Request) {
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		fail(w, r, http.StatusServiceUnavailable, fmt.Sprintf("%d pages are open: close one.", maxStreams))
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for last := []byte(nil); ; {
		now, err := json.Marshal(s.o.Figures().view())
		if err != nil { // it is strings alone
			return
		}
		if !bytes.Equal(now, last) {
			if _, err := fmt.Fprintf(w, "data: %s\n\n", now); err != nil || out.Flush() != nil {
				return
			}
			last = now
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		case <-s.ctx.Done():
			return
		}
	}
}

func wantsJSON(r *http.Request) bool { return r.Header.Get("Accept") == "application/json" }

// fail says what is wrong, in a page or as JSON.
func fail(w http.ResponseWriter, r *http.Request, status int, words string) {
	if wantsJSON(r) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": words})
		return
	}
	show(w, status, "message.html", words)
}

func show(w http.ResponseWriter, status int, name string, data any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_ = pages.ExecuteTemplate(w, name, data) // who went away reads nothing
}
