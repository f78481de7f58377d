package api

import (
	"slices"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// news are the updates that a push or an answer carries, and how many people it describes.
func news(t testing.TB, body []byte) (list []tl.Raw, people int) {
	t.Helper()
	if idOf(body) == chatInviteJoinResultOkID {
		body = body[4:]
	}
	var u tg.Updates
	r := tl.NewReader(body)
	if u.Parse(r); r.Err() != nil {
		t.Fatalf("%x: %v", body, r.Err())
	}
	return u.Updates, len(u.Users)
}

// wantSaid checks that a service message came, with its action and its place.
func wantSaid(t testing.TB, update tl.Raw, action uint32, pts int32) {
	t.Helper()
	if idOf(update) != updateNewChannelMessageID || idOf(field(t, update, 0)) != messageServiceID || number(t, update, 1) != pts || number(t, update, 2) != 1 {
		t.Fatalf("%x is no service message with pts %d", update, pts)
	}
	if got := idOf(field(t, field(t, update, 0), 7)); got != action {
		t.Errorf("the action is %08x, want %08x", got, action)
	}
}

// public is a world with a public group or broadcast channel of somebody's, in which the bot (key 7) is; the person (key
// 5) is not.
func public(t testing.TB, broadcast bool) (w *world, person, bot User, id int64) {
	t.Helper()
	w, person, bot = two(t, Config{})
	id, err := w.b.AddChannel(w.now, NewChannel{
		Title: "Open", Username: "open_to_all", Broadcast: broadcast, Creator: w.person(2).ID, Members: []int64{bot.ID},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.pushes()
	return w, person, bot, id
}

func TestWhoJoinsAGroupIsAnnounced(t *testing.T) {
	w, person, bot, id := public(t, false)
	w.login(person, 6) // a second session
	w.pushes()
	joined := w.do(person, 5, value(uint32(0x7f6a1e22), w.inputOf(person, id)))
	if idOf(joined) != chatInviteJoinResultOkID {
		t.Fatalf("joined %x", joined)
	}
	list, people := news(t, joined)
	if len(list) != 2 || idOf(list[0]) != updateChannelID || people != 1 {
		t.Fatalf("answered %x with %d people", list, people)
	}
	wantSaid(t, list[1], messageActionChatAddUserID, 3)
	told := map[int64]int{}
	for _, p := range w.pushes() {
		list, _ := news(t, p.Body)
		told[p.Perm] = len(list)
		wantSaid(t, list[len(list)-1], messageActionChatAddUserID, 3)
	}
	if len(told) != 3 || told[7] != 1 || told[6] != 2 || told[5] != 2 {
		t.Errorf("told %v", told)
	}

	// Who leaves is told that it has left, the others that it went.
	left, _ := news(t, w.do(person, 5, value(uint32(0xf836aa95), w.inputOf(person, id))))
	if len(left) != 1 || idOf(left[0]) != updateChannelID {
		t.Fatalf("answered %x", left)
	}
	clear(told)
	for _, p := range w.pushes() {
		list, _ := news(t, p.Body)
		if told[p.Perm] = len(list); p.Perm == 7 {
			wantSaid(t, list[0], messageActionChatDeleteUserID, 4)
		} else if idOf(list[0]) != updateChannelID {
			t.Errorf("key %d is told %x", p.Perm, list)
		}
	}
	if len(told) != 3 || told[7] != 1 || told[6] != 1 {
		t.Errorf("told %v", told)
	}

	// It comes again by what it does on a phone that is no client here.
	if err := w.b.Join(w.now, id, person.ID); err != nil {
		t.Fatal(err)
	}
	want := []Membership{
		{Channel: id, UserID: w.person(2).ID, From: w.now, FromPts: 1},
		{Channel: id, UserID: person.ID, From: w.now, FromPts: 2, Until: w.now, UntilPts: 3},
		{Channel: id, UserID: bot.ID, From: w.now, FromPts: 2},
		{Channel: id, UserID: person.ID, From: w.now, FromPts: 4},
	}
	if got := w.b.Memberships(); !slices.Equal(got, want) {
		t.Errorf("memberships\n%+v, want\n%+v", got, want)
	}
	for _, p := range w.pushes() {
		list, _ := news(t, p.Body)
		wantSaid(t, list[len(list)-1], messageActionChatAddUserID, 5)
	}
	// Nobody can edit such a message, and scripts read texts.
	w.refuses("a service message", person, 5, editMessage(w.asChannel(person, id), 4, "hello"), "MESSAGE_ID_INVALID")
	if posts, err := w.b.Posts(id); err != nil || len(posts) != 0 {
		t.Errorf("posts %+v, %v", posts, err)
	}
	d := w.do(person, 5, channelDifference(w.inputOf(person, id), 2, 10))
	if number(t, d, 1) != 5 || count(t, d, 3) != 3 || count(t, d, 6) != 1 {
		t.Errorf("difference %x", d)
	}
}

func TestWhoJoinsABroadcastChannelIsNotAnnounced(t *testing.T) {
	w, person, _, id := public(t, true)
	for range 2 {
		if list, _ := news(t, w.do(person, 5, value(uint32(0x7f6a1e22), w.inputOf(person, id)))); len(list) != 1 || idOf(list[0]) != updateChannelID {
			t.Errorf("joined %x", list)
		}
		if list, _ := news(t, w.do(person, 5, value(uint32(0xf836aa95), w.inputOf(person, id)))); len(list) != 1 || idOf(list[0]) != updateChannelID {
			t.Errorf("left %x", list)
		}
	}
	for _, p := range w.pushes() {
		if p.Perm != 5 || p.ExceptSession != 5 {
			t.Errorf("told %+v", p)
		}
	}
	if list := w.b.ChannelUpdates(); len(list) != 1 {
		t.Errorf("logged %+v", list)
	}
}

func TestWhoIsInvitedIsAnnounced(t *testing.T) {
	w, person, bot := two(t, Config{})
	id, err := w.b.AddChannel(w.now, NewChannel{Title: "Group", Creator: person.ID})
	if err != nil {
		t.Fatal(err)
	}
	w.pushes()
	other := w.person(2)
	invite := func(users ...User) []byte {
		var list [][]byte
		for _, u := range users {
			list = append(list, value(tg.InputUserID, u.ID, w.b.accessHash(w.b.dir.byID[person.ID], u.ID)))
		}
		return appendVector(value(uint32(0xc9e33d54), w.inputOf(person, id)), list)
	}
	list, people := news(t, field(t, w.do(person, 5, invite(bot, other, bot)), 0))
	if len(list) != 2 || people != 3 {
		t.Fatalf("answered %x with %d people", list, people)
	}
	wantSaid(t, list[1], messageActionChatAddUserID, 3)
	for _, p := range w.pushes() {
		list, _ := news(t, p.Body)
		if len(list) != 2 || idOf(list[0]) != updateChannelID {
			t.Fatalf("told %x", list)
		}
		wantSaid(t, list[1], messageActionChatAddUserID, 3)
	}
	if list, _ := news(t, field(t, w.do(person, 5, invite(bot)), 0)); len(list) != 1 {
		t.Errorf("inviting a member is told as %x", list)
	}
	if p := w.pushes(); len(p) != 0 {
		t.Errorf("and pushed %+v", p)
	}
	w.refuses("too many", person, 5, invite(slices.Repeat([]User{bot}, maxInvited+1)...), "USERS_TOO_MUCH")
}

func TestStaysThatHaveEndedAreBounded(t *testing.T) {
	list := make([]Membership, maxEnded)
	list[maxEnded/8].UserID = 8
	list = appendEnded(list, Membership{UserID: 9, Until: time.Unix(1, 0)})
	if n := len(list); n != maxEnded-maxEnded/8+1 || list[n-1].UserID != 9 || list[0].UserID != 8 {
		t.Errorf("%d are kept, from %+v to %+v", n, list[0], list[n-1])
	}
}
