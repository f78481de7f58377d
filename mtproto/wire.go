package mtproto

import (
	"encoding/binary"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/mt"
)

// Constructor ids of the service messages this package reads and writes, in the order of the schema, under shorter names.
// The messages are read in place and not through the structs of tl/mt, because they are most of what a busy session
// handles and their vectors would be copied for nothing.
const (
	idRPCResult                  = mt.RPCResultID
	idRPCError                   = mt.RPCErrorID
	idRPCAnswerUnknown           = mt.RPCAnswerUnknownID
	idRPCAnswerDroppedRun        = mt.RPCAnswerDroppedRunningID
	idRPCAnswerDropped           = mt.RPCAnswerDroppedID
	idFutureSalts                = mt.FutureSaltsID
	idPong                       = mt.PongID
	idDestroySessionOK           = mt.DestroySessionOkID
	idDestroySessionNone         = mt.DestroySessionNoneID
	idNewSessionCreated          = mt.NewSessionCreatedID
	idMsgContainer               = mt.MsgContainerID
	idMsgCopy                    = mt.MsgCopyID
	idMessage                    = mt.MessageID
	idGzipPacked                 = mt.GzipPackedID
	idMsgsAck                    = mt.MsgsAckID
	idBadMsgNotification         = mt.BadMsgNotificationID
	idBadServerSalt              = mt.BadServerSaltID
	idMsgResendReq               = mt.MsgResendReqID
	idMsgResendAnsReq     uint32 = 0x8610baeb // documented, but not in the published schema
	idMsgsStateReq               = mt.MsgsStateReqID
	idMsgsStateInfo              = mt.MsgsStateInfoID
	idMsgsAllInfo                = mt.MsgsAllInfoID
	idMsgDetailedInfo            = mt.MsgDetailedInfoID
	idMsgNewDetailedInfo         = mt.MsgNewDetailedInfoID
	idDestroyAuthKeyOK           = mt.DestroyAuthKeyOkID
	idDestroyAuthKeyNone         = mt.DestroyAuthKeyNoneID
	idDestroyAuthKeyFail         = mt.DestroyAuthKeyFailID
	idBindAuthKeyInner           = mt.BindAuthKeyInnerID
	idBindTempAuthKey            = mt.AuthBindTempAuthKeyRequestID
	idRPCDropAnswer              = mt.RPCDropAnswerRequestID
	idGetFutureSalts             = mt.GetFutureSaltsRequestID
	idPingDelayDisconnect        = mt.PingDelayDisconnectRequestID
	idDestroySession             = mt.DestroySessionRequestID
)

// Sizes in bytes.
const (
	futureSaltSize      = 4 + 4 + 8
	memberHeaderSize    = 8 + 4 + 4 // msg_id, seqno, bytes of a message inside a container
	innerHeaderSize     = 8 + 8 + memberHeaderSize
	containerHeaderSize = 4 + 4
	minInnerPadding     = 12
	maxInnerPadding     = 1024
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
