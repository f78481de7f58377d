package mt

import (
	"fmt"

	"github.com/mtfleet/mtfleet/tl"
)

// Ids of the constructors written by hand. A message and an RSA public key are only ever bare; theirs is the
// id that the constructor would have.
const (
	MessageID      uint32 = 0x5bb8e511
	MsgContainerID uint32 = 0x73f1f8dc
	MsgCopyID      uint32 = 0xe06046b2
	FutureSaltID   uint32 = 0x0949d9dc
	FutureSaltsID  uint32 = 0xae500895
	RSAPublicKeyID uint32 = 0x7a19cb76
)

// Smallest sizes of bare values, in bytes.
const (
	messageHeaderSize = 16
	futureSaltSize    = 16
)

// Message is one message of a container.
//
//	message msg_id:long seqno:int bytes:int body:Object = Message
type Message struct {
	MsgID int64
	SeqNo int32
	// Body is the whole message. After parsing it aliases the reader's input.
	Body tl.Raw
}

// String says which message it is and nothing of what is in it.
func (v *Message) String() string {
	return fmt.Sprintf("message(%#x, seqno %d, %v)", uint64(v.MsgID), v.SeqNo, v.Body)
}

// AppendBare appends the message without a constructor id, the only form it has. It panics with a
// *tl.MissingError if Body is not one boxed value.
func (v *Message) AppendBare(b []byte) []byte {
	b = tl.AppendInt64(b, v.MsgID)
	b = tl.AppendInt32(b, v.SeqNo)
	b = tl.AppendInt32(b, int32(len(v.Body)))
	return tl.AppendRaw(b, v.Body, "message", "body")
}

// ParseBare reads a message without a constructor id. A length that is not a positive multiple of four is an
// error with tl.ErrLength.
func (v *Message) ParseBare(r *tl.Reader) {
	*v = Message{MsgID: r.Int64(), SeqNo: r.Int32()}
	size := r.Int32()
	if size <= 0 || size%4 != 0 || int(size) > r.Remaining() {
		r.Fail(tl.ErrLength)
	}
	v.Body = tl.Raw(r.Take(int(size)))
	r.Within("message")
}

// MsgContainer carries several messages in one. Containers do not nest; that is for the session to enforce.
//
//	msg_container#73f1f8dc messages:vector<%message> = MessageContainer
type MsgContainer struct {
	Messages []Message
}

// TypeID implements tl.Object.
func (*MsgContainer) TypeID() uint32 { return MsgContainerID }

// TypeName implements tl.Object.
func (*MsgContainer) TypeName() string { return "msg_container" }

// Append implements tl.Object.
func (v *MsgContainer) Append(b []byte) []byte {
	b = tl.AppendUint32(b, MsgContainerID)
	b = tl.AppendBareVectorHeader(b, len(v.Messages))
	for i := range v.Messages {
		b = v.Messages[i].AppendBare(b)
	}
	return b
}

// Parse implements tl.Object. Bodies alias the input.
func (v *MsgContainer) Parse(r *tl.Reader) {
	*v = MsgContainer{}
	if !r.Expect(MsgContainerID, "msg_container") {
		return
	}
	if n := r.BareVectorLen(messageHeaderSize + 4); n > 0 {
		v.Messages = make([]Message, n)
		for i := range v.Messages {
			v.Messages[i].ParseBare(r)
		}
	}
	r.Within("msg_container")
}

// MsgCopy is a message sent a second time under a new id. No server is known to use it.
//
//	msg_copy#e06046b2 orig_message:Message = MessageCopy
type MsgCopy struct {
	OrigMessage Message
}

// TypeID implements tl.Object.
func (*MsgCopy) TypeID() uint32 { return MsgCopyID }

// TypeName implements tl.Object.
func (*MsgCopy) TypeName() string { return "msg_copy" }

// Append implements tl.Object.
func (v *MsgCopy) Append(b []byte) []byte {
	return v.OrigMessage.AppendBare(tl.AppendUint32(b, MsgCopyID))
}

// Parse implements tl.Object. The message's body aliases the input.
func (v *MsgCopy) Parse(r *tl.Reader) {
	*v = MsgCopy{}
	if r.Expect(MsgCopyID, "msg_copy") {
		v.OrigMessage.ParseBare(r)
	}
}

// FutureSalt is a server salt and the time it is valid for, in server time, Unix seconds.
//
//	future_salt#949d9dc valid_since:int valid_until:int salt:long = FutureSalt
type FutureSalt struct {
	ValidSince int32
	ValidUntil int32
	Salt       int64
}

// FutureSalts is the answer to get_future_salts.
//
//	future_salts#ae500895 req_msg_id:long now:int salts:vector<future_salt> = FutureSalts
type FutureSalts struct {
	ReqMsgID int64
	// Now is the server's time, Unix seconds.
	Now   int32
	Salts []FutureSalt
}

// TypeID implements tl.Object.
func (*FutureSalts) TypeID() uint32 { return FutureSaltsID }

// TypeName implements tl.Object.
func (*FutureSalts) TypeName() string { return "future_salts" }

// Append implements tl.Object.
func (v *FutureSalts) Append(b []byte) []byte {
	b = tl.AppendUint32(b, FutureSaltsID)
	b = tl.AppendInt64(b, v.ReqMsgID)
	b = tl.AppendInt32(b, v.Now)
	b = tl.AppendBareVectorHeader(b, len(v.Salts))
	for _, s := range v.Salts {
		b = tl.AppendInt32(b, s.ValidSince)
		b = tl.AppendInt32(b, s.ValidUntil)
		b = tl.AppendInt64(b, s.Salt)
	}
	return b
}

// Parse implements tl.Object.
func (v *FutureSalts) Parse(r *tl.Reader) {
	*v = FutureSalts{}
	if !r.Expect(FutureSaltsID, "future_salts") {
		return
	}
	v.ReqMsgID = r.Int64()
	v.Now = r.Int32()
	if n := r.BareVectorLen(futureSaltSize); n > 0 {
		v.Salts = make([]FutureSalt, n)
		for i := range v.Salts {
			v.Salts[i] = FutureSalt{ValidSince: r.Int32(), ValidUntil: r.Int32(), Salt: r.Int64()}
		}
	}
	r.Within("future_salts")
}

// RSAPublicKey is what the fingerprint of a server's key is computed of: the last eight bytes of the SHA-1 of
// its bare form.
//
//	rsa_public_key n:bytes e:bytes = RSAPublicKey
type RSAPublicKey struct {
	// N and E are big-endian without leading zeros.
	N, E []byte
}

// AppendBare appends the key without a constructor id, the only form it has.
func (v *RSAPublicKey) AppendBare(b []byte) []byte {
	return tl.AppendBytes(tl.AppendBytes(b, v.N), v.E)
}

// ParseBare reads a key without a constructor id.
func (v *RSAPublicKey) ParseBare(r *tl.Reader) {
	*v = RSAPublicKey{N: r.Bytes(), E: r.Bytes()}
	r.Within("rsa_public_key")
}
