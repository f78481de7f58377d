package dctest

import (
	"fmt"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/mt"
)

// floodKey is who waits for what.
type floodKey struct {
	dc     int
	perm   int64
	method string
}

// Fault makes something go wrong, now or when its candidates come. The id is for ClearFaults; it is 0 for a fault that
// has happened already. The error is a *FaultError.
func (c *Cluster) Fault(now time.Time, f Fault) (id uint64, err error) {
	if f.DC != 0 && c.dc(f.DC) == nil {
		return 0, &FaultError{f.Kind, fmt.Sprintf("there is no DC %d", f.DC)}
	}
	if err := f.check(); err != nil {
		return 0, err
	}
	if c.faultNow(now, f) {
		c.settle(now)
		return 0, nil
	}
	c.faults = slices.DeleteFunc(c.faults, func(f *activeFault) bool { return f.over(now) })
	if len(c.faults) >= maxFaults {
		return 0, &FaultError{f.Kind, fmt.Sprintf("%d faults wait already", maxFaults)}
	}
	c.faultID++
	a := &activeFault{Fault: f, id: c.faultID, left: -1}
	switch {
	case f.Count > 0:
		a.left = f.Count
	case f.For == 0 && f.Kind.counted():
		a.left = 1
	}
	if f.For > 0 {
		a.until = now.Add(time.Duration(f.For))
	}
	c.faults = append(c.faults, a)
	c.settle(now)
	return a.id, nil
}

// WaitingFault is a fault that waits for its next candidates.
type WaitingFault struct {
	ID    uint64    `json:"id"`
	Left  int       `json:"left,omitempty"` // hits it has left; 0 for no limit
	Until time.Time `json:"until,omitzero"` // when it ends; zero for never
	Fault Fault     `json:"fault"`          // as it was asked for
}

// WaitingFaults lists the faults that ClearFaults would end, oldest first.
func (c *Cluster) WaitingFaults(now time.Time) []WaitingFault {
	var list []WaitingFault
	for _, f := range c.faults {
		if !f.over(now) {
			list = append(list, WaitingFault{f.id, max(f.left, 0), f.until, f.Fault})
		}
	}
	return list
}

// over tells whether a fault hits nothing any more.
func (f *activeFault) over(now time.Time) bool {
	return f.left == 0 || !f.until.IsZero() && !now.Before(f.until)
}

// ClearFaults ends faults by id, or all without ids. Packets held back are delivered.
func (c *Cluster) ClearFaults(now time.Time, ids ...uint64) {
	c.faults = slices.DeleteFunc(c.faults, func(f *activeFault) bool {
		return len(ids) == 0 || slices.Contains(ids, f.id)
	})
	if len(ids) == 0 {
		clear(c.floods)
		for _, cn := range c.sortedConns(place{}) {
			for i := range cn.in.list {
				cn.in.list[i].due = now
			}
			for i := range cn.outq.list {
				cn.outq.list[i].due = now
			}
			release(now, &cn.in, func(now time.Time, h heldPacket) { c.accept(now, cn, h.packet, h.quickAck) })
			release(now, &cn.outq, func(now time.Time, h heldPacket) {
				c.emit(Output{Kind: OutPacket, Conn: cn.id, Packet: h.packet, Cut: -1})
			})
		}
	}
	c.settle(now)
}

// counted tells which kinds happen once unless told otherwise.
func (k FaultKind) counted() bool {
	switch k {
	case FaultCut, FaultTransport, FaultTransportConn, FaultRPC, FaultBindInvalid, FaultBindSalt, FaultBadMsg,
		FaultDHRetry, FaultNoReply, FaultSlow:
		return true
	}
	return false
}

// check refuses what cannot be meant.
func (f *Fault) check() error {
	bad := func(why string) error { return &FaultError{f.Kind, why} }
	if f.Count < 0 || f.Every < 0 || f.For < 0 || f.Bytes < 0 || f.Wait < 0 {
		return bad("negative count, every, for, bytes or wait")
	}
	if f.Direction != "" && f.Direction != In && f.Direction != Out {
		return bad(`direction is neither "in" nor "out"`)
	}
	switch f.Kind {
	case FaultDrop, FaultDuplicate, FaultReorder, FaultCut, FaultCloseConns, FaultRefuse, FaultForgetTemp,
		FaultForgetSessions, FaultNewSalts, FaultSkew, FaultRestart, FaultBindInvalid, FaultBindSalt, FaultDHRetry,
		FaultNoReply, FaultPushLost, FaultPushTwice, FaultPushReorder:
	case FaultDelay, FaultSlow:
		if f.Delay <= 0 {
			return bad("delay must be positive")
		}
	case FaultStall, FaultPause:
		if f.For <= 0 {
			return bad("for must be positive")
		}
	case FaultTransport, FaultTransportConn, FaultBadMsg:
		if f.Code == 0 {
			return bad("code is missing")
		}
	case FaultRPC:
		if f.Wait == 0 && (f.Code == 0 || f.Text == "") {
			return bad("code and text, or wait, are missing")
		}
	case FaultForgetPerm:
		if f.Perm == 0 {
			return bad("perm is missing")
		}
	default:
		return bad("no such kind")
	}
	return nil
}

