package api

import (
	"time"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// updatesSeq is the seq of every state: pushes here are ordered by pts alone and carry seq 0, which means "no seq".
const updatesSeq = 1

// state is the update state of a user as of pts.
func state(pts int32, at time.Time) tg.UpdatesState {
	return tg.UpdatesState{Pts: pts, Date: int32(at.Unix()), Seq: updatesSeq}
}

// getState answers updates.getState.
func (c *call) getState(*tg.UpdatesGetStateRequest) (*tg.UpdatesState, *Error) {
	s := state(c.user.log.pts, c.req.Now)
	return &s, nil
}

// getDifference answers updates.getDifference: nothing new, all of it, a slice of it, or too long.
func (c *call) getDifference(q *tg.UpdatesGetDifferenceRequest) (tg.AnyUpdatesDifference, *Error) {
	l, now := &c.user.log, c.req.Now
	switch {
	case q.Pts == 0:
		return nil, errPtsEmpty
	case q.Pts < 0 || q.Pts > l.pts:
		return nil, errPtsInvalid
	case q.Date == 0:
		return nil, errDateEmpty
	}
	if q.Pts == l.pts {
		return &tg.UpdatesDifferenceEmpty{Date: int32(now.Unix()), Seq: updatesSeq}, nil
	}
	total, limited := q.PtsTotalLimit.Get()
	if q.Pts < l.floor || (limited && total > 0 && l.pts-q.Pts > total) {
		return &tg.UpdatesDifferenceTooLong{Pts: l.pts}, nil
	}
	limit := c.b.cfg.DifferenceSlice
	if asked, ok := q.PtsLimit.Get(); ok && asked > 0 {
		limit = min(limit, int(asked))
	}
	entries, skip, all := l.slice(q.Pts, limit)
	var messages, other []tl.Raw
	var users []tg.AnyUser
	var service, own bool
	for i := range entries {
		switch e := &entries[i]; {
		case e.message == nil:
			other = append(other, e.appendUpdate(nil, skip))
		case e.service:
			messages, service = append(messages, e.message), true
		default:
			messages, own = append(messages, e.message), true
		}
		skip = 0
	}
	if service {
		users = append(users, serviceUser())
	}
	if own {
		users = append(users, c.user.self())
	}
	if all {
		return &tg.UpdatesDifference{NewMessages: messages, OtherUpdates: other, Users: users, State: state(l.pts, now)}, nil
	}
	last := entries[len(entries)-1]
	return &tg.UpdatesDifferenceSlice{
		NewMessages: messages, OtherUpdates: other, Users: users, IntermediateState: state(last.pts, last.at),
	}, nil
}
