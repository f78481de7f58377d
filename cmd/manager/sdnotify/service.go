package sdnotify

import (
	"context"
	"strconv"
	"sync"
	"time"
)

const (
	// statusEvery is how often the status text is looked at; it is sent when it
	// has changed.
	statusEvery = 5 * time.Second
	// againEvery is the pause before a question that had no good answer is asked again.
	againEvery = 100 * time.Millisecond
	// While a service stops, systemd is asked every extendEvery to wait for
	// extendBy more, and after extendMost no more: what takes longer hangs.
	extendEvery = 10 * time.Second
	extendBy    = 30 * time.Second
	extendMost  = 5 * time.Minute
)

// Health is what a service says of itself. Its functions are called by one
// goroutine; the contexts end when the answer comes too late or is not wanted any
// more.
type Health struct {
	// Up returns nil once the service does what it is for. It is asked until then.
	Up func(context.Context) error
	// Alive returns nil when what does the work has answered. It is asked again, as
	// long as there is time, when it returns an error.
	Alive func(context.Context) error
	// Status says in one line what the service does now.
	Status func() string
}

// Ready tells systemd that the service is up as soon as it is, from then on what
// it does, and that it is alive as often as the watchdog wants to hear it, until
// Stopping or Close. It returns at once, and is called once.
func (s *Service) Ready(h Health) {
	if s != nil {
		s.watch.begin(func(ctx context.Context) { s.tell(ctx, h) })
	}
}

func (s *Service) tell(ctx context.Context, h Health) {
	for h.Up(ctx) != nil {
		if !pause(ctx, againEvery) {
			return
		}
	}
	said := h.Status()
	s.send("READY=1", status(said))
	s.up.Store(true)

	statuses := time.NewTicker(statusEvery)
	defer statuses.Stop()
	var beat <-chan time.Time
	if s.watchdog > 0 {
		beats := time.NewTicker(s.watchdog / 2)
		defer beats.Stop()
		beat = beats.C
	}
	hangs := false // it was said
	for {
		select {
		case <-ctx.Done():
			return
		case <-statuses.C:
			if now := h.Status(); now != said {
				said = now
				s.send(status(said))
			}
		case <-beat:
			err := s.alive(ctx, h)
			switch {
			case err == nil:
				s.send("WATCHDOG=1")
			case ctx.Err() == nil && !hangs:
				s.log.Error("the service does not answer itself: systemd ends it unless it does soon", "watchdog", s.watchdog, "err", err)
			}
			hangs = err != nil
		}
	}
}

// alive waits for a good answer half of the watchdog's time: with the half before
// the question that is the whole of it.
func (s *Service) alive(ctx context.Context, h Health) error {
	ctx, cancel := context.WithTimeout(ctx, s.watchdog/2)
	defer cancel()
	for {
		if err := h.Alive(ctx); err == nil || !pause(ctx, againEvery) {
			return err
		}
	}
}

// Reload does what a service does when its configuration is to be read again, and
// tells systemd when it begins and when it is done, so that `systemctl reload` waits
// for it. Before the service is up systemd hears nothing: the end of a reload would
// say that it is.
func (s *Service) Reload(do func()) {
	if s == nil || !s.up.Load() {
		do()
		return
	}
	s.send("RELOADING=1")
	do()
	if s.up.Load() { // and does not stop meanwhile
		s.send("READY=1")
	}
}

// Waiting tells systemd what the service waits for before it can be up, and has it
// wait too: it is called again at least every extendEvery.
func (s *Service) Waiting(text string) {
	if s != nil {
		s.send("EXTEND_TIMEOUT_USEC="+strconv.FormatInt(extendBy.Microseconds(), 10), status(text))
	}
}

// Stopping tells systemd that the service stops, and what it does for that, and has
// it wait for the end, five minutes at most.
func (s *Service) Stopping(text string) {
	if s == nil {
		return
	}
	s.watch.end()
	s.up.Store(false)
	s.stop.begin(func(ctx context.Context) {
		s.send("STOPPING=1", status(text))
		every := extendEvery
		if s.watchdog > 0 {
			every = min(every, s.watchdog/2)
		}
		for begun := time.Now(); time.Since(begun) < extendMost; {
			// The watchdog still runs; what it would kill is being closed.
			s.send("EXTEND_TIMEOUT_USEC="+strconv.FormatInt(extendBy.Microseconds(), 10), "WATCHDOG=1")
			if !pause(ctx, every) {
				return
			}
		}
	})
}

// Close ends what Ready and Stopping began, and the connection. A Service that
// was closed says nothing more.
func (s *Service) Close() {
	if s == nil {
		return
	}
	s.watch.end()
	s.up.Store(false)
	s.stop.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		_ = s.conn.Close()
	}
}

// task is one goroutine, begun once and ended once.
type task struct {
	cancel context.CancelFunc // nil: not begun
	ended  sync.WaitGroup
}

func (t *task) begin(f func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	t.cancel = cancel
	t.ended.Go(func() { f(ctx) })
}

// end returns when the goroutine has ended.
func (t *task) end() {
	if t.cancel != nil {
		t.cancel()
		t.ended.Wait()
	}
}

// pause waits; it reports false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