// faultNow does the faults that happen at once; false for those that wait for candidates.
func (c *Cluster) faultNow(now time.Time, f Fault) bool {
	switch f.Kind {
	case FaultCloseConns:
		for _, cn := range c.sortedConns(f.place()) {
			c.closeConn(cn)
		}
	case FaultPause:
		for _, cn := range c.sortedConns(f.place()) {
			c.emit(Output{Kind: OutPause, Conn: cn.id})
			c.timers.add(now.Add(time.Duration(f.For)), func(time.Time) {
				if !cn.closing {
					c.emit(Output{Kind: OutResume, Conn: cn.id})
				}
			})
		}
	case FaultForgetTemp:
		c.eachDC(f.DC, func(d *dcState) {
			for _, k := range d.tempKeys(f.Perm) {
				if k.media || !f.Media {
					c.removeKey(now, k, "forgotten")
				}
			}
		})
	case FaultForgetPerm:
		c.eachDC(f.DC, func(d *dcState) {
			if k := d.keys[crypt.KeyID(f.Perm)]; k != nil && !k.temp {
				c.removeKey(now, k, "forgotten")
			}
		})
	case FaultForgetSessions:
		c.eachDC(f.DC, func(d *dcState) { c.forgetSessions(d, f.Perm) })
	case FaultNewSalts:
		c.eachDC(f.DC, func(d *dcState) {
			for _, k := range d.sortedKeys() {
				if f.Perm == 0 || k.ownerID() == f.Perm {
					c.replaceSalts(k, d.clock(now))
				}
			}
		})
	case FaultSkew:
		c.eachDC(f.DC, func(d *dcState) {
			d.skew = time.Duration(f.Delay)
			d.lastMsgID = 0 // ids show the new time, even if it is an earlier one
			d.handshake.ClockSet()
		})
	case FaultRestart:
		c.eachDC(f.DC, func(d *dcState) { c.restart(now, d, f.KeepTempKeys) })
	default:
		return false
	}
	return true
}

// restart is what a DC forgets when its process ends: connections, sessions and, as the real one does, temp keys.
func (c *Cluster) restart(now time.Time, d *dcState, keepTemp bool) {
	for _, cn := range c.sortedConns(place{dc: d.id}) {
		c.closeConn(cn)
	}
	if !keepTemp {
		for _, k := range d.tempKeys(0) {
			c.removeKey(now, k, "restart")
		}
	}
	c.forgetSessions(d, 0)
}

func (c *Cluster) forgetSessions(d *dcState, perm int64) {
	for _, k := range d.sortedKeys() {
		if perm != 0 && k.ownerID() != perm {
			continue
		}
		for _, s := range sortedSessions(k) {
			c.forgetSession(s)
		}
	}
}

func (f *Fault) place() place { return place{f.DC, f.Conn, f.Perm} }

// sortedConns lists the connections of a place; zero fields mean all.
func (c *Cluster) sortedConns(p place) []*conn {
	var list []*conn
	for _, cn := range c.conns {
		if (p.dc == 0 || cn.dc.id == p.dc) && (p.conn == 0 || cn.id == p.conn) && (p.perm == 0 || cn.perm() == p.perm) {
			list = append(list, cn)
		}
	}
	slices.SortFunc(list, func(a, b *conn) int { return int(int64(a.id) - int64(b.id)) })
	return list
}

func (c *Cluster) eachDC(id int, f func(*dcState)) {
	for _, d := range c.dcs {
		if id == 0 || d.id == id {
			f(d)
		}
	}
}

// method is the name of a query's innermost call.
func (c *Cluster) method(q *query) string {
	switch bodyID(q.query) {
	case echo.RequestID:
		return methodEcho
	case mt.AuthBindTempAuthKeyRequestID:
		return methodBind
	}
	return c.api.Method(q.query)
}

// faultQuery lets a query fail if a fault says so.
func (c *Cluster) faultQuery(now time.Time, q *query) *api.Error {
	if len(c.faults) == 0 && len(c.floods) == 0 {
		return nil
	}
	k := q.s.key
	method := c.method(q)
	key := floodKey{k.dc.id, k.ownerID(), method}
	if until, ok := c.floods[key]; ok {
		if left := until.Sub(now); left > 0 {
			var e echo.EchoRequest
			if method == methodEcho && tl.Unmarshal(q.query, &e) == nil {
				c.ledger.echoEarly(now, e.ID)
			}
			return floodError(left)
		}
		delete(c.floods, key)
	}
	p := place{k.dc.id, q.conn, k.ownerID()}
	named := func(f *activeFault) bool { return f.Method == "" || f.Method == method }
	if f := c.hitIf(now, FaultRPC, p, named); f != nil {
		if f.Wait > 0 {
			if len(c.floods) >= maxFloods {
				clear(c.floods)
			}
			c.floods[key] = now.Add(time.Duration(f.Wait))
			return floodError(time.Duration(f.Wait))
		}
		return &api.Error{Code: f.Code, Text: f.Text}
	}
	if c.hitIf(now, FaultNoReply, p, named) != nil {
		q.lose = true
	}
	return nil
}

// WaitEnd returns when the last of the waits ends that faults have imposed on a user's calls of a method, on whichever
// DC; zero for none. One that is over may be told still.
func (c *Cluster) WaitEnd(userID int64, method string) (end time.Time) {
	for key, until := range c.floods {
		if key.method != method || !until.After(end) {
			continue
		}
		if id, ok := c.api.UserOf(key.dc, key.perm); ok && id == userID {
			end = until
		}
	}
	return end
}

func floodError(left time.Duration) *api.Error {
	return &api.Error{Code: 420, Text: fmt.Sprintf("FLOOD_WAIT_%d", int64((left+time.Second-1)/time.Second))}
}

// slow is how long a fault holds the answer to a query back.
func (c *Cluster) slow(now time.Time, q *query) time.Duration {
	if len(c.faults) == 0 {
		return 0
	}
	method := c.method(q)
	f := c.hitIf(now, FaultSlow, place{q.s.key.dc.id, q.conn, q.s.key.ownerID()}, func(f *activeFault) bool {
		return f.Method == "" || f.Method == method
	})
	if f == nil {
		return 0
	}
	return time.Duration(f.Delay)
}
