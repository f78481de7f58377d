package api

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
	"pgregory.net/rapid"
)

// asChannel is what a user writes to name a channel as a peer, inputOf as a channel.
func (w *world) asChannel(u User, id int64) []byte {
	return value(tg.InputPeerChannelID, id, w.b.accessHash(w.b.dir.byID[u.ID], id))
}

func (w *world) inputOf(u User, id int64) []byte {
	return value(inputChannelID, id, w.b.accessHash(w.b.dir.byID[u.ID], id))
}

func channelDifference(input []byte, pts, limit int) []byte {
	return value(uint32(0x03173d78), 0, input, uint32(0x94d42ee7), pts, limit)
}

// group is a world with a group of a person (key 5), its creator, and a bot (key 7).
func group(t testing.TB, cfg Config) (w *world, person, bot User, id int64) {
	t.Helper()
	w, person, bot = two(t, cfg)
	id, err := w.b.AddChannel(w.now, NewChannel{Title: "Group", Creator: person.ID, Members: []int64{bot.ID}})
	if err != nil {
		t.Fatal(err)
	}
	p := w.pushes()
	if len(p) != 2 || idOf(pushedUpdate(t, p[0].Body)) != updateChannelID {
		t.Fatalf("pushes %+v", p)
	}
	return w, person, bot, id
}

func TestAMessageInAChannelReachesItsMembers(t *testing.T) {
	w, person, bot, id := group(t, Config{})
	answer := w.do(person, 5, sendMessage(w.asChannel(person, id), "hello"))
	var u tg.Updates
	if err := tl.Unmarshal(answer, &u); err != nil || len(u.Updates) != 3 || idOf(u.Updates[0]) != updateMessageIDID ||
		idOf(u.Updates[2]) != updateNewChannelMessageID || len(u.Chats) != 1 || len(u.Users) != 1 {
		t.Fatalf("answer %+v, %v", u, err)
	}
	p := w.pushes()
	if len(p) != 2 || p[0].Perm != 5 || p[0].ExceptSession != 5 || p[1].Perm != 7 {
		t.Fatalf("pushes %+v", p)
	}
	if err := tl.Unmarshal(p[1].Body, &u); err != nil || len(u.Chats) != 1 || len(u.Users) != 1 {
		t.Fatalf("pushed %+v, %v", u, err)
	}
	news := u.Updates[0]
	if textOf(t, field(t, news, 0)) != "hello" || number(t, news, 1) != 3 || number(t, news, 2) != 1 {
		t.Errorf("pushed %x", news)
	}
	// The bot answers with the hash that came with it; both read the same ids.
	hash := tl.NewReader(field(t, u.Chats[0], 3)).Int64()
	w.do(bot, 7, sendMessage(value(tg.InputPeerChannelID, id, hash), "hi"))
	posts, _ := w.b.Posts(id)
	if len(posts) != 2 || posts[0].ID != 2 || posts[0].From != person.ID || posts[1].From != bot.ID || posts[1].Text != "hi" {
		t.Errorf("posts %+v", posts)
	}
	got := w.do(bot, 7, append(value(uint32(0xad8c9a23), w.inputOf(bot, id)), inputMessages(3, 2)...))
	if idOf(got) != channelMessagesID || number(t, got, 1) != 4 || !slices.Equal(texts(t, field(t, got, 4)), []string{"hi", "hello"}) {
		t.Errorf("messages %x", got)
	}
}

