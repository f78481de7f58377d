package tg

import (
	"slices"
	"strings"
	"testing"

	"github.com/mtfleet/mtfleet/tl/schema/schematest"
)

func TestRepeatable(t *testing.T) {
	for _, c := range []struct {
		name, method string
		want         bool
	}{
		{"users are read", "users.getUsers", true},
		{"the difference of updates is read from a place that the caller names", "updates.getDifference", true},
		{"the nearest DC is read before anybody is signed in", "help.getNearestDc", true},
		{"messages of a channel are read", "channels.getMessages", true},
		{"part of a file is read", "upload.getFile", true},
		{"a username is checked and not taken", "account.checkUsername", true},
		{"a search is read", "messages.search", true},
		{"a username is resolved", "contacts.resolveUsername", true},
		{"the parameters of a password proof are read, and the latest ones count", "account.getPassword", true},
		{"a price list is read", "payments.getStarGifts", true},
		{"a graph is loaded though no word says get", "stats.loadAsyncGraph", true},

		{"a message is sent", "messages.sendMessage", false},
		{"a code is sent", "auth.sendCode", false},
		{"a code is proved", "auth.signIn", false},
		{"a button is pressed though the name says get", "messages.getBotCallbackAnswer", false},
		{"views are counted though the name says get", "messages.getMessagesViews", false},
		{"a temporary password is made though the name says get", "account.getTmpPassword", false},
		{"a token is made", "auth.exportLoginToken", false},
		{"a payment form is made", "payments.getPaymentForm", false},
		{"a payment is sent", "payments.sendPaymentForm", false},
		{"an offer is taken though the name says resolve", "payments.resolveStarGiftOffer", false},
		{"a password is checked, and tries count", "auth.checkPassword", false},
		{"a search that may be paid for", "channels.searchPosts", false},
		{"a setting of help", "help.setBotUpdatesStatus", false},
		{"the word can is not the beginning of cancel", "auth.cancelCode", false},
		{"a wrapper says nothing of what is in it", "invokeWithLayer", false},
		{"a constructor is no method", "auth.sentCode", false},
		{"a method nobody knows", "messages.getWhatIsNotThere", false},
		{"the test DC's own call is not of the API", "testdc.echo", false},
		{"no name", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Repeatable(c.method); got != c.want {
				t.Errorf("Repeatable(%q) = %v", c.method, got)
			}
		})
	}
}

// TestEveryMethodHasAVerdict counts them, so that nobody takes a new schema without looking at what it brings.
func TestEveryMethodHasAVerdict(t *testing.T) {
	var reading, other []string
	for _, d := range schematest.New(t, "api.tl").Functions {
		if Repeatable(d.Name) {
			reading = append(reading, d.Name)
		} else {
			other = append(other, d.Name)
		}
	}
	if len(reading) != 305 || len(other) != 510 {
		t.Errorf("%d methods may be repeated and %d may not: read what is new, judge it in policy.txt, and write the numbers here", len(reading), len(other))
	}
	if len(reading) != len(repeatable) || !slices.IsSorted(repeatable[:]) {
		t.Errorf("the table names %d methods, sorted: %v", len(repeatable), slices.IsSorted(repeatable[:]))
	}
	// What writes says so, in every method of the schema.
	for _, name := range reading {
		_, last, _ := strings.Cut(name, ".")
		for _, verb := range []string{"set", "send", "delete", "update", "edit", "save", "create", "import", "toggle", "join", "leave", "accept"} {
			if strings.HasPrefix(last, verb) {
				t.Errorf("%s is called reading", name)
			}
		}
	}
}

func BenchmarkRepeatable(b *testing.B) {
	for b.Loop() {
		if Repeatable("messages.sendMessage") || !Repeatable("users.getUsers") {
			b.Fatal("a wrong verdict")
		}
	}
}
