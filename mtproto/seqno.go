package mtproto

// seqState makes the seqnos of one session: twice the number of content-related messages sent before, plus one if this
// one is content-related (https://core.telegram.org/mtproto/description#message-sequence-number-msg-seqno). Of our messages
// only API queries are; pings, acks, containers and requests about messages or salts are not, as TDLib has it.
type seqState struct {
	content uint32
}

// next returns the seqno of the next message.
func (s *seqState) next(contentRelated bool) uint32 {
	seq := 2 * s.content
	if contentRelated {
		s.content++
		seq++
	}
	return seq
}

// needsAck reports whether the server's message with this seqno must be acknowledged: the odd ones, whatever they hold.
func needsAck(seqNo uint32) bool { return seqNo&1 == 1 }