func TestChannelsAreNamedByTheHashOfTheAccount(t *testing.T) {
	w, person, bot, id := group(t, Config{})
	other := w.person(2)
	w.login(other, 8)
	hash := w.b.accessHash(w.b.dir.byID[person.ID], id)
	w.refuses("the hash of another account", other, 8, channelDifference(value(inputChannelID, id, hash), 1, 10), "CHANNEL_INVALID")
	w.refuses("no such channel", person, 5, channelDifference(value(inputChannelID, id+1, hash), 1, 10), "CHANNEL_INVALID")
	w.refuses("nothing", person, 5, channelDifference(value(uint32(0xee8c1e86)), 1, 10), "CHANNEL_INVALID")
	w.refuses("who is no member", other, 8, channelDifference(w.inputOf(other, id), 1, 10), "CHANNEL_PRIVATE")
	w.refuses("who is no member and joins", other, 8, value(uint32(0x7f6a1e22), w.inputOf(other, id)), "CHANNEL_PRIVATE")
	w.do(bot, 7, channelDifference(value(inputChannelID, id, int64(0)), 1, 10)) // a bot that is a member needs no hash
	if err := w.b.Leave(w.now, id, bot.ID); err != nil {
		t.Fatal(err)
	}
	var u tg.Updates
	if p := w.pushes(); len(p) != 2 || p[1].Perm != 7 || tl.Unmarshal(p[1].Body, &u) != nil || idOf(u.Chats[0]) != channelForbiddenID {
		t.Errorf("pushes %+v", p)
	}
	w.refuses("who has left", bot, 7, channelDifference(w.inputOf(bot, id), 1, 10), "CHANNEL_PRIVATE")
	w.refuses("who has left, without a hash", bot, 7, channelDifference(value(inputChannelID, id, int64(0)), 1, 10), "CHANNEL_INVALID")
}

func TestADifferenceOfAChannel(t *testing.T) {
	w, person, bot, id := group(t, Config{})
	for i := range 4 {
		_, _ = w.b.Post(w.now, id, 0, fmt.Sprint("post ", i), Delivery{Lost: true})
	}
	if p := w.pushes(); len(p) != 0 {
		t.Fatalf("pushes of what is lost %+v", p)
	}
	if _, err := w.b.DeletePosts(w.now, id, Delivery{}, 3, 4); err != nil {
		t.Fatal(err)
	}
	if _, err := w.b.EditPost(w.now, id, 5, "edited", Delivery{}); err != nil {
		t.Fatal(err)
	}
	in := w.inputOf(person, id)
	w.refuses("pts 0", person, 5, channelDifference(in, 0, 10), "PERSISTENT_TIMESTAMP_EMPTY")
	w.refuses("pts of the future", person, 5, channelDifference(in, 10, 10), "PERSISTENT_TIMESTAMP_INVALID")
	w.refuses("negative pts", person, 5, channelDifference(in, -1, 10), "PERSISTENT_TIMESTAMP_INVALID")
	filter := append(value(channelMessagesFilterID, 0), appendVector(nil, [][]byte{value(uint32(0x0ae30253), 5, 4)})...)
	w.refuses("a range that ends before it begins", person, 5, value(uint32(0x03173d78), 0, in, filter, 1, 10), "RANGES_INVALID")

	none := w.do(person, 5, channelDifference(in, 9, 10))
	if idOf(none) != channelDifferenceEmptyID || number(t, none, 0) != flagFinal|flagTimeout || number(t, none, 1) != 9 || number(t, none, 2) != 30 {
		t.Errorf("nothing new: %x", none)
	}
	all := w.do(person, 5, channelDifference(in, 2, 100))
	if idOf(all) != channelDifferenceID || number(t, all, 0)&flagFinal == 0 || number(t, all, 1) != 9 || count(t, all, 3) != 4 || count(t, all, 4) != 2 ||
		count(t, all, 5) != 1 || count(t, all, 6) != 1 {
		t.Errorf("all: %x", all)
	}
	part := w.do(bot, 7, channelDifference(w.inputOf(bot, id), 2, 3))
	if number(t, part, 0)&flagFinal != 0 || number(t, part, 1) != 5 || count(t, part, 3) != 3 || count(t, part, 4) != 0 {
		t.Errorf("a part: %x", part)
	}
	// People get no more than a hundred, bots what they ask for.
	for range 150 {
		_, _ = w.b.Post(w.now, id, 0, "more", Delivery{})
	}
	if got := w.do(person, 5, channelDifference(in, 9, 1000)); count(t, got, 3) != 100 {
		t.Errorf("a person got %d", count(t, got, 3))
	}
	if got := w.do(bot, 7, channelDifference(w.inputOf(bot, id), 9, 1000)); count(t, got, 3) != 150 {
		t.Errorf("a bot got %d", count(t, got, 3))
	}
}

