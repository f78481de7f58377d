package api

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// Queries of methods that have no Go type.

func sendMessage(peer []byte, text string) []byte { return sendMessageAs(peer, text, 77) }

func sendMessageAs(peer []byte, text string, random int64) []byte {
	return value(uint32(0xfef48f62), 0, peer, text, random)
}

func editMessage(peer []byte, id int, text string) []byte {
	return value(uint32(0xb106e66c), 1<<11, peer, id, text)
}

func deleteMessages(revoke bool, ids ...int32) []byte {
	flags := 0
	if revoke {
		flags = 1
	}
	return appendInts(value(uint32(0xe58e95d2), flags), ids)
}

func readHistory(peer []byte, maxID int) []byte { return value(uint32(0x0e306d3a), peer, maxID) }

func getHistory(peer []byte, offset, limit int) []byte {
	return value(uint32(0x4423e6c5), peer, offset, 0, 0, limit, 0, 0, int64(0))
}

func inputMessages(ids ...int32) []byte {
	var list [][]byte
	for _, id := range ids {
		list = append(list, value(inputMessageIDID, int(id)))
	}
	return appendVector(nil, list)
}

func resolve(name string) []byte { return value(uint32(0x725afbbc), 0, name) }

// as is what a user writes to name another, with the hash it has for it.
func (w *world) as(u User, other int64) []byte {
	return value(tg.InputPeerUserID, other, w.b.accessHash(w.b.dir.byID[u.ID], other))
}

// do sends a query from a key, which must succeed.
func (w *world) do(u User, perm int64, body []byte) []byte {
	w.t.Helper()
	r := w.raw(u.HomeDC, perm, body)
	if r.Err != nil {
		w.t.Fatalf("%s of %d: %v", w.b.Method(body), u.ID, r.Err)
	}
	if n, err := tl.Skip(tg.Schema, r.Body); err != nil || n != len(r.Body) {
		w.t.Fatalf("%s: the answer is not one value of the schema: %d of %d bytes, %v", w.b.Method(body), n, len(r.Body), err)
	}
	return r.Body
}

// refuses sends a query that must fail with a text.
func (w *world) refuses(what string, u User, perm int64, body []byte, text string) {
	w.t.Helper()
	r := w.raw(u.HomeDC, perm, body)
	if r.Err == nil || r.Err.Text != text {
		w.t.Errorf("%s: %s answered %v, want %s", what, w.b.Method(body), r.Err, text)
	}
}

