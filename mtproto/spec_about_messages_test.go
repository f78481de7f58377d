package mtproto

import "testing"

// https://core.telegram.org/mtproto/service_messages_about_messages
func TestServiceMessagesAboutMessages(t *testing.T) {
	runSpecified(t, []specified{
		{"acks are sent together with another message, if one goes in time", `
connect
  packet c1:0 ping 75s
receive pong c1
receive update u1
  updates update u1
send q1
  packet c4:2 [c2:0 ack s2, c3:1 query q1]
`},
		{"acks go alone when nothing else does", `
connect
  packet c1:0 ping 75s
receive pong c1
receive update u1
  updates update u1
deadline
  in 15s
advance 15s
  packet c2:0 ack s2
`},
		{"more than 16 messages are acknowledged at once", `
connect
  packet c1:0 ping 75s
receive pong c1
receive update u1 ; update u2 ; update u3 ; update u4 ; update u5 ; update u6 ; update u7 ; update u8
  updates update u1
  updates update u2
  updates update u3
  updates update u4
  updates update u5
  updates update u6
  updates update u7
  updates update u8
receive update u9 ; update ua ; update ub ; update uc ; update ud ; update ue ; update uf ; update ug
  updates update u9
  updates update ua
  updates update ub
  updates update uc
  updates update ud
  updates update ue
  updates update uf
  updates update ug
  packet c2:0 ack s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 s12 s13 s14 s15 s16 s17
`},
		{"an ack of a query is not its answer", `
connect
  packet c1:0 ping 75s
send q1
  packet c2:1 query q1
receive ack c2
pending
  1
receive answer c2 a1
  result q1 answer a1
`},
		{"bad_server_salt: the message is sent again with the right salt and a new msg_id", `
connect
  packet c1:0 ping 75s
send q1
  packet c2:1 query q1
receive bad_salt c2 5
  packet (salt 5) c3:3 query q1
  save
receive answer c3 a1
  result q1 answer a1
`},
		{"bad_server_salt for a container means all its members", `
send q1 q2
connect
  packet c4:4 [c1:0 ping 75s, c2:1 query q1, c3:3 query q2]
receive bad_salt c4 5
  packet (salt 5) c8:8 [c5:4 ping 75s, c6:5 query q1, c7:7 query q2]
  save
`},
		{"a notification about a message that is not ours is ignored", `
connect
  packet c1:0 ping 75s
receive pong c1
receive bad_salt 0x6957318500000004 5
receive bad_msg 0x6957318500000004 32
send q1
  packet c2:1 query q1
`},
		{"16, msg_id too low: the clock goes forward and the message is sent again", `
connect
  packet c1:0 ping 75s
receive pong c1
send q1
  packet c2:1 query q1
skew 100s
receive bad_msg c2 16
  packet c3:3 query q1
  save
snapshot
  salts 1 2, offset 1m40s known true, header false
`},
		{"17, msg_id too high: the clock goes back, and a new session begins because msg_ids must rise", `
connect
  packet c1:0 ping 75s
skew -100s
receive bad_msg c1 17
  packet (new session) c4:0 [c2:0 ping 75s, c3:0 destroy_session]
  save
snapshot
  salts 1 2, offset -1m40s known true, header false
`},
		{"18, the two low bits: our mistake, the query fails", `
connect
  packet c1:0 ping 75s
send q1
  packet c2:1 query q1
receive bad_msg c2 18
  failed q1: mtproto: message rejected with bad_msg code 18; the server did not execute the query
`},
		{"19, a container's msg_id was used before: new session; the server has had it, so its queries may have run", `
send q1
send q2 repeatable
connect
  packet c4:4 [c1:0 ping 75s, c2:1 query q1, c3:3 query q2]
receive bad_msg c4 19
  failed q1: mtproto: session lost; the server may have executed the query
  packet (new session) c8:2 [c5:0 ping 75s, c6:0 destroy_session, c7:1 query q2]
`},
		{"20, too old to know whether it was received: that is for the query's policy to decide", `
connect
  packet c1:0 ping 75s
send q1
  packet c2:1 query q1
send q2 repeatable
  packet c3:3 query q2
receive bad_msg c2 20
  failed q1: mtproto: the server forgot the query; the server may have executed the query
receive bad_msg c3 20
  packet c4:5 query q2
`},
		{"32 and 33, seqno too low or too high: new session, seqno from zero", `
connect
  packet c1:0 ping 75s
receive pong c1
send q1
  packet c2:1 query q1
receive bad_msg c2 32
  packet (new session) c6:2 [c3:0 ping 75s, c4:0 destroy_session, c5:1 query q1]
receive bad_msg c3 33
  failed q1: mtproto: session lost; the server may have executed the query
  packet (new session) c9:0 [c7:0 ping 75s, c8:0 destroy_session]
`},
		{"34 and 35, parity of the seqno: our mistake, the query fails", `
connect
  packet c1:0 ping 75s
send q1 q2
  packet c4:4 [c2:1 query q1, c3:3 query q2]
receive bad_msg c2 34
  failed q1: mtproto: message rejected with bad_msg code 34; the server did not execute the query
receive bad_msg c3 35
  failed q2: mtproto: message rejected with bad_msg code 35; the server did not execute the query
`},
		{"48 without a salt: the query is sent again and salts are asked for", `
connect
  packet c1:0 ping 75s
send q1
  packet c2:1 query q1
receive bad_msg c2 48
  packet c3:3 query q1
`},
		{"64, invalid container: its members are sent again one by one", `
connect
  packet c1:0 ping 75s
receive pong c1
send q1 q2
  packet c4:4 [c2:1 query q1, c3:3 query q2]
receive bad_msg c4 64
  packet c5:5 query q1
  packet c6:7 query q2
`},
		{"a code nobody knows: new session", `
connect
  packet c1:0 ping 75s
send q1
  packet c2:1 query q1
receive bad_msg c2 77
  packet (new session) c6:2 [c3:0 ping 75s, c4:0 destroy_session, c5:1 query q1]
`},
		{"msgs_state_req of the server is answered with one byte for each message", `
connect
  packet c1:0 ping 75s
receive pong c1
receive update u1
  updates update u1
receive update u2
  updates update u2
receive state_req s2 s3 s2+2 s3+4096 0x1001
  packet c4:0 [c2:0 ack s2 s3, c3:0 state_info s4 [4 4 2 3 1]]
`},
		{"after a reconnect the state of unanswered queries is asked for", `
connect
  packet c1:0 ping 75s
send q1 q2
  packet c4:4 [c2:1 query q1, c3:3 query q2]
disconnect
connect
  packet c7:4 [c5:4 ping 75s, c6:4 state_req c2 c3]
`},
		{"state 1: nothing is known, perhaps it was forgotten: the policy decides", `
connect
  packet c1:0 ping 75s
send q1
  packet c2:1 query q1
send q2 repeatable
  packet c3:3 query q2
disconnect
connect
  packet c6:4 [c4:4 ping 75s, c5:4 state_req c2 c3]
receive state_info c5 1 1
  failed q1: mtproto: the server forgot the query; the server may have executed the query
  packet c7:5 query q2
`},
		{"states 2 and 3: not received, sent again under the same msg_id whatever the policy, before what was not sent yet", `
config inflight=3
connect
  packet c1:0 ping 75s
send q1
  packet c2:1 query q1
send q2 repeatable
  packet c3:3 query q2
send q3
  packet c4:5 query q3
disconnect
send q4
connect
  packet c7:6 [c5:6 ping 75s, c6:6 state_req c2 c3 c4]
receive state_info c6 4 3 2
  packet c8:6 [copy of c3:3 query q2, copy of c4:5 query q3]
receive answer c2 a1 ; answer c3 a2
  result q1 answer a1
  result q2 answer a2
  packet c11:8 [c9:6 ack s2 s3, c10:7 query q4]
`},
		{"state 4: received, the answer will come", `
connect
  packet c1:0 ping 75s
send q1
  packet c2:1 query q1
disconnect
connect
  packet c5:2 [c3:2 ping 75s, c4:2 state_req c2]
receive pong c3 ; state_info c4 4
pending
  1
receive answer c2 a1
  result q1 answer a1
`},
		{"state 4 with an answer generated: the answer is asked for", `
connect
  packet c1:0 ping 75s
send q1
  packet c2:1 query q1
disconnect
connect
  packet c5:2 [c3:2 ping 75s, c4:2 state_req c2]
receive state_info c4 196
  packet c6:2 resend_ans_req c2
`},
		{"a state request that is refused: it cannot be known, so the policy decides; and nobody asks for ever", `
connect
  packet c1:0 ping 75s
send q1
  packet c2:1 query q1
send q2 repeatable
  packet c3:3 query q2
disconnect
connect
  packet c6:4 [c4:4 ping 75s, c5:4 state_req c2 c3]
receive error c5 400 INPUT_METHOD_INVALID
  failed q1: mtproto: the server forgot the query; the server may have executed the query
  packet c9:6 [c7:4 ack s1, c8:5 query q2]
`},
		{"msgs_all_info tells states unasked: received is believed, not received is asked about", `
connect
  packet c1:0 ping 75s
send q1 q2
  packet c4:4 [c2:1 query q1, c3:3 query q2]
receive all_info c2 4
receive all_info c3 2
  packet c5:4 state_req c3
`},
		{"msg_detailed_info of an answer not received: it is asked for", `
connect
  packet c1:0 ping 75s
send q1
  packet c2:1 query q1
receive detailed c2 0x6957318600000001
  packet c3:2 resend_req 0x6957318600000001
`},
		{"msg_detailed_info of an answer received: it is acknowledged", `
connect
  packet c1:0 ping 75s
receive pong c1
receive update u1
  updates update u1
send q1
  packet c4:2 [c2:0 ack s2, c3:1 query q1]
receive detailed c2 s2
advance 14s
  packet c7:2 [c5:2 ack s2, c6:2 ping 75s]
  reconnect: mtproto: no pong for 5s
`},
		{"msg_detailed_info of an answer nobody waits for any more: it is acknowledged", `
connect
  packet c1:0 ping 75s
receive pong c1
send q1
  packet c2:1 query q1
receive answer c2 a1
  result q1 answer a1
receive detailed c2 0x6957318600000001
advance 15s
  packet c3:2 ack s2 0x6957318600000001
`},
		{"msg_new_detailed_info: the message is asked for", `
connect
  packet c1:0 ping 75s
receive new_detailed 0x6957318600000003
  packet c2:0 resend_req 0x6957318600000003
`},
		{"msg_resend_req: our message goes again under its msg_id, and a state for what is gone", `
connect
  packet c1:0 ping 75s
receive pong c1
send q1
  packet c2:1 query q1
receive resend_req c2 c1
  packet c4:2 [c3:2 state_info s2 [4 1], copy of c2:1 query q1]
`},
	})
}
