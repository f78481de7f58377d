package api

import (
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// updatesSeq is the seq of every state: pushes here are ordered by pts alone and carry seq 0, which means "no seq".
const updatesSeq = 1

// stateAt is the update state of a user as of pts and qts.
func stateAt(pts, qts int32, at time.Time) tg.UpdatesState {
	return tg.UpdatesState{Pts: pts, Qts: qts, Date: int32(at.Unix()), Seq: updatesSeq}
}

// state is where a user stands now.
func (u *user) state(now time.Time) tg.UpdatesState { return stateAt(u.log.pts, u.qts, now) }

// getState answers updates.getState.
func (c *call) getState(*tg.UpdatesGetStateRequest) (*tg.UpdatesState, *Error) {
	s := c.user.state(c.req.Now)
	return &s, nil
}

// getDifference answers updates.getDifference: nothing new, all of it, a slice of it, or too long. Channels that moved
// since the date are named, their updates are asked for by updates.getChannelDifference.
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
	var m mentioned
	stopped := c.user.stoppedSince(q.Qts, &m)
	moved := c.movedSince(q.Date, &m)
	if q.Pts == l.pts && len(stopped)+len(moved) == 0 {
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
	for i := range entries {
		e := &entries[i]
		if e.kind == entryReadInbox && !tg.LayerHas(c.req.Layer, updateReadHistoryInboxID) {
			continue
		}
		e.mention(&m, c.user)
		if e.kind == entryMessage {
			messages = append(messages, e.message.append(nil, c.user))
		} else {
			other = append(other, e.appendUpdate(nil, c.user, skip))
		}
		skip = 0
	}
	if all {
		return &tg.UpdatesDifference{
			NewMessages: messages, OtherUpdates: slices.Concat(other, stopped, moved), Users: m.people(c.b, c.user), Chats: m.chats(c.b, c.user),
			State: c.user.state(now),
		}, nil
	}
	last := entries[len(entries)-1]
	return &tg.UpdatesDifferenceSlice{
		NewMessages: messages, OtherUpdates: other, Users: m.people(c.b, c.user), Chats: m.chats(c.b, c.user),
		IntermediateState: stateAt(last.pts, q.Qts, last.at),
	}, nil
}
