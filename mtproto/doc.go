// Package mtproto keeps one MTProto session: one 64-bit session id under one auth key with one DC, across as many TCP
// connections as it takes. It turns queries into encrypted packets and encrypted packets into results, and does in between
// what the protocol asks of a client: msg_ids and seqnos, containers, acks, salts, server time, notifications about bad
// messages, state requests, duplicates, pings, compression, cancelling, and the binding of a temp key.
//
// It is not a connection: it never sees a socket, a frame or a 4-byte transport error. It does not make auth keys
// (mtproto/handshake), does not decide which key to use (mtproto/pfs), and knows no API type: queries, results and updates
// are opaque boxed values to it.
//
// # How it is driven
//
// A Session is pure. It starts nothing, waits for nothing and reads no clock; it has one owner and no lock. The owner tells
// it what happened, then pulls outputs until there are none, then waits until the next thing happens or Deadline has
// come, whichever is first:
//
//	s, err := mtproto.NewSession(cfg, key)
//	for event := range events { // a connection, a packet, a caller's query, a timer
//		switch now := event.time; event.what {
//		case tcpIsUp:
//			s.Connected(now)
//		case tcpIsDown:
//			s.Disconnected(now)
//		case packetArrived: // not for 4-byte transport errors
//			s.Receive(now, event.packet)
//		case callerAsks:
//			s.Send(now, event.query, event.body, mtproto.Once)
//		case callerLeft:
//			s.Cancel(now, event.query)
//		case timerFired:
//			s.Advance(now)
//		}
//		s.SetRoom(now, bytes) // what the connection takes now, if it knows: see SetRoom
//		for out, ok := s.Next(); ok; out, ok = s.Next() {
//			switch out.Kind {
//			case mtproto.OutPacket: // frame it and write it
//			case mtproto.OutResult, mtproto.OutFailed: // answer the caller of out.Query
//			case mtproto.OutUpdates: // hand out.Body to the update bookkeeping
//			case mtproto.OutGap: // updates may have been missed: updates.getDifference
//			case mtproto.OutSave: // store s.Snapshot() some time soon
//			case mtproto.OutBound, mtproto.OutBindFailed: // the temp key works, or does not
//			case mtproto.OutClock: // out.Offset is the server's time; the DC answers under this key
//			case mtproto.OutPong: // the answer to s.Ping
//			case mtproto.OutReconnect: // close TCP, tell Disconnected, dial again; the session stays
//			}
//		}
//		resetTimer(s.Deadline()) // the zero time: no timer
//	}
//
// Packets are made in Next and not earlier, so that several queries sent before the outputs are pulled share one
// container. The bytes of an output are valid until the next input.
//
// A Session that another is to replace falls silent (SetSilent): it goes on listening and sends nothing.
// The other then speaks later, by its msg_ids too (Follow).
//
// # What happens to a query
//
// Every query given to Send ends with exactly one OutResult or OutFailed. The error of OutFailed is a *tgerr.Error (the
// server's answer), or it says what the server may have done: errors.Is(err, ErrNotSent) means that the query was
// certainly not executed, errors.Is(err, ErrMayHaveRun) that it may have been. Between Send and its end a query moves:
//
//	queued ──packet──> sent ──TCP lost──> unknown ──state: received──> sent
//	  ^                 │                   │
//	  └──── rejected by the server, or state: not received ────┘
//
// A Once query takes the way back only when the server said that it did not process it. A Repeatable query takes it also
// when the server forgot the session.
//
// # Memory
//
// An idle Session holds no packet buffer and no map; with 32 future salts it takes about 2 KiB (BenchmarkIdleBytes).
//
// The rules are those of https://core.telegram.org/mtproto/description, /mtproto/service_messages and
// /mtproto/service_messages_about_messages; spec_test.go goes through them sentence by sentence.
package mtproto
