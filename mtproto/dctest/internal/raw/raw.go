// Package raw is a client made by hand for the tests of the test cluster: it builds packets message by message, right
// ones and wrong ones, and takes answers apart. It reacts to nothing by itself.
package raw

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/handshake"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/mt"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// Client is one session under one key. Its fields may be changed at will.
type Client struct {
	Key     *crypt.AuthKey
	Rand    io.Reader
	Salt    int64
	Session int64
	Content int32 // content-related messages sent
	Last    int64 // the last msg_id used
}

// Message is one message, sent or received.
type Message struct {
	ID    int64
	SeqNo int32
	Body  []byte
}

// New makes a client for the result of a handshake. session must not be 0 in an honest client.
func New(r *handshake.Result, rand io.Reader, session int64) *Client {
	return &Client{Key: r.Key, Rand: rand, Salt: r.ServerSalt, Session: session}
}

// NextID makes a msg_id for a time, higher than the last.
func (c *Client) NextID(now time.Time) int64 {
	id := now.Unix()<<32 | int64(uint64(now.Nanosecond())<<32/1e9)
	c.Last = max(id&^3, c.Last+4)
	return c.Last
}

// Message numbers a body.
func (c *Client) Message(now time.Time, body []byte, content bool) Message {
	m := Message{c.NextID(now), c.Content * 2, body}
	if content {
		m.SeqNo++
		c.Content++
	}
	return m
}

// Query numbers an object as a content-related message.
func (c *Client) Query(now time.Time, o tl.Object) Message {
	return c.Message(now, o.Append(nil), true)
}

// Service numbers an object as a message that is not content-related.
func (c *Client) Service(now time.Time, o tl.Object) Message {
	return c.Message(now, o.Append(nil), false)
}

// Container packs messages.
func (c *Client) Container(now time.Time, list ...Message) Message {
	body := tl.AppendUint32(nil, mt.MsgContainerID)
	body = tl.AppendInt32(body, int32(len(list)))
	for _, m := range list {
		body = tl.AppendInt64(body, m.ID)
		body = tl.AppendInt32(body, m.SeqNo)
		body = tl.AppendInt32(body, int32(len(m.Body)))
		body = append(body, m.Body...)
	}
	return c.Message(now, body, false)
}

// Plaintext is the inner header and body of a message.
func (c *Client) Plaintext(m Message) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(c.Salt))
	b = binary.LittleEndian.AppendUint64(b, uint64(c.Session))
	b = binary.LittleEndian.AppendUint64(b, uint64(m.ID))
	b = binary.LittleEndian.AppendUint32(b, uint32(m.SeqNo))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(m.Body)))
	return append(b, m.Body...)
}

// Packet encrypts a message. It is nil when Rand fails.
func (c *Client) Packet(m Message) []byte {
	p, _ := crypt.AppendEncrypted(nil, c.Key, crypt.Client, c.Plaintext(m), c.Rand)
	return p
}

// Header is the inner header of a server packet.
type Header struct {
	Salt, Session, MsgID int64
	SeqNo                int32
}

// Open decrypts a server packet and flattens its container.
func (c *Client) Open(packet []byte) (Header, []Message, error) {
	plain, err := crypt.Decrypt(nil, c.Key, crypt.Server, packet)
	if err != nil {
		return Header{}, nil, err
	}
	le := binary.LittleEndian
	h := Header{
		Salt: int64(le.Uint64(plain)), Session: int64(le.Uint64(plain[8:])),
		MsgID: int64(le.Uint64(plain[16:])), SeqNo: int32(le.Uint32(plain[24:])),
	}
	n := int(le.Uint32(plain[28:]))
	if n > len(plain)-32 {
		return h, nil, fmt.Errorf("raw: length %d in a packet of %d", n, len(plain))
	}
	body := plain[32 : 32+n]
	if le.Uint32(body) != mt.MsgContainerID {
		return h, []Message{{h.MsgID, h.SeqNo, body}}, nil
	}
	var list []Message
	r := tl.NewReader(body[4:])
	count := r.BareVectorLen(16)
	for range count {
		m := Message{ID: r.Int64(), SeqNo: r.Int32()}
		size := int(r.Int32())
		rest := r.Remaining()
		if size < 0 || size > rest {
			return h, nil, fmt.Errorf("raw: member of %d bytes, %d left", size, rest)
		}
		at := len(body) - rest
		m.Body = body[at : at+size]
		if m.ID >= h.MsgID {
			return h, nil, fmt.Errorf("raw: member id %x not below container id %x", m.ID, h.MsgID)
		}
		list = append(list, m)
		for skip := 0; skip < size; skip += 4 {
			r.Uint32()
		}
	}
	return h, list, r.End()
}

