package mtproto

import (
	"os"
	"strings"
	"testing"
)

// specified is one sentence of the specification, in our words, and a script that shows that it is obeyed.
type specified struct {
	rule   string
	script string
}

// runSpecified runs scripts whose expectations stand in the test itself; -rewrite rewrites them there.
func runSpecified(t *testing.T, list []specified) {
	t.Helper()
	for _, s := range list {
		t.Run(s.rule, func(t *testing.T) {
			got := runScript(t, s.script)
			if *rewrite {
				rewriteScript(t, s.script, got)
				return
			}
			compareScripts(t, s.script, got)
		})
	}
}

func rewriteScript(t *testing.T, old, got string) {
	for _, file := range []string{"spec_test.go", "spec_about_messages_test.go", "pitfalls_test.go"} {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(src), "`"+old+"`"); n > 1 {
			t.Fatal("the script stands there more than once")
		} else if n == 1 {
			src = []byte(strings.Replace(string(src), "`"+old+"`", "`\n"+got+"`", 1))
			if err := os.WriteFile(file, src, 0o644); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatal("script not found")
}

// https://core.telegram.org/mtproto/description
func TestDescription(t *testing.T) {
	runSpecified(t, []specified{
		{"the seqno is twice the number of content-related messages before, plus one if this one is content-related", `
connect
  packet c1:0 ping 75s
send q1
  packet c2:1 query q1
send q2
  packet c3:3 query q2
receive pong c1
advance 16s
  packet c4:4 ping 75s
  reconnect: mtproto: no pong for 5s
`},
		{"a message whose msg_id is even is not the server's: the connection is dropped", `
connect
  packet c1:0 ping 75s
receive even pong c1
  reconnect: mtproto: bad packet: msg_id of the server is not odd
`},
		{"a message received before is not processed again, but is acknowledged again", `
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
`},
		{"a message more than 300 seconds old is ignored", `
connect
  packet c1:0 ping 75s
receive pong c1
receive old 299s update u1
  updates update u1
receive old 302s update u2
  gap
  packet c4:0 [c2:0 ack s2 s3, c3:0 ping 75s]
`},
		{"a message more than 30 seconds in the future is ignored", `
connect
  packet c1:0 ping 75s
receive pong c1
receive new 29s update u1
  updates update u1
  save
receive new 62s update u2
  packet c4:0 [c2:0 ack s2, c3:0 ping 75s]
`},
		{"a message of another session is ignored", `
connect
  packet c1:0 ping 75s
stale update u1
receive update u2
  updates update u2
`},
		{"a message is acknowledged by its own seqno inside a container, the container never", `
connect
  packet c1:0 ping 75s
receive update u1 ; pong c1 ; update u2
  updates update u1
  updates update u2
advance 15s
  packet c2:0 ack s1 s3
`},
	})
}

// https://core.telegram.org/mtproto/service_messages
func TestServiceMessages(t *testing.T) {
	runSpecified(t, []specified{
		{"a query's answer comes as rpc_result with the query's msg_id", `
connect
  packet c1:0 ping 75s
send q1 q2
  packet c4:4 [c2:1 query q1, c3:3 query q2]
receive answer c3 a2
  result q2 answer a2
receive answer c2 a1
  result q1 answer a1
`},
		{"an rpc_result is acknowledged by the client", `
connect
  packet c1:0 ping 75s
receive pong c1
send q1
  packet c2:1 query q1
receive answer c2 a1
  result q1 answer a1
advance 15s
  packet c3:2 ack s2
`},
		{"an error is an rpc_error in place of the result", `
connect
  packet c1:0 ping 75s
send q1
  packet c2:1 query q1
receive error c2 420 FLOOD_WAIT_3
  failed q1: tgerr: server answered 420 FLOOD_WAIT (3)
pending
  0
`},
		{"a result may be packed, and an error too", `
connect
  packet c1:0 ping 75s
send q1 q2
  packet c4:4 [c2:1 query q1, c3:3 query q2]
receive gzanswer c2 a1
  result q1 answer a1
receive gzerror c3 400 PHONE_NUMBER_INVALID
  failed q2: tgerr: server answered 400 PHONE_NUMBER_INVALID
`},
		{"an answer to a message nobody sent is ignored, but acknowledged", `
connect
  packet c1:0 ping 75s
receive pong c1
receive answer 0 a1
receive answer 0x6957318500000004 a2
advance 15s
  packet c2:0 ack s2 s3
`},
		{"the second answer to a query is ignored", `
connect
  packet c1:0 ping 75s
send q1
  packet c2:1 query q1
receive answer c2 a1
  result q1 answer a1
receive answer c2 a2
`},
		{"rpc_drop_answer asks the server to forget the answer of a canceled query", `
connect
  packet c1:0 ping 75s
send q1
  packet c2:1 query q1
cancel q1
  failed q1: mtproto: canceled; the server may have executed the query
  packet c3:2 drop c2
receive result c3 0x5e2ad36e
pending
  0
`},
		{"rpc_answer_dropped_running comes twice, the second time as the result of the query itself", `
connect
  packet c1:0 ping 75s
send q1
  packet c2:1 query q1
cancel q1
  failed q1: mtproto: canceled; the server may have executed the query
  packet c3:2 drop c2
receive result c2 0xcd78e586 ; result c3 0xcd78e586
receive answer c2 a1
pending
  0
`},
		{"a query that was not sent is canceled without a word to the server", `
send q1
cancel q1
  failed q1: mtproto: canceled; the server did not execute the query
connect
  packet c1:0 ping 75s
`},
		{"get_future_salts is answered by future_salts, which name the request", `
config nosalts
connect
  packet (salt 0) c1:0 ping 75s
receive bad_salt c1 5
  packet (salt 5) c4:0 [c2:0 ping 75s, c3:0 get_future_salts 8]
  save
receive future_salts c3 6 7 8
  save
snapshot
  salts 6 7 8, offset 0s known true, header false
`},
		{"future_salts that nobody asked for are ignored", `
connect
  packet c1:0 ping 75s
receive future_salts c1 6 7 8
snapshot
  salts 1 2, offset 0s known true, header false
`},
		{"a salt is used from its valid_since on", `
config nosalts
connect
  packet (salt 0) c1:0 ping 75s
receive bad_salt c1 5
  packet (salt 5) c4:0 [c2:0 ping 75s, c3:0 get_future_salts 8]
  save
receive pong c2 ; future_salts c3 6 7 8
  save
disconnect
advance 30m
connect
  packet (salt 7) c5:0 ping 75s
disconnect
advance 30m
connect
  packet (salt 8) c8:0 [c6:0 ping 75s, c7:0 get_future_salts 8]
`},
		{"ping is answered by pong, and ping_delay_disconnect is sent again before its delay has passed", `
connect
  packet c1:0 ping 75s
receive pong c1
advance 60s
  packet c2:0 ping 75s
receive pong c2
advance 60s
  packet c3:0 ping 75s
`},
		{"new_session_created: queries with a smaller msg_id are sent again, here those that may be", `
connect
  packet c1:0 ping 75s
send q1 repeatable
  packet c2:1 query q1
send q2
  packet c3:3 query q2
send q3
  packet c4:5 query q3
receive new_session c4 99 1
  failed q2: mtproto: session lost; the server may have executed the query
  gap
  packet c7:8 [c5:6 ack s1, c6:7 query q1]
`},
		{"new_session_created: its salt is used from now on", `
connect
  packet c1:0 ping 75s
receive new_session c1 99 77
  gap
  save
send q1
  packet (salt 77) c4:2 [c2:0 ack s1, c3:1 query q1]
`},
		{"new_session_created: updates may be lost, so their state is to be fetched", `
connect
  packet c1:0 ping 75s
receive new_session c1 99 1
  gap
`},
		{"new_session_created is acknowledged", `
connect
  packet c1:0 ping 75s
receive pong c1
receive new_session c1 99 1
  gap
advance 15s
  packet c2:0 ack s2
`},
		{"messages of one container are processed one by one, each under its own msg_id", `
connect
  packet c1:0 ping 75s
send q1 q2
  packet c4:4 [c2:1 query q1, c3:3 query q2]
receive answer c3 a2 ; update u1 ; answer c2 a1 ; new_session c1 7 1
  result q2 answer a2
  updates update u1
  result q1 answer a1
  gap
`},
		{"a container holds several queries, and its msg_id is above theirs", `
send q1 q2 q3
connect
  packet c5:6 [c1:0 ping 75s, c2:1 query q1, c3:3 query q2, c4:5 query q3]
`},
		{"a container inside a container is forbidden", `
connect
  packet c1:0 ping 75s
receive nested ; update u1
  updates update u1
  reconnect: mtproto: bad packet: container inside a container
`},
		{"gzip_packed may stand for any message", `
connect
  packet c1:0 ping 75s
receive gzip update u1
  updates update u1
receive gzip pong c1
advance 60s
  packet c2:0 ack s1
  packet c3:0 ping 75s
`},
		{"a query is packed when that is worth it", `
connect
  packet c1:0 ping 75s
send q1 size 2000
  packet c2:1 gzip(query q1xxxxxx...(2000))
send q2 size 100
  packet c3:3 query q2xxxxxx...(100)
`},
		{"destroy_session is for a session we have left, and its answer is no rpc_result", `
connect
  packet c1:0 ping 75s
receive bad_msg c1 32
  packet (new session) c4:0 [c2:0 ping 75s, c3:0 destroy_session]
receive destroy_session_ok
`},
	})
}
