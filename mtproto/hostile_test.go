package mtproto

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/tl"
)

// Pitfalls that need more than a script.

// A session id of zero would be answered with -404.
func TestSessionIDIsNeverZero(t *testing.T) {
	first := make([]byte, 16+8) // the seed of the jitter and of ping ids, then a zero session id
	s, err := NewSession(Config{Rand: &tape{rest: append(first, 1, 2, 3, 4, 5, 6, 7, 8)}}, testKey(t, 1))
	if err != nil || s.Snapshot().SessionID != 0x0807060504030201 {
		t.Errorf("session id %x, %v", s.Snapshot().SessionID, err)
	}
	if _, err := NewSession(Config{Rand: &tape{rest: make([]byte, 1024)}}, testKey(t, 1)); err == nil {
		t.Error("randomness that gives nothing but zeros must be an error")
	}
}

// tape is randomness written down beforehand.
type tape struct{ rest []byte }

func (t *tape) Read(b []byte) (int, error) {
	n := copy(b, t.rest)
	t.rest = t.rest[n:]
	if n == 0 {
		return 0, errors.New("end of tape")
	}
	return n, nil
}

// Whatever the local clock says, at the start or later, one rejection puts it right and no query fails.
func TestClockConvergesAfterOneRejection(t *testing.T) {
	year := 365 * 24 * time.Hour
	for _, off := range []time.Duration{
		0, time.Second, -time.Second, time.Minute, -time.Minute, time.Hour, -time.Hour, 10 * year, -10 * year,
	} {
		for _, known := range []bool{false, true} {
			t.Run(fmt.Sprintf("server %v ahead, offset known %v", off, known), func(t *testing.T) {
				p := newPeer(t, func(c *Config) { c.OffsetKnown = known })
				p.skew = off
				p.command("send q1 q2")
				p.connect()
				p.command("send q0")
				p.exchange("q0", "q1", "q2")

				// The local clock jumps by as much again while a query is in flight.
				p.command("send q3")
				p.lines()
				p.now, p.skew = p.now.Add(-off*3/4), p.skew+off*3/4
				p.command("send q4 q5")
				p.exchange("q3", "q4", "q5")
				if got := p.s.Snapshot().TimeOffset - p.skew; got.Abs() > 31*time.Second {
					t.Errorf("the offset is wrong by %v", got)
				}
			})
		}
	}
}

// exchange plays a server that rejects what has a bad time and answers the rest, until all named queries have results.
func (p *peer) exchange(names ...string) {
	p.t.Helper()
	seen := map[string]bool{}
	rejections := 0
	for range 100 {
		for _, l := range p.lines() {
			if strings.HasPrefix(l, "failed") {
				p.t.Errorf("a query failed: %s", l)
			}
			if rest, ok := strings.CutPrefix(l, "result "); ok {
				seen[strings.Fields(rest)[0]] = true
			}
		}
		if len(seen) == len(names) {
			return
		}
		r := p.takeRequest()
		if r == nil {
			break
		}
		server := p.now.Add(p.skew).UnixNano()
		switch ahead := time.Duration(r.outer.nanos() - server); {
		case r.session != p.s.sessionID:
		case ahead > maxAhead:
			rejections++
			p.receive("bad_msg "+p.nameOf(r.outer)+" 17", true)
		case ahead < -maxAge:
			rejections++
			p.receive("bad_msg "+p.nameOf(r.outer)+" 16", true)
		default:
			for _, q := range r.queries {
				p.receive("answer "+p.nameOf(q)+" ok", true)
			}
		}
	}
	if len(seen) != len(names) {
		p.t.Errorf("only %v of %v were answered, after %d rejections", seen, names, rejections)
	}
}

// A server that rejects everything with 32 gets a bounded number of messages.
func TestRejectionStormIsBounded(t *testing.T) {
	for _, code := range []string{"16", "32", "33", "17", "77"} {
		p := newPeer(t, nil)
		p.connect()
		p.command("send q1 repeatable")
		messages, broken := 0, 0
		for range 200 {
			r := p.takeRequest()
			if r == nil {
				break
			}
			messages++
			if r.session == p.s.sessionID {
				p.receive("bad_msg "+p.nameOf(r.outer)+" "+code, true)
			}
		}
		for _, l := range p.lines() {
			if strings.HasPrefix(l, "reconnect: mtproto: more than 3 session resets") {
				broken++
			}
		}
		if messages >= 50 || broken != 1 {
			t.Errorf("code %s: %d packets, %d times given up", code, messages, broken)
		}
		if p.s.Pending() != 1 {
			t.Error("the query must survive")
		}
	}
}

