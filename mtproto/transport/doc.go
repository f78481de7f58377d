// Package transport turns a byte stream into packets and packets into a byte
// stream: the abridged, intermediate, padded intermediate and full framings of
// MTProto, and the obfuscation layer (obfuscated2) around the first three.
//
// It is not a connection: it owns no socket, starts no goroutine and reads no
// clock. It does not know what a packet means either; it only recognises the
// short control packets that the framing itself defines (error codes, no-ops,
// quick acks).
//
// One [Codec] serves one TCP connection. The client makes it with [NewClient];
// the server with [NewServer], which learns the framing from the client's
// first bytes. The two halves of a codec are independent: one goroutine may
// read while another one encodes. A client's loop is
//
//	c, err := transport.NewClient(transport.Config{Kind: transport.Intermediate, Obfuscated: true, DC: 2, Rand: rand})
//	out, err = c.Encode(out[:0], packet) // then write out to the socket
//	...
//	packet, err := c.ReadPacket(socket, nil)
//	if code, ok := transport.ErrorCode(packet); ok { ... }
//
// ReadPacket asks for memory only when a frame's header has arrived, so an idle
// connection holds the codec itself and no read buffer.
//
// An MTProxy with a fake-TLS secret has that stream inside one more, [TLS]:
//
//	tls, err := transport.ClientTLS(socket, secret, now, rand)
//	c, err := transport.NewClient(transport.Config{Kind: transport.Padded, DC: 2, Secret: secret.Inner().Bytes(), Rand: rand})
//	packet, err := c.ReadPacket(tls, nil)
//
// Specification: https://core.telegram.org/mtproto/mtproto-transports
package transport