func TestADifferenceOfAChannelIsTooLongForWhatIsGone(t *testing.T) {
	for name, cfg := range map[string]Config{"the log": {LogMax: 4}, "the switch": {ChannelTooLong: 4}} {
		w, person, _, id := group(t, cfg)
		for i := range 8 {
			_, _ = w.b.Post(w.now, id, 0, fmt.Sprint("post ", i), Delivery{})
		}
		long := w.do(person, 5, channelDifference(w.inputOf(person, id), 2, 2))
		if idOf(long) != channelDifferenceTooLongID {
			t.Fatalf("%s: %x", name, long)
		}
		dialog := field(t, long, 2)
		if pts := tl.NewReader(dialog[len(dialog)-4:]).Int32(); idOf(dialog) != dialogID || pts != 10 || number(t, dialog, 2) != 9 {
			t.Errorf("%s: the dialog is %x", name, dialog)
		}
		if got := texts(t, field(t, long, 3)); !slices.Equal(got, []string{"post 7", "post 6"}) {
			t.Errorf("%s: messages %q", name, got)
		}
		if got := w.do(person, 5, channelDifference(w.inputOf(person, id), 6, 10)); count(t, got, 3) != 4 {
			t.Errorf("%s: from where it goes: %x", name, got)
		}
	}
}

// What a log has dropped was owed all the same: the ledger tells of it.
func TestTheLedgerRemembersWhatALogHasDropped(t *testing.T) {
	w, person, _, id := group(t, Config{LogMax: 4})
	for i := range 8 {
		_, _ = w.b.Post(w.now, id, 0, fmt.Sprint("post ", i), Delivery{})
		_, _ = w.b.PushUpdate(w.now, person.ID)
	}
	for name, list := range map[string][]UpdateRecord{"a channel": w.b.ChannelUpdates(), "a user": w.b.Updates(person.ID)} {
		for i, u := range list {
			if u.Pts != int32(i+2) || u.UserID == 0 == (u.Channel == 0) {
				t.Errorf("%s: entry %d is %+v", name, i, u)
			}
		}
	}
	if got := w.b.ChannelUpdates(); len(got) != 9 || got[8].Message != 9 || got[1].Kind != "message" {
		t.Errorf("the ledger tells of %+v", got)
	}
	if got := w.b.Updates(person.ID); len(got) != 8 {
		t.Errorf("the ledger tells of %+v", got)
	}
	list := make([]UpdateRecord, maxGone)
	list[maxGone/8].Pts = 8
	if list = appendGone(list, UpdateRecord{Pts: 9}); len(list) != maxGone-maxGone/8+1 || list[0].Pts != 8 || list[len(list)-1].Pts != 9 {
		t.Errorf("%d are kept", len(list))
	}
}