// For salts: no storm, and never fatal.
func TestSaltStormIsSlowedDown(t *testing.T) {
	p := newPeer(t, nil)
	p.connect()
	p.command("send q1")
	packets := 0
	for i := range 3000 {
		r := p.takeRequest()
		if r == nil {
			p.advance(100 * time.Millisecond)
			continue
		}
		packets++
		p.receive(fmt.Sprintf("bad_salt %s %d", p.nameOf(r.outer), 1000+i), true)
	}
	for _, l := range p.lines() {
		if strings.HasPrefix(l, "failed") {
			t.Error("a query failed:", l)
		}
	}
	if packets > 1000 {
		t.Errorf("%d packets in five minutes", packets)
	}
}

// Salts that change all the time fail no query.
func TestChangingSaltsFailNoQuery(t *testing.T) {
	p := newPeer(t, nil)
	p.connect()
	p.receive("pong c1", true)
	salt, results := int64(1), 0
	for i := range 300 {
		if i%10 == 0 {
			salt++ // every 1.2 s: 50 times a minute
		}
		p.advance(120 * time.Millisecond)
		p.send(fmt.Sprint("q", i), Once)
		for r := p.takeRequest(); r != nil; r = p.takeRequest() {
			if r.salt != salt {
				p.receive(fmt.Sprintf("bad_salt %s %d", p.nameOf(r.outer), salt), true)
				continue
			}
			for _, q := range r.queries {
				p.receive("answer "+p.nameOf(q)+" ok", true)
			}
			if r.ping != 0 {
				p.receive("pong "+p.nameOf(r.ping), true)
			}
		}
	}
	for _, l := range p.lines() {
		switch {
		case strings.HasPrefix(l, "result"):
			results++
		case strings.HasPrefix(l, "failed"), strings.HasPrefix(l, "reconnect"):
			t.Error(l)
		}
	}
	if results != 300 {
		t.Errorf("%d results", results)
	}
}

// After a reset the server keeps sending packets of the old session.
func TestPacketsOfAnOldSessionAreIgnored(t *testing.T) {
	p := newPeer(t, nil)
	p.connect()
	p.lines()
	for range 200 {
		p.command("stale update u1")
	}
	p.want("nothing happens")
	p.command("receive update u2")
	p.want("the session lives", "updates update u2")
}

// A query that the server would answer by closing the connection never leaves.
func TestOversizedQueryFailsAtOnce(t *testing.T) {
	p := newPeer(t, nil)
	p.connect()
	p.lines()
	p.s.Send(p.now, p.query("q1"), make([]byte, 2<<20), Once)
	o, ok := p.s.Next()
	var large *TooLargeError
	if !ok || o.Kind != OutFailed || !errors.As(o.Err, &large) || !errors.Is(o.Err, ErrNotSent) || large.Limit != maxBody {
		t.Errorf("got %v %v", o.Kind, o.Err)
	}
	p.drain()
	p.want("and nothing else happens")
	for _, body := range [][]byte{nil, make([]byte, 6)} {
		p.s.Send(p.now, p.query("q2"), body, Once)
		if o, _ := p.s.Next(); o.Kind != OutFailed || !errors.Is(o.Err, ErrBody) {
			t.Errorf("body of %d bytes: got %v %v", len(body), o.Kind, o.Err)
		}
	}
}

// Large results arrive, plain and packed.
func TestLargeResults(t *testing.T) {
	big := bytes.Repeat([]byte{0xaa, 0xbb, 0xcc, 0xdd}, 3<<18)
	for name, wrap := range map[string]func([]byte) []byte{
		"plain": func(b []byte) []byte { return b }, "packed": gzipped,
	} {
		p := newPeer(t, nil)
		p.connect()
		p.command("send q1")
		p.s.Receive(p.now, p.seal(p.message(p.result(int64(p.byName["c2"]), wrap(big)), idReply, true), p.s.sessionID))
		if o, _ := p.s.Next(); o.Kind != OutClock {
			t.Errorf("%s: got %v first", name, o.Kind)
		}
		if o, _ := p.s.Next(); o.Kind != OutResult || !bytes.Equal(o.Body, big) {
			t.Errorf("%s: got %v %v", name, o.Kind, o.Err)
		}
	}
}

// A bomb costs no more than the limit, and only the query it answers.
func TestGzipBomb(t *testing.T) {
	bomb := gzipped(make([]byte, maxUnpacked+4))
	p := newPeer(t, nil)
	p.connect()
	p.command("send q1")
	p.lines()
	p.deliver(p.message(p.result(int64(p.byName["c2"]), bomb), idReply, true))
	p.want("the query fails, the session lives",
		"failed q1: mtproto: unreadable result: the gzip_packed of one packet unpack to more than 16 MiB; the server may have executed the query")
	deep := gzipped(gzipped(gzipped(boxed(idTestUpdate, "u"))))
	p.deliver(p.message(deep, idPush, true))
	p.want("nested too deep: an update is missing", "gap")
	p.deliver(p.message(gzipped(gzipped(boxed(idTestUpdate, "u"))), idPush, true))
	p.want("nested twice is legal", "updates update u")
}

