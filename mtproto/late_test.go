package mtproto

import (
	"slices"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/tl"
)

// Packets that reach the server after it has said that it does not have them. The server processes each msg_id once
// (https://core.telegram.org/mtproto/service_messages_about_messages#notifications-about-repeated-messages); so each query
// must run once, whichever of its packets comes first. A script ends when packets with the query are on their way that no
// server has refused.
func TestALatePacketDoesNotRunAQueryTwice(t *testing.T) {
	for _, c := range []struct {
		name    string
		script  string
		refused []string // packets that the server got and refused
		runs    []string
	}{
		{"the connection was lost, and the server had not got it when it was asked", `
connect
  packet c1:0 ping 75s
receive pong c1
send q1
  packet c2:1 query q1
disconnect
connect
  packet c5:2 [c3:2 ping 75s, c4:2 state_req c2]
receive pong c3 ; state_info c4 3
  packet c6:2 [copy of c2:1 query q1]
`, nil, []string{"q1"}},
		{"the question overtook it on its own connection", `
connect
  packet c1:0 ping 75s
receive pong c1
send q1
  packet c2:1 query q1
advance 4s
  packet c3:2 ping 75s
receive pong c3
advance 4s
  packet c4:2 ping 75s
receive pong c4
advance 3s
  packet c5:2 state_req c2
receive state_info c5 2
  packet c6:2 [copy of c2:1 query q1]
`, nil, []string{"q1"}},
		{"a container of several, of which another connection has brought a part", `
send q1 q2
send q3 repeatable
connect
  packet c5:6 [c1:0 ping 75s, c2:1 query q1, c3:3 query q2, c4:5 query q3]
disconnect
connect
  packet c8:6 [c6:6 ping 75s, c7:6 state_req c2 c3 c4]
receive state_info c7 3 3 3
  packet c9:6 [copy of c2:1 query q1, copy of c3:3 query q2, copy of c4:5 query q3]
`, nil, []string{"q1", "q2", "q3"}},
		{"the copy was refused for its salt: the first packet may bear the right one", `
connect
  packet c1:0 ping 75s
receive pong c1
send q1
  packet c2:1 query q1
disconnect
connect
  packet c5:2 [c3:2 ping 75s, c4:2 state_req c2]
receive pong c3 ; state_info c4 2
  packet c6:2 [copy of c2:1 query q1]
receive bad_salt c6 5
  packet (salt 5) c7:2 [copy of c2:1 query q1]
  save
`, []string{"c6"}, []string{"q1"}},
		{"the first packet was refused late, when its copy was on its way", `
send q1 q2
connect
  packet c4:4 [c1:0 ping 75s, c2:1 query q1, c3:3 query q2]
disconnect
connect
  packet c7:4 [c5:4 ping 75s, c6:4 state_req c2 c3]
receive pong c5 ; state_info c6 2 2
  packet c8:4 [copy of c2:1 query q1, copy of c3:3 query q2]
receive bad_msg c4 16
  packet c9:4 [copy of c2:1 query q1, copy of c3:3 query q2]
`, []string{"c4"}, []string{"q1", "q2"}},
		{"two connections were lost", `
connect
  packet c1:0 ping 75s
receive pong c1
send q1
  packet c2:1 query q1
disconnect
connect
  packet c5:2 [c3:2 ping 75s, c4:2 state_req c2]
receive pong c3 ; state_info c4 2
  packet c6:2 [copy of c2:1 query q1]
disconnect
connect
  packet c9:2 [c7:2 ping 75s, c8:2 state_req c2]
receive pong c7 ; state_info c8 2
  packet c10:2 [copy of c2:1 query q1]
`, nil, []string{"q1"}},
	} {
		for _, order := range []string{"in order", "the latest first"} {
			t.Run(c.name+", "+order, func(t *testing.T) {
				p, got := playScript(t, c.script)
				compareScripts(t, c.script, got)
				sent := p.requests
				if order != "in order" {
					slices.Reverse(sent)
				}
				ran, seen := map[string]int{}, map[msgID]bool{}
				for _, r := range sent {
					if slices.Contains(c.refused, p.names[r.outer]) {
						continue
					}
					for _, m := range r.members {
						if peekID(m.body) == idTestQuery && !seen[m.id] {
							seen[m.id] = true
							body := m.reader()
							name := body.String()
							ran[name]++
							p.deliver(p.message(p.result(int64(m.id), boxed(idTestAnswer, name)), idReply, true))
						}
					}
				}
				for _, q := range c.runs {
					if ends := p.ends[p.query(q)]; ran[q] != 1 || len(ends) != 1 || ends[0] != nil {
						t.Errorf("%s ran %d times and ended with %v", q, ran[q], ends)
					}
				}
			})
		}
	}
}

