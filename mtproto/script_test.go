package mtproto

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/tl"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the expectations of transcripts (read the diff: it is behaviour)")

// A script is a list of commands, each at the start of a line, with what the Session did beneath it, indented:
//
//	connect
//	  packet c1:0 ping 75s
//	receive pong c1
//
// Commands of the owner: connect, disconnect, advance DURATION, send NAME [repeatable] [size N], cancel NAME, close, bind,
// deadline, snapshot, pending, room BYTES, silent, speak, ping, cancelqueued, clocks (what OutClock has said). Commands of the server: receive MESSAGE [; MESSAGE]..., again NAME, stale MESSAGE (for a
// session that is gone), skew DURATION (the server's clock against the client's). Messages are described at message.
// The first line may be "config WORD..." with words header, prefix, nosalts, noclock, perm, known, nogzip, inflight=N, queue=N,
// offset=DURATION. Lines that begin with # are remarks.

// runScript runs a script and returns it with what really happened.
func runScript(t *testing.T, script string) string {
	t.Helper()
	var out strings.Builder
	var p *peer
	for _, line := range strings.Split(strings.TrimSpace(script), "\n") {
		command := strings.TrimRight(line, " ")
		switch {
		case command == "" || strings.HasPrefix(command, "#"):
			out.WriteString(command + "\n")
			continue
		case strings.HasPrefix(command, " ") || strings.HasPrefix(command, "\t"):
			continue
		}
		if p == nil {
			words := []string{}
			if rest, ok := strings.CutPrefix(command, "config"); ok {
				words = strings.Fields(rest)
			}
			p = newPeer(t, func(c *Config) { configure(t, c, words) })
			if strings.HasPrefix(command, "config") {
				out.WriteString(command + "\n")
				continue
			}
		}
		p.command(command)
		out.WriteString(command + "\n")
		for _, l := range p.lines() {
			out.WriteString("  " + l + "\n")
		}
	}
	return out.String()
}

func configure(t *testing.T, c *Config, words []string) {
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		n, _ := strconv.Atoi(value)
		switch key {
		case "header":
			c.Header = tl.AppendUint32(nil, idTestHeader)
		case "prefix":
			c.Prefix = tl.AppendUint32(nil, idTestPrefix)
		case "nosalts":
			c.Salts = nil
		case "noclock":
			c.OffsetKnown = false
		case "perm":
			c.Perm = true
		case "known":
			c.HeaderConfirmed = true
		case "nogzip":
			c.GzipAbove = -1
		case "noping":
			c.PingInterval = -1
		case "inflight":
			c.MaxInFlight = n
		case "queue":
			c.MaxQueued = n
		case "offset":
			d, err := time.ParseDuration(value)
			if err != nil {
				t.Fatal(err)
			}
			c.TimeOffset = d
		default:
			t.Fatalf("config: what is %q?", w)
		}
	}
}

// command runs one line.
func (p *peer) command(line string) {
	p.t.Helper()
	verb, rest, _ := strings.Cut(line, " ")
	words := strings.Fields(rest)
	switch verb {
	case "connect":
		p.connect()
	case "disconnect":
		p.disconnect()
	case "advance":
		p.advance(p.duration(rest))
	case "jump":
		// The owner was suspended, or its clock was set: no deadline is met on the way.
		p.now = p.now.Add(p.duration(rest))
		p.skew -= p.duration(rest)
	case "skew":
		p.skew = p.duration(rest)
	case "send":
		p.sendCommand(words)
	case "cancel":
		p.s.Cancel(p.now, p.query(rest))
		p.drain()
	case "cancelqueued":
		p.s.CancelQueued(p.now)
		p.drain()
	case "silent", "speak":
		p.s.SetSilent(p.now, verb == "silent")
		p.drain()
	case "ping":
		p.s.Ping(p.now)
		p.drain()
	case "cancelping":
		p.out = append(p.out, fmt.Sprintf("queued %v", p.s.PingQueued()))
		p.s.CancelPing(p.now)
		p.drain()
	case "room":
		n, _ := strconv.Atoi(rest)
		if !p.s.SetRoom(p.now, n) {
			p.out = append(p.out, "no news")
		}
		p.drain()
		if p.s.WantsRoom() {
			p.out = append(p.out, "wants room")
		}
	case "clocks":
		for _, d := range p.clocks {
			p.out = append(p.out, "offset "+d.Round(time.Second).String())
		}
		p.clocks = nil
	case "close":
		p.s.Close(p.now)
		p.drain()
	case "bind":
		p.s.Bind(p.now, p.perm, testEpoch.Add(24*time.Hour))
		p.drain()
	case "receive":
		p.receive(rest, true)
	case "stale":
		m := p.parse(strings.Fields(rest))
		p.s.Receive(p.now, p.seal(m, 4711))
		p.drain()
	case "again":
		p.again(words)
	case "deadline":
		if d := p.s.Deadline(); d.IsZero() {
			p.out = append(p.out, "never")
		} else {
			p.out = append(p.out, "in "+d.Sub(p.now).String())
		}
	case "pending":
		p.out = append(p.out, strconv.Itoa(p.s.Pending()))
	case "snapshot":
		s := p.s.Snapshot()
		var salts []string
		for _, x := range s.Salts {
			salts = append(salts, strconv.FormatInt(x.Value, 10))
		}
		p.out = append(p.out, fmt.Sprintf("salts %s, offset %v known %v, header %v", strings.Join(salts, " "),
			s.TimeOffset.Round(time.Second), s.OffsetKnown, s.HeaderConfirmed))
	default:
		p.t.Fatalf("what is %q?", line)
	}
}

