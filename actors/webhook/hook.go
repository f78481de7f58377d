package webhook

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/mtfleet/mtfleet/actors"
)

const (
	// lanes is how many messages are under way at once: an account's go one after
	// the other in one of them.
	lanes = 8
	// laneMost bounds what waits in a lane: 8 x 32 events of what the consumer holds
	// anyway. When one is full no more is read.
	laneMost = 32
	// timeout bounds one attempt, as Standard Webhooks asks: 15 to 30 s.
	timeout = 20 * time.Second
	// giveUpAfter is how long a message is tried while the target does not answer
	// or is in trouble (5xx, 408, 425, 429). Others of its lane wait; then it is a dead
	// letter.
	giveUpAfter = 24 * time.Hour
	// rejectMost is how often a message is tried that the target refuses (any other
	// answer): over half a minute, for a receiver that is being deployed.
	rejectMost = 6
	// A pause before another attempt is drawn from [d/2, d]: d is 1 s, doubling to
	// 5 min.
	firstPause = time.Second
	mostPause  = 5 * time.Minute
)

// Options is what a Hook is made of. Manager, Name, URL and Secrets are needed.
type Options struct {
	Manager *actors.Manager
	// Name is 1 to 32 characters of [a-z0-9._-]; its consumer is "webhook.NAME".
	Name string
	// URL is where messages are posted: https, or http to a loopback address.
	URL string
	// Secrets sign messages, each of them: one, or two while one is replaced.
	Secrets []Secret
	// Filter is which events are sent.
	Filter actors.Filter
	// Raw has updates, users and chats as base64.
	Raw bool
	// Logger is told what an operator should know; nil is silence.
	Logger *slog.Logger
	// Dial makes connections in place of a net.Dialer, in tests: nobody checks where
	// they go.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// ConsumerPrefix begins the names of the consumers of hooks.
const ConsumerPrefix = "webhook."

// Hook sends messages to one target.
type Hook struct {
	o      Options
	target *url.URL
	http   *http.Client

	turning sync.Mutex // held while the hook is disabled or resumed, on disk and here

	mu      sync.Mutex // guards the following fields
	status  Status
	failed  time.Time     // when the log last said so
	resumed chan struct{} // closed by Resume; nil unless the hook is disabled
}

// Status is what is known of a hook at one moment.
type Status struct {
	Name string `json:"name"`
	// Host is that of the target; the rest of its URL may be a secret.
	Host string `json:"host"`
	// Disabled: the target answered 410 Gone, in this run or an earlier one. Nothing is
	// sent before Resume, or before the hook has another URL.
	Disabled bool `json:"disabled,omitempty"`
	// Sent and Dead count messages of this process, taken and put aside.
	Sent uint64 `json:"sent"`
	Dead uint64 `json:"dead"`
	// LastSent is when the last was taken.
	LastSent time.Time `json:"last_sent,omitzero"`
	// Failures counts attempts since the last message that was taken; LastError is
	// what became of the last of them.
	Failures  int    `json:"failures,omitempty"`
	LastError string `json:"last_error,omitempty"`
}

// New makes a hook. Nothing is registered or sent before Run.
func New(o Options) (*Hook, error) {
	if o.Manager == nil || o.Name == "" {
		return nil, errors.New("webhook: Options.Manager and Name are needed")
	}
	if err := CheckURL(o.URL); err != nil {
		return nil, err
	}
	if len(o.Secrets) == 0 {
		return nil, errors.New("a webhook needs a secret to sign with")
	}
	if err := o.Filter.Check(); err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	target, err := url.Parse(o.URL)
	if err != nil {
		return nil, err
	}
	return &Hook{
		o: o, target: target, http: newClient(target, timeout, o.Dial),
		status: Status{Name: o.Name, Host: target.Host},
	}, nil
}

// Status returns what is known of the hook now. It does not block.
func (h *Hook) Status() Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.status
}

