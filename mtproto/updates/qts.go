package updates

import (
	"encoding/binary"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// qtsFields says which field of an Update constructor is qts, counted as
// tl.Walk counts them. A test holds the list against the schema.
var qtsFields = map[uint32]int{
	0x12bcbd9a: 1, // updateNewEncryptedMessage
	0x7699f014: 4, // updateMessagePollVote
	0xd087663a: 8, // updateChatParticipant
	0x985d3abb: 8, // updateChannelParticipant
	0xc4870a49: 3, // updateBotStopped
	0x7cb34d79: 6, // updateBotChatInviteRequester
	0x904dd49c: 2, // updateBotChatBoost
	0xac21d3ce: 6, // updateBotMessageReaction
	0x09cb7759: 4, // updateBotMessageReactions
	0x8ae5c97a: 1, // updateBotBusinessConnect
	0x9ddb347c: 4, // updateBotNewBusinessMessage
	0x07df587c: 4, // updateBotEditBusinessMessage
	0xa02a982e: 3, // updateBotDeleteBusinessMessage
	0x283bd312: 2, // updateBotPurchasedPaidMedia
	0x4880ed9a: 2, // updateManagedBot
	0xcdd4093d: 4, // updateBotGuestChatQuery
	0x6c0d8e23: 3, // updateBotStarsSubscription
}

// updateQts returns the qts of an update that counts by it. Each moves the
// sequence by one.
func updateQts(u tl.Raw) (qts int32, ok bool) {
	index, ok := qtsFields[u.ID()]
	if !ok {
		return 0, false
	}
	ok = false
	_, err := tl.Walk(tg.Schema, u, func(f tl.Field) {
		if f.Index == index {
			qts, ok = int32(binary.LittleEndian.Uint32(u[f.Start:])), true
		}
	})
	return qts, ok && err == nil
}
