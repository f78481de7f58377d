package mtproto

import (
	"encoding/binary"

	"github.com/mtfleet/mtfleet/tl"
)

// Constructor ids of the service messages this package reads and writes, in the order of the schema. A test compares them
// with tl/mt. The messages are read in place and not through tl/mt's structs, because they are most of what a busy session
// handles and their vectors would be copied for nothing.
const (
	idRPCResult           uint32 = 0xf35c6d01
	idRPCError            uint32 = 0x2144ca19
	idRPCAnswerUnknown    uint32 = 0x5e2ad36e
	idRPCAnswerDroppedRun uint32 = 0xcd78e586
	idRPCAnswerDropped    uint32 = 0xa43ad8b7
	idFutureSalts         uint32 = 0xae500895
	idPong                uint32 = 0x347773c5
	idDestroySessionOK    uint32 = 0xe22045fc
	idDestroySessionNone  uint32 = 0x62d350c9
	idNewSessionCreated   uint32 = 0x9ec20908
	idMsgContainer        uint32 = 0x73f1f8dc
	idMsgCopy             uint32 = 0xe06046b2
	idMessage             uint32 = 0x5bb8e511
	idGzipPacked          uint32 = 0x3072cfa1
	idMsgsAck             uint32 = 0x62d6b459
	idBadMsgNotification  uint32 = 0xa7eff811
	idBadServerSalt       uint32 = 0xedab447b
	idMsgResendReq        uint32 = 0x7d861a08
	idMsgResendAnsReq     uint32 = 0x8610baeb
	idMsgsStateReq        uint32 = 0xda69fb52
	idMsgsStateInfo       uint32 = 0x04deb57d
	idMsgsAllInfo         uint32 = 0x8cc0d131
	idMsgDetailedInfo     uint32 = 0x276d3ec6
	idMsgNewDetailedInfo  uint32 = 0x809db6df
	idDestroyAuthKeyOK    uint32 = 0xf660e1d4
	idDestroyAuthKeyNone  uint32 = 0x0a9f2259
	idDestroyAuthKeyFail  uint32 = 0xea109b13
	idBindAuthKeyInner    uint32 = 0x75a3f765
	idBindTempAuthKey     uint32 = 0xcdd42a05
	idRPCDropAnswer       uint32 = 0x58e4a740
	idGetFutureSalts      uint32 = 0xb921bd04
	idPingDelayDisconnect uint32 = 0xf3427b8c
	idDestroySession      uint32 = 0xe7512126
	futureSaltSize               = 4 + 4 + 8
	memberHeaderSize             = 8 + 4 + 4 // msg_id, seqno, bytes of a message inside a container
	innerHeaderSize              = 8 + 8 + memberHeaderSize
	containerHeaderSize          = 4 + 4
	minInnerPadding              = 12
	maxInnerPadding              = 1024
)

// peekID is the constructor id at the start of a boxed value, 0 if it is too short to have one.
func peekID(b []byte) uint32 {
	if len(b) < 4 {
		return 0
	}
	return binary.LittleEndian.Uint32(b)
}

// readID reads a msg_id.
func readID(r *tl.Reader) msgID { return msgID(r.Int64()) }

// readIDs calls f with each msg_id of a boxed Vector<long>, of which at most maxIDs are looked at.
func readIDs(r *tl.Reader, f func(msgID)) {
	n := r.VectorLen(8)
	for i := range n {
		if id := readID(r); i < maxIDs && r.Err() == nil {
			f(id)
		}
	}
}

// appendIDs appends a message of constructor id that holds nothing but a Vector<long> of msg_ids.
func appendIDs(b []byte, id uint32, ids []msgID) []byte {
	b = tl.AppendVectorHeader(tl.AppendUint32(b, id), len(ids))
	for _, x := range ids {
		b = tl.AppendInt64(b, int64(x))
	}
	return b
}
