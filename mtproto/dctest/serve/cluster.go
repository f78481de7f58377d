package serve

import (
	"crypto/tls"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
)

// ErrClosed is the answer of every control method after Close.
var ErrClosed = errors.New("serve: cluster is closed")

// Cluster is a running test cluster.
type Cluster struct {
	cfg     Config
	backend *api.Backend // nil when Config.Core.API was given
	box     mailbox
	works   chan dctest.Work
	quit    chan struct{} // closed by Close
	done    chan struct{} // closed when the owner has returned
	wg      sync.WaitGroup
	once    sync.Once
	cert    tls.Certificate // of the doors for WebSockets in TLS
	ca      []byte          // who signed it, PEM; nil: there are none

	// Owned by the owner goroutine.
	core  *dctest.Cluster
	conns map[dctest.ConnID]*conn

	codesTold   int // how many codes had been sent when codeNews was closed last
	changesTold int // and how many messages written, edited or deleted at the last of boxNews

	mu        sync.Mutex // guards what follows
	closed    bool
	nextConn  dctest.ConnID
	open      map[*conn]struct{}
	listeners []*listener // by DC - 1
	proxies   []*Proxy
	codeNews  chan struct{} // closed, and replaced, when codes are sent
	boxNews   chan struct{} // and this when a message is written, edited or deleted
}

// Start makes a cluster and opens its listeners. An *AddrError, an *api.ConfigError or a *dctest.ConfigError says what
// is wrong with cfg.
func Start(cfg Config) (*Cluster, error) {
	cfg, backend, err := cfg.prepare()
	if err != nil {
		return nil, err
	}
	core, err := dctest.New(cfg.Core)
	if err != nil {
		return nil, err
	}
	s := &Cluster{
		cfg: cfg, backend: backend, core: core,
		box:   mailbox{wake: make(chan struct{}, 1)},
		works: make(chan dctest.Work, 4096), // the core never has more work out than that
		quit:  make(chan struct{}),
		done:  make(chan struct{}),
		conns: make(map[dctest.ConnID]*conn),
		open:  make(map[*conn]struct{}),

		codeNews: make(chan struct{}),
		boxNews:  make(chan struct{}),
	}
	if cfg.WebSockets {
		if s.cert, s.ca, err = newCertificate(time.Now()); err != nil {
			return nil, fmt.Errorf("serve: the certificate for WebSockets: %w", err)
		}
	}
	if err := s.listenAll(); err != nil {
		return nil, err
	}
	cfg.Core.API.SetEndpoints(s.endpoints())
	for range cfg.Workers {
		s.wg.Go(s.worker)
	}
	go s.own()
	for _, l := range s.listeners {
		s.serveListener(l)
	}
	return s, nil
}

// Close stops listening, closes every connection and returns when all goroutines are gone. It may be called more than
// once.
func (s *Cluster) Close() error {
	s.once.Do(func() {
		s.mu.Lock()
		s.closed = true
		for _, l := range s.listeners {
			l.stop()
		}
		for _, p := range s.proxies {
			p.Stop()
		}
		for c := range s.open {
			c.abort()
		}
		s.mu.Unlock()
		close(s.quit)
	})
	<-s.done
	s.wg.Wait()
	return nil
}

