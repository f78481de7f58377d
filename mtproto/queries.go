package mtproto

import (
	"slices"
	"time"
)

const (
	// maxBody is the largest body the server accepts in one message; above it, it closes the connection (mtcute refuses
	// the same).
	maxBody = 1_044_404
	// maxResendsPerMinute is how often the protocol may make us send one query again before something is done about it.
	maxResendsPerMinute = 3
	// askAfter is how long a query may be unanswered before its state is asked for; the pause doubles up to askAtMost.
	askAfter  = 10 * time.Second
	askAtMost = time.Minute
	// latestPacket is how long a packet may be on its way and still be taken: the server refuses a msg_id that is 300 s old
	// (https://core.telegram.org/mtproto/description#message-identifier-msg-id), and the clocks may differ by 30 s.
	latestPacket = 330 * time.Second
)

// queryPhase is where a pending query is.
type queryPhase uint8

const (
	// queryQueued: it waits to be sent under a new msg_id. The server has certainly not processed it and will not, or may
	// do so twice (Repeatable). It leaves for querySent when a packet takes it.
	queryQueued queryPhase = iota
	// querySent: a packet with it was handed out on the connection that is up. It leaves with its answer, for queryQueued
	// when rejected, for queryUnknown when the connection is lost. It stays when the server says that it was not received:
	// then it goes again under the same msg_id.
	querySent
	// queryUnknown: the connection on which it was sent is gone. It leaves with its answer, for querySent when the server
	// says that it was received, and when it was not and has been sent again.
	queryUnknown
)

// query is one pending API query.
type query struct {
	id    QueryID
	order uint64 // rises with each Send; the queue is sorted by it
	body  []byte // as given to Send, or packed

	msgID   msgID // its latest one, 0 if it was never sent
	prev    msgID // the one before it: its answer may still come
	carrier msgID // of the container that carried its latest copy, 0 if none did

	askAt        time.Time // when its state is asked for
	resentSince  time.Time // start of the minute in which resends are counted
	resends      uint8
	asks         uint8 // how often its state was asked for since it was sent
	policy       Policy
	phase        queryPhase
	withHeader   bool // under msgID it carries the header
	alone        bool // the server called a container with it invalid
	copied       bool // more than one packet has carried msgID
	acknowledged bool // the server said that it received msgID
	doubtful     bool // an earlier transmission may have been executed
}

// queryState holds the pending queries. Its map and slices are allocated when the first query comes and dropped after a
// burst.
type queryState struct {
	byID     map[QueryID]*query
	queue    []*query // queryQueued, in the order of Send
	orders   uint64
	copiedAt time.Time // when a Once query last went again under its msg_id, in this session
	inFlight int       // querySent and queryUnknown
	most     int       // queries pending at once since byID was made
}

// queryMapKeep is the size up to which an empty map is kept for the next query.
const queryMapKeep = 8

// add takes a new query and queues it.
func (s *queryState) add(q *query) {
	if s.byID == nil {
		s.byID = make(map[QueryID]*query)
	}
	s.orders++
	q.order = s.orders
	s.byID[q.id] = q
	s.most = max(s.most, len(s.byID))
	s.queue = append(s.queue, q)
}

// sent notes that the query at the front of the queue went out as id. The caller takes it off the queue with taken.
func (s *queryState) sent(q *query, now time.Time, id msgID, withHeader bool) {
	q.prev, q.msgID = q.msgID, id
	q.phase, q.withHeader, q.acknowledged = querySent, withHeader, false
	q.copied, q.carrier = false, 0
	q.asks, q.askAt = 0, now.Add(askAfter)
	s.inFlight++
}

// repeated notes that a copy of q, which is in flight, went out under its msg_id.
func (s *queryState) repeated(q *query, now time.Time) {
	q.phase, q.copied = querySent, true
	q.asks, q.askAt = 0, now.Add(askAfter)
	if q.policy == Once {
		s.copiedAt = now
	}
}

// late reports whether a packet with a Once query may be on its way of which the server has had another. Only its memory of
// the session keeps it from running the query again, until the packet is too old for it.
func (s *queryState) late(now time.Time) bool {
	return !s.copiedAt.IsZero() && now.Sub(s.copiedAt) < latestPacket
}

// bare reports whether q always travels as the only message of its packet, outside of any container: it is too large for
// one, or one with it was called invalid.
func (q *query) bare() bool { return q.alone || roomInFront+len(q.body) > softContainer }

// taken removes the first n queries from the queue.
func (s *queryState) taken(n int) { s.queue = slices.Delete(s.queue, 0, n) }

// requeue puts a query back in the place its age gives it.
func (s *queryState) requeue(q *query) {
	if q.phase == queryQueued {
		return
	}
	q.phase = queryQueued
	s.inFlight--
	i, _ := slices.BinarySearchFunc(s.queue, q.order, func(q *query, order uint64) int {
		switch {
		case q.order < order:
			return -1
		case q.order > order:
			return 1
		default:
			return 0
		}
	})
	s.queue = slices.Insert(s.queue, i, q)
}

// remove ends a query.
func (s *queryState) remove(q *query) {
	delete(s.byID, q.id)
	if q.phase == queryQueued {
		if i := slices.Index(s.queue, q); i >= 0 {
			s.queue = slices.Delete(s.queue, i, i+1)
		}
	} else {
		s.inFlight--
	}
	if s.most > queryMapKeep {
		s.relax()
	}
}

// relax gives memory back where nothing is pending.
func (s *queryState) relax() {
	if len(s.byID) == 0 {
		s.byID, s.queue, s.most = nil, nil, 0
	}
}

