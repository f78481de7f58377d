package webhook

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/persistence"
)

func resume(t *testing.T, h *Hook) {
	t.Helper()
	if err := h.Resume(t.Context()); err != nil {
		t.Errorf("the hook does not go on: %v", err)
	}
}

const hookURL = "http://127.0.0.1/hook"

func gone(_ int, _ got, w http.ResponseWriter) { w.WriteHeader(http.StatusGone) }

// endedByItsTarget leaves a store in which the target of hookURL was gone.
func endedByItsTarget(t *testing.T) persistence.Store {
	t.Helper()
	store := persistence.NewMemory()
	playOn(t, store, Options{URL: hookURL}, gone, func(t *testing.T, m *actors.Manager, h *Hook, s *target, label func(string, int)) {
		label("a", 1)
		if !h.Status().Disabled {
			t.Fatalf("the status is %+v", h.Status())
		}
	})
	return store
}

// stopOf is what the manager tells of the hook's consumer.
func stopOf(t *testing.T, m *actors.Manager) *actors.ConsumerStop {
	t.Helper()
	all := m.Consumers()
	if len(all) != 1 || all[0].Name != "webhook.crm" {
		t.Fatalf("the consumers are %+v", all)
	}
	return all[0].Stopped
}

func TestATargetThatWasGoneIsLeftAloneAfterARestart(t *testing.T) {
	store := endedByItsTarget(t)
	for range 2 {
		var log bytes.Buffer
		o := Options{URL: hookURL, Logger: slog.New(slog.NewTextHandler(&log, nil))}
		playOn(t, store, o, nil, func(t *testing.T, m *actors.Manager, h *Hook, s *target, label func(string, int)) {
			label("a", 2)
			time.Sleep(48 * time.Hour)
			synctest.Wait()
			if all := s.received(); len(all) != 0 {
				t.Errorf("it is sent %+v", all)
			}
			if st := h.Status(); !st.Disabled || !strings.Contains(st.LastError, "410") {
				t.Errorf("the status is %+v", st)
			}
			if stop := stopOf(t, m); stop == nil || stop.At.IsZero() || !strings.Contains(stop.Why, "410") {
				t.Errorf("its consumer is told as stopped by %+v", stop)
			}
		})
		if text := log.String(); strings.Count(text, "410 Gone") != 1 || !strings.Contains(text, "manager webhooks retry crm") || strings.Contains(text, "/hook") {
			t.Errorf("the log says:\n%s", text)
		}
	}
}

func TestAWebhookGoesOnAfterARestartWhenItHasAnotherURL(t *testing.T) {
	store := endedByItsTarget(t)
	for _, url := range []string{hookURL + "/2", hookURL} { // the second time nothing is kept of the first target
		playOn(t, store, Options{URL: url}, nil, func(t *testing.T, m *actors.Manager, h *Hook, s *target, label func(string, int)) {
			label("b", 1)
			if len(s.received()) == 0 || h.Status().Disabled || stopOf(t, m) != nil {
				t.Errorf("%s: it is sent %+v, status %+v, stopped by %+v", url, s.received(), h.Status(), stopOf(t, m))
			}
		})
	}
}

func TestAWebhookThatIsRetriedGoesOnAfterARestartToo(t *testing.T) {
	store := endedByItsTarget(t)
	playOn(t, store, Options{URL: hookURL}, nil, func(t *testing.T, m *actors.Manager, h *Hook, s *target, label func(string, int)) {
		if _, err := h.Retry(t.Context(), ""); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if len(s.received()) == 0 || stopOf(t, m) != nil {
			t.Errorf("it is sent %+v, stopped by %+v", s.received(), stopOf(t, m))
		}
	})
	playOn(t, store, Options{URL: hookURL}, nil, func(t *testing.T, m *actors.Manager, h *Hook, s *target, label func(string, int)) {
		if len(s.received()) == 0 || h.Status().Disabled {
			t.Errorf("it is sent %+v, status %+v", s.received(), h.Status())
		}
	})
}

