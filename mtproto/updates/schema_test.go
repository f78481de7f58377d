package updates

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/schema"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// apiSchema is the schema the lists of this package are held against.
func apiSchema(t *testing.T) *schema.Schema {
	t.Helper()
	text, err := os.ReadFile("../../tl/schema/api.tl")
	if err != nil {
		t.Fatal(err)
	}
	s, err := schema.Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fieldsOf says where the fields of a definition are, as tl.Walk counts, and of
// which type each is.
func fieldsOf(d schema.Definition) (at map[string]int, types map[string]string) {
	at, types = map[string]int{}, map[string]string{}
	index := 0
	for _, f := range d.Fields {
		at[f.Name], types[f.Name] = index, f.Type.String()
		if f.Type.Name != "true" {
			index++
		}
	}
	return at, types
}

func TestTheListsOfChannelsAreTheSchemas(t *testing.T) {
	counting, hints := map[uint32]fields{}, map[uint32]fields{}
	names := map[string]uint32{}
	for _, d := range apiSchema(t).Definitions {
		if d.Result.String() != "Update" {
			continue
		}
		names[d.Name] = d.ID
		at, _ := fieldsOf(d)
		pts, hasPts := at["pts"]
		count, hasCount := at["pts_count"]
		channel, hasChannel := at["channel_id"]
		switch {
		case !hasPts:
		case hasChannel && hasCount && count == pts+1:
			counting[d.ID] = fields{channel, pts}
		case hasChannel && !hasCount:
			hints[d.ID] = fields{channel, pts}
		case d.Name == "updateNewChannelMessage" || d.Name == "updateEditChannelMessage":
			counting[d.ID] = fields{-1, pts}
			if at["message"] != 0 {
				t.Errorf("%s: its message is field %d", d.Name, at["message"])
			}
		}
	}
	if diff := cmp.Diff(counting, channelFields, cmp.AllowUnexported(fields{})); diff != "" {
		t.Errorf("what counts in a channel (-schema +list):\n%s", diff)
	}
	if diff := cmp.Diff(hints, hintFields, cmp.AllowUnexported(fields{})); diff != "" {
		t.Errorf("what tells where a channel is (-schema +list):\n%s", diff)
	}
	for name, id := range map[string]uint32{
		"updateNewChannelMessage": updateNewChannelMessageID, "updateChannelTooLong": updateChannelTooLongID,
		"updateChannel": updateChannelID, "updateReadChannelInbox": updateReadChannelInboxID,
	} {
		if names[name] != id {
			t.Errorf("%s is %08x, not %08x", name, names[name], id)
		}
	}
}

func TestTheListsOfMessagesAndChatsAreTheSchemas(t *testing.T) {
	peers, dates := map[uint32]int{}, map[uint32]int{}
	nested := map[uint32]bool{}
	for _, d := range apiSchema(t).Definitions {
		if d.Function {
			continue
		}
		at, types := fieldsOf(d)
		if len(d.Fields) > 0 && d.Fields[0].Type.String() == "Updates" {
			nested[d.ID] = true
		}
		switch d.Result.String() {
		case "Message":
			peers[d.ID] = at["peer_id"]
			if i, ok := at["date"]; ok {
				dates[d.ID] = i
			}
		case "Chat":
			if want, ok := chatFields[d.ID]; ok && (at["id"] != want.id || at["access_hash"] != want.hash || at["flags"] != 0) {
				t.Errorf("%s has its id at %d and its access_hash at %d", d.Name, at["id"], at["access_hash"])
			}
			if _, ok := chatFields[d.ID]; types["access_hash"] != "" && !ok && !strings.HasPrefix(d.Name, "community") {
				t.Errorf("%s has an access_hash that nobody reads", d.Name)
			}
		case "Dialog":
			if i, ok := at["pts"]; ok && (i != fieldDialogPts || d.ID != dialogID) {
				t.Errorf("%s has its pts at %d", d.Name, i)
			}
		case "Peer":
			if want := map[string]uint32{"peerUser": peerUserID, "peerChat": peerChatID, "peerChannel": peerChannelID}[d.Name]; want != d.ID {
				t.Errorf("%s is %08x, not %08x", d.Name, d.ID, want)
			}
		case "updates.ChannelDifference":
			for name, want := range map[string]int{
				"flags": 0, "pts": fieldChannelPts, "new_messages": fieldChannelNew, "other_updates": fieldChannelOthers,
				"dialog": fieldLongDialog,
			} {
				if i, ok := at[name]; ok && i != want {
					t.Errorf("%s.%s is field %d, not %d", d.Name, name, i, want)
				}
			}
		case "messages.AffectedMessages", "messages.AffectedHistory", "messages.AffectedFoundMessages":
			if !Concerns(idOnly(d.ID)) || at["pts"] != 0 || at["pts_count"] != 1 {
				t.Errorf("%s has its pts at %d and its pts_count at %d", d.Name, at["pts"], at["pts_count"])
			}
		case "Updates":
			if !Concerns(idOnly(d.ID)) {
				t.Errorf("the result %s is not looked at", d.Name)
			}
		}
	}
	if diff := cmp.Diff(peers, messagePeer); diff != "" {
		t.Errorf("where messages were sent (-schema +list):\n%s", diff)
	}
	if diff := cmp.Diff(dates, messageDate); diff != "" {
		t.Errorf("when messages were sent (-schema +list):\n%s", diff)
	}
	if diff := cmp.Diff(nested, nestedUpdates); diff != "" {
		t.Errorf("results with Updates in them (-schema +list):\n%s", diff)
	}
}

func TestShortFormsAreTheSchemas(t *testing.T) {
	forms, sends := map[uint32]shortForm{}, map[uint32]struct{ peer, reply, message int }{}
	at := func(all map[string]int, name string) int {
		if i, ok := all[name]; ok {
			return i
		}
		return -1
	}
	for _, d := range apiSchema(t).Definitions {
		all, _ := fieldsOf(d)
		switch d.Name {
		case "updateShortMessage", "updateShortChatMessage", "updateShortSentMessage":
			f := shortForm{
				peer: at(all, "user_id"), from: at(all, "user_id"), message: at(all, "message"), pts: all["pts"],
				fwd: at(all, "fwd_from"), via: at(all, "via_bot_id"), reply: at(all, "reply_to"), media: at(all, "media"),
				entities: at(all, "entities"), tl: all["ttl_period"],
			}
			if d.Name == "updateShortChatMessage" {
				f.peer, f.from = all["chat_id"], all["from_id"]
			}
			forms[d.ID] = f
			if all["flags"] != 0 || all["id"] != 1 || all["pts_count"] != f.pts+1 || all["date"] != f.pts+2 || len(all) == 0 {
				t.Errorf("%s: %v", d.Name, all)
			}
			for _, field := range d.Fields {
				if field.Flags != "" && flagsShort&(1<<field.Bit) == 0 {
					t.Errorf("%s.%s is on a bit that is left out", d.Name, field.Name)
				}
			}
		case "messages.sendMessage", "messages.sendMedia":
			sends[d.ID] = struct{ peer, reply, message int }{all["peer"], all["reply_to"], all["message"]}
		}
	}
	if diff := cmp.Diff(forms, shortForms, cmp.AllowUnexported(shortForm{})); diff != "" {
		t.Errorf("(-schema +list):\n%s", diff)
	}
	if diff := cmp.Diff(sends, sendForms, cmp.AllowUnexported(struct{ peer, reply, message int }{})); diff != "" {
		t.Errorf("(-schema +list):\n%s", diff)
	}
}

// idOnly is the beginning of a value.
func idOnly(id uint32) tl.Raw { return tl.AppendUint32(nil, id) }

// named returns the fields that are present in a value, by their names.
func named(t *testing.T, raw tl.Raw) map[string]string {
	t.Helper()
	got := map[string]string{}
	for _, d := range apiSchema(t).Definitions {
		if d.ID != raw.ID() {
			continue
		}
		at, types := fieldsOf(d)
		n, err := tl.Walk(tg.Schema, raw, func(f tl.Field) {
			for name, i := range at {
				if i == f.Index && types[name] != "true" {
					got[name] = string(raw[f.Start:f.End])
				}
			}
		})
		if err != nil || n != len(raw) {
			t.Fatalf("%s is not whole: %v", d.Name, err)
		}
		for _, f := range d.Fields {
			flags := []byte(got[f.Flags])
			if f.Type.Name == "true" && len(flags) == 4 && flags[f.Bit/8]&(1<<(f.Bit%8)) != 0 {
				got[f.Name] = "true"
			}
		}
		got["_"] = d.Name
	}
	return got
}