// A bot may ask for 100,000 updates at a time. What it gets fits a packet (16 MiB), and leads to the end all the same.
func TestADifferenceFitsAPacket(t *testing.T) {
	w, person, bot, id := group(t, Config{DifferenceSlice: 1000})
	longest := strings.Repeat("\U0001F600", maxMessage)
	for range 1100 {
		if _, err := w.b.Post(w.now, id, 0, longest, Delivery{Lost: true}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.b.Say(w.now, person.ID, bot.ID, longest, Delivery{Lost: true}); err != nil {
			t.Fatal(err)
		}
	}
	fits := func(body []byte) {
		t.Helper()
		if len(body) > maxDifference+5*maxMessage {
			t.Errorf("a difference of %d bytes", len(body))
		}
	}
	got, parts := 0, 0
	for pts, final := int32(2), false; !final; parts++ {
		d := w.do(bot, 7, channelDifference(w.inputOf(bot, id), int(pts), 100_000))
		fits(d)
		got, pts, final = got+count(t, d, 3), number(t, d, 1), number(t, d, 0)&flagFinal != 0
	}
	if got != 1100 || parts < 4 {
		t.Errorf("%d posts in %d parts", got, parts)
	}
	got = 0
	for q, final := difference(1), false; !final; {
		switch d := must(w, 1, 7, q).(type) {
		case *tg.UpdatesDifferenceSlice:
			fits(d.Append(nil))
			got, q.Pts = got+len(d.NewMessages), d.IntermediateState.Pts
		case *tg.UpdatesDifference:
			fits(d.Append(nil))
			got, final = got+len(d.NewMessages), true
		default:
			t.Fatalf("%T", d)
		}
	}
	if got != 1100 {
		t.Errorf("%d messages", got)
	}
}

func TestTheCommonDifferenceNamesChannelsThatMoved(t *testing.T) {
	w, _, _, id := group(t, Config{ChannelHintSlack: time.Minute})
	_, _ = w.b.Post(w.now, id, 0, "hello", Delivery{Lost: true})
	for after, want := range map[int32]bool{60: true, 61: false} {
		q := difference(1)
		q.Date += after
		if _, named := must(w, 1, 7, q).(*tg.UpdatesDifference); named != want {
			t.Errorf("with a minute's slack, %d s later: named %v", after, named)
		}
	}
	for _, hints := range []bool{true, false} {
		w, _, _, id := group(t, Config{NoChannelHints: !hints})
		_, _ = w.b.Post(w.now, id, 0, "hello", Delivery{Lost: true})
		switch d := must(w, 1, 7, difference(1)).(type) {
		case *tg.UpdatesDifference:
			if !hints || len(d.OtherUpdates) != 1 || len(d.Chats) != 1 || number(t, d.OtherUpdates[0], 2) != 3 {
				t.Errorf("difference %+v", d)
			}
		case *tg.UpdatesDifferenceEmpty:
			if hints {
				t.Error("no hint")
			}
		}
		later := difference(1)
		later.Date++
		if d, ok := must(w, 1, 7, later).(*tg.UpdatesDifferenceEmpty); !ok {
			t.Errorf("since later: %+v", d)
		}
	}
}

func TestLargeChannelsPushThatTheyMoved(t *testing.T) {
	w, _, bot, id := group(t, Config{ChannelPushMax: 1})
	_, _ = w.b.Post(w.now, id, 0, "hello", Delivery{})
	p := w.pushes()
	if len(p) != 2 || idOf(pushedUpdate(t, p[1].Body)) != updateChannelTooLongID {
		t.Fatalf("pushes %+v", p)
	}
	if _, err := w.b.Post(w.now, id, bot.ID, "hello", Delivery{Form: FormFull}); err != nil {
		t.Fatal(err)
	}
	if p := w.pushes(); len(p) != 2 || idOf(pushedUpdate(t, p[1].Body)) != updateNewChannelMessageID {
		t.Errorf("pushes %+v", p)
	}
}

func TestABroadcastChannelIsItsCreators(t *testing.T) {
	w, person, bot := two(t, Config{})
	answer := w.do(person, 5, value(uint32(0x91006707), 1, "News", "about"))
	var u tg.Updates
	if err := tl.Unmarshal(answer, &u); err != nil || len(u.Chats) != 1 || len(u.Updates) != 2 || idOf(u.Updates[1]) != updateNewChannelMessageID {
		t.Fatalf("made %x: %v", answer, err)
	}
	id := tl.NewReader(field(t, u.Chats[0], 2)).Int64()
	w.do(person, 5, appendVector(value(uint32(0xc9e33d54), w.inputOf(person, id)), [][]byte{
		value(tg.InputUserID, bot.ID, w.b.accessHash(w.b.dir.byID[person.ID], bot.ID)),
	}))
	w.refuses("a member", bot, 7, sendMessage(w.asChannel(bot, id), "hello"), "CHAT_ADMIN_REQUIRED")
	w.refuses("no user", person, 5, appendVector(value(uint32(0xc9e33d54), w.inputOf(person, id)), [][]byte{value(tg.InputUserID, bot.ID, int64(5))}), "USER_ID_INVALID")
	w.do(person, 5, sendMessage(w.asChannel(person, id), "hello"))
	if posts, _ := w.b.Posts(id); len(posts) != 1 || posts[0].From != 0 {
		t.Errorf("posts %+v", posts)
	}
	w.do(person, 5, editMessage(w.asChannel(person, id), 2, "hello all"))
	w.refuses("somebody else's", bot, 7, editMessage(w.asChannel(bot, id), 2, "hello you"), "MESSAGE_AUTHOR_REQUIRED")
	w.refuses("somebody else's", bot, 7, appendInts(value(uint32(0x84c1fd4e), w.inputOf(bot, id)), []int32{2}), "MESSAGE_DELETE_FORBIDDEN")
	if gone := w.do(person, 5, appendInts(value(uint32(0x84c1fd4e), w.inputOf(person, id)), []int32{2, 7})); number(t, gone, 1) != 1 {
		t.Errorf("deleted %x", gone)
	}
	w.refuses("no title", person, 5, value(uint32(0x91006707), 1, "", ""), "CHAT_TITLE_EMPTY")
	w.refuses("a bot", bot, 7, value(uint32(0x91006707), 1, "News", ""), "BOT_METHOD_INVALID")
}

func TestAPublicChannelIsJoinedAndLeft(t *testing.T) {
	w, person, _ := two(t, Config{})
	other := w.person(2)
	id, err := w.b.AddChannel(w.now, NewChannel{Title: "News", Username: "TestNews", Broadcast: true, Creator: other.ID})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.b.AddChannel(w.now, NewChannel{Title: "News", Username: "testnews", Creator: other.ID}); !errors.Is(err, ErrChannelName) {
		t.Errorf("a name that is taken: %v", err)
	}
	found := w.do(person, 5, resolve("testnews"))
	if count(t, found, 1) != 1 {
		t.Fatalf("resolved %x", found)
	}
	in := w.inputOf(person, id)
	w.refuses("no member", person, 5, value(uint32(0xf836aa95), in), "USER_NOT_PARTICIPANT")
	if joined := w.do(person, 5, value(uint32(0x7f6a1e22), in)); idOf(joined) != chatInviteJoinResultOkID {
		t.Errorf("joined %x", joined)
	}
	w.refuses("a member", person, 5, value(uint32(0x7f6a1e22), in), "USER_ALREADY_PARTICIPANT")
	_, _ = w.b.Post(w.now, id, 0, "hello", Delivery{})
	full := field(t, w.do(person, 5, value(uint32(0x08736a09), in)), 0)
	if idOf(full) != channelFullID {
		t.Errorf("full %x", full)
	}
	w.pushes()
	w.do(person, 5, value(uint32(0xcc104937), in, 0))
	if p := w.pushes(); len(p) != 1 || idOf(pushedUpdate(t, p[0].Body)) != updateReadChannelInboxID {
		t.Errorf("pushes %+v", p)
	}
	if got := w.do(person, 5, append(value(uint32(0x0a7f6bbb)), appendVector(nil, [][]byte{in})...)); count(t, got, 0) != 1 {
		t.Errorf("channels %x", got)
	}
	w.do(person, 5, value(uint32(0xf836aa95), in))
	// Whoever may look into it may ask what is new, and pushes go to members.
	w.do(person, 5, channelDifference(in, 1, 10))
	w.pushes()
	_, _ = w.b.Post(w.now, id, 0, "hello", Delivery{})
	if p := w.pushes(); len(p) != 0 {
		t.Errorf("pushes to who has left %+v", p)
	}
	if stays := w.b.Memberships(); len(stays) != 2 || stays[1].UserID != person.ID || stays[0].Until != (time.Time{}) || stays[1].Until.IsZero() {
		t.Errorf("memberships %+v", stays)
	}
	w.login(other, 8)
	w.refuses("the creator", other, 8, value(uint32(0xf836aa95), w.inputOf(other, id)), "USER_CREATOR")
}

func TestScriptsThatCannotBe(t *testing.T) {
	w, person, bot, id := group(t, Config{})
	for name, f := range map[string]func() error{
		"no such user":     func() error { _, err := w.b.Say(w.now, 1, bot.ID, "hello", Delivery{}); return err },
		"nor that":         func() error { _, err := w.b.Say(w.now, bot.ID, 1, "hello", Delivery{}); return err },
		"a bot first":      func() error { _, err := w.b.Say(w.now, bot.ID, person.ID, "hello", Delivery{}); return err },
		"no text":          func() error { _, err := w.b.Say(w.now, person.ID, bot.ID, "", Delivery{}); return err },
		"no such channel":  func() error { _, err := w.b.Post(w.now, 1, 0, "hello", Delivery{}); return err },
		"no member":        func() error { _, err := w.b.Post(w.now, id, w.bot(2).ID, "hello", Delivery{}); return err },
		"no such post":     func() error { _, err := w.b.EditPost(w.now, id, 9, "hello", Delivery{}); return err },
		"not to be edited": func() error { _, err := w.b.EditPost(w.now, id, 1, "hello", Delivery{}); return err },
		"no title":         func() error { _, err := w.b.AddChannel(w.now, NewChannel{Creator: person.ID}); return err },
		"no creator":       func() error { _, err := w.b.AddChannel(w.now, NewChannel{Title: "News"}); return err },
		"no members": func() error {
			_, err := w.b.AddChannel(w.now, NewChannel{Title: "News", Creator: person.ID, Members: []int64{1}})
			return err
		},
		"an odd name": func() error {
			_, err := w.b.AddChannel(w.now, NewChannel{Title: "News", Creator: person.ID, Username: "a b"})
			return err
		},
		"nobody joins":    func() error { return w.b.Join(w.now, id, 1) },
		"nobody leaves":   func() error { return w.b.Leave(w.now, 1, person.ID) },
		"nobody reads":    func() error { _, err := w.b.Messages(1); return err },
		"nothing is read": func() error { _, err := w.b.Posts(1); return err },
	} {
		if f() == nil {
			t.Errorf("%s: done", name)
		}
	}
	if p := w.pushes(); len(p) != 0 {
		t.Errorf("pushes %+v", p)
	}
}

// Whatever is written, edited and deleted in a channel, following its differences from any pts gives every update behind
// it, in order and once.
func TestDifferencesOfAChannelAddUpToItsLog(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w, person, _, id := group(t, Config{})
		for range rapid.IntRange(0, 40).Draw(rt, "updates") {
			posts, _ := w.b.Posts(id)
			if what := rapid.IntRange(0, 4).Draw(rt, "what"); what == 0 && len(posts) > 2 {
				_, _ = w.b.DeletePosts(w.now, id, Delivery{}, posts[0].ID, posts[len(posts)/2].ID)
			} else if what == 1 && len(posts) > 0 {
				_, _ = w.b.EditPost(w.now, id, posts[len(posts)-1].ID, fmt.Sprint(posts[len(posts)-1].Text, "!"), Delivery{})
			} else {
				_, _ = w.b.Post(w.now, id, 0, "hello", Delivery{})
			}
		}
		log := w.b.ChannelUpdates()
		end := log[len(log)-1].Pts
		pts := int32(rapid.IntRange(1, int(end)).Draw(rt, "from"))
		limit := rapid.IntRange(1, 12).Draw(rt, "limit")
		want := 0
		for _, e := range log {
			if e.Pts > pts {
				want++
			}
		}
		got := 0
		for steps := 0; ; steps++ {
			if steps > 100 {
				rt.Fatal("the differences do not end")
			}
			d := w.do(person, 5, channelDifference(w.inputOf(person, id), int(pts), limit))
			next := number(t, d, 1)
			if idOf(d) == channelDifferenceID {
				got += count(t, d, 3) + count(t, d, 4)
				if next <= pts {
					rt.Fatalf("from %d to %d", pts, next)
				}
			}
			pts = next
			if number(t, d, 0)&flagFinal != 0 {
				break
			}
		}
		if got != want || pts != end {
			rt.Fatalf("got %d updates up to %d, logged %d up to %d", got, pts, want, end)
		}
	})
}
