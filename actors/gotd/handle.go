package gotd

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"

	"github.com/gotd/td/tg"

	"github.com/mtfleet/mtfleet/actors"
)

// Handler is gotd's telegram.UpdateHandler, spelled out so that a program which
// needs no gotd client does not link one. A tg.UpdateDispatcher is one.
type Handler interface {
	Handle(ctx context.Context, u tg.UpdatesClass) error
}

// Handle gives an account's updates to a gotd handler until ctx ends or the
// manager is closed, one at a time and in order. It
// begins now, or as the options say: with actors.Replay it loses nothing that
// came between a sign-in and the call.
//
// What the handler fails at is skipped; [Pump] has a say in that, and tells of
// what is not an update. The error is ctx's, or actors.ErrClosed.
func Handle(ctx context.Context, account *actors.Account, h Handler, opts ...actors.StreamOption) error {
	return Pump{Handler: h}.Run(ctx, account, opts...)
}

// A Pump is what carries an account's updates to a gotd handler.
//
// Each update is one call with a *tg.Updates of one update and with the users
// and chats that the server sent along with it, so that a handler finds its
// entities. Those are shared by the updates of an envelope, and may be more
// than this one speaks of: they are read only. Date is the server's, Seq is 0.
// updatesTooLong and gaps never reach the handler: the account has asked for
// the difference before, and its updates come here as any other. A message that
// the server sent in its short form, without its author, comes as
// updateNewMessage with the author that was heard of before in this Run (of the
// last 4,096), or, for a bot, with the id alone, which is enough to answer.
//
// The handler is called on the goroutine of Run. While it works, the account
// goes on and up to 16,384 events wait for it (or 32 MiB); beyond those, events are lost, and
// one of the kind actors.EventMissed says how many. Who needs longer hands its
// work to goroutines of its own.
type Pump struct {
	// Handler gets the updates.
	Handler Handler

	// Failed, if set, decides after an error of the handler, or a *DecodeError
	// for an update that gotd cannot read. With nil the update is skipped, and
	// Run goes on; an error ends Run with that error. Not set, such updates are skipped
	// and Log is told.
	Failed func(ctx context.Context, ev actors.Event, err error) error

	// Event, if set, gets what is no update: a change of state, a notice about the
	// account's safety, and what a program that must not overlook anything needs
	// to know, actors.EventHole and actors.EventMissed, after which it reads anew
	// what it cares for. An error ends Run with that error.
	Event func(ctx context.Context, ev actors.Event) error

	// Consumer, if set, is where the updates come from: a durable consumer, which
	// acknowledges each update when the handler is done with it, or Failed has
	// said to go on. What a crash of either side leaves in between comes again,
	// with what the server delivered together with it: every update at least
	// once, and a channel's or the account's own in order. It brings the updates of all accounts that it
	// selects, and those of a handler that stopped; stream options do not apply.
	Consumer *actors.Consumer

	// Log is told of failures that nobody else is told of; nil is silence.
	Log *slog.Logger
}

// Run carries updates until ctx ends, the manager is closed, or Failed or Event say
// that it is over. Its options are those of actors.Account.Events. With a
// Consumer it ends as actors.Consumer.Events does, too.
func (p Pump) Run(ctx context.Context, account *actors.Account, opts ...actors.StreamOption) error {
	return p.carry(ctx, account, p.source(ctx, account, opts), nil)
}

// source opens the stream of events now.
func (p Pump) source(ctx context.Context, account *actors.Account, opts []actors.StreamOption) iter.Seq2[actors.Event, error] {
	if p.Consumer != nil {
		return p.Consumer.Events(ctx)
	}
	events := account.Events(ctx, opts...)
	return func(yield func(actors.Event, error) bool) {
		for ev := range events {
			if !yield(ev, nil) {
				return
			}
		}
	}
}

// carry hands events on, and tells of each when that is done.
func (p Pump) carry(ctx context.Context, account *actors.Account, events iter.Seq2[actors.Event, error], done func(actors.Cursor)) error {
	var r reader
	st := account.Status()
	r.people.heard(account.ID(), &st)
	for ev, err := range events {
		if err == nil {
			r.people.heard(ev.Account, ev.Status)
			err = p.take(ctx, &r, ev)
		}
		if err != nil {
			return err
		}
		if done != nil {
			done(ev.Cursor)
		}
		if p.Consumer != nil && !ev.Cursor.IsZero() {
			if err := p.Consumer.Ack(ev.Cursor); err != nil {
				return err
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return actors.ErrClosed
}

type eventKey struct{}

// EventOf is the event that a handler's context came with: which account it is
// of, its box and pts, its cursor.
func EventOf(ctx context.Context) (actors.Event, bool) {
	ev, ok := ctx.Value(eventKey{}).(*actors.Event)
	if !ok {
		return actors.Event{}, false
	}
	return *ev, true
}

// take hands one event on.
func (p Pump) take(ctx context.Context, r *reader, ev actors.Event) error {
	if ev.Kind != actors.EventUpdate {
		return p.other(ctx, ev)
	}
	updates, err := r.read(ev)
	if err == nil {
		err = p.Handler.Handle(context.WithValue(ctx, eventKey{}, &ev), updates)
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return err // the end, not a failure
	case p.Failed != nil:
		return p.Failed(ctx, ev, err)
	}
	p.warn(ctx, "an update was not handled", ev, slog.String("error", actors.Words(err)))
	return nil
}

func (p Pump) other(ctx context.Context, ev actors.Event) error {
	switch {
	case p.Event != nil:
		return p.Event(ctx, ev)
	case ev.Kind == actors.EventHole:
		p.warn(ctx, "updates will not come: read anew what they changed", ev, slog.String("places", fmt.Sprintf("%+v to %+v", ev.From, ev.To)))
	case ev.Kind == actors.EventMissed:
		p.warn(ctx, "the handler was too slow, and events are lost", ev, slog.Uint64("missed", ev.Missed))
	}
	return nil
}

func (p Pump) warn(ctx context.Context, what string, ev actors.Event, attrs ...slog.Attr) {
	if p.Log == nil {
		return
	}
	attrs = append([]slog.Attr{slog.String("account", ev.Account), slog.Uint64("event", ev.Seq)}, attrs...)
	p.Log.LogAttrs(ctx, slog.LevelWarn, what, attrs...)
}
