// Package handshake creates auth keys: the six plain messages between a client and a DC after which both hold a perm or a
// temp key. Client and Server are twins; the steps of each are named for the message and its direction, in the order of
// https://core.telegram.org/mtproto/auth_key:
//
//	client                                server
//	sendReqPQMulti           ---------->  receiveReqPQ
//	receiveResPQ             <----------  sendResPQ
//	  work: factorise pq
//	sendReqDHParams          ---------->  receiveReqDHParams
//	                                        work: RSA, g^a
//	receiveServerDHParams    <----------  sendServerDHParams
//	  work: g^b, g_a^b
//	sendSetClientDHParams    ---------->  receiveSetClientDHParams
//	                                        work: g_b^a
//	receiveDHGen             <----------  sendDHGen
//
// Both are pure: packets, answers and the time go in; packets, work and results come out. They start no goroutine, read no
// clock and take no lock; one owner drives them. Heavy arithmetic leaves as work, a function that touches neither machine
// and may run on any goroutine; its result is handed back with Done. Everything else costs well below 100 microseconds.
//
// A client is for one key and is thrown away afterwards:
//
//	c := handshake.NewClient(cfg)
//	c.Start(now)
//	for each packet, finished work or expired Deadline {
//		c.Receive(now, packet) or c.Done(now, result) or c.Advance(now)
//		for out, ok := c.Next(); ok; out, ok = c.Next() {
//			send out.Packet, run out.Work, take out.Result, or give up with out.Err
//		}
//	}
//
// A server answers any number of clients, over any number of connections.
//
// It is not a connection: framing, dialling, retrying a failed handshake and storing the key belong to the driver. A peer
// that breaks the rules gets a *StepError that names the step. Keys, nonces and exponents appear in no error and are
// overwritten as soon as they have served.
package handshake