// What the server refuses while another packet with the same query may be on its way.
func TestCopiesAreRefused(t *testing.T) {
	const copied = `
connect
  packet c1:0 ping 75s
receive pong c1
send q1
  packet c2:1 query q1
disconnect
connect
  packet c5:2 [c3:2 ping 75s, c4:2 state_req c2]
receive pong c3 ; state_info c4 2
  packet c6:2 [copy of c2:1 query q1]
`
	runSpecified(t, []specified{
		{"with a new session the old one may still take the first packet", copied + `
receive bad_msg c6 32
  failed q1: mtproto: session lost; the server may have executed the query
  packet (new session) c7:0 ping 75s
`},
		{"the old session stays when the copied query has ended: without its memory the late packet would run", copied + `
receive answer c2 a1
  result q1 answer a1
receive bad_msg c6 77
  packet (new session) c7:0 ping 75s
`},
		{"until the server would refuse the late packet for its age", copied + `
receive answer c2 a1
  result q1 answer a1
disconnect
advance 330s
connect
  packet c9:2 [c7:2 ack s4, c8:2 ping 75s]
receive bad_msg c9 77
  packet (new session) c12:0 [c10:0 ping 75s, c11:0 destroy_session]
`},
		{"a mistake of ours in one packet says nothing of the other", copied + `
receive bad_msg c6 18
  failed q1: mtproto: message rejected with bad_msg code 18; the server may have executed the query
`},
		{"a canceled one may have run, and is not copied again", copied + `
cancel q1
  failed q1: mtproto: canceled; the server may have executed the query
  packet c7:2 drop c2
receive bad_salt c6 5
  save
`},
		{"too often: a new session", copied + `
receive bad_msg c6 16
  packet c7:2 [copy of c2:1 query q1]
receive bad_msg c7 16
  packet c8:2 [copy of c2:1 query q1]
receive bad_msg c8 16
  packet c9:2 [copy of c2:1 query q1]
receive bad_msg c9 16
  failed q1: mtproto: session lost; the server may have executed the query
  packet (new session) c10:0 ping 75s
`},
		{"a container that is invalid with it: it goes without one, and when it is too old for that under a new msg_id or not at all", copied + `
receive bad_msg c6 64
  packet copy of c2:1 query q1
receive answer c2 a1
  result q1 answer a1
`},
		{"a large one goes without a container, alone; when it is too old for that it gets a new msg_id", `
config nogzip
connect
  packet c1:0 ping 75s
receive pong c1
send q1 size 40000
  packet c2:1 query q1xxxxxx...(40000)
disconnect
send q2
connect
  packet c6:4 [c3:2 ping 75s, c4:2 state_req c2, c5:3 query q2]
receive pong c3 ; state_info c4 2
  packet copy of c2:1 query q1xxxxxx...(40000)
receive bad_msg c2 16
  packet c7:5 query q1xxxxxx...(40000)
`},
		{"a session that begins with its copy knows it, and nothing that went before that", copied + `
send q2
  packet c7:3 query q2
send q3
  packet c8:5 query q3
disconnect
connect
  packet c11:6 [c9:6 ping 75s, c10:6 state_req c2 c7 c8]
receive state_info c10 3 3 2
  packet c12:6 [copy of c2:1 query q1, copy of c7:3 query q2, copy of c8:5 query q3]
send q4
  packet c13:7 query q4
receive new_session c2 99 1
  gap
pending
  4
`},
	})
}

// msg_ids rise under one auth key, over new sessions too, so that no session seems to overlap another: unless the server
// has proved that they were too high.
func TestMessageIDsRiseOverSessions(t *testing.T) {
	for _, c := range []struct {
		name   string
		skew   time.Duration // server minus client
		code   int32
		passed time.Duration // between the packet and its rejection
		falls  bool
	}{
		{"a seqno", 0, badSeqTooLow, 0, false},
		{"a code nobody knows, some time later", 0, 77, 20 * time.Millisecond, false},
		{"a server that calls a good msg_id too high", 0, badIDTooHigh, 0, false},
		{"a server that calls a good msg_id too high, and whose word takes a second", -time.Second, badIDTooHigh, 0, false},
		{"a msg_id that is too high", -time.Hour, badIDTooHigh, time.Second, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPeer(t, nil)
			p.connect()
			p.send("q1", Once)
			p.skew = c.skew
			last := p.audit.last
			p.now = p.now.Add(c.passed)
			b := tl.AppendInt64(tl.AppendUint32(nil, idBadMsgNotification), int64(last))
			p.deliver(p.message(tl.AppendInt32(tl.AppendInt32(b, 0), c.code), idReply, false))
			r := p.requests[len(p.requests)-1]
			if r.session == p.requests[0].session {
				t.Fatal("no new session began")
			}
			if got := r.members[0].id < last; got != c.falls {
				t.Errorf("msg_id %x comes after %x", r.members[0].id, last)
			}
		})
	}
}
