package api

import (
	"time"

	"github.com/mtfleet/mtfleet/tl"
)

// Constructors that stay raw bytes in the generated package: updates, and what is inside them.
const (
	updatesID                   uint32 = 0x74ae4240
	updateShortID               uint32 = 0x78d4dec1
	updatesTooLongID            uint32 = 0xe317af7e
	updateDeleteMessagesID      uint32 = 0xa20db0e5
	updateNewAuthorizationID    uint32 = 0x8951abef
	updateConfigID              uint32 = 0xa229dd06
	updateLoginTokenID          uint32 = 0x564fe691
	updateServiceNotificationID uint32 = 0xebe46819
	messageMediaEmptyID         uint32 = 0x3ded6320
	jsonObjectID                uint32 = 0x99c1d49d
	jsonObjectValueID           uint32 = 0xc0de1bd9
	jsonNumberID                uint32 = 0x2be0dfa4
	jsonStringID                uint32 = 0xb71e767a
)

// updatesOf wraps one update as updates#74ae4240 without users and chats; seq 0 says that it has no place in seq.
func updatesOf(now time.Time, update []byte) []byte {
	b := tl.AppendUint32(nil, updatesID)
	b = append(tl.AppendVectorHeader(b, 1), update...)
	b = tl.AppendVectorHeader(b, 0)
	b = tl.AppendVectorHeader(b, 0)
	b = tl.AppendInt32(b, int32(now.Unix()))
	return tl.AppendInt32(b, 0)
}

// updateShort wraps one update that needs no users, chats or seq.
func updateShort(now time.Time, update []byte) []byte {
	b := append(tl.AppendUint32(nil, updateShortID), update...)
	return tl.AppendInt32(b, int32(now.Unix()))
}

func appendTooLong(b []byte) []byte { return tl.AppendUint32(b, updatesTooLongID) }

func appendLoginToken(b []byte) []byte { return tl.AppendUint32(b, updateLoginTokenID) }

func appendUpdateConfig(b []byte) []byte { return tl.AppendUint32(b, updateConfigID) }

// appendNewAuthorization appends the notice other sessions get of a sign-in, as one that is not confirmed yet.
func appendNewAuthorization(b []byte, row *authorization) []byte {
	b = tl.AppendUint32(b, updateNewAuthorizationID)
	b = tl.AppendUint32(b, 1) // flags.0: unconfirmed, date, device, location
	b = tl.AppendInt64(b, row.hash)
	b = tl.AppendInt32(b, int32(row.created.Unix()))
	b = tl.AppendString(b, row.app.DeviceModel+", "+row.app.SystemVersion)
	return tl.AppendString(b, row.host)
}

// appendServiceNotification appends a popup text of a type.
func appendServiceNotification(b []byte, kind, text string) []byte {
	b = tl.AppendUint32(b, updateServiceNotificationID)
	b = tl.AppendUint32(b, 1) // flags.0: popup
	b = tl.AppendString(b, kind)
	b = tl.AppendString(b, text)
	b = tl.AppendUint32(b, messageMediaEmptyID)
	return tl.AppendVectorHeader(b, 0)
}

// jsonEntry is one name of a JSONValue object, with its boxed value.
type jsonEntry struct {
	name  string
	value []byte
}

func jsonNumber(v float64) []byte { return tl.AppendDouble(tl.AppendUint32(nil, jsonNumberID), v) }

func jsonString(v string) []byte { return tl.AppendString(tl.AppendUint32(nil, jsonStringID), v) }

func appendJSONObject(b []byte, entries []jsonEntry) []byte {
	b = tl.AppendUint32(b, jsonObjectID)
	b = tl.AppendVectorHeader(b, len(entries))
	for _, e := range entries {
		b = tl.AppendUint32(b, jsonObjectValueID)
		b = tl.AppendString(b, e.name)
		b = append(b, e.value...)
	}
	return b
}