// own is the core's one owner.
func (s *Cluster) own() {
	defer close(s.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var batch []event
	for {
		select {
		case <-s.quit:
			s.box.close()
			return
		case <-s.box.wake:
		case <-timer.C:
		}
		batch = s.box.take(batch)
		for i := range batch {
			s.handle(&batch[i])
			batch[i] = event{}
		}
		if at := s.core.Deadline(); !at.IsZero() && !at.After(s.cfg.Now()) {
			s.core.Advance(s.cfg.Now())
			s.outputs()
		}
		next := time.Hour
		if at := s.core.Deadline(); !at.IsZero() {
			next = max(at.Sub(s.cfg.Now()), 0)
		}
		timer.Reset(next)
	}
}

// event is one thing for the owner.
type event struct {
	kind   eventKind
	conn   *conn
	packet []byte
	ask    bool // the packet wants a quick ack
	wire   int  // DC of the obfuscated header
	text   string
	result dctest.WorkResult
	call   func(core *dctest.Cluster, now time.Time)
	ran    chan struct{} // closed when call has run and what the core wanted of it is under way
}

type eventKind uint8

const (
	evOpen eventKind = iota + 1
	evPacket
	evMalformed
	evClosed
	evWork
	evCall
)

// handle gives one event to the core and carries out what it wants.
func (s *Cluster) handle(e *event) {
	now := s.cfg.Now()
	switch e.kind {
	case evOpen:
		s.conns[e.conn.id] = e.conn
		if e.conn.media {
			s.core.OpenMedia(now, e.conn.id, e.conn.dc, e.conn.remote)
		} else {
			s.core.Open(now, e.conn.id, e.conn.dc, e.conn.remote)
		}
	case evPacket:
		if e.wire != 0 {
			s.core.TransportDC(now, e.conn.id, e.wire)
		}
		s.core.Packet(now, e.conn.id, e.packet, e.ask)
		<-e.conn.credits
	case evMalformed:
		s.core.Malformed(now, e.conn.id, e.text)
	case evClosed:
		delete(s.conns, e.conn.id)
		s.core.Closed(now, e.conn.id)
	case evWork:
		s.core.Done(now, e.result)
	case evCall:
		e.call(s.core, now)
	}
	s.outputs()
	s.tellNews()
	if e.ran != nil {
		close(e.ran)
	}
}

// outputs carries out what the core wants.
func (s *Cluster) outputs() {
	for o, ok := s.core.Next(); ok; o, ok = s.core.Next() {
		if o.Kind == dctest.OutWork {
			s.works <- o.Work
			continue
		}
		c := s.conns[o.Conn]
		if c == nil {
			continue
		}
		switch o.Kind {
		case dctest.OutPause:
			c.pause(true)
		case dctest.OutResume:
			c.pause(false)
		default:
			c.enqueue(o)
		}
	}
}

// worker runs heavy arithmetic.
func (s *Cluster) worker() {
	for {
		select {
		case <-s.quit:
			return
		case w := <-s.works:
			s.box.post(event{kind: evWork, result: w.Do()})
		}
	}
}

// do runs f on the owner and waits for it.
func (s *Cluster) do(f func(core *dctest.Cluster, now time.Time)) error {
	ran := make(chan struct{})
	if !s.box.post(event{kind: evCall, call: f, ran: ran}) {
		return ErrClosed
	}
	select {
	case <-ran:
		return nil
	case <-s.done:
		select {
		case <-ran:
			return nil
		default:
			return ErrClosed
		}
	}
}

// look runs f, which only reads, on the owner; after Close it runs at once.
func (s *Cluster) look(f func(core *dctest.Cluster, now time.Time)) {
	if s.do(f) == nil {
		return
	}
	<-s.done
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.core, s.cfg.Now())
}

// ErrNoDC says that a DC is none of the cluster's.
var ErrNoDC = errors.New("serve: there is no such DC")

func errNoDC(dc int) error { return fmt.Errorf("%w: %d", ErrNoDC, dc) }

// mailbox is the owner's queue. Connections are bounded by their credits, work by the core, calls by their callers, so
// the queue is too.
type mailbox struct {
	mu     sync.Mutex
	list   []event
	closed bool
	wake   chan struct{} // capacity 1
}

// post adds an event; false after close.
func (m *mailbox) post(e event) bool {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return false
	}
	m.list = append(m.list, e)
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
	return true
}

// take swaps the queue for an empty one with the memory of old.
func (m *mailbox) take(old []event) []event {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := m.list
	m.list = old[:0]
	return list
}

func (m *mailbox) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.list = nil
}
