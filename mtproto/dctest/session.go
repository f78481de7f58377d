package dctest

import (
	"slices"
	"sort"
	"time"
)

// session is one client session under one auth key, across its connections.
type session struct {
	id     int64
	key    *authKey
	unique int64 // unique_id of new_session_created
	conn   *conn // the connection its last packet came from; nil when that is closed

	announced bool // new_session_created was sent
	gone      bool
	dirty     bool // in Cluster.dirty
	lastSeen  time.Time

	// Incoming: what was received, sorted by msg_id. Ids up to evicted were forgotten; ids before born belong to a
	// session that the server no longer knows.
	window   []inbound
	evicted  int64
	born     int64
	acks     []int64 // to be acknowledged
	ackAt    time.Time
	ackArmed bool

	// Outgoing.
	content  int32       // content-related messages sent so far
	batch    []*outbound // queued by this input
	unacked  []*outbound // content-related, sent or waiting for a connection
	size     int         // bytes in unacked
	resendAt time.Time

	subscribed bool    // gets pushes
	late       *[]byte // a push that waits to be overtaken
	waiting    []*query
	running    map[int64]*query // answers held back: by msg_id of the query
}

// inbound is what is remembered of one received message.
type inbound struct {
	msgID  int64
	answer int64 // msg_id of the rpc_result, 0 if none
	seqNo  int32
	flags  inboundFlags
}

type inboundFlags uint8

const (
	inContainer inboundFlags = 1 << iota // it is a container
	inAcked                              // an acknowledgement was sent
	inRunning                            // a query whose answer is not there yet
	inDone                               // a query that was answered
	inFailed                             // ... with rpc_error
	inContent                            // odd seqno
)

// outbound is one message to the client.
type outbound struct {
	msgID   int64
	seqNo   int32
	body    []byte
	request int64     // msg_id of the query it answers, 0 if none
	conn    ConnID    // where it was sent last
	sentAt  time.Time // zero if never
}

// find returns the position of an id in the window, or where it belongs.
func (s *session) find(msgID int64) (i int, ok bool) {
	i = sort.Search(len(s.window), func(i int) bool { return s.window[i].msgID >= msgID })
	return i, i < len(s.window) && s.window[i].msgID == msgID
}

// received returns what is remembered of an id; the pointer is valid until the next insert.
func (s *session) received(msgID int64) *inbound {
	if i, ok := s.find(msgID); ok {
		return &s.window[i]
	}
	return nil
}

// insert remembers a message and forgets the oldest ones beyond the window.
func (s *session) insert(m inbound) {
	i, _ := s.find(m.msgID)
	s.window = slices.Insert(s.window, i, m)
	if len(s.window) > maxWindow {
		s.evicted = s.window[windowCut-1].msgID
		s.window = slices.Delete(s.window, 0, windowCut)
	}
}

// highest is the highest id received, 0 if none.
func (s *session) highest() int64 {
	if len(s.window) == 0 {
		return s.evicted
	}
	return s.window[len(s.window)-1].msgID
}

// session returns the session a packet belongs to, making it if need be.
func (c *Cluster) session(now time.Time, k *authKey, id int64) *session {
	if s := k.sessions[id]; s != nil {
		return s
	}
	if len(k.sessions) >= maxSessions {
		c.forgetOldest(k)
	}
	if k.sessions == nil {
		k.sessions = make(map[int64]*session)
	}
	s := &session{id: id, key: k, unique: c.randomInt64(), lastSeen: now}
	k.sessions[id] = s
	return s
}

// forgetOldest makes room among a key's sessions: the one silent for longest goes, those without a connection first.
func (c *Cluster) forgetOldest(k *authKey) {
	var oldest *session
	for _, s := range k.sessions {
		if oldest == nil || olderSession(s, oldest) {
			oldest = s
		}
	}
	if oldest != nil {
		c.forgetSession(oldest)
	}
}

func olderSession(a, b *session) bool {
	if (a.conn == nil) != (b.conn == nil) {
		return a.conn == nil
	}
	if !a.lastSeen.Equal(b.lastSeen) {
		return a.lastSeen.Before(b.lastSeen)
	}
	return a.id < b.id
}

// forgetSession drops all state of a session. If the client comes back it gets new_session_created.
func (c *Cluster) forgetSession(s *session) {
	if s.gone {
		return
	}
	s.gone = true
	delete(s.key.sessions, s.id)
	c.detach(s)
	c.ledger.sessionGone(s)
	s.waiting, s.running = nil, nil
}

// attach makes conn the session's connection. What waits for it, or was lost with its last one, is sent again.
func (c *Cluster) attach(now time.Time, s *session, cn *conn) {
	s.lastSeen = now
	if s.conn == cn {
		return
	}
	c.detach(s)
	s.conn = cn
	cn.sessions = append(cn.sessions, s)
	c.resendLost(now, s)
}

func (c *Cluster) detach(s *session) {
	if s.conn == nil {
		return
	}
	if i := slices.Index(s.conn.sessions, s); i >= 0 {
		s.conn.sessions = slices.Delete(s.conn.sessions, i, i+1)
	}
	s.conn = nil
}

// lostConnection runs when a session's connection has closed: after SessionTTL without another it is forgotten.
func (c *Cluster) lostConnection(now time.Time, s *session) {
	s.conn = nil
	s.lastSeen = now
	c.timers.add(now.Add(c.cfg.SessionTTL), func(now time.Time) {
		if !s.gone && s.conn == nil && now.Sub(s.lastSeen) >= c.cfg.SessionTTL {
			c.forgetSession(s)
		}
	})
}

// eachSession calls f for every session that counts for a perm key: its own and those of its temp keys.
func eachSession(perm *authKey, f func(*session)) {
	for _, s := range sortedSessions(perm) {
		f(s)
	}
	for _, t := range perm.temps {
		for _, s := range sortedSessions(t) {
			f(s)
		}
	}
}

func sortedSessions(k *authKey) []*session {
	list := make([]*session, 0, len(k.sessions))
	for _, s := range k.sessions {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b *session) int {
		if a.id < b.id {
			return -1
		}
		return 1
	})
	return list
}
