package world

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
)

// storm is the actor that makes things go wrong.
type storm struct {
	w     *world
	times *rand.Rand // when gusts come
	rand  *rand.Rand // the present gust's own, so that it is the same without the others

	// Packets come twice, or DCs say falsely that they could not take one. A DC
	// that refuses a packet and then takes its copy is none.
	copies bool

	lost map[int]bool // DCs that have forgotten a perm key

	unknown   uint64    // the fault of the last -404
	unknownAt time.Time // when it was made
}

// gust is its timer.
type gust struct{ restarted bool }

func newStorm(w *world) *storm {
	return &storm{w: w, times: stream(w.seed, "storm"), copies: w.seed/4%2 == 0, lost: map[int]bool{}}
}

type stormCtx = runtime.Context[gust]

const timerGust = 0

// Started implements [runtime.Actor].
func (s *storm) Started(c *stormCtx) { s.arm(c) }

// Stopping implements [runtime.Actor].
func (s *storm) Stopping(*stormCtx) {}

func (s *storm) arm(c *stormCtx) {
	c.After(timerGust, s.w.due(time.Duration(s.times.Int64N(int64(15*time.Second)))), gust{})
}

// Receive implements [runtime.Actor].
func (s *storm) Receive(c *stormCtx, m gust) {
	if m.restarted {
		return
	}
	s.arm(c)
	count := &s.w.rec.count.Gusts
	n := *count
	*count++
	if only := s.w.opts.Only; only != nil && !slices.Contains(only, n) {
		return
	}
	s.rand = stream(s.w.seed, fmt.Sprint("gust ", n))
	s.blows(c)
}

// blows is one gust.
func (s *storm) blows(c *stormCtx) {
	if s.w.several() && s.rand.IntN(3) == 0 {
		s.split(c)
		return
	}
	switch n := s.rand.IntN(100); {
	case n < 2:
		one := s.node()
		c.GoIO(func() gust {
			one.restart(false)
			return gust{restarted: true}
		})
	case n < 4:
		s.node().crash("out of the blue")
	case n < 8:
		s.w.disk.fuse, s.w.disk.before = 1+s.rand.IntN(8), s.rand.IntN(2) == 0
	case n < 10:
		s.forget()
	case n < 35:
		s.push()
	case n < 60:
		s.blow()
	default:
		s.harm()
	}
}

// push lets some users hear of something, or people talk.
func (s *storm) push() {
	n := 1 + s.rand.IntN(4)
	if s.rand.IntN(3) > 0 && s.w.allIn() {
		s.w.dcs.talk(s.rand, 3*n, s.w.settled())
		return
	}
	for _, u := range s.w.users {
		if s.rand.IntN(3) > 0 || !u.in {
			continue
		}
		for range n {
			s.w.dcs.push(u.ID)
		}
	}
}

// forget lets a DC forget one perm key. A guest's comes back by itself; with
// the key of its home an account loses its login, and signs in again. A DC does
// so to one account in a run: two would be each other's witnesses that it is the
// DC that is wrong, and both would doubt for as long as nobody else is answered.
func (s *storm) forget() {
	rows := s.w.dcs.api.Authorizations()
	rows = slices.DeleteFunc(rows, func(a api.Authorization) bool { return !a.Ended.IsZero() })
	if len(rows) == 0 {
		return
	}
	row := rows[s.rand.IntN(len(rows))]
	if s.lost[row.DC] {
		return
	}
	if row.Home {
		if s.w.skewed() {
			return // the ledger dates logins by the DC's clock: it could not tell what came before which
		}
		i := slices.IndexFunc(s.w.users, func(u *user) bool { return u.ID == row.UserID })
		u := s.w.users[i]
		if !u.in || u.busy || u.imported && s.w.opts.Duration <= day {
			return // nobody knows how old the key of an import is: it is not doubted for a day
		}
		s.w.judge.forgotten(u.name)
	}
	s.w.rec.count.Faults++
	s.lost[row.DC] = true
	s.w.rec.line("fault: DC %d forgets the perm key of user %d (home %v)", row.DC, row.UserID, row.Home)
	s.w.dcs.fault(dctest.Fault{Kind: dctest.FaultForgetPerm, DC: row.DC, Perm: row.Perm})
}