func TestAConsumerThatIsRemovedTakesItsStopAlong(t *testing.T) {
	store := endedByItsTarget(t)
	playOn(t, store, Options{URL: hookURL + "/2"}, gone, func(t *testing.T, m *actors.Manager, h *Hook, s *target, label func(string, int)) {
		label("a", 2)
		if stopOf(t, m) == nil {
			t.Error("the second target was gone, and nothing is kept of it")
		}
		name := "other"
		if _, err := m.Consumer(t.Context(), actors.ConsumerOptions{Name: name}); err != nil {
			t.Fatal(err)
		}
		if err := m.StopConsumer(t.Context(), name, actors.ConsumerStop{At: time.Now(), Why: "gone"}); err != nil {
			t.Fatal(err)
		}
		if err := m.RemoveConsumer(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		c, err := m.Consumer(t.Context(), actors.ConsumerOptions{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		if s, stopped := c.Stopped(); stopped {
			t.Errorf("a new consumer of that name is stopped by %+v", s)
		}
		if err := m.RemoveConsumer(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		var none *actors.NoConsumerError
		if err := m.StopConsumer(t.Context(), name, actors.ConsumerStop{}); !errors.As(err, &none) {
			t.Errorf("a consumer that is not there is stopped: %v", err)
		}
		if err := m.ResumeConsumer(t.Context(), name); !errors.As(err, &none) {
			t.Errorf("a consumer that is not there goes on: %v", err)
		}
	})
	for _, rec := range load(t, store) {
		if name, is := persistence.StoppedConsumer(rec.Key); is && name != "webhook.crm" {
			t.Errorf("the store keeps the stop of %s", name)
		}
	}
}

func load(t *testing.T, store persistence.Store) []persistence.Record {
	t.Helper()
	records, err := store.Load(persistence.FleetID)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// refusing is a store that takes no stops, or no ends of them.
type refusing struct {
	persistence.Store
	stops, resumes atomic.Bool
}

var errRefused = errors.New("the disk is full")

func (r *refusing) Commit(c persistence.Commit) error {
	for _, key := range c.Delete {
		if _, is := persistence.StoppedConsumer(key); is && r.resumes.Load() {
			return errRefused
		}
	}
	for _, rec := range c.Put {
		if _, is := persistence.StoppedConsumer(rec.Key); is && r.stops.Load() {
			return errRefused
		}
	}
	return r.Store.Commit(c)
}

// While the store refuses, what was told holds in this run, is said, and is not undone
// by halves.
func TestAStoreThatRefusesChangesNothingOfWhatTheTargetSaid(t *testing.T) {
	store := &refusing{Store: persistence.NewMemory()}
	var log bytes.Buffer
	o := Options{URL: hookURL, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	playOn(t, store, o, gone, func(t *testing.T, m *actors.Manager, h *Hook, s *target, label func(string, int)) {
		if stopOf(t, m) == nil {
			t.Fatal("nothing is kept of a target that is gone")
		}
		store.resumes.Store(true)
		before := len(s.received())
		if _, err := h.Retry(context.WithoutCancel(t.Context()), ""); !errors.Is(err, errRefused) {
			t.Errorf("it is sent again though that cannot be kept: %v", err)
		}
		synctest.Wait()
		if !h.Status().Disabled || stopOf(t, m) == nil || len(s.received()) != before {
			t.Errorf("it is sent %+v, status %+v", s.received(), h.Status())
		}
		store.resumes.Store(false)
		store.stops.Store(true)
		resume(t, h)
		synctest.Wait()
		if !h.Status().Disabled || stopOf(t, m) != nil || !strings.Contains(log.String(), "cannot be kept") {
			t.Errorf("status %+v, stopped by %+v, the log says:\n%s", h.Status(), stopOf(t, m), log.String())
		}
	})
	store.stops.Store(false)
	playOn(t, store, Options{URL: hookURL}, gone, func(t *testing.T, m *actors.Manager, h *Hook, s *target, label func(string, int)) {
		if len(s.received()) == 0 || stopOf(t, m) == nil {
			t.Errorf("it is asked anew and received %+v, stopped by %+v", s.received(), stopOf(t, m))
		}
	})
}