// A packet has one budget, and every message spends of it what it cost, unpacked or not.
func TestWhatDoesNotUnpackUsesUpThePacketsBudget(t *testing.T) {
	bomb := gzipped(make([]byte, maxUnpacked+4))
	zeros := gzipped(make([]byte, 1<<20))
	damaged := slices.Clone(zeros)
	damaged[len(damaged)-12] ^= 1 // known only when all of it has been unpacked
	liar := gzipped(bytes.Repeat([]byte("abcd"), 6<<10))
	copy(liar[14:], bytes.Repeat([]byte{0xff}, 16))                      // no deflate block,
	binary.LittleEndian.PutUint32(liar[len(liar)-len(liar)%4-4:], 1<<30) // and a length that asks for much room
	for name, c := range map[string]struct {
		body []byte
		last int // how many of them there is room for, at most
	}{
		"larger than the limit": {bomb, 1},
		"with a bad checksum":   {damaged, 16},
		"of nothing":            {gzipped(nil), maxUnpacked / leastUnpacked},
		"of no stream":          {tl.AppendBytes(tl.AppendUint32(nil, idGzipPacked), make([]byte, 20)), maxUnpacked / leastUnpacked},
		"with a false length":   {liar, maxUnpacked / leastUnpacked},
	} {
		budget, n := maxUnpacked, 0
		for ; budget > 0 && n <= c.last; n++ {
			_, _ = unpack(c.body, &budget)
		}
		if n > c.last {
			t.Errorf("%s: %d of them leave %d bytes", name, n, budget)
		}
		if _, err := unpack(zeros, &budget); !errors.Is(err, errGzipSize) {
			t.Errorf("%s: and then another: %v", name, err)
		}
	}
	budget := maxUnpacked
	if b, err := unpack(gzipped(make([]byte, maxUnpacked)), &budget); err != nil || len(b) != maxUnpacked || budget != 0 {
		t.Errorf("exactly the limit: %d bytes, %v, %d left", len(b), err, budget)
	}
}

// A packet full of bombs costs no more than one of them, and what comes in plain is read.
func TestManyBombsInOnePacketCostWhatOneCosts(t *testing.T) {
	bomb := gzipped(make([]byte, maxUnpacked+4))
	p := newPeer(t, nil)
	p.connect()
	p.lines()
	var members []incoming
	for range 100 {
		members = append(members, p.message(bomb, idPush, true))
	}
	members = append(members, p.message(boxed(idTestUpdate, "u"), idPush, true))
	allocated := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.TotalAlloc
	}
	before := allocated()
	p.deliver(members...)
	// One bomb takes its 16 MiB and what the buffer grew by.
	if used := allocated() - before; used > 6*maxUnpacked {
		t.Errorf("a hundred bombs took %d MiB", used>>20)
	}
	if lines := p.lines(); !slices.Equal(lines[:2], []string{"gap", "updates update u"}) {
		t.Errorf("the outputs are %q", lines)
	}
	p.deliver(p.message(gzipped(boxed(idTestUpdate, "u")), idPush, true))
	p.want("the next packet has a budget of its own", "updates update u")
}

// Salts belong to the key. The next session under the same key begins with the snapshot's.
func TestSaltsTravelWithTheKey(t *testing.T) {
	p := newPeer(t, nil)
	p.command("connect")
	p.command("receive bad_salt c1 77")
	p.lines()
	snapshot := p.s.Snapshot()
	next := newPeer(t, func(c *Config) { c.Salts, c.TimeOffset = snapshot.Salts, snapshot.TimeOffset })
	next.command("connect")
	if l := next.lines(); len(l) != 1 || !strings.HasPrefix(l[0], "packet (salt 77)") {
		t.Errorf("got %q", l)
	}
}

// A damaged packet drops the connection; three in a row end the session.
func TestDamagedPackets(t *testing.T) {
	p := newPeer(t, nil)
	p.command("send q1 repeatable")
	for i := range 3 {
		p.connect()
		p.lines()
		packet := p.seal(p.message(boxed(idTestUpdate, "u"), idPush, true), p.s.sessionID)
		packet[30] ^= 1
		p.s.Receive(p.now, packet)
		p.drain()
		p.want("the connection is dropped", "reconnect: mtproto: bad packet: decryption: crypt: decrypt: msg_key mismatch")
		p.disconnect()
		if fresh := p.s.sessionID != p.audit.session; fresh != (i == 2) {
			t.Errorf("after failure %d: new session %v", i+1, fresh)
		}
	}
	p.s.Connected(p.now)
	p.s.Receive(p.now, nil)
	if o, _ := p.s.Next(); o.Kind != OutReconnect {
		t.Errorf("an empty packet: got %v", o.Kind)
	}
}