func (p *peer) duration(text string) time.Duration {
	d, err := time.ParseDuration(strings.TrimSpace(text))
	if err != nil {
		p.t.Fatal(err)
	}
	return d
}

// sendCommand is send NAME... [repeatable] [size N]: several names are sent before the outputs are pulled.
func (p *peer) sendCommand(words []string) {
	policy, size := Once, 0
	var names []string
	for i := 0; i < len(words); i++ {
		switch words[i] {
		case "repeatable":
			policy = Repeatable
		case "size":
			i++
			size, _ = strconv.Atoi(words[i])
		default:
			names = append(names, words[i])
		}
	}
	for _, name := range names {
		body := queryBody(name)
		if size > 0 {
			body = queryBody(name + strings.Repeat("x", size-len(name)))
		}
		p.s.Send(p.now, p.query(name), body, policy)
	}
	p.drain()
}

// receive sends a packet of the server.
func (p *peer) receive(text string, drain bool) {
	p.t.Helper()
	var messages []incoming
	for _, part := range strings.Split(text, ";") {
		messages = append(messages, p.parse(strings.Fields(part)))
	}
	p.deliver(messages...)
}

// again sends messages of the server once more, under their msg_ids.
func (p *peer) again(words []string) {
	var messages []incoming
	for _, name := range words {
		messages = append(messages, incoming{id: p.byName[name], seqNo: p.seqs[name], body: p.bodies[name]})
	}
	p.deliver(messages...)
}

// parse makes a message of the server from words. Before its kind may stand: gzip (packed), old DURATION and new DURATION
// (its msg_id lies before or after the server's time), even (its msg_id is).
func (p *peer) parse(words []string) incoming {
	p.t.Helper()
	switch words[0] {
	case "gzip":
		m := p.parse(words[1:])
		m.body = gzipped(m.body)
		p.bodies[p.names[m.id]] = m.body
		return m
	case "old", "new":
		d, last, skew := p.duration(words[1]), p.lastID, p.skew
		if words[0] == "old" {
			d = -d
		}
		p.skew, p.lastID = skew+d, 0
		m := p.parse(words[2:])
		p.skew, p.lastID = skew, last
		return m
	case "even":
		m := p.parse(words[1:])
		m.id++
		return m
	}
	body, kind, content := p.body(words)
	return p.message(body, kind, content)
}