// blow does something to the network.
func (s *storm) blow() {
	r, w, sky := s.rand, s.w, s.w.sky
	w.rec.count.Faults++
	id := 1 + r.IntN(w.opts.DCs)
	d := time.Duration(r.Int64N(int64(time.Minute)))
	until := w.sim.Now().Add(d)
	switch r.IntN(10) {
	case 0:
		w.rec.line("network: connections to DC %d are cut", id)
		sky.cut(id)
	case 1:
		w.rec.line("network: all connections are cut")
		sky.cut(0)
	case 2:
		w.rec.line("network: nothing moves to and from DC %d for %v", id, d)
		sky.stalled[id-1] = until
	case 3:
		w.rec.line("network: DC %d refuses connections for %v", id, d)
		sky.refused[id-1] = until
	case 4:
		w.rec.line("network: DC %d does not answer dials for %v", id, d)
		sky.silent[id-1] = until
	case 5:
		slow := time.Duration(r.Int64N(int64(3 * time.Second)))
		w.rec.line("network: DC %d is %v away for %v", id, slow, d)
		sky.slow[id-1] = slow
		w.sim.AfterFunc(d, func() { sky.slow[id-1] = 0 })
	case 6:
		if !s.copies {
			return
		}
		sky.duplicate = 1 + r.IntN(10)
		w.rec.line("network: %d packets come twice", sky.duplicate)
	case 7:
		sky.reorder = 1 + r.IntN(10)
		w.rec.line("network: %d packets overtake", sky.reorder)
	case 8:
		s.blowRelay(d)
	case 9:
		w.rec.line("network: connections for media to DC %d are cut, and refused for %v", id, d)
		sky.noMedia[id-1] = until
		sky.cutMedia(id)
	}
}

// harm lets something go wrong in the DCs. What proves a home perm key gone
// is not among it: nothing here may cost a login.
func (s *storm) harm() {
	r, w := s.rand, s.w
	w.rec.count.Faults++
	id := r.IntN(w.opts.DCs + 1) // 0: all
	faults := s.faults()
	n := r.IntN(len(faults) + 1)
	if n == len(faults) {
		id = max(id, 1)
		pause := time.Duration(r.IntN(90)) * time.Second
		w.rec.line("DC %d restarts and is away for %v", id, pause)
		w.dcs.restart(id, r.IntN(2) == 0, pause)
		return
	}
	f := faults[n]
	f.DC = id
	if f.Kind == dctest.FaultSkew && !w.skewed() {
		return
	}
	if f.Code == -404 {
		// Two of them within one proof would prove a key gone that is not: an
		// account may have nobody else at its DC. The second question comes 5 min
		// after the first -404, which may be a minute late, and is put again each
		// minute while the DC cannot be reached.
		if !s.unknownAt.IsZero() && w.sim.Now().Sub(s.unknownAt) < 15*time.Minute {
			return
		}
		if s.unknown != 0 {
			w.dcs.clearFaults(s.unknown)
		}
	}
	if f.Kind == dctest.FaultPushLost && !w.settled() {
		return
	}
	if f.Kind == dctest.FaultBadMsg && s.copies || f.Kind == dctest.FaultDuplicate && !s.copies {
		return
	}
	w.rec.line("fault: %+v", f)
	if f.Kind == dctest.FaultForgetSessions {
		w.forgetSessions(f)
		return
	}
	made := w.dcs.fault(f)
	if f.Code == -404 {
		s.unknown, s.unknownAt = made, w.sim.Now()
	}
}

// floodable are methods that the manager uses; "" is whatever comes next.
var floodable = []string{
	"", "",
	"testdc.echo", "updates.getState", "updates.getDifference", "updates.getChannelDifference", "auth.exportAuthorization", "auth.importAuthorization",
	"help.getConfig", "auth.bindTempAuthKey", "auth.sendCode", "auth.signIn", "auth.importBotAuthorization",
}

