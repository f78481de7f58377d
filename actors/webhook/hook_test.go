package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/persistence"
)

// memory is a network of one server.
type memory struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (m *memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.done:
		return nil, net.ErrClosed
	}
}
func (m *memory) Close() error   { m.once.Do(func() { close(m.done) }); return nil }
func (m *memory) Addr() net.Addr { return &net.TCPAddr{} }

func (m *memory) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case m.conns <- there:
		return here, nil
	case <-m.done:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// got is a message as the target received it.
type got struct {
	at      time.Duration // since the beginning
	id      string
	account string
	label   string
}

// target answers as its script says, and writes down what it was sent.
type target struct {
	t      *testing.T
	begun  time.Time
	secret Secret

	mu     sync.Mutex
	got    []got
	answer func(n int, g got, w http.ResponseWriter) // n from 0
}

func (s *target) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if err := Verify(r.Header, []Secret{s.secret}, text, time.Now()); err != nil {
		s.t.Errorf("a message came with %v: %v", r.Header, err)
	}
	var b body
	if err := json.Unmarshal(text, &b); err != nil || b.Type != "account.state" || b.Data.Status == nil {
		s.t.Errorf("a message is %s: %v", text, err)
		return
	}
	n, _ := b.Data.Status.Labels.Get("n")
	s.mu.Lock()
	defer s.mu.Unlock()
	g := got{time.Since(s.begun), r.Header.Get(HeaderID), b.Data.Account, n}
	s.got = append(s.got, g)
	if s.answer != nil {
		s.answer(len(s.got)-1, g, w)
	}
}

func (s *target) received() []got {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]got(nil), s.got...)
}

// play runs a hook over a manager of two accounts in virtual time. The accounts'
// labels are what changes.
func play(t *testing.T, answer func(n int, g got, w http.ResponseWriter), do func(t *testing.T, m *actors.Manager, h *Hook, s *target, label func(id string, n int))) {
	t.Helper()
	playOn(t, persistence.NewMemory(), Options{URL: "http://127.0.0.1/hook"}, answer, do)
}

