package actors_test

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// servers stands for package dc, and printed for package fmt, where the README's
// program runs: they lead it to a test DC and keep what it prints.
type (
	servers dc.Table
	printed func(a ...any)
)

func (s servers) Production() dc.Table { return dc.Table(s) }
func (p printed) Println(a ...any)     { p(a...) }

// embed is the README's program under "Embed it", letter by letter.
func embed(ctx context.Context, store persistence.Store, app actors.App, dc servers, fmt printed) error {
	m, err := actors.Open(actors.Options{Store: store, App: app, DCs: dc.Production()})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := actors.CloseGrace()
		defer cancel()
		_ = m.Close(ctx)
	}()

	alice, err := m.Account("alice")
	if err != nil {
		return err
	}
	// A call right after Open waits until the account is online.
	self := []tg.AnyInputUser{&tg.InputUserSelf{}}
	users, err := actors.Invoke(ctx, alice, &tg.UsersGetUsersRequest{ID: self})
	if err != nil {
		return err
	}
	fmt.Println(len(users), "user")

	for ev := range alice.Events(ctx, actors.Replay) { // until ctx ends
		fmt.Println(ev.Seq, ev.Kind, ev.Pts)
	}
	return nil
}

func TestTheReadmesProgramIsTheOneThatRuns(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, page, _ := strings.Cut(string(readme), "\n## Embed it\n")
	_, page, _ = strings.Cut(page, "```go\n")
	page, _, _ = strings.Cut(page, "```")
	source, err := os.ReadFile("readme_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(source), "fmt printed) error {\n")
	body, _, _ = strings.Cut(body, "\treturn nil\n}\n")
	body = regexp.MustCompile(`(?m)^\t`).ReplaceAllString(body, "")
	if page != body || page == "" {
		t.Errorf("the README has\n%s\nand this file\n%s", page, body)
	}
}

// The account is in the store; each run opens it, over loopback, and is told the same.
func TestTheReadmesProgramRunsTwentyTimes(t *testing.T) {
	dcs := actorstest.Start(t, actorstest.Small())
	store := persistence.NewMemory()
	o := actorstest.OptionsFor(dcs.Descriptor(), store)
	m, err := actors.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	actorstest.SignInPhone(t, m, "alice", dcs.Descriptor().Phones[0], actors.AccountOptions{})
	actorstest.Close(t, m)
	for run := range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		var lines [][]any
		err := embed(ctx, store, o.App, servers(o.DCs), func(a ...any) {
			lines = append(lines, a)
			if len(lines) > 1 {
				cancel() // an event was printed; the program ends with its context
			}
		})
		cancel()
		if err != nil || len(lines) < 2 || lines[0][0] != 1 || lines[1][0] != uint64(1) {
			t.Fatalf("run %d: error %v, printed %v", run, err, lines)
		}
	}
}
