package control

import (
	"context"
	"errors"
	"net/http"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/timeline"
	"github.com/mtfleet/mtfleet/persistence"
)

// History is what happened to accounts.
type History interface {
	// Timeline tells what happened to an account last.
	Timeline(context.Context, AccountRequest) (Timeline, error)
}

// Timeline is what happened to an account, the oldest first.
type Timeline struct {
	Account string           `json:"account"`
	Entries []timeline.Entry `json:"entries"`
}

func timelineOf(id string, list []timeline.Entry) Timeline {
	if list == nil {
		list = []timeline.Entry{}
	}
	return Timeline{Account: id, Entries: list}
}

// Timeline implements History.
func (l *Local) Timeline(ctx context.Context, r AccountRequest) (Timeline, error) {
	a, err := l.account(ctx, r.ID)
	if err != nil {
		return Timeline{}, err
	}
	list, err := a.Timeline(ctx)
	if err != nil {
		return Timeline{}, l.fail(ctx, a, err)
	}
	return timelineOf(r.ID, list), nil
}

// Timeline implements History: it reads what the store has, and connects nobody.
func (d *Direct) Timeline(_ context.Context, r AccountRequest) (Timeline, error) {
	ok, _, err := d.has(r.ID)
	switch {
	case err != nil:
		return Timeline{}, err
	case !ok:
		return Timeline{}, Wrap(&actors.NoAccountError{ID: r.ID})
	}
	records, err := d.options.Store.Load(persistence.AccountID(r.ID))
	state, decodeErr := persistence.DecodeState(records)
	if err = errors.Join(err, decodeErr); err != nil && len(persistence.BadKeys(err)) == 0 {
		return Timeline{}, Wrap(err)
	}
	return timelineOf(r.ID, timeline.Of(state.Meta)), nil
}

// Timeline implements History.
func (r *Remote) Timeline(ctx context.Context, q AccountRequest) (Timeline, error) {
	return call[AccountRequest, Timeline](ctx, r, "Timeline", q)
}

func handleTimeline(mux *http.ServeMux, s History) { unary(mux, "Timeline", s.Timeline) }