// Type is the constructor id of a message.
func (m Message) Type() uint32 {
	if len(m.Body) < 4 {
		return 0
	}
	return binary.LittleEndian.Uint32(m.Body)
}

// Result takes an rpc_result apart, unpacked; ok is false for other messages.
func (m Message) Result() (reqMsgID int64, result []byte, ok bool) {
	if m.Type() != mt.RPCResultID || len(m.Body) < 16 {
		return 0, nil, false
	}
	return int64(binary.LittleEndian.Uint64(m.Body[4:])), Unpack(m.Body[12:]), true
}

// Unpack undoes gzip_packed.
func Unpack(b []byte) []byte {
	if len(b) < 4 || binary.LittleEndian.Uint32(b) != mt.GzipPackedID {
		return b
	}
	r := tl.NewReader(b[4:])
	z, err := gzip.NewReader(bytes.NewReader(r.BytesView()))
	if err != nil {
		return nil
	}
	out, err := io.ReadAll(z)
	if err != nil {
		return nil
	}
	return out
}

// Wrap puts invokeWithLayer and initConnection around a query.
func Wrap(layer int, apiID int, query tl.Object) []byte {
	b := tl.AppendUint32(nil, tg.InvokeWithLayerRequestID)
	b = tl.AppendInt32(b, int32(layer))
	b = AppendInit(b, apiID)
	return query.Append(b)
}

// AppendInit appends initConnection up to its query.
func AppendInit(b []byte, apiID int) []byte {
	b = tl.AppendUint32(b, tg.InitConnectionRequestID)
	b = tl.AppendUint32(b, 0)
	b = tl.AppendInt32(b, int32(apiID))
	for _, s := range []string{"Test rack", "Linux", "1.0", "en", "", "en"} {
		b = tl.AppendString(b, s)
	}
	return b
}

// Bind makes auth.bindTempAuthKey for message id msgID. Its encrypted message is empty when Rand fails.
func (c *Client) Bind(perm *crypt.AuthKey, msgID, nonce int64, expires time.Time) *mt.AuthBindTempAuthKeyRequest {
	inner := mt.BindAuthKeyInner{
		Nonce: nonce, TempAuthKeyID: int64(c.Key.ID()), PermAuthKeyID: int64(perm.ID()),
		TempSessionID: c.Session, ExpiresAt: int32(expires.Unix()),
	}
	encrypted, _ := crypt.EncryptBind(perm, msgID, inner.Append(nil), c.Rand)
	return &mt.AuthBindTempAuthKeyRequest{
		PermAuthKeyID: int64(perm.ID()), Nonce: nonce, ExpiresAt: int32(expires.Unix()), EncryptedMessage: encrypted,
	}
}

// Handshake makes a key: each packet goes through exchange, which returns the answer.
func Handshake(now time.Time, cfg handshake.ClientConfig, exchange func([]byte) ([]byte, error)) (*handshake.Result, error) {
	h := handshake.NewClient(cfg)
	h.Start(now)
	for {
		o, ok := h.Next()
		if !ok {
			return nil, fmt.Errorf("raw: the handshake stopped")
		}
		switch o.Kind {
		case handshake.OutPacket:
			answer, err := exchange(append([]byte(nil), o.Packet...))
			if err != nil {
				return nil, err
			}
			h.Receive(now, answer)
		case handshake.OutWork:
			h.Done(now, o.Work())
		case handshake.OutDone:
			return o.Result, nil
		case handshake.OutFailed:
			return nil, o.Err
		}
	}
}