// playOn is play on a store that an earlier one may have left, and a hook of other
// options.
func playOn(t *testing.T, store persistence.Store, o Options, answer func(n int, g got, w http.ResponseWriter), do func(t *testing.T, m *actors.Manager, h *Hook, s *target, label func(id string, n int))) {
	t.Helper()
	defer goleak.VerifyNone(t)
	synctest.Test(t, func(t *testing.T) {
		m, err := actors.Open(actors.Options{
			Store: store, App: actors.App{APIID: 1, APIHash: "h", DeviceModel: "test", SystemVersion: "1", AppVersion: "1"},
			DCs: dc.Table{Options: []dc.Option{{DC: 2, Addr: netip.MustParseAddrPort("127.0.0.1:1")}}, Keys: dc.Production().Keys},
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"a", "b"} {
			if _, err := m.Account(id); err == nil {
				continue // of an earlier run
			}
			if _, err := m.Add(t.Context(), id, actors.AccountOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait() // their states are told
		network := &memory{conns: make(chan net.Conn), done: make(chan struct{})}
		s := &target{t: t, begun: time.Now(), secret: secret(t, vectorSecret), answer: answer}
		server := &http.Server{Handler: s}
		go func() { _ = server.Serve(network) }()
		o.Manager, o.Name, o.Secrets, o.Dial = m, "crm", []Secret{s.secret}, network.dial
		h, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- h.Run(t.Context()) }()
		synctest.Wait()
		do(t, m, h, s, func(id string, n int) {
			a, err := m.Account(id)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := a.Label(t.Context(), map[string]string{"n": fmt.Sprint(n)}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		})
		if err := m.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Errorf("the hook ended with %v", err)
		}
		_ = server.Close()
		_ = network.Close()
	})
}

func labels(all []got, account string) string {
	var out []string
	for _, g := range all {
		if g.account == account {
			out = append(out, g.label)
		}
	}
	return strings.Join(out, " ")
}

// TestATargetInTroubleGetsEverythingLater: a message is sent again with the same
// id after a pause that grows, others of its account wait, and those of another
// account do not.
func TestATargetInTroubleGetsEverythingLater(t *testing.T) {
	play(t, func(n int, g got, w http.ResponseWriter) {
		if g.account == "a" && g.label == "1" && time.Duration(n) < 9 {
			w.WriteHeader(http.StatusBadGateway)
		}
	}, func(t *testing.T, m *actors.Manager, h *Hook, s *target, label func(string, int)) {
		label("a", 1)
		label("b", 1)
		label("b", 2)
		if got := labels(s.received(), "b"); got != " 1 2" {
			t.Errorf("b's messages so far: %q", got)
		}
		if st := h.Status(); st.Failures == 0 && st.LastError == "" && st.Sent == 0 {
			t.Errorf("the status is %+v", st)
		}
		time.Sleep(time.Hour)
		label("a", 2)
		synctest.Wait()
		all := s.received()
		var tries []got
		for _, g := range all {
			if g.account == "a" && g.label == "1" {
				tries = append(tries, g)
			}
		}
		if got := labels(all, "a"); !strings.HasSuffix(got, "1 2") || len(tries) < 4 {
			t.Fatalf("a's messages: %q", got)
		}
		for i := 1; i < len(tries); i++ {
			pause, most := tries[i].at-tries[i-1].at, time.Second<<(i-1)
			if pause > most || pause < most/2 || tries[i].id != tries[0].id {
				t.Errorf("attempt %d comes after %v, at most %v is right, with id %s after %s", i+1, pause, most, tries[i].id, tries[0].id)
			}
		}
		if st := h.Status(); st.Failures != 0 || st.LastError != "" || st.Sent != 6 {
			t.Errorf("the status is %+v", st)
		}
	})
}

func TestRetryAfterIsObeyed(t *testing.T) {
	play(t, func(n int, g got, w http.ResponseWriter) {
		if n == 2 {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	}, func(t *testing.T, m *actors.Manager, h *Hook, s *target, label func(string, int)) {
		label("a", 1)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		all := s.received()
		if len(all) != 4 || all[3].at-all[2].at != time.Hour {
			t.Errorf("received: %+v", all)
		}
	})
}

// TestWhatATargetRefusesIsPutAside: a dead letter holds nobody up, is seen, and can
// be sent again.
func TestWhatATargetRefusesIsPutAside(t *testing.T) {
	refuse := true
	play(t, func(n int, g got, w http.ResponseWriter) {
		if refuse && g.label == "1" {
			w.WriteHeader(http.StatusUnprocessableEntity)
		}
	}, func(t *testing.T, m *actors.Manager, h *Hook, s *target, label func(string, int)) {
		label("a", 1)
		label("a", 2)
		time.Sleep(time.Hour)
		synctest.Wait()
		all := s.received()
		if got := labels(all, "a"); got != " 1 1 1 1 1 1 2" {
			t.Errorf("a's messages: %q", got)
		}
		letters, err := m.DeadLetters("webhook.crm")
		if err != nil || len(letters) != 1 || letters[0].Attempts != rejectMost || letters[0].Account != "a" || !strings.Contains(letters[0].Why, "422") {
			t.Fatalf("dead letters: %+v, %v", letters, err)
		}
		if _, err := h.Retry(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "422") {
			t.Errorf("sent again: %v", err)
		}
		s.mu.Lock()
		refuse = false
		s.mu.Unlock()
		if _, err := h.Retry(t.Context(), "nothing"); err == nil {
			t.Error("a letter that is not there was sent")
		}
		if n, err := h.Retry(t.Context(), letters[0].ID); n != 1 || err != nil {
			t.Errorf("%d letters were sent again, %v", n, err)
		}
		again := s.received()
		if last := again[len(again)-1]; last.label != "1" || last.id != all[2].id {
			t.Errorf("sent again as %+v", last)
		}
		if letters, err := m.DeadLetters("webhook.crm"); err != nil || len(letters) != 0 {
			t.Errorf("dead letters: %+v, %v", letters, err)
		}
	})
}

func TestATargetThatIsGoneIsLeftAlone(t *testing.T) {
	gone := true
	play(t, func(n int, g got, w http.ResponseWriter) {
		if n >= 2 && gone {
			w.WriteHeader(http.StatusGone)
		}
	}, func(t *testing.T, m *actors.Manager, h *Hook, s *target, label func(string, int)) {
		label("a", 1)
		label("a", 2)
		time.Sleep(48 * time.Hour)
		synctest.Wait()
		if all := s.received(); len(all) != 3 || !h.Status().Disabled {
			t.Errorf("received: %+v, status %+v", all, h.Status())
		}
		label("b", 1)
		if all := s.received(); len(all) != 3 {
			t.Errorf("another account's message is sent too: %+v", all)
		}
		resume(t, h) // it still wants none, and says so once in each lane
		time.Sleep(48 * time.Hour)
		synctest.Wait()
		if all := s.received(); len(all) < 4 || len(all) > 5 || !h.Status().Disabled {
			t.Errorf("received: %+v, status %+v", all, h.Status())
		}
		s.mu.Lock()
		gone = false
		s.mu.Unlock()
		resume(t, h)
		time.Sleep(time.Minute)
		synctest.Wait()
		all := s.received()
		if got := labels(all, "a"); !strings.HasSuffix(got, " 1 1 2") || !strings.HasSuffix(labels(all, "b"), " 1") || h.Status().Disabled {
			t.Errorf("a's messages: %q, status %+v", got, h.Status())
		}
	})
}

// A word to go on that was said when nothing was ended does not undo an end that
// comes later.
func TestResumeIsNotRemembered(t *testing.T) {
	play(t, func(n int, g got, w http.ResponseWriter) {
		if n >= 2 {
			w.WriteHeader(http.StatusGone)
		}
	}, func(t *testing.T, m *actors.Manager, h *Hook, s *target, label func(string, int)) {
		resume(t, h)
		label("a", 1)
		time.Sleep(48 * time.Hour)
		synctest.Wait()
		if all := s.received(); len(all) != 3 || !h.Status().Disabled {
			t.Errorf("%d messages are received, status %+v", len(all), h.Status())
		}
	})
}

// TestEachLetterIsKeptAndNoneHoldsTheOthers: present states, which have no cursor, are
// letters of their own, and a letter that can never be sent is passed over.
func TestEachLetterIsKeptAndNoneHoldsTheOthers(t *testing.T) {
	refuse := map[string]bool{"a": true, "b": true}
	play(t, func(n int, g got, w http.ResponseWriter) {
		if refuse[g.account] {
			w.WriteHeader(http.StatusUnprocessableEntity)
		}
	}, func(t *testing.T, m *actors.Manager, h *Hook, s *target, label func(string, int)) {
		time.Sleep(time.Hour)
		synctest.Wait()
		letters, err := m.DeadLetters("webhook.crm")
		if err != nil || len(letters) != 2 || h.Status().Dead != 2 {
			t.Fatalf("dead letters: %+v, %v, status %+v", letters, err, h.Status())
		}
		c, err := m.Consumer(t.Context(), actors.ConsumerOptions{Name: "webhook.crm"})
		if err != nil {
			t.Fatal(err)
		}
		large := actors.DeadLetter{ID: "large", Account: "a", At: letters[0].At.Add(-time.Hour)}
		if err := c.PutAside(t.Context(), large); err != nil {
			t.Fatal(err)
		}
		s.mu.Lock()
		refuse[letters[1].Account] = false
		s.mu.Unlock()
		if n, err := h.Retry(t.Context(), ""); n != 1 || err == nil || !strings.Contains(err.Error(), "too large") {
			t.Errorf("%d letters are sent, %v", n, err)
		}
		left, err := m.DeadLetters("webhook.crm")
		if err != nil || len(left) != 2 || left[0].ID != "large" || left[1].ID != letters[0].ID {
			t.Errorf("left: %+v, %v", left, err)
		}
	})
}

// What is done behind a message that is tried for long is not kept, and is
// acknowledged with it.
func TestOneMessageInTroubleKeepsNoOthers(t *testing.T) {
	var acked []actors.Cursor
	w := window{ack: func(c actors.Cursor) error { acked = append(acked, c); return nil }}
	present, slow := &message{}, &message{cursor: actors.Cursor{Run: 1, N: 1}}
	w.add(present)
	w.add(slow)
	if w.finish(present); len(acked) != 0 {
		t.Errorf("acknowledged %v before anything that can be", acked)
	}
	for n := uint64(2); n <= 1000; n++ {
		m := &message{cursor: actors.Cursor{Run: 1, N: n}}
		w.add(m)
		if n < 1000 {
			w.finish(m)
		}
	}
	if len(w.all) != 2 || len(acked) != 0 {
		t.Errorf("%d messages are kept while two are under way, acknowledged %v", len(w.all), acked)
	}
	last := w.all[1]
	w.finish(slow)
	w.finish(last)
	if len(acked) != 2 || acked[0].N != 999 || acked[1].N != 1000 || len(w.all) != 0 {
		t.Errorf("acknowledged %v, %d messages are left", acked, len(w.all))
	}
}

// A day is long enough: what a target in trouble was not given is put aside then.
func TestATargetInTroubleForADayIsGivenUp(t *testing.T) {
	play(t, func(n int, g got, w http.ResponseWriter) {
		if g.account == "b" && g.label == "1" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}, func(t *testing.T, m *actors.Manager, h *Hook, s *target, label func(string, int)) {
		label("b", 1)
		label("b", 2)
		time.Sleep(giveUpAfter + time.Hour)
		synctest.Wait()
		letters, err := m.DeadLetters("webhook.crm")
		if err != nil || len(letters) != 1 || letters[0].Attempts < 250 {
			t.Errorf("dead letters: %d, %v", len(letters), err)
		}
		if got := labels(s.received(), "b"); !strings.HasSuffix(got, "1 2") {
			t.Errorf("b's messages end with %q", got[len(got)-3:])
		}
	})
}

// A name that leads elsewhere is refused at the dial, whatever it was when it was
// checked; and nothing is sent where a redirect leads.
func TestHTTPReachesALoopbackAddressAlone(t *testing.T) {
	h := &Hook{o: Options{}}
	h.o.Secrets = []Secret{secret(t, vectorSecret)}
	var err error
	if h.target, err = h.target.Parse("http://192.0.2.1:9/"); err != nil {
		t.Fatal(err)
	}
	h.http = newClient(h.target, time.Second, nil)
	if v := h.post(t.Context(), &message{id: "m"}); v.taken || !strings.Contains(v.why, ErrNotLoopback.Error()) {
		t.Errorf("%+v", v)
	}
}
