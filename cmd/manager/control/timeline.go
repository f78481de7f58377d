package control

import (
	"context"
	"errors"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/timeline"
	"github.com/mtfleet/mtfleet/persistence"
)

// AccountTimeline is what happened to an account, the oldest first.
type AccountTimeline struct {
	Account string           `json:"account"`
	Entries []timeline.Entry `json:"entries"`
}

func timelineOf(id string, list []timeline.Entry) AccountTimeline {
	if list == nil {
		list = []timeline.Entry{}
	}
	return AccountTimeline{Account: id, Entries: list}
}

// Timeline carries out [Timeline].
func (l *Local) Timeline(ctx context.Context, r AccountRequest) (AccountTimeline, error) {
	a, err := l.account(ctx, r.ID)
	if err != nil {
		return AccountTimeline{}, err
	}
	list, err := a.Timeline(ctx)
	if err != nil {
		return AccountTimeline{}, l.fail(ctx, a, err)
	}
	return timelineOf(r.ID, list), nil
}

// Timeline carries out [Timeline]: it reads what the store has, and connects nobody.
func (d *Direct) Timeline(_ context.Context, r AccountRequest) (AccountTimeline, error) {
	ok, _, err := d.has(r.ID)
	switch {
	case err != nil:
		return AccountTimeline{}, err
	case !ok:
		return AccountTimeline{}, Wrap(&actors.NoAccountError{ID: r.ID})
	}
	records, err := d.options.Store.Load(persistence.AccountID(r.ID))
	state, decodeErr := persistence.DecodeState(records)
	if err = errors.Join(err, decodeErr); err != nil && len(persistence.BadKeys(err)) == 0 {
		return AccountTimeline{}, Wrap(err)
	}
	return timelineOf(r.ID, timeline.Of(state.Meta)), nil
}