// Run registers the hook's consumer and sends until ctx ends or the manager is
// closed; then it returns nil. Another error says that the consumer was removed, is
// read by somebody else, or cannot be registered, or that the store refuses to forget
// that the target of another URL was gone.
func (h *Hook) Run(ctx context.Context) error {
	c, err := h.o.Manager.Consumer(ctx, actors.ConsumerOptions{Name: ConsumerPrefix + h.o.Name, Filter: &h.o.Filter})
	if err != nil {
		return err
	}
	if err := h.begin(ctx, c); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer h.http.CloseIdleConnections()
	w := &window{ack: c.Ack}
	var all sync.WaitGroup
	var queues [lanes]chan *message
	for i := range queues {
		queues[i] = make(chan *message, laneMost)
		all.Go(func() { h.lane(ctx, c, w, queues[i]) })
	}
	defer func() {
		stop()
		for _, q := range queues {
			close(q)
		}
		all.Wait()
	}()
	for ev, err := range c.Events(ctx) {
		if err != nil {
			return err
		}
		m, err := h.message(&ev)
		if err != nil {
			return err
		}
		w.add(m)
		select {
		case queues[laneOf(ev.Account)] <- m:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

func laneOf(account string) int {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(account))
	return int(sum.Sum32() % lanes)
}

// message is one event on its way.
type message struct {
	id      string
	account string
	cursor  actors.Cursor // zero for a present state, which needs no acknowledgement
	before  actors.Cursor // of the message before it
	body    []byte
}

// body is a message as Standard Webhooks has it.
type body struct {
	Type      string           `json:"type"`
	Timestamp time.Time        `json:"timestamp"`
	Data      actors.EventJSON `json:"data"`
}

func (h *Hook) message(ev *actors.Event) (*message, error) {
	text, err := json.Marshal(body{"account." + ev.Kind.String(), ev.At, actors.NewEventJSON(*ev, h.o.Raw)})
	if err != nil {
		return nil, fmt.Errorf("webhook: %w", err)
	}
	return &message{id: idOf(ev), account: ev.Account, cursor: ev.Cursor, body: text}, nil
}

// idPrefix begins a message's id as Standard Webhooks writes it.
const idPrefix = "msg_"

// idOf is the same for an update that comes again after a crash as it came before,
// so that a receiver can tell: one that counts goes by its place and its bytes, which
// differ where it was pushed and then comes out of a difference. Anything else goes
// by its cursor, or its time.
func idOf(ev *actors.Event) string {
	sum := sha256.New()
	if ev.Kind == actors.EventUpdate && ev.Box != (actors.Box{}) {
		fmt.Fprintf(sum, "%s %v %d %x", ev.Account, ev.Box, ev.Pts, ev.Update)
	} else {
		fmt.Fprintf(sum, "%s %v %v %d", ev.Account, ev.Kind, ev.Cursor, ev.At.UnixNano())
	}
	return idPrefix + hex.EncodeToString(sum.Sum(nil)[:16])
}

// window acknowledges in order what is done in any. It holds what is under way,
// which the lanes bound, however much is done behind a message that is not.
type window struct {
	ack func(actors.Cursor) error

	mu   sync.Mutex // guards the following fields, and before of their messages
	last actors.Cursor
	all  []*message // in order
}

func (w *window) add(m *message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m.before = w.last
	if !m.cursor.IsZero() {
		w.last = m.cursor
	}
	w.all = append(w.all, m)
}

func (w *window) finish(m *message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.Index(w.all, m)
	if w.all = slices.Delete(w.all, i, i+1); i > 0 {
		return
	}
	upTo := w.last
	if len(w.all) > 0 {
		upTo = w.all[0].before
	}
	if !upTo.IsZero() {
		_ = w.ack(upTo) // refused only when the consumer is gone, which ends Run
	}
}

// lane sends the messages of its accounts one after the other.
func (h *Hook) lane(ctx context.Context, c *actors.Consumer, w *window, queue <-chan *message) {
	for m := range queue {
		if ctx.Err() == nil && h.send(ctx, c, m) {
			w.finish(m)
		}
	}
}

// send tries until the message was taken or put aside; it reports whether either.
func (h *Hook) send(ctx context.Context, c *actors.Consumer, m *message) bool {
	pauses := backoff.ExponentialBackOff{
		InitialInterval: firstPause, Multiplier: 2, MaxInterval: mostPause, MaxElapsedTime: 0, Stop: backoff.Stop, Clock: backoff.SystemClock,
	}
	pauses.Reset()
	begun := time.Now()
	rejected := 0
	for attempts := 1; ; attempts++ {
		ready := time.Now()
		if !h.enabled(ctx) {
			return false
		}
		begun = begun.Add(time.Since(ready)) // what the hook waits is no message's time
		v := h.post(ctx, m)
		if ctx.Err() != nil {
			return false
		}
		h.note(ctx, v)
		if v.taken {
			return true
		}
		if v.gone {
			continue
		}
		if v.reject {
			rejected++
		}
		d := pauses.NextBackOff()
		d = max(d/2+rand.N(d/2+1), v.wait)
		if rejected >= rejectMost || time.Since(begun)+d > giveUpAfter {
			if h.bury(ctx, c, m, attempts, v.why) {
				return true
			}
		}
		if !sleep(ctx, d) {
			return false
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// bury puts a message aside, durably. Where the store refuses, it is tried on.
func (h *Hook) bury(ctx context.Context, c *actors.Consumer, m *message, attempts int, why string) bool {
	err := c.PutAside(ctx, actors.DeadLetter{ID: m.letterID(), At: time.Now(), Account: m.account, Why: why, Attempts: attempts, Body: m.letter()})
	if err != nil {
		h.o.Logger.Error("a webhook's message can be neither sent nor kept", "webhook", h.o.Name, "err", err)
		return false
	}
	h.mu.Lock()
	h.status.Dead++
	h.mu.Unlock()
	h.o.Logger.Warn("a webhook's message is given up", "webhook", h.o.Name, "account", m.account, "attempts", attempts, "why", why,
		"advice", "look with `manager webhooks dead "+h.o.Name+"`, send it again with `manager webhooks retry`")
	return true
}

// letterID goes by the message's id: a present state has no cursor, and a message that
// comes again after a crash is the same letter.
func (m *message) letterID() string { return m.id[len(idPrefix):][:16] }

// letter is the message as a dead letter keeps it, with its id.
func (m *message) letter() []byte { return append([]byte(m.id+"\n"), m.body...) }

// Letter is the id and the body of a message that was put aside; empty where it was
// too large to keep.
func Letter(l actors.DeadLetter) (id string, text []byte) {
	head, text, _ := bytes.Cut(l.Body, []byte("\n"))
	return string(head), text
}

// remindAfter is how often the log says that a target is in trouble.
const remindAfter = 10 * time.Minute

// note keeps the status, and tells the log when a target begins to fail, goes on to,
// and is well again.
func (h *Hook) note(ctx context.Context, v verdict) {
	if v.gone {
		h.disable(ctx, v.why)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	switch {
	case v.taken:
		if h.status.Failures > 0 && !h.failed.IsZero() {
			h.o.Logger.Info("a webhook's target takes messages again", "webhook", h.o.Name)
		}
		h.status.Sent++
		h.status.LastSent, h.status.Failures, h.status.LastError, h.failed = now, 0, "", time.Time{}
		return
	case v.gone: // told
	case now.Sub(h.failed) >= remindAfter:
		h.failed = now
		h.o.Logger.Warn("a webhook's target does not take messages; they are tried again", "webhook", h.o.Name, "why", v.why)
	}
	h.status.Failures++
	h.status.LastError = v.why
}

// Retry sends dead letters again, the one of that id or all, and deletes those that
// are taken. It returns how many were. What the target refuses, or what was too large
// to keep, is passed over and is the error in the end; anything else ends it at once. A
// hook that its target disabled is resumed first.
func (h *Hook) Retry(ctx context.Context, id string) (sent int, err error) {
	if err := h.Resume(ctx); err != nil {
		return 0, err
	}
	letters, err := h.o.Manager.DeadLetters(ConsumerPrefix + h.o.Name)
	if err != nil {
		return 0, err
	}
	if id != "" {
		letters = slices.DeleteFunc(letters, func(l actors.DeadLetter) bool { return l.ID != id })
		if len(letters) == 0 {
			return 0, fmt.Errorf("webhook %s has no dead letter %q", h.o.Name, id)
		}
	}
	var passed error
	for _, l := range letters {
		reject, err := h.resend(ctx, l)
		switch {
		case err == nil:
			sent++
		case !reject:
			return sent, err
		default:
			passed = cmp.Or(passed, err)
		}
	}
	return sent, passed
}

// resend sends one dead letter and deletes it when it is taken. reject: the error is
// of this one, not of the target.
func (h *Hook) resend(ctx context.Context, l actors.DeadLetter) (reject bool, err error) {
	if len(l.Body) == 0 {
		return true, fmt.Errorf("the message of dead letter %s was too large to keep", l.ID)
	}
	id, text := Letter(l)
	v := h.post(ctx, &message{id: id, body: text})
	if h.note(ctx, v); !v.taken {
		return v.reject, fmt.Errorf("dead letter %s: %s", l.ID, v.why)
	}
	return false, h.o.Manager.DeleteDeadLetter(ctx, ConsumerPrefix+h.o.Name, l.ID)
}
