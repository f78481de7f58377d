package world

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
)

// What all runs share, for it is the same in each and costs time to make.
var (
	// rsaKey is the DCs' key. Its seed is fixed: it goes into handshakes, so
	// another key would be another run.
	rsaKey = sync.OnceValue(func() *crypt.PrivateKey {
		key, err := crypt.GeneratePrivateKey(rand.NewChaCha8([32]byte{'m', 't', 'f'}))
		if err != nil {
			panic(err) // the source does not fail
		}
		return key
	})
	group = sync.OnceValue(crypt.WellKnownGroup)
)

// stream returns a source of randomness of its own for one part of the world,
// so that a change in one does not move all others.
func stream(seed uint64, part string) *rand.Rand { return rand.New(source(seed, part)) }

func source(seed uint64, part string) *rand.ChaCha8 {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	copy(key[8:], part)
	return rand.NewChaCha8(key)
}

// cluster drives the core of the DCs in virtual time.
type cluster struct {
	sim  *runtime.Sim
	rec  *recorder
	rand *rand.Rand
	core *dctest.Cluster
	api  *api.Backend

	channels []int64

	conns   map[dctest.ConnID]*link // never ranged over
	last    dctest.ConnID
	down    []bool // by DC - 1: refuses connections
	alarm   runtime.Timer
	alarmAt time.Time
	plant   Plant
}

const workMost = 20 * time.Millisecond // how long a DC's arithmetic takes at most

func newCluster(sim *runtime.Sim, rec *recorder, seed uint64, o Options) (*cluster, error) {
	source := source(seed, "cluster")
	none := api.RateLimit{Calls: -1}
	people := api.Config{
		DCs: o.DCs, Seed: seed, Rand: source, LoginsPerDay: -1,
		// The limits of sign-ins count by the day; a run signs in again and again.
		Limits:   api.Limits{SendCodeNumber: none, SendCodeAddress: none, ImportBot: none, Mail: none},
		Passkeys: actorstest.AnyPasskey{}, PNV: true,
	}
	if !o.Calm {
		logs(&people, seed)
	}
	backend, err := api.New(people)
	if err != nil {
		return nil, err
	}
	if err := backend.Populate((o.Accounts+1)/2, o.Accounts/2); err != nil {
		return nil, err
	}
	if seed/64%4 == 0 { // the arithmetic of a password is that of ten keys
		if err := backend.SetPassword(backend.Users()[0].ID, canary("password")); err != nil {
			return nil, err
		}
	}
	core, err := dctest.New(dctest.Config{
		Rand: source, API: backend, Keys: []*crypt.PrivateKey{rsaKey()}, Group: group(),
		DCs: o.DCs, BindStrict: seed/2%2 == 0, ShortExponents: true, Media: true,
	})
	if err != nil {
		return nil, err
	}
	var ends []api.Endpoint
	for id := 1; id <= o.DCs; id++ {
		for _, media := range []bool{false, true} {
			a := address(id, media)
			ends = append(ends, api.Endpoint{DC: id, IP: a.Addr().String(), Port: int(a.Port()), Media: media})
		}
	}
	backend.SetEndpoints(ends)
	s := &cluster{
		sim: sim, rec: rec, rand: stream(seed, "work"), core: core, api: backend,
		conns: map[dctest.ConnID]*link{}, down: make([]bool, o.DCs), plant: o.Plant,
	}
	return s, s.meet(sim.Now())
}

// address is where a DC is, or what it has for media alone; nobody else is on that
// network.
func address(id int, media bool) netip.AddrPort {
	port := 1000 + id
	if media {
		port += 1000
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(port))
}

// table is what a manager knows of the cluster.
func (s *cluster) table() dc.Table {
	t := dc.Table{Keys: []string{string(rsaKey().Public().PEM())}}
	for i := range s.down {
		for _, media := range []bool{false, true} {
			t.Options = append(t.Options, dc.Option{DC: dc.ID(i + 1), Addr: address(i+1, media), MediaOnly: media, ThisPortOnly: true})
		}
	}
	return t
}

// do gives the core an input and carries out what it wants.
func (s *cluster) do(input func(core *dctest.Cluster, now time.Time)) {
	input(s.core, s.sim.Now())
	for o, ok := s.core.Next(); ok; o, ok = s.core.Next() {
		s.output(o)
	}
	s.arm()
}

