package health

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
)

// Sources are what a running manager is asked.
type Sources struct {
	// Live are the checks of /livez; Ready are those of /readyz besides.
	Live, Ready []Check
	// Fleet counts the accounts, at once.
	Fleet func() Fleet
}

// Page has the three answers. It begins with a manager that is starting. Its
// methods may be called from any goroutine.
type Page struct {
	waits   atomic.Pointer[string]  // what it waits for while it starts
	running atomic.Pointer[running] // nil while the manager starts
	stopped atomic.Bool
}

type running struct {
	live, ready *Probe
	fleet       func() Fleet
}

// Running says that the manager runs, and what to ask.
func (p *Page) Running(s Sources) {
	live := NewProbe(s.Live...)
	ready := &Probe{slices.Concat(live.flights, NewProbe(s.Ready...).flights)}
	p.running.Store(&running{live, ready, s.Fleet})
}

// Waiting says what the manager waits for before it can run.
func (p *Page) Waiting(text string) {
	text = "starting: " + text
	p.waits.Store(&text)
}

// starting is what is said before it runs.
func (p *Page) starting() string {
	if text := p.waits.Load(); text != nil {
		return *text
	}
	return starting
}

// Stopping says that the manager stops: nothing is asked any more, it is alive and
// not ready.
func (p *Page) Stopping() { p.stopped.Store(true) }

// Register puts the answers at /livez, /readyz and /fleetz.
func (p *Page) Register(mux *http.ServeMux) {
	mux.HandleFunc("GET /livez", p.livez)
	mux.HandleFunc("GET /readyz", p.readyz)
	mux.HandleFunc("GET /fleetz", p.fleetz)
}

// What is said where nothing is asked.
const (
	starting = "starting: the store is being opened, and its accounts are read"
	stopping = "stopping: the manager was told to end"
)

func (p *Page) livez(w http.ResponseWriter, r *http.Request) {
	run := p.running.Load()
	switch {
	case p.stopped.Load():
		tell(w, http.StatusOK, "ok\n"+stopping)
	case run == nil:
		tell(w, http.StatusOK, "ok\n"+p.starting())
	default:
		tellAnswers(w, run.live.Look(r.Context()))
	}
}

func (p *Page) readyz(w http.ResponseWriter, r *http.Request) {
	run := p.running.Load()
	switch {
	case p.stopped.Load():
		tell(w, http.StatusServiceUnavailable, "not ok\n"+stopping)
	case run == nil:
		tell(w, http.StatusServiceUnavailable, "not ok\n"+p.starting())
	default:
		tellAnswers(w, run.ready.Look(r.Context()))
	}
}

func tellAnswers(w http.ResponseWriter, answers []Answer) {
	status, verdict, lines := http.StatusOK, "ok", strings.Builder{}
	for _, a := range answers {
		word := "ok"
		if a.Err != nil {
			status, verdict, word = http.StatusServiceUnavailable, "not ok", a.Err.Error()
		}
		fmt.Fprintf(&lines, "\n%s: %s", a.Name, word)
	}
	tell(w, status, verdict+lines.String())
}

func tell(w http.ResponseWriter, status int, text string) {
	head(w, "text/plain; charset=utf-8", status)
	_, _ = fmt.Fprintln(w, text)
}

func head(w http.ResponseWriter, kind string, status int) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
}

func (p *Page) fleetz(w http.ResponseWriter, _ *http.Request) {
	var report Report
	switch run := p.running.Load(); {
	case p.stopped.Load():
		report = Report{Why: stopping}
	case run == nil:
		report = Report{Why: p.starting()}
	default:
		report = run.fleet().Report()
	}
	status := http.StatusOK
	if !report.OK {
		status = http.StatusServiceUnavailable
	}
	head(w, "application/json", status)
	_ = json.NewEncoder(w).Encode(report)
}
