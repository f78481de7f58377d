package mtproto

import "testing"

// What went wrong in other clients, each with the case that showed it.

func TestPitfalls(t *testing.T) {
	runSpecified(t, []specified{
		{"inner messages of containers are acknowledged by their own ids, and the container is not", `
connect
  packet c1:0 ping 75s
receive pong c1
send q1
  packet c2:1 query q1
receive answer c2 a1 ; update u1
  result q1 answer a1
  updates update u1
advance 20s
  packet c3:2 ack s2 s3
`},
		{"an unknown constructor as an update, in gzip, and as a result does no harm", `
connect
  packet c1:0 ping 75s
receive pong c1
send q1
  packet c2:1 query q1
receive unknown
  updates 0xefbeadde
receive gzip unknown
  updates 0xefbeadde
receive result c2 0xdeadbeef
  result q1 0xdeadbeef
receive update u1
  updates update u1
`},
		{"the server forgets the session: earlier queries go again, exactly once, and a gap is told", `
connect
  packet c1:0 ping 75s
receive pong c1
send q1 repeatable
  packet c2:1 query q1
send q2 repeatable
  packet c3:3 query q2
disconnect
connect
  packet c6:4 [c4:4 ping 75s, c5:4 state_req c2 c3]
receive new_session c6 99 1 ; state_info c5 1 1 ; pong c4
  gap
  packet c10:8 [c7:4 ack s2, c8:5 query q1, c9:7 query q2]
receive answer c8 a1 ; answer c9 a2
  result q1 answer a1
  result q2 answer a2
pending
  0
`},
		{"the server forgets the session: a query that must not run twice ends", `
connect
  packet c1:0 ping 75s
receive pong c1
send q1
  packet c2:1 query q1
disconnect
connect
  packet c5:2 [c3:2 ping 75s, c4:2 state_req c2]
receive new_session c5 99 1 ; state_info c4 1
  failed q1: mtproto: session lost; the server may have executed the query
  gap
pending
  0
`},
		{"new_session_created repeated with the same unique_id is one gap, and acknowledged each time", `
connect
  packet c1:0 ping 75s
receive pong c1
receive new_session c1 99 1
  gap
receive new_session c1 99 1
receive new_session c1 99 1
advance 15s
  packet c2:0 ack s2 s3 s4
`},
		{"new_session_created names a member of a container: the whole container belongs to the session", `
send q1 q2
connect
  packet c4:4 [c1:0 ping 75s, c2:1 query q1, c3:3 query q2]
receive new_session c3 99 1
  gap
receive answer c2 a1 ; answer c3 a2
  result q1 answer a1
  result q2 answer a2
pending
  0
`},
		{"new_session_created names a container: the whole container belongs to the session", `
connect
  packet c1:0 ping 75s
receive pong c1
send q0 repeatable
  packet c2:1 query q0
send q1 q2
  packet c5:6 [c3:3 query q1, c4:5 query q2]
receive new_session c5 99 1
  gap
  packet c8:8 [c6:6 ack s2, c7:7 query q0]
receive answer c3 a1 ; answer c4 a2 ; answer c7 a0
  result q1 answer a1
  result q2 answer a2
  result q0 answer a0
pending
  0
`},
		{"an ack is not an answer: after the ack and a lost connection the answer is waited for", `
connect
  packet c1:0 ping 75s
receive pong c1
send q1
  packet c2:1 query q1
receive ack c2
disconnect
connect
  packet c5:2 [c3:2 ping 75s, c4:2 state_req c2]
receive state_info c4 12 ; pong c3
pending
  1
receive answer c2 a1
  result q1 answer a1
`},
		{"the binding gets bad_server_salt, then 16, then an answer", `
connect
  packet c1:0 ping 75s
receive pong c1
bind
  packet c2:1 bind until +24h0m0s
receive bad_salt c2 5
  packet (salt 5) c3:3 bind until +24h0m0s
  save
skew 60s
receive bad_msg c3 16
  packet c4:5 bind until +24h0m0s
  save
receive true c4
  bound
  packet c7:6 [c5:6 ack s4, c6:6 ping 75s]
`},
		{"the binding is rejected three times", `
bind
connect
  packet c1:1 bind until +24h0m0s
receive bad_salt c1 5
  packet (salt 5) c2:3 bind until +24h0m0s
  save
receive bad_salt c2 6
  packet (salt 6) c3:5 bind until +24h0m0s
  save
receive bad_msg c3 20
  bind failed: mtproto: binding rejected three times before it was read
  packet c4:6 ping 75s
`},
		{"the answer to the binding does not come", `
bind
connect
  packet c1:1 bind until +24h0m0s
deadline
  in 10s
advance 10s
  reconnect: mtproto: no answer to the binding for 10s
disconnect
advance 1s
connect
  packet c2:3 bind until +24h0m0s
receive true c2
  bound
  packet c5:4 [c3:4 ack s1, c4:4 ping 75s]
`},
		{"the binding is refused by the server", `
bind
connect
  packet c1:1 bind until +24h0m0s
receive error c1 400 ENCRYPTED_MESSAGE_INVALID
  bind failed: tgerr: server answered 400 ENCRYPTED_MESSAGE_INVALID
  packet c4:2 [c2:2 ack s1, c3:2 ping 75s]
bind
  packet c5:3 bind until +24h0m0s
send q1
receive false c5
  bind failed: mtproto: binding refused
bind
  packet c6:5 bind until +24h0m0s
receive true c6
  bound
  packet c9:8 [c7:6 ack s2 s3, c8:7 query q1]
`},
		{"queries wait for the binding, then the header goes with the first of them", `
config header
bind
send q1 q2
connect
  packet c1:1 bind until +24h0m0s
receive true c1
  bound
  packet c6:6 [c2:2 ack s1, c3:2 ping 75s, c4:3 header(query q1), c5:5 header(query q2)]
`},
		{"a perm key is not bound", `
config perm
bind
  bind failed: mtproto: a perm key cannot be bound
`},
		{"a bad member does not keep the rest of a container from being processed", `
connect
  packet c1:0 ping 75s
receive pong c1
send q1
  packet c2:1 query q1
receive garbage ; answer c2 a1 ; update u1
  result q1 answer a1
  updates update u1
advance 15s
  packet c3:2 ack s2 s3 s4
`},
		{"a repeated message is acknowledged again and not delivered twice", `
connect
  packet c1:0 ping 75s
receive pong c1
receive update u1
  updates update u1
advance 15s
  packet c2:0 ack s2
again s2
advance 15s
  packet c3:0 ack s2
disconnect
connect
  packet c4:0 ping 75s
again s2 s2
advance 2s
`},
		{"canceled before it is sent, after, after the ack, after the answer", `
send q1
cancel q1
  failed q1: mtproto: canceled; the server did not execute the query
connect
  packet c1:0 ping 75s
receive pong c1
send q2
  packet c2:1 query q2
cancel q2
  failed q2: mtproto: canceled; the server may have executed the query
  packet c3:2 drop c2
receive answer c2 a2
send q3
  packet c6:4 [c4:2 ack s2, c5:3 query q3]
receive ack c4
cancel q3
  failed q3: mtproto: canceled; the server may have executed the query
  packet c7:4 drop c5
send q4
  packet c8:5 query q4
receive answer c8 a4
  result q4 answer a4
cancel q4
pending
  0
`},
		{"the header goes until an answer that is no error, and again when the server says so", `
config header prefix
connect
  packet c1:0 ping 75s
receive pong c1
send q1
  packet c2:1 header(prefix(query q1))
receive error c2 420 FLOOD_WAIT_0
  failed q1: tgerr: server answered 420 FLOOD_WAIT
send q2
  packet c5:4 [c3:2 ack s2, c4:3 header(prefix(query q2))]
receive answer c4 a2
  result q2 answer a2
snapshot
  salts 1 2, offset 0s known true, header true
send q3
  packet c8:6 [c6:4 ack s3, c7:5 prefix(query q3)]
receive error c7 400 CONNECTION_NOT_INITED
  packet c11:8 [c9:6 ack s4, c10:7 header(prefix(query q3))]
receive answer c10 a3
  result q3 answer a3
send q4
  packet c14:10 [c12:8 ack s5, c13:9 prefix(query q4)]
receive error c13 400 CONNECTION_LAYER_INVALID
  packet c17:12 [c15:10 ack s6, c16:11 header(prefix(query q4))]
receive error c16 400 CONNECTION_LAYER_INVALID
  failed q4: tgerr: server answered 400 CONNECTION_LAYER_INVALID
pending
  0
`},
		{"a header known from another session is not sent", `
config header known
connect
  packet c1:0 ping 75s
send q1
  packet c2:1 query q1
`},
		{"no salt is known: one ping first, so that a burst is not rejected", `
config nosalts
send q1 q2
connect
  packet (salt 0) c1:0 ping 75s
receive bad_salt c1 5
  packet (salt 5) c6:4 [c2:0 ping 75s, c3:0 get_future_salts 8, c4:1 query q1, c5:3 query q2]
  save
receive answer c4 a1 ; answer c5 a2
  result q1 answer a1
  result q2 answer a2
`},
		{"more queries than may be in flight wait, and more than may wait fail", `
config inflight=2 queue=1
connect
  packet c1:0 ping 75s
receive pong c1
send q1 q2
  packet c4:4 [c2:1 query q1, c3:3 query q2]
send q3
send q4
  failed q4: mtproto: too many queries waiting; the server did not execute the query
receive answer c2 a1
  result q1 answer a1
  packet c7:6 [c5:4 ack s2, c6:5 query q3]
send q5 q6
  failed q6: mtproto: too many queries waiting; the server did not execute the query
`},
		{"close ends every query with what may have become of it", `
connect
  packet c1:0 ping 75s
send q1
  packet c2:1 query q1
disconnect
send q2
close
  failed q1: mtproto: session closed; the server may have executed the query
  failed q2: mtproto: session closed; the server did not execute the query
send q3
  failed q3: mtproto: session closed; the server did not execute the query
connect
pending
  0
`},
		{"a large query travels alone", `
config nogzip
connect
  packet c1:0 ping 75s
send q1 q2
  packet c4:4 [c2:1 query q1, c3:3 query q2]
send q3 size 40000
  packet c5:5 query q3xxxxxx...(40000)
send q4 q5
  packet c8:10 [c6:7 query q4, c7:9 query q5]
`},
		{"a large query travels alone even when others wait around it", `
config nogzip
send q1
send q2 size 40000
send q3
connect
  packet c3:2 [c1:0 ping 75s, c2:1 query q1]
  packet c4:3 query q2xxxxxx...(40000)
  packet c5:5 query q3
`},
		{"each new connection asks for states at once, even when the last one did not live to answer", `
connect
  packet c1:0 ping 75s
receive pong c1
send q1
  packet c2:1 query q1
disconnect
connect
  packet c5:2 [c3:2 ping 75s, c4:2 state_req c2]
disconnect
connect
  packet c8:2 [c6:2 ping 75s, c7:2 state_req c2]
`},
		{"a query that the server acknowledged and then knows nothing of has been forgotten", `
connect
  packet c1:0 ping 75s
receive pong c1
send q1
  packet c2:1 query q1
send q2
  packet c3:3 query q2
receive ack c2
disconnect
connect
  packet c6:4 [c4:4 ping 75s, c5:4 state_req c2 c3]
receive state_info c5 3 3
  failed q1: mtproto: the server forgot the query; the server may have executed the query
  packet c7:4 [copy of c3:3 query q2]
`},
		{"a query of which the server knows nothing may have been forgotten; one not received goes again at any age", `
connect
  packet c1:0 ping 75s
receive pong c1
send q1
  packet c2:1 query q1
send q2
  packet c3:3 query q2
disconnect
advance 6m
connect
  packet c6:4 [c4:4 ping 75s, c5:4 state_req c2 c3]
receive state_info c5 1 3
  failed q1: mtproto: the server forgot the query; the server may have executed the query
  packet c7:4 [copy of c3:3 query q2]
`},
		{"a query sent under three msg_ids is answered by its first transmission, or by its last, but ends once", `
connect
  packet c1:0 ping 75s
receive pong c1
send q1 repeatable
  packet c2:1 query q1
disconnect
connect
  packet c5:2 [c3:2 ping 75s, c4:2 state_req c2]
receive pong c3 ; state_info c4 1
  packet c6:3 query q1
disconnect
connect
  packet c9:4 [c7:4 ping 75s, c8:4 state_req c6]
receive pong c7 ; state_info c8 1
  packet c10:5 query q1
disconnect
connect
  packet c13:6 [c11:6 ping 75s, c12:6 state_req c10]
receive pong c11 ; state_info c12 1
  packet c14:7 query q1
receive answer c10 a3
  result q1 answer a3
receive answer c14 a4
receive answer c6 a2
receive answer c2 a1
pending
  0
`},
		{"a rejected state request is made again", `
connect
  packet c1:0 ping 75s
receive pong c1
send q1
  packet c2:1 query q1
disconnect
connect
  packet c5:2 [c3:2 ping 75s, c4:2 state_req c2]
receive bad_salt c5 9
  packet (salt 9) c8:2 [c6:2 ping 75s, c7:2 state_req c2]
  save
receive pong c6 ; state_info c7 2
  packet c9:2 [copy of c2:1 query q1]
`},
		{"a repeatable query that waits to go again may have run already", `
connect
  packet c1:0 ping 75s
send q1 repeatable
  packet c2:1 query q1
disconnect
connect
  packet c5:2 [c3:2 ping 75s, c4:2 state_req c2]
receive new_session c5 9 1 ; even pong c1
  gap
  reconnect: mtproto: bad packet: msg_id of the server is not odd
cancel q1
  failed q1: mtproto: canceled; the server may have executed the query
`},
		{"what was being asked of a query is asked again after ten seconds, then less often", `
connect
  packet c1:0 ping 75s
receive pong c1
send q1
  packet c2:1 query q1
advance 1s
receive ack c2
advance 2s
  packet c3:2 ping 75s
receive pong c3
advance 3s
  packet c4:2 ping 75s
receive pong c4
advance 3s
  packet c5:2 ping 75s
receive pong c5
advance 3s
  packet c6:2 state_req c2
  packet c7:2 ping 75s
`},
	})
}