func (s *cluster) output(o dctest.Output) {
	if o.Kind == dctest.OutWork {
		s.sim.AfterFunc(time.Duration(s.rand.Int64N(int64(workMost))), func() {
			result := o.Work.Do()
			s.do(func(core *dctest.Cluster, now time.Time) { core.Done(now, result) })
		})
		return
	}
	l := s.conns[o.Conn]
	if l == nil {
		return
	}
	switch o.Kind {
	case dctest.OutPacket:
		if o.Cut >= 0 { // part of a packet is no packet
			s.hangUp(l)
			return
		}
		s.rec.count.Packets++
		s.rec.note(noteDown, uint64(l.id), o.Packet)
		l.toClient(o.Packet)
	case dctest.OutError:
		s.rec.note(noteCode, uint64(l.id), []byte(strconv.Itoa(int(o.Code))))
		l.codeToClient(o.Code)
	case dctest.OutClose:
		s.hangUp(l)
	case dctest.OutPause:
		l.paused = true
	case dctest.OutResume:
		l.paused = false
		s.sim.AfterFunc(0, l.pump) // not now: the core has more to say
	case dctest.OutQuickAck, dctest.OutWork:
	}
}

// hangUp closes a connection from the DC's side, after what was sent before.
func (s *cluster) hangUp(l *link) {
	l.endToClient()
	s.lost(l)
}

// lost tells the core that a connection is gone.
func (s *cluster) lost(l *link) {
	if s.conns[l.id] == nil {
		return
	}
	delete(s.conns, l.id)
	s.core.Closed(s.sim.Now(), l.id)
}

// arm sets the timer to the core's deadline. One that is too early does no harm.
func (s *cluster) arm() {
	at := s.core.Deadline()
	if at.IsZero() || s.alarm != nil && !s.alarmAt.After(at) {
		return
	}
	if s.alarm != nil {
		s.alarm.Stop()
	}
	s.alarmAt = at
	s.alarm = s.sim.AfterFunc(at.Sub(s.sim.Now()), func() {
		s.alarm = nil
		s.do(func(core *dctest.Cluster, now time.Time) { core.Advance(now) })
	})
}

// accept opens a connection; false when the DC is down.
func (s *cluster) accept(l *link) bool {
	if s.down[l.dc-1] {
		return false
	}
	s.last++
	l.id = s.last
	s.conns[l.id] = l
	s.do(func(core *dctest.Cluster, now time.Time) {
		open := core.Open
		if l.media {
			open = core.OpenMedia
		}
		open(now, l.id, l.dc, "simulated:"+strconv.FormatUint(uint64(l.id), 10))
	})
	return true
}

// packet brings one packet of a client to the core.
func (s *cluster) packet(l *link, p []byte) {
	if s.conns[l.id] == nil {
		return
	}
	s.rec.count.Packets++
	s.rec.note(noteUp, uint64(l.id), p)
	s.do(func(core *dctest.Cluster, now time.Time) { core.Packet(now, l.id, p, false) })
}

func (s *cluster) closed(l *link) { s.do(func(*dctest.Cluster, time.Time) { s.lost(l) }) }

// fault lets something go wrong in the DCs.
func (s *cluster) fault(f dctest.Fault) (id uint64) {
	s.do(func(core *dctest.Cluster, now time.Time) {
		var err error
		if id, err = core.Fault(now, f); err != nil {
			panic(fmt.Sprintf("world: a fault that cannot be: %+v: %v", f, err))
		}
	})
	return id
}

func (s *cluster) clearFaults(ids ...uint64) {
	s.do(func(core *dctest.Cluster, now time.Time) { core.ClearFaults(now, ids...) })
}

// restart takes a DC down for a while.
func (s *cluster) restart(id int, keepTemp bool, pause time.Duration) {
	if s.down[id-1] {
		return
	}
	s.down[id-1] = true
	s.fault(dctest.Fault{Kind: dctest.FaultRestart, DC: id, KeepTempKeys: keepTemp})
	s.sim.AfterFunc(pause, func() { s.down[id-1] = false })
}

func (s *cluster) push(user int64) {
	s.do(func(core *dctest.Cluster, now time.Time) {
		if _, err := core.PushUpdate(now, user); err != nil {
			panic(fmt.Sprintf("world: pushing to user %d: %v", user, err))
		}
	})
}