// countResend notes that the protocol makes us send q again, and reports whether that happens too often.
func (q *query) countResend(now time.Time) (tooOften bool) {
	if q.resends == 0 || now.Sub(q.resentSince) >= time.Minute {
		q.resends, q.resentSince = 0, now
	}
	q.resends++
	return q.resends > maxResendsPerMinute
}

// asked notes that q's state is being asked for and when it will be next.
func (q *query) asked(now time.Time) {
	pause := min(askAfter<<q.asks, askAtMost)
	if q.asks < 3 {
		q.asks++
	}
	q.askAt = now.Add(pause)
}

// Send takes a query. body is its boxed value without header and prefix; the Session keeps the slice until the query
// ends, and the caller must not change it. The packet comes out of Next, at once if there is a connection and room;
// otherwise the query waits. Send never fails by itself: a query that cannot be sent ends with OutFailed.
func (s *Session) Send(now time.Time, id QueryID, body []byte, policy Policy) {
	s.begin(now)
	if err := s.refuse(id, body); err != nil {
		s.push(Output{Kind: OutFailed, Query: id, Err: &QueryError{Reason: err, Fate: ErrNotSent}})
		return
	}
	s.queries.add(&query{id: id, body: s.pack(body), policy: policy})
}

// refuse returns why a query cannot be taken, nil if it can.
func (s *Session) refuse(id QueryID, body []byte) error {
	size := len(s.cfg.Header) + len(s.cfg.Prefix) + len(body)
	switch {
	case s.link == linkClosed:
		return ErrClosed
	case len(body) < 4 || len(body)%4 != 0:
		return ErrBody
	case size > maxBody:
		return &TooLargeError{Size: size, Limit: maxBody}
	case s.queries.byID[id] != nil:
		return ErrDuplicateID
	case len(s.queries.byID) >= s.cfg.MaxInFlight+s.cfg.MaxQueued:
		return ErrQueueFull
	}
	return nil
}

// Cancel ends a pending query with ErrCanceled, at once, and asks the server to drop its answer if it was sent. A query
// that is not pending (any more) is ignored.
func (s *Session) Cancel(now time.Time, id QueryID) {
	s.begin(now)
	q := s.queries.byID[id]
	if q == nil {
		return
	}
	if q.phase != queryQueued {
		s.chores.drop(q.msgID)
		// The record stays, so that notifications about the message are still understood.
		if r := s.records.find(q.msgID); r != nil {
			r.kind, r.q = sentCanceled, nil
		}
	}
	s.fail(q, ErrCanceled)
}

// Close ends the session: every pending query fails with ErrClosed, and so does every later one. Nothing more is sent.
func (s *Session) Close(now time.Time) {
	s.begin(now)
	s.link = linkClosed
	for _, q := range s.pending() {
		s.fail(q, ErrClosed)
	}
	s.bind = bindState{}
}

// pending returns the pending queries in the order of Send.
func (s *Session) pending() []*query {
	list := make([]*query, 0, len(s.queries.byID))
	for _, q := range s.queries.byID {
		list = append(list, q)
	}
	slices.SortFunc(list, func(a, b *query) int { return int(int64(a.order - b.order)) })
	return list
}

// fail ends q without the server's answer. A query that was never sent, or that the server rejected, has not run.
func (s *Session) fail(q *query, reason error) {
	fate := ErrMayHaveRun
	if q.phase == queryQueued && !q.doubtful {
		fate = ErrNotSent
	}
	s.finish(q, Output{Kind: OutFailed, Query: q.id, Err: &QueryError{Reason: reason, Fate: fate}})
}

// finish ends q with its one output.
func (s *Session) finish(q *query, out Output) {
	if q.prev != 0 {
		s.records.settle(q.prev)
	}
	if r := s.records.find(q.msgID); r != nil && r.q == q {
		r.kind, r.q = sentDone, nil
	}
	s.queries.remove(q)
	s.push(out)
}

// rejected is told that the server refused a packet that carried q, and with it everything inside. A connection delivers a
// packet once, and what was refused is not registered, so if it was the only packet with this msg_id nothing is left of it:
// q gets a new one ("must be re-sent with a different identifier"). Otherwise another packet may be on its way still and
// be taken: q goes again under the msg_id by which the server can tell.
func (s *Session) rejected(q *query) {
	if q.copied {
		s.repeat(q)
		return
	}
	s.queries.requeue(q)
}

// repeat sends q again under its old msg_id and seqno, of which the server says that it has not received it. It may yet: a
// packet can be late on a connection that was given up, or be overtaken by the question. The server processes a msg_id
// once, whichever packet brings it first
// (https://core.telegram.org/mtproto/service_messages_about_messages#notifications-about-repeated-messages), and a msg_id
// of any age may travel in a container whose own is new
// (https://core.telegram.org/mtproto/description#message-identifier-msg-id). Copies that find no place among maxChores are
// made when the state has been asked for again.
func (s *Session) repeat(q *query) { s.chores.copy(q.msgID) }

// fate says what the server may have done with a query whose latest packet it refused.
func (q *query) fate() error {
	if q.copied {
		return ErrMayHaveRun
	}
	return ErrNotSent
}

// lost decides about a query whose answer cannot come any more and of which nobody knows whether it was executed.
func (s *Session) lost(q *query, reason error) {
	if q.phase == queryQueued {
		return
	}
	if q.policy == Repeatable {
		q.doubtful = true
		s.queries.requeue(q)
		return
	}
	s.fail(q, reason)
}