func (s *storm) faults() []dctest.Fault {
	r := s.rand
	ms := func(most int) dctest.Duration {
		return dctest.Duration(time.Duration(1+r.IntN(most)) * time.Millisecond)
	}
	dir := []dctest.Direction{dctest.In, dctest.Out, ""}[r.IntN(3)]
	codes := []struct {
		code int
		text string
	}{{500, "RPC_CALL_FAIL"}, {-503, "Timeout"}, {400, "PEER_ID_INVALID"}, {401, "SESSION_REVOKED"}, {401, "AUTH_KEY_PERM_EMPTY"},
		{303, fmt.Sprintf("FILE_MIGRATE_%d", 1+r.IntN(s.w.opts.DCs))}}
	rpc := codes[r.IntN(len(codes))]
	return []dctest.Fault{
		{Kind: dctest.FaultDrop, Direction: dir, Count: 1 + r.IntN(8), Every: 1 + r.IntN(3)},
		{Kind: dctest.FaultDrop, For: ms(60_000)},
		{Kind: dctest.FaultDelay, Direction: dir, Delay: ms(8_000), For: ms(60_000)},
		{Kind: dctest.FaultStall, Direction: dir, For: ms(90_000)},
		{Kind: dctest.FaultPause, For: ms(30_000)},
		{Kind: dctest.FaultCut, Bytes: r.IntN(100), Count: 1 + r.IntN(5)},
		{Kind: dctest.FaultDuplicate, Direction: dir, Count: 1 + r.IntN(20)},
		{Kind: dctest.FaultReorder, Direction: dir, Count: 1 + r.IntN(20)},
		{Kind: dctest.FaultCloseConns},
		{Kind: dctest.FaultRefuse, For: ms(60_000)},
		{Kind: dctest.FaultTransport, Code: -429, Count: 1 + r.IntN(3)},
		{Kind: dctest.FaultTransportConn, Code: -429, For: ms(60_000), Count: 1000},
		{Kind: dctest.FaultTransport, Code: -404, Count: 1},
		{Kind: dctest.FaultTransport, Code: -404, For: ms(60_000)}, // to everybody
		{Kind: dctest.FaultForgetTemp},
		{Kind: dctest.FaultForgetTemp, Media: true},
		{Kind: dctest.FaultForgetSessions},
		{Kind: dctest.FaultNewSalts},
		{Kind: dctest.FaultSkew, Delay: dctest.Duration(time.Duration(r.IntN(240)-120) * time.Second)},
		{Kind: dctest.FaultSkew},
		{Kind: dctest.FaultRestart, KeepTempKeys: r.IntN(2) == 0},
		{Kind: dctest.FaultRPC, Method: "testdc.echo", Code: rpc.code, Text: rpc.text, Count: 1 + r.IntN(2)},
		{Kind: dctest.FaultRPC, Method: floodable[r.IntN(len(floodable))], Wait: ms(40_000) + dctest.Duration(time.Second), Count: 1},
		{Kind: dctest.FaultRPC, Method: "updates.getDifference", Code: 500, Text: "RPC_CALL_FAIL", Count: 1 + r.IntN(3)},
		{Kind: dctest.FaultBindInvalid, Count: 1 + r.IntN(2)},
		{Kind: dctest.FaultBindSalt, Count: 1 + r.IntN(2)},
		{Kind: dctest.FaultBadMsg, Code: []int{16, 17, 18, 20, 32, 33, 48}[r.IntN(7)], Count: 1 + r.IntN(3)},
		{Kind: dctest.FaultDHRetry, Count: 1},
		{Kind: dctest.FaultNoReply, Method: "testdc.echo", Count: 1 + r.IntN(3)},
		{Kind: dctest.FaultRPC, Method: "updates.getChannelDifference", Code: 500, Text: "PERSISTENT_TIMESTAMP_OUTDATED", Count: 1 + r.IntN(3)},
		{Kind: dctest.FaultPushLost, Count: 1 + r.IntN(8), Every: 1 + r.IntN(3)},
		{Kind: dctest.FaultPushTwice, Count: 1 + r.IntN(8)},
		{Kind: dctest.FaultPushReorder, Count: 1 + r.IntN(8)},
		{Kind: dctest.FaultSlow, Method: "testdc.echo", Delay: ms(30_000), Count: 1 + r.IntN(5)},
	}
}
