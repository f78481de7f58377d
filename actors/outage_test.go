package actors_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/wire"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

// told keeps what an operator reads at info, with the time.
type told struct {
	mu    sync.Mutex
	lines []toldLine
}

type toldLine struct {
	at   time.Time
	text string
}

func (l *told) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }
func (l *told) WithAttrs([]slog.Attr) slog.Handler               { return l }
func (l *told) WithGroup(string) slog.Handler                    { return l }
func (l *told) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, toldLine{time.Now(), r.Message})
	return nil
}

// since returns what was told since a time.
func (l *told) since(at time.Time) (list []toldLine) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		if !line.at.Before(at) {
			list = append(list, line)
		}
	}
	return list
}

// fleetAt signs bots of a cluster in: so many at home on DC 1, so many on DC 2.
func fleetAt(t *testing.T, log *told, frozen *atomic.Bool, at1, at2 int) *actors.Manager {
	t.Helper()
	s := cluster(t, serve.Config{Core: dctest.Config{DCs: 2}})
	err := s.API(func(b *api.Backend, _ time.Time) {
		for i := range at1 + at2 {
			home := 1
			if i >= at1 {
				home = 2
			}
			if _, err := b.AddBot(home); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	o := options(s, persistence.NewMemory())
	o.Wire.Dialer = &freezer{Dialer: s.Dialer(), of: s.Addr(2), frozen: frozen}
	o.Logger = slog.New(log)
	m := open(t, o)
	for i, b := range s.Descriptor().Bots {
		wait(t, signInBot(t, m, fmt.Sprintf("robot%d", i), b, actors.AccountOptions{NoPFS: true}), actors.Online)
	}
	return m
}

// freezer dials a DC whose process may be stopped: its sockets stay open, new
// ones too, and bring nothing, not even their end.
type freezer struct {
	wire.Dialer
	of     string
	frozen *atomic.Bool
}

func (f *freezer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := f.Dialer.DialContext(ctx, network, address)
	if err != nil || address != f.of {
		return conn, err
	}
	return &frozenConn{Conn: conn, frozen: f.frozen, closed: make(chan struct{})}, nil
}

type frozenConn struct {
	net.Conn
	frozen *atomic.Bool
	once   sync.Once
	closed chan struct{}
}

func (c *frozenConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	for c.frozen.Load() {
		select {
		case <-c.closed:
			return 0, net.ErrClosed
		case <-time.After(100 * time.Millisecond):
		}
	}
	return n, err
}

func (c *frozenConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// away counts the accounts that are not online.
func away(m *actors.Manager) (n int) {
	for _, a := range m.Accounts() {
		if a.Status().State != actors.Online {
			n++
		}
	}
	return n
}

// 350 of 500 accounts are at home on a DC that stops answering, with every
// socket open, and nobody calls. Under the race detector, where making five
// hundred keys takes minutes, there are a fifth of them.
func TestASilentDCIsOneLineAndSoIsItsEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("five hundred keys are made")
	}
	bubble(t, func(t *testing.T) {
		log, frozen := &told{}, &atomic.Bool{}
		here, there := 150, 350
		if raced {
			here, there = here/5, there/5
		}
		m := fleetAt(t, log, frozen, here, there)
		time.Sleep(3 * time.Minute) // their pings have spread
		if got := m.Outages(); len(got) != 0 {
			t.Fatalf("nothing is lost, and yet: %+v", got)
		}
		const silence = 2 * time.Minute
		begun := time.Now()
		frozen.Store(true)
		for len(log.since(begun)) == 0 {
			if time.Since(begun) > silence {
				t.Fatal("nothing was told of a DC that does not answer")
			}
			time.Sleep(50 * time.Millisecond)
		}
		first := log.since(begun)[0]
		if !strings.HasPrefix(first.text, fmt.Sprintf("%d of %d accounts lost DC 2: no answer for ", there, here+there)) {
			t.Errorf("told: %q", first.text)
		}
		if d := first.at.Sub(begun); d > 2*time.Second {
			t.Errorf("it took %v to tell that a DC does not answer", d)
		}
		t.Logf("%v after the DC fell silent: %s", first.at.Sub(begun), first.text)
		for range 10 { // first what the governor says, then what the accounts do
			got := m.Outages()
			if len(got) != 1 || got[0].DC != 2 || got[0].Accounts != there || got[0].Of != here+there || got[0].Why == "" {
				t.Fatalf("meanwhile: %+v", got)
			}
			time.Sleep(time.Second)
		}

		time.Sleep(time.Until(begun.Add(silence)))
		frozen.Store(false)
		over := time.Now()
		for away(m) > 0 {
			time.Sleep(50 * time.Millisecond)
		}
		back := time.Now()
		time.Sleep(12 * time.Second) // between two lines about one outage lie ten
		var lines []string
		for _, l := range log.since(begun) {
			lines = append(lines, l.text)
			if l.at.After(back.Add(11 * time.Second)) {
				t.Errorf("told %v after everybody was back: %s", l.at.Sub(back), l.text)
			}
		}
		// The few that are still away at the first line have their own.
		for _, line := range lines[1:] {
			if !strings.Contains(line, " back") && !strings.Contains(line, " is online again after ") {
				t.Errorf("told: %q", line)
			}
		}
		if len(lines) < 2 || len(lines) > 4+5 {
			t.Fatalf("all that was told:\n%s", strings.Join(lines, "\n"))
		}
		if d := log.since(begun)[1].at.Sub(over); d > 2*time.Second {
			t.Errorf("it took %v to tell that the DC answers again", d)
		}
		if d := back.Sub(over); d > 15*time.Second {
			t.Errorf("it took %v until everybody was back", d)
		}
		t.Logf("%v after it answered: %s", log.since(begun)[1].at.Sub(over), strings.Join(lines[1:], " / "))
		if got := m.Outages(); len(got) != 0 {
			t.Errorf("afterwards: %+v", got)
		}
	})
}

// A DC that answers late is told of, for it was silent; nobody gives a connection
// up for that.
func TestADCThatIsLateCostsNoConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log, frozen := &told{}, &atomic.Bool{}
		m := fleetAt(t, log, frozen, 6, 10)
		time.Sleep(3 * time.Minute)
		begun, events := time.Now(), states(t, m)
		frozen.Store(true)
		time.Sleep(5 * time.Second)
		if got := m.Outages(); len(got) != 1 || got[0].Accounts != 10 || got[0].Of != 16 {
			t.Errorf("meanwhile: %+v", got)
		}
		frozen.Store(false)
		time.Sleep(time.Minute)
		if got := m.Outages(); len(got) != 0 {
			t.Errorf("afterwards: %+v", got)
		}
		if n := events(); n != 0 {
			t.Errorf("%d accounts were another for it", n)
		}
		lines := log.since(begun)
		if len(lines) != 2 || !strings.HasPrefix(lines[0].text, "10 of 16 accounts lost DC 2: no answer for ") ||
			!strings.HasPrefix(lines[1].text, "DC 2 is back for 10 accounts after ") {
			t.Fatalf("told: %+v", lines)
		}
		if d := lines[1].at.Sub(begun); d > 7*time.Second {
			t.Errorf("its end was told %v after it", d-5*time.Second)
		}
	})
}

// states counts what is published of accounts from now on.
func states(t *testing.T, m *actors.Manager) (count func() int) {
	t.Helper()
	before := map[string]time.Time{}
	for _, a := range m.Accounts() {
		before[a.ID()] = a.Status().Since
	}
	return func() (n int) {
		for _, a := range m.Accounts() {
			if !a.Status().Since.Equal(before[a.ID()]) {
				n++
			}
		}
		return n
	}
}
