package updates

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

func peer(constructor uint32, id int64) string {
	return string(tl.AppendInt64(tl.AppendUint32(nil, constructor), id))
}

func int32s(v int32) string  { return string(tl.AppendInt32(nil, v)) }
func text(v string) string   { return string(tl.AppendString(nil, v)) }
func raw(o tl.Object) tl.Raw { return o.Append(nil) }
func fwdHeader() tl.Raw {
	return tl.AppendInt32(tl.AppendUint32(tl.AppendUint32(nil, 0x4e4df4bb), 0), 9)
}
func bold() tl.Raw { return tl.AppendInt32(tl.AppendInt32(tl.AppendUint32(nil, 0xbd610bc9), 0), 2) }
func replyTo(id int32) tl.Raw {
	return tl.AppendInt32(tl.AppendUint32(tl.AppendUint32(nil, messageReplyHeaderID), flagHeaderReply), id)
}
func entities() string { return string(append(tl.AppendVectorHeader(nil, 1), bold()...)) }

// theMessage is what came: the one updateNewMessage that is delivered.
func (r *rig) theMessage() map[string]string {
	r.t.Helper()
	out, ok := r.m.Next()
	if !ok || out.Kind != OutDeliver || len(out.Updates) != 1 || out.Updates[0].ID() != updateNewMessageID {
		r.t.Fatalf("no message came, but %v", out)
	}
	update := named(r.t, out.Updates[0])
	got := named(r.t, tl.Raw(update["message"]))
	delete(got, "flags")
	got["pts"], got["pts_count"] = update["pts"], update["pts_count"]
	return got
}