// body makes the body of a message of the server, and says how it is sent.
func (p *peer) body(words []string) (body []byte, kind msgID, content bool) {
	p.t.Helper()
	id := func(i int) int64 { return int64(p.id(words[i])) }
	long := func(i int) int64 {
		n, err := strconv.ParseInt(words[i], 0, 64)
		if err != nil {
			p.t.Fatal(err)
		}
		return n
	}
	switch words[0] {
	case "answer": // answer c2 TEXT
		return p.result(id(1), boxed(idTestAnswer, words[2])), idReply, true
	case "gzanswer":
		return p.result(id(1), gzipped(boxed(idTestAnswer, words[2]))), idReply, true
	case "error": // error c2 420 FLOOD_WAIT_3
		return p.result(id(1), rpcError(long(2), words[3])), idReply, true
	case "gzerror":
		return p.result(id(1), gzipped(rpcError(long(2), words[3]))), idReply, true
	case "true":
		return p.result(id(1), tl.AppendBool(nil, true)), idReply, true
	case "false":
		return p.result(id(1), tl.AppendBool(nil, false)), idReply, true
	case "result": // result c2 0xcd78e586
		return p.result(id(1), tl.AppendUint32(nil, uint32(long(2)))), idReply, true
	case "pong": // of the latest ping, whose message is c1
		return tl.AppendInt64(tl.AppendInt64(tl.AppendUint32(nil, idPong), id(1)), p.lastPing), idReply, false
	case "new_session": // new_session FIRST UNIQUE SALT
		b := tl.AppendInt64(tl.AppendUint32(nil, idNewSessionCreated), id(1))
		return tl.AppendInt64(tl.AppendInt64(b, long(2)), long(3)), idReply, true
	case "ack":
		return appendIDs(nil, idMsgsAck, p.ids(words[1:])), idReply, false
	case "bad_salt": // bad_salt c2 SALT
		b := tl.AppendInt64(tl.AppendUint32(nil, idBadServerSalt), id(1))
		return tl.AppendInt64(tl.AppendInt32(tl.AppendInt32(b, 0), 48), long(2)), idReply, false
	case "bad_msg": // bad_msg c2 CODE
		b := tl.AppendInt64(tl.AppendUint32(nil, idBadMsgNotification), id(1))
		return tl.AppendInt32(tl.AppendInt32(b, 0), int32(long(2))), idReply, false
	case "future_salts": // future_salts c2 SALT... half an hour each, from now on
		return p.futureSalts(id(1), words[2:]), idReply, false
	case "state_req":
		return appendIDs(nil, idMsgsStateReq, p.ids(words[1:])), idPush, false
	case "state_info": // state_info c2 4 1 ...
		b := tl.AppendInt64(tl.AppendUint32(nil, idMsgsStateInfo), id(1))
		return tl.AppendBytes(b, states(words[2:])), idReply, false
	case "all_info": // all_info c2 4
		return tl.AppendBytes(appendIDs(nil, idMsgsAllInfo, p.ids(words[1:2])), states(words[2:])), idPush, false
	case "detailed": // detailed c2 s9
		b := tl.AppendInt64(tl.AppendInt64(tl.AppendUint32(nil, idMsgDetailedInfo), id(1)), id(2))
		return tl.AppendInt32(tl.AppendInt32(b, 100), 0), idPush, false
	case "new_detailed":
		b := tl.AppendInt64(tl.AppendUint32(nil, idMsgNewDetailedInfo), id(1))
		return tl.AppendInt32(tl.AppendInt32(b, 100), 0), idPush, false
	case "resend_req":
		return appendIDs(nil, idMsgResendReq, p.ids(words[1:])), idPush, false
	case "update":
		return boxed(idTestUpdate, words[1]), idPush, true
	case "unknown":
		return []byte{0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4}, idPush, true
	case "garbage": // a service message cut short
		return tl.AppendUint32(nil, idBadServerSalt), idReply, true
	case "nested":
		return tl.AppendInt32(tl.AppendUint32(nil, idMsgContainer), 0), idReply, false
	case "destroy_session_ok":
		return tl.AppendInt64(tl.AppendUint32(nil, idDestroySessionOK), 1), idReply, false
	}
	p.t.Fatalf("what is %q?", words)
	return nil, 0, false
}

func states(words []string) (info []byte) {
	for _, w := range words {
		n, _ := strconv.Atoi(w)
		info = append(info, byte(n))
	}
	return info
}

func rpcError(code int64, text string) []byte {
	return tl.AppendString(tl.AppendInt32(tl.AppendUint32(nil, idRPCError), int32(code)), text)
}

func (p *peer) result(id int64, result []byte) []byte {
	return append(tl.AppendInt64(tl.AppendUint32(nil, idRPCResult), id), result...)
}

func (p *peer) futureSalts(id int64, salts []string) []byte {
	since := uint32(p.now.Add(p.skew).Unix())
	b := tl.AppendInt64(tl.AppendUint32(nil, idFutureSalts), id)
	b = tl.AppendInt32(tl.AppendUint32(b, since), int32(len(salts)))
	for _, s := range salts {
		n, _ := strconv.ParseInt(s, 10, 64)
		b = tl.AppendInt64(tl.AppendUint32(tl.AppendUint32(b, since), since+1800), n)
		since += 1800
	}
	return b
}

// id finds a message by its name; a number is itself, NAME+N lies N above, and sNEW is a message not sent yet.
func (p *peer) id(name string) msgID {
	base, plus, _ := strings.Cut(name, "+")
	add, _ := strconv.Atoi(plus)
	if id, ok := p.byName[base]; ok {
		return id + msgID(add)
	}
	if base == "sNEW" {
		return p.stamp(idPush)
	}
	n, err := strconv.ParseUint(base, 0, 64)
	if err != nil {
		p.t.Fatalf("no message %q", name)
	}
	return msgID(n)
}

func (p *peer) ids(names []string) (ids []msgID) {
	for _, n := range names {
		ids = append(ids, p.id(n))
	}
	return ids
}

// TestTranscripts runs testdata/*.txt.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			old, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := runScript(t, string(old))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			compareScripts(t, string(old), got)
		})
	}
}

// compareScripts points at the first line that differs.
func compareScripts(t *testing.T, want, got string) {
	t.Helper()
	w, g := strings.Split(strings.TrimSpace(want), "\n"), strings.Split(strings.TrimSpace(got), "\n")
	for i := range max(len(w), len(g)) {
		a, b := "(end)", "(end)"
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			b = g[i]
		}
		if strings.TrimSpace(a) != strings.TrimSpace(b) {
			t.Fatalf("line %d\n got: %s\nwant: %s\nall of it:\n%s", i+1, b, a, got)
		}
	}
}
