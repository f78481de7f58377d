package webhook

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/mtfleet/mtfleet/actors"
)

// This file is about a target that is gone: it answered 410, which is how Standard
// Webhooks lets a receiver unsubscribe. That holds over a restart, beside the consumer's
// record, for the URL that answered so.

// adviceGone is what an operator can do then.
func (h *Hook) adviceGone() string {
	return "`manager webhooks retry " + h.o.Name + "` sends again, and so does another url in the configuration; or remove it there, and its consumer with `manager consumers remove " +
		h.consumer() + "`"
}

func (h *Hook) consumer() string { return ConsumerPrefix + h.o.Name }

// targetID tells one URL from another without saying it: its path may be a secret.
func (h *Hook) targetID() string {
	sum := sha256.Sum256([]byte(h.o.URL))
	return hex.EncodeToString(sum[:16])
}

// begin takes over what an earlier run was told: that target still wants nothing, and
// another was not asked yet.
func (h *Hook) begin(ctx context.Context, c *actors.Consumer) error {
	h.turning.Lock()
	defer h.turning.Unlock()
	s, stopped := c.Stopped()
	if !stopped {
		return nil
	}
	if s.Target != h.targetID() {
		h.o.Logger.Info("a webhook that its target had ended has another target, and sends again", "webhook", h.o.Name)
		return h.resume(ctx)
	}
	if h.end(s.Why) {
		h.o.Logger.Warn("a webhook's target had answered that it wants no messages any more (410 Gone); nothing is sent", "webhook", h.o.Name,
			"since", s.At, "advice", h.adviceGone())
	}
	return nil
}

// disable ends the hook until Resume, durably.
func (h *Hook) disable(ctx context.Context, why string) {
	h.turning.Lock()
	defer h.turning.Unlock()
	if !h.end(why) {
		return // by a message that was under way with this one
	}
	h.o.Logger.Warn("a webhook's target wants no messages any more (410 Gone); nothing is sent", "webhook", h.o.Name, "advice", h.adviceGone())
	// It was said, though who asked may not wait any more.
	err := h.o.Manager.StopConsumer(context.WithoutCancel(ctx), h.consumer(), actors.ConsumerStop{At: time.Now(), Why: why, Target: h.targetID()})
	if err != nil && !noConsumer(err) {
		h.o.Logger.Error("that a webhook's target is gone cannot be kept: it is asked again after a restart", "webhook", h.o.Name, "err", err)
	}
}

// Resume lets a hook go on that the target disabled, durably; another does not remember
// it. It blocks until that is on disk; when the store refuses, the hook stays as it is.
func (h *Hook) Resume(ctx context.Context) error {
	h.turning.Lock()
	defer h.turning.Unlock()
	return h.resume(ctx)
}

func (h *Hook) resume(ctx context.Context) error {
	if err := h.o.Manager.ResumeConsumer(ctx, h.consumer()); err != nil && !noConsumer(err) {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.status.Disabled {
		h.status.Disabled = false
		close(h.resumed)
		h.resumed = nil
	}
	return nil
}

// noConsumer reports that the hook's consumer is not there: nothing is kept of it.
func noConsumer(err error) bool {
	return errors.As(err, new(*actors.NoConsumerError))
}

// end stops what is sent, and reports whether it was not stopped before.
func (h *Hook) end(why string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.status.Disabled {
		return false
	}
	h.status.Disabled, h.status.LastError, h.resumed = true, why, make(chan struct{})
	return true
}

// enabled waits until the hook is, and reports whether that was before ctx ended.
func (h *Hook) enabled(ctx context.Context) bool {
	h.mu.Lock()
	resumed := h.resumed
	h.mu.Unlock()
	if resumed == nil {
		return true
	}
	select {
	case <-resumed:
		return true
	case <-ctx.Done():
		return false
	}
}