// field cuts a field out of a boxed value, by its place in the schema.
func field(t testing.TB, body []byte, index int) []byte {
	t.Helper()
	var out []byte
	if _, err := tl.Walk(tg.Schema, body, func(f tl.Field) {
		if f.Index == index {
			out = body[f.Start:f.End]
		}
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

func number(t testing.TB, body []byte, index int) int32 {
	t.Helper()
	b := field(t, body, index)
	if b == nil {
		return 0
	}
	return tl.NewReader(b).Int32()
}

// count is how long the Vector is that a field is.
func count(t testing.TB, body []byte, index int) int {
	t.Helper()
	return tl.NewReader(field(t, body, index)).VectorLen(4)
}

// textOf reads the text of a message.
func textOf(t testing.TB, message []byte) string {
	t.Helper()
	if idOf(message) != messageID {
		t.Fatalf("%08x is no message", idOf(message))
	}
	return tl.NewReader(field(t, message, 14)).String()
}

// texts reads the texts of a Vector of messages.
func texts(t testing.TB, vector []byte) (out []string) {
	t.Helper()
	r := tl.NewReader(vector)
	n := r.VectorLen(4)
	rest := vector[r.Offset():]
	for range n {
		size, err := tl.Skip(tg.Schema, rest)
		if err != nil {
			t.Fatal(err)
		}
		if idOf(rest) == messageID {
			out = append(out, textOf(t, rest[:size]))
		}
		rest = rest[size:]
	}
	return out
}

// two signs in a person on key 5 and a bot on key 7 of DC 1.
func two(t testing.TB, cfg Config) (w *world, person, bot User) {
	t.Helper()
	cfg.CodeChain = []CodeType{CodeSMS}
	w = newWorld(t, cfg)
	person, bot = w.person(1), w.bot(1)
	w.login(person, 5)
	w.login(bot, 7)
	w.pushes()
	return w, person, bot
}

func TestAPersonAndABotWriteToEachOther(t *testing.T) {
	w, person, bot := two(t, Config{})
	w.login(person, 6) // on another device
	w.pushes()

	answer := w.do(person, 5, sendMessage(w.as(person, bot.ID), "/start"))
	if idOf(answer) != updateShortSentMessageID || number(t, answer, 1) != 1 || number(t, answer, 2) != 2 || number(t, answer, 0)&flagOut == 0 {
		t.Errorf("the answer is %x", answer)
	}
	// The first message names its author to the bot, who may not know it, and the other device hears what was sent.
	pushes := w.pushes()
	if len(pushes) != 3 || pushes[0].Perm != 6 || pushes[1].Perm != 5 || pushes[1].ExceptSession != 5 || pushes[2].Perm != 7 {
		t.Fatalf("pushes %+v", pushes)
	}
	var news tg.Updates
	if err := tl.Unmarshal(pushes[2].Body, &news); err != nil || len(news.Users) != 1 {
		t.Fatalf("push %x: %v", pushes[2].Body, err)
	}
	author := news.Users[0].(*tg.User)
	if author.ID != person.ID || author.Phone.Or("") != "" {
		t.Errorf("the author is %+v", author)
	}
	msg := field(t, news.Updates[0], 0)
	if textOf(t, msg) != "/start" || number(t, msg, 0)&(flagOut|flagFrom) != 0 {
		t.Errorf("the bot reads %x", msg)
	}

	// With the hash of that push the bot answers; from now on texts are pushed short.
	reply := value(tg.InputPeerUserID, author.ID, author.AccessHash.Or(0))
	w.do(bot, 7, sendMessage(reply, "hello"))
	pushes = w.pushes()
	if len(pushes) != 3 || idOf(pushes[1].Body) != updateShortMessageID {
		t.Fatalf("pushes %+v", pushes)
	}
	short := pushes[1].Body
	if tl.NewReader(field(t, short, 3)).String() != "hello" || tl.NewReader(field(t, short, 2)).Int64() != bot.ID || number(t, short, 4) != 3 {
		t.Errorf("pushed %x", short)
	}
	// Each has both in its own box, in order.
	for _, side := range []struct {
		u    User
		perm int64
	}{{person, 5}, {bot, 7}} {
		d := must(w, 1, side.perm, difference(1)).(*tg.UpdatesDifference)
		if len(d.NewMessages) != 2 || textOf(t, d.NewMessages[0]) != "/start" || textOf(t, d.NewMessages[1]) != "hello" || len(d.Users) != 2 || d.State.Pts != 3 {
			t.Errorf("difference of %d: %+v", side.u.ID, d)
		}
	}
	if got := texts(t, field(t, w.do(person, 5, getHistory(w.as(person, bot.ID), 0, 10)), 0)); !slices.Equal(got, []string{"hello", "/start"}) {
		t.Errorf("history %q", got)
	}
	if got := texts(t, field(t, w.do(bot, 7, append(value(uint32(0x63c66506)), inputMessages(1, 9)...)), 0)); !slices.Equal(got, []string{"/start"}) {
		t.Errorf("messages %q", got)
	}
}

func TestWhoMayWriteToWhom(t *testing.T) {
	w, person, bot := two(t, Config{})
	other, otherBot, gone := w.person(2), w.bot(2), w.person(3)
	if err := w.b.Deactivate(w.now, gone.ID); err != nil {
		t.Fatal(err)
	}
	hash := w.b.accessHash(w.b.dir.byID[other.ID], bot.ID)
	w.refuses("a bot that was not written to", bot, 7, sendMessage(w.as(bot, person.ID), "hello"), "PEER_ID_INVALID")
	w.refuses("a bot to a bot", bot, 7, sendMessage(w.as(bot, otherBot.ID), "hello"), "USER_IS_BOT")
	w.refuses("the hash of another account", person, 5, sendMessage(value(tg.InputPeerUserID, bot.ID, hash), "hello"), "PEER_ID_INVALID")
	w.refuses("no hash", person, 5, sendMessage(value(tg.InputPeerUserID, bot.ID, int64(0)), "hello"), "PEER_ID_INVALID")
	w.refuses("an account that is gone", person, 5, sendMessage(w.as(person, gone.ID), "hello"), "INPUT_USER_DEACTIVATED")
	w.refuses("the service account", person, 5, sendMessage(value(tg.InputPeerUserID, int64(serviceUserID), int64(1)), "hello"), "PEER_ID_INVALID")
	w.refuses("a basic group", person, 5, sendMessage(value(tg.InputPeerChatID, int64(1)), "hello"), "CHAT_ID_INVALID")
	w.do(person, 5, sendMessage(w.as(person, bot.ID), "hello"))
	w.refuses("a random_id twice", person, 5, sendMessage(w.as(person, bot.ID), "hello"), "RANDOM_ID_DUPLICATE")
	// A bot may leave out the hash of whom it has a dialog with.
	w.do(bot, 7, sendMessage(value(tg.InputPeerUserID, person.ID, int64(0)), "hello"))
	if got, _ := w.b.Messages(person.ID); len(got) != 2 || got[0].Text != "hello" || !got[0].Out || got[1].Out || got[1].Peer != bot.ID {
		t.Errorf("messages %+v", got)
	}
}

func TestABotHearsThatItWasStopped(t *testing.T) {
	w, person, bot := two(t, Config{})
	w.do(person, 5, sendMessage(w.as(person, bot.ID), "/start"))
	w.pushes()
	w.do(person, 5, value(uint32(0x2e2e8734), 0, w.as(person, bot.ID)))
	if p := w.pushes(); len(p) != 1 || p[0].Perm != 7 || idOf(pushedUpdate(t, p[0].Body)) != updateBotStoppedID {
		t.Fatalf("pushes %+v", p)
	}
	w.refuses("a bot that was blocked", bot, 7, sendMessage(w.as(bot, person.ID), "hello"), "USER_IS_BLOCKED")
	w.refuses("who blocked it", person, 5, sendMessageAs(w.as(person, bot.ID), "hello", 78), "YOU_BLOCKED_USER")
	d := must(w, 1, 7, difference(2)).(*tg.UpdatesDifference)
	if len(d.OtherUpdates) != 1 || idOf(d.OtherUpdates[0]) != updateBotStoppedID || d.State.Qts != 1 {
		t.Errorf("difference %+v", d)
	}
	q := difference(2)
	q.Qts = 1
	if d, ok := must(w, 1, 7, q).(*tg.UpdatesDifferenceEmpty); !ok {
		t.Errorf("with that qts: %+v", d)
	}
	w.do(person, 5, value(uint32(0xb550d328), 0, w.as(person, bot.ID)))
	w.do(bot, 7, sendMessage(w.as(bot, person.ID), "welcome back"))
}

func TestEditsDeletionsAndReadingReachBothSides(t *testing.T) {
	w, person, bot := two(t, Config{})
	other := w.person(2)
	w.login(other, 8)
	w.do(person, 5, sendMessageAs(w.as(person, other.ID), "one", 1))
	w.do(person, 5, sendMessageAs(w.as(person, bot.ID), "to the bot", 2))
	w.do(person, 5, sendMessageAs(w.as(person, other.ID), "two", 3))
	w.pushes()

	w.refuses("somebody else's", other, 8, editMessage(w.as(other, person.ID), 1, "three"), "MESSAGE_AUTHOR_REQUIRED")
	w.refuses("none", person, 5, editMessage(w.as(person, other.ID), 9, "three"), "MESSAGE_ID_INVALID")
	w.refuses("of another dialog", person, 5, editMessage(w.as(person, other.ID), 2, "three"), "MESSAGE_ID_INVALID")
	w.refuses("the same text", person, 5, editMessage(w.as(person, other.ID), 1, "one"), "MESSAGE_NOT_MODIFIED")
	w.do(person, 5, editMessage(w.as(person, other.ID), 1, "first"))
	p := w.pushes()
	if len(p) != 2 || idOf(pushedUpdate(t, p[1].Body)) != updateEditMessageID || textOf(t, field(t, pushedUpdate(t, p[1].Body), 0)) != "first" {
		t.Errorf("pushes of an edit %+v", p)
	}

	// Reading costs the reader a pts and tells the author up to where.
	read := w.do(other, 8, readHistory(w.as(other, person.ID), 0))
	if number(t, read, 0) != 5 || number(t, read, 1) != 1 {
		t.Errorf("read %x", read)
	}
	p = w.pushes()
	if len(p) != 2 || idOf(pushedUpdate(t, p[0].Body)) != updateReadHistoryInboxID || idOf(pushedUpdate(t, p[1].Body)) != updateReadHistoryOutboxID ||
		number(t, pushedUpdate(t, p[1].Body), 1) != 3 {
		t.Errorf("pushes of reading %+v", p)
	}
	if read := w.do(other, 8, readHistory(w.as(other, person.ID), 0)); number(t, read, 1) != 0 {
		t.Errorf("read again %x", read)
	}

	// Deleted for both sides; ids that are not there are passed over.
	gone := w.do(person, 5, deleteMessages(true, 1, 3, 3, 99))
	if number(t, gone, 1) != 2 {
		t.Errorf("deleted %x", gone)
	}
	p = w.pushes()
	if len(p) != 2 || !slices.Equal(deletedIn(t, pushedUpdate(t, p[1].Body)), []int32{1, 2}) {
		t.Errorf("pushes of a deletion %+v", p)
	}
	if got, _ := w.b.Messages(other.ID); len(got) != 0 {
		t.Errorf("left %+v", got)
	}
	// The log tells all of it, also to who was away.
	d := must(w, 2, 8, difference(1)).(*tg.UpdatesDifference)
	if len(d.NewMessages) != 2 || len(d.OtherUpdates) != 3 || d.State.Pts != 7 {
		t.Errorf("difference %+v", d)
	}
}

func TestTypingIsToldAtOnceOrNever(t *testing.T) {
	w, person, bot := two(t, Config{})
	typing := value(uint32(0x58943ee2), 0, w.as(person, bot.ID), uint32(0x16bf744e))
	w.do(person, 5, typing)
	p := w.pushes()
	if len(p) != 1 || p[0].Perm != 7 || idOf(p[0].Body) != updateShortID || idOf(field(t, p[0].Body, 0)) != updateUserTypingID {
		t.Fatalf("pushes %+v", p)
	}
	if d, ok := must(w, 1, 7, difference(1)).(*tg.UpdatesDifferenceEmpty); !ok {
		t.Errorf("difference %+v", d)
	}
}

func TestDialogsAreListedWithTheNewestFirst(t *testing.T) {
	w, person, bot := two(t, Config{})
	other := w.person(2)
	ch, err := w.b.AddChannel(w.now, NewChannel{Title: "Group", Creator: other.ID, Members: []int64{person.ID}})
	if err != nil {
		t.Fatal(err)
	}
	for i, say := range []func() error{
		func() error { _, err := w.b.Say(w.now, person.ID, bot.ID, "one", Delivery{}); return err },
		func() error { _, err := w.b.Post(w.now, ch, other.ID, "two", Delivery{}); return err },
		func() error { _, err := w.b.Say(w.now, other.ID, person.ID, "three", Delivery{}); return err },
		func() error { _, err := w.b.Tell(w.now, person.ID, "four"); return err },
	} {
		w.now = w.now.Add(time.Second)
		if err := say(); err != nil {
			t.Fatal(i, err)
		}
	}
	dialogs := w.do(person, 5, value(uint32(0xa0f4cb4f), 0, 0, 0, tg.InputPeerEmptyID, 100, int64(0)))
	if got := texts(t, field(t, dialogs, 1)); !slices.Equal(got, []string{"four", "three", "two", "one"}) {
		t.Errorf("dialogs %q", got)
	}
	if got := w.do(person, 5, value(uint32(0xa0f4cb4f), 0, 0, 0, tg.InputPeerEmptyID, 2, int64(0))); idOf(got) != dialogsSliceID || number(t, got, 0) != 4 {
		t.Errorf("a page %x", got)
	}
	one := w.do(person, 5, appendVector(value(uint32(0xe470bcfd)), [][]byte{value(inputDialogPeerID, w.asChannel(person, ch))}))
	many := slices.Repeat([][]byte{value(inputDialogPeerID, w.asChannel(person, ch))}, maxDialogs+1)
	w.refuses("too many", person, 5, appendVector(value(uint32(0xe470bcfd)), many), "INPUT_REQUEST_TOO_LONG")
	// A dialog whose newest message is deleted has the one before.
	if _, err := w.b.Say(w.now, person.ID, bot.ID, "five", Delivery{}); err != nil {
		t.Fatal(err)
	}
	w.do(person, 5, deleteMessages(false, 4))
	dialogs = w.do(person, 5, value(uint32(0xa0f4cb4f), 0, 0, 0, tg.InputPeerEmptyID, 100, int64(0)))
	if got := texts(t, field(t, dialogs, 1)); !slices.Equal(got, []string{"four", "three", "two", "one"}) {
		t.Errorf("dialogs %q", got)
	}
	if got := texts(t, field(t, one, 1)); !slices.Equal(got, []string{"two"}) {
		t.Errorf("one dialog %q", got)
	}
}

// An answer has a hundred dialogs at most, whatever was asked for, and the pages make up the list: also where all dialogs
// are of one second, for an offset names the last.
func TestDialogsComeInPages(t *testing.T) {
	w, person, _ := two(t, Config{})
	const channels = 130
	for i := range channels {
		id, err := w.b.AddChannel(w.now, NewChannel{Title: fmt.Sprint("Group ", i), Creator: person.ID})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.b.Post(w.now, id, 0, fmt.Sprint("in ", i), Delivery{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, limit := range []int{0, 1000, 7} {
		seen, pages := map[string]bool{}, 0
		date, message, peer := int32(0), int32(0), value(tg.InputPeerEmptyID)
		for {
			page := w.do(person, 5, value(uint32(0xa0f4cb4f), 0, int(date), int(message), peer, limit, int64(0)))
			if idOf(page) != dialogsSliceID || number(t, page, 0) != channels || count(t, page, 1) > maxDialogs {
				t.Fatalf("limit %d: a page %08x of %d", limit, idOf(page), number(t, page, 0))
			}
			if count(t, page, 1) == 0 {
				break
			}
			pages++
			for _, text := range texts(t, field(t, page, 2)) {
				if seen[text] {
					t.Fatalf("limit %d: %q is listed twice", limit, text)
				}
				seen[text] = true
			}
			last := len(seen)
			ch := w.b.channels.order[last-1]
			date, message, peer = int32(w.now.Unix()), 2, w.asChannel(person, ch.id)
		}
		if want := map[int]int{0: 2, 1000: 2, 7: 19}[limit]; len(seen) != channels || pages != want {
			t.Errorf("limit %d: %d dialogs in %d pages, want %d in %d", limit, len(seen), pages, channels, want)
		}
	}
}

func TestAUsernameIsResolved(t *testing.T) {
	w, person, bot := two(t, Config{})
	name := w.b.dir.byID[bot.ID].username
	answer := w.do(person, 5, resolve("@"+name))
	users := field(t, answer, 2)
	r := tl.NewReader(users)
	if r.VectorLen(4) != 1 {
		t.Fatalf("resolved %x", answer)
	}
	u := tg.ParseAnyUser(r).(*tg.User)
	if u.ID != bot.ID || u.AccessHash.Or(0) != w.b.accessHash(w.b.dir.byID[person.ID], bot.ID) || !u.Bot {
		t.Errorf("resolved %+v", u)
	}
	w.refuses("nobody's name", person, 5, resolve("nobody_is_it"), "USERNAME_NOT_OCCUPIED")
	w.refuses("no name", person, 5, resolve("a b"), "USERNAME_INVALID")
}

func TestAScriptChoosesHowNewsIsPushed(t *testing.T) {
	w, person, bot := two(t, Config{})
	for _, test := range []struct {
		name string
		how  Delivery
		want []uint32 // of the bot's pushes
	}{
		{"the first", Delivery{}, []uint32{updatesID}},
		{"known", Delivery{}, []uint32{updateShortMessageID}},
		{"short", Delivery{Form: FormShort}, []uint32{updateShortMessageID}},
		{"full", Delivery{Form: FormFull}, []uint32{updatesID}},
		{"too long", Delivery{Form: FormTooLong}, []uint32{updatesTooLongID}},
		{"twice", Delivery{Twice: true}, []uint32{updateShortMessageID, updateShortMessageID}},
		{"lost", Delivery{Lost: true}, nil},
	} {
		if _, err := w.b.Say(w.now, person.ID, bot.ID, test.name, test.how); err != nil {
			t.Fatal(err)
		}
		var got []uint32
		for _, p := range w.pushes() {
			if p.Perm == 7 {
				got = append(got, idOf(p.Body))
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: pushed %08x, want %08x", test.name, got, test.want)
		}
	}
	if d := must(w, 1, 7, difference(1)).(*tg.UpdatesDifference); len(d.NewMessages) != 7 {
		t.Errorf("the difference has %d messages", len(d.NewMessages))
	}
	if _, ok := ParseForm("longer"); ok {
		t.Error("there is no such form")
	}
}

func TestAReplyNamesTheOthersCopy(t *testing.T) {
	w, person, bot := two(t, Config{})
	_, _ = w.b.Tell(w.now, person.ID, "so that ids differ")
	w.do(person, 5, sendMessage(w.as(person, bot.ID), "hello"))
	reply := value(uint32(0xfef48f62), 1, w.as(bot, person.ID), value(inputReplyToMessageID, 0, 1), "hi", int64(9))
	w.do(bot, 7, reply)
	if got, _ := w.b.Messages(person.ID); len(got) != 3 || got[2].ReplyTo != 2 || got[2].Text != "hi" {
		t.Errorf("messages %+v", got)
	}
}

func TestAStrangerIsNamedByItsMessage(t *testing.T) {
	w, person, _ := two(t, Config{})
	other := w.person(2)
	ch, _ := w.b.AddChannel(w.now, NewChannel{Title: "Group", Creator: other.ID, Members: []int64{person.ID}})
	_, _ = w.b.Post(w.now, ch, 0, "hello", Delivery{})
	by := func(id int) *tg.UsersGetUsersRequest {
		return &tg.UsersGetUsersRequest{ID: []tg.AnyInputUser{&tg.InputUserFromMessage{
			Peer: &tg.InputPeerChannel{ChannelID: ch, AccessHash: w.b.accessHash(w.b.dir.byID[person.ID], ch)}, MsgID: int32(id), UserID: other.ID,
		}}}
	}
	if u, ok := must(w, 1, 5, by(2))[0].(*tg.User); !ok || u.ID != other.ID {
		t.Errorf("got %+v", u)
	}
	if _, ok := must(w, 1, 5, by(7))[0].(*tg.UserEmpty); !ok {
		t.Error("named by a message that is not there")
	}
}

// A dialog has had several forms, and not every layer's is known here: to the others there are none, as there were before,
// and their differences still come.
func TestLayersWhoseDialogsAreNotKnownHaveNone(t *testing.T) {
	w, person, bot := two(t, Config{})
	if _, err := w.b.AddChannel(w.now, NewChannel{Title: "Group", Creator: person.ID}); err != nil {
		t.Fatal(err)
	}
	_, _ = w.b.Say(w.now, bot.ID, person.ID, "unheard", Delivery{})
	w.do(person, 5, sendMessage(w.as(person, bot.ID), "hello"))
	w.do(bot, 7, sendMessage(w.as(bot, person.ID), "hello"))
	w.do(person, 5, readHistory(w.as(person, bot.ID), 0))
	for layer, want := range map[int]int{tg.Layer: 2, 227: 2, 216: 0, 198: 2, 181: 2, 145: 2, 144: 2} {
		for _, q := range [][]byte{value(uint32(0xa0f4cb4f), 0, 0, 0, tg.InputPeerEmptyID, 100, int64(0)), difference(1).Append(nil)} {
			r := w.b.Handle(&Request{Now: w.now, DC: 1, Perm: 5, Session: 5, Layer: layer, App: w.app, Inited: true, Body: q})
			if r.Err != nil {
				t.Fatal(r.Err)
			}
			if n := 0; idOf(r.Body) == dialogsID {
				if n = count(t, r.Body, 0); n != want {
					t.Errorf("layer %d has %d dialogs, want %d", layer, n, want)
				}
			}
			if _, err := tg.Downgrade(layer, r.Body); err != nil {
				t.Errorf("layer %d: %s cannot be said: %v", layer, w.b.Method(q), err)
			}
		}
	}
}