func TestShortFormsAreTheMessagesTheyStandFor(t *testing.T) {
	const me = 42
	common := func(more map[string]string) map[string]string {
		all := map[string]string{
			"_": "message", "flags2": int32s(0), "id": int32s(7), "date": int32s(100), "message": text("hi"), "pts": int32s(11), "pts_count": int32s(1),
		}
		for k, v := range more {
			all[k] = v
		}
		return all
	}
	for name, c := range map[string]struct {
		push tl.Object
		want map[string]string
	}{
		"a user's": {
			&tg.UpdateShortMessage{ID: 7, UserID: 5, Message: "hi", Pts: 11, PtsCount: 1, Date: 100},
			common(map[string]string{"from_id": peer(peerUserID, 5), "peer_id": peer(peerUserID, 5)}),
		},
		"one's own, sent elsewhere": {
			&tg.UpdateShortMessage{Out: true, Silent: true, ID: 7, UserID: 5, Message: "hi", Pts: 11, PtsCount: 1, Date: 100},
			common(map[string]string{"from_id": peer(peerUserID, me), "peer_id": peer(peerUserID, 5), "out": "true", "silent": "true"}),
		},
		"in a basic chat, with everything": {
			&tg.UpdateShortChatMessage{
				Mentioned: true, MediaUnread: true, ID: 7, FromID: 5, ChatID: 8, Message: "hi", Pts: 11, PtsCount: 1, Date: 100,
				FwdFrom: tl.Some(fwdHeader()), ViaBotID: tl.Some[int64](3), ReplyTo: tl.Some(replyTo(6)),
				Entities: tl.Some([]tl.Raw{bold()}), TTLPeriod: tl.Some[int32](60),
			},
			common(map[string]string{
				"from_id": peer(peerUserID, 5), "peer_id": peer(peerChatID, 8), "mentioned": "true", "media_unread": "true",
				"fwd_from": string(fwdHeader()), "via_bot_id": string(tl.AppendInt64(nil, 3)), "reply_to": string(replyTo(6)),
				"entities": entities(), "ttl_period": int32s(60),
			}),
		},
	} {
		r := at(t, State{Pts: 10})
		r.m.self = me
		r.push(raw(c.push))
		if diff := cmp.Diff(c.want, r.theMessage()); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

// sendMessage is messages.sendMessage with flags, to a peer.
func sendMessage(flags uint32, peer, reply tl.Raw) tl.Raw {
	b := append(tl.AppendUint32(tl.AppendUint32(nil, 0xfef48f62), flags), peer...)
	return tl.AppendInt64(tl.AppendString(append(b, reply...), "hi"), 1)
}

func TestAShortSentMessageIsMadeWholeByItsQuery(t *testing.T) {
	sent := raw(&tg.UpdateShortSentMessage{Out: true, ID: 7, Pts: 11, PtsCount: 1, Date: 100, Entities: tl.Some([]tl.Raw{bold()})})
	toMessage := tl.AppendInt32(tl.AppendUint32(tl.AppendUint32(nil, inputReplyToMessage), 0), 6)
	inTopic := tl.AppendInt32(tl.AppendInt32(tl.AppendUint32(tl.AppendUint32(nil, inputReplyToMessage), 1), 6), 5)
	user := raw(&tg.InputPeerUser{UserID: 5, AccessHash: 9})
	base := map[string]string{
		"_": "message", "flags2": int32s(0), "id": int32s(7), "date": int32s(100), "message": text("hi"), "pts": int32s(11), "pts_count": int32s(1),
		"from_id": peer(peerUserID, 42), "peer_id": peer(peerUserID, 5), "out": "true", "entities": entities(),
	}
	with := func(more map[string]string) map[string]string {
		all := map[string]string{}
		for _, m := range []map[string]string{base, more} {
			for k, v := range m {
				all[k] = v
			}
		}
		return all
	}
	for name, c := range map[string]struct {
		query tl.Raw
		want  map[string]string // nil: the difference is asked for
	}{
		"to a user":                   {sendMessage(0, user, nil), base},
		"silent, not to be forwarded": {sendMessage(flagQuerySilent|flagQueryNoFwd|flagQueryInverts, user, nil), with(map[string]string{"silent": "true", "noforwards": "true", "invert_media": "true"})},
		"to oneself":                  {sendMessage(0, raw(&tg.InputPeerSelf{}), nil), with(map[string]string{"peer_id": peer(peerUserID, 42)})},
		"to a basic chat, a reply":    {sendMessage(1, raw(&tg.InputPeerChat{ChatID: 8}), toMessage), with(map[string]string{"peer_id": peer(peerChatID, 8), "reply_to": string(replyTo(6))})},
		"a reply in a topic":          {sendMessage(1, user, inTopic), nil},
		"another query":               {raw(&tg.UpdatesGetStateRequest{}), nil},
		"a query nobody knows":        {tl.Raw{1, 2, 3, 4}, nil},
	} {
		r := at(t, State{Pts: 10})
		r.m.self = 42
		r.m.Learn(r.now, c.query, sent)
		if c.want == nil {
			r.want(name+": the difference brings it whole", "GetDifference{pts 10, qts 0, date 0, seq 0}")
		} else if diff := cmp.Diff(c.want, r.theMessage()); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
	r := at(t, State{Pts: 10})
	r.m.Learn(r.now, sendMessage(0, user, nil), sent)
	r.want("who does not know who he is asks", "GetDifference{pts 10, qts 0, date 0, seq 0}")
}

func TestAShortMessageFromAStrangerIsFetchedWithItsUsers(t *testing.T) {
	r := at(t, State{Pts: 10})
	r.m.self = 42
	r.m.Users(func(user int64) bool { return user == 5 })
	r.push(raw(&tg.UpdateShortMessage{ID: 7, UserID: 5, Pts: 11, PtsCount: 1}))
	r.want("one who is known", "message")
	r.push(raw(&tg.UpdateShortMessage{ID: 8, UserID: 6, Pts: 12, PtsCount: 1}))
	r.want("one who is not", "GetDifference{pts 11, qts 0, date 0, seq 0}")
	r.result(&tg.UpdatesDifference{NewMessages: []tl.Raw{message()}, Users: []tg.AnyUser{user(6)}, State: tg.UpdatesState{Pts: 12}})
	r.want("comes with the difference", "message")
	r.push(raw(&tg.UpdateShortMessage{Out: true, ID: 9, UserID: 6, Pts: 13, PtsCount: 1}))
	r.want("one's own needs nobody", "message")
}
