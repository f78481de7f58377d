package control

import (
	"context"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/webhook"
)

// WebhookRequest names a webhook.
type WebhookRequest struct {
	Name string `json:"name"`
}

// RetryRequest names a webhook and a dead letter; without an id it is all of them.
type RetryRequest struct {
	Name string `json:"name"`
	ID   string `json:"id,omitempty"`
}

// RetryResult says how many dead letters were taken.
type RetryResult struct {
	Sent int `json:"sent"`
}

// WebhookList is all webhooks by name.
type WebhookList struct {
	Webhooks []Webhook `json:"webhooks"`
}

// Webhook is what is known of one.
type Webhook struct {
	webhook.Status
	// DeadLetters are kept, Lag waits to be sent.
	DeadLetters int `json:"dead_letters"`
	Lag         int `json:"lag"`
}

// DeadLetterList is what a webhook could not deliver, oldest first.
type DeadLetterList struct {
	DeadLetters []DeadLetter `json:"dead_letters"`
}

// DeadLetter is a message that was put aside.
type DeadLetter struct {
	ID       string    `json:"id"`
	At       time.Time `json:"at"`
	Account  string    `json:"account"`
	Why      string    `json:"why"`
	Attempts int       `json:"attempts"`
	// Body is the message as it was sent; empty if it was too large to keep.
	Body string `json:"body,omitempty"`
}

// webhook finds one.
func (l *Local) webhook(name string) (*webhook.Hook, error) {
	for _, h := range l.Hooks {
		if h.Status().Name == name {
			return h, nil
		}
	}
	return nil, &Error{Kind: KindNoConsumer, Message: "there is no webhook " + name + ": those in the configuration that are enabled run"}
}

// Webhooks carries out [Webhooks].
func (l *Local) Webhooks(context.Context, Empty) (WebhookList, error) {
	lag := map[string]int{}
	for _, c := range l.Manager.Consumers() {
		lag[c.Name] = c.Lag
	}
	list := WebhookList{Webhooks: []Webhook{}}
	for _, h := range l.Hooks {
		s := h.Status()
		letters, err := l.Manager.DeadLetters(webhook.ConsumerPrefix + s.Name)
		if err != nil {
			return WebhookList{}, Wrap(err)
		}
		list.Webhooks = append(list.Webhooks, Webhook{s, len(letters), lag[webhook.ConsumerPrefix+s.Name]})
	}
	return list, nil
}

// DeadLetters carries out [DeadLetters].
func (l *Local) DeadLetters(_ context.Context, r WebhookRequest) (DeadLetterList, error) {
	letters, err := l.Manager.DeadLetters(webhook.ConsumerPrefix + r.Name)
	if err != nil {
		return DeadLetterList{}, Wrap(err)
	}
	list := DeadLetterList{DeadLetters: []DeadLetter{}}
	for _, d := range letters {
		_, text := webhook.Letter(d)
		list.DeadLetters = append(list.DeadLetters, DeadLetter{d.ID, d.At.Truncate(time.Second), d.Account, actors.Plain(d.Why), d.Attempts, string(text)})
	}
	return list, nil
}

// RetryWebhook carries out [RetryWebhook].
func (l *Local) RetryWebhook(ctx context.Context, r RetryRequest) (RetryResult, error) {
	h, err := l.webhook(r.Name)
	if err != nil {
		return RetryResult{}, err
	}
	n, err := h.Retry(ctx, r.ID)
	if err != nil {
		return RetryResult{}, &Error{Kind: KindState, Message: actors.Plain(err.Error()), Err: err}
	}
	return RetryResult{n}, nil
}

var errNoWebhooks = &Error{Kind: KindState, Message: "no webhook is sent to: no manager runs; start one with `manager run`"}
