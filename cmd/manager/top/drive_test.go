package top

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the screens in testdata")

func TestMain(m *testing.M) {
	time.Local = time.UTC                                                                                              // clocks on screens
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/charmbracelet/x/exp/teatest/v2.NewTestModel.func2")) // it waits for a signal
}

// world is a cluster of test DCs and a manager, in virtual time.
type world struct {
	t       *testing.T
	cluster *serve.Cluster
	store   persistence.Store
	manager *actors.Manager // nil: none runs
	started time.Time
}

func newWorld(t *testing.T, cfg serve.Config) *world {
	w := &world{t: t, cluster: actorstest.Cluster(t, cfg), store: persistence.NewMemory()}
	w.start()
	return w
}

func (w *world) start() {
	w.manager = actorstest.Open(w.t, actorstest.Options(w.cluster, w.store))
	w.started = time.Now()
}

func (w *world) dial(context.Context) (control.Service, error) {
	if w.manager == nil {
		return nil, &control.Error{Kind: control.KindState, Message: "no manager runs: start it with `manager run`"}
	}
	return &control.Local{
		Manager: w.manager, Budget: governor.Loopback(),
		About: control.About{Running: true, PID: 4711, Version: "v0.1.0", Since: w.started},
	}, nil
}

func (w *world) api(f func(b *api.Backend, now time.Time) error) {
	w.t.Helper()
	var failed error
	if err := w.cluster.API(func(b *api.Backend, now time.Time) { failed = f(b, now) }); err != nil || failed != nil {
		w.t.Fatal(err, failed)
	}
}

// person sits at a screen: the model, with its commands run as Bubble Tea runs them.
type person struct {
	t    *testing.T
	m    *Model
	ctx  context.Context
	msgs chan tea.Msg
	quit bool
}

func sit(t *testing.T, dial func(context.Context) (control.Service, error)) *person {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &person{t: t, ctx: ctx, msgs: make(chan tea.Msg, 1024)}
	p.m = newModel(ctx, Options{Dial: dial, now: time.Now})
	ended := make(chan struct{})
	go func() { defer close(ended); p.m.feed.run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	p.m.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
	p.run(p.m.Init())
	return p
}

func (p *person) run(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	go func() {
		switch msg := cmd().(type) {
		case nil:
		case tea.BatchMsg:
			for _, cmd := range msg {
				p.run(cmd)
			}
		default:
			select {
			case p.msgs <- msg:
			case <-p.ctx.Done():
			}
		}
	}()
}

func (p *person) send(msg tea.Msg) {
	_, cmd := p.m.Update(msg)
	p.run(cmd)
}

// settle takes what there is to take until nothing more comes without waiting.
func (p *person) settle() {
	for {
		synctest.Wait()
		select {
		case msg := <-p.msgs:
			if _, ok := msg.(tea.QuitMsg); ok {
				p.quit = true
				continue
			}
			p.send(msg)
		default:
			return
		}
	}
}

// screen is what is seen. No line is longer than the terminal, and there are no more
// than it has.
func (p *person) screen() string {
	p.t.Helper()
	p.settle()
	text := ansi.Strip(p.m.View().Content)
	lines := strings.Split(text, "\n")
	if len(lines) > p.m.height {
		p.t.Errorf("%d lines in a terminal of %d:\n%s", len(lines), p.m.height, text)
	}
	for i, line := range lines {
		if n := utf8.RuneCountInString(line); n > p.m.width {
			p.t.Errorf("a line of %d columns in a terminal of %d: %s", n, p.m.width, line)
		}
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Join(lines, "\n")
}

// sees waits until all of it is on the screen.
func (p *person) sees(texts ...string) string {
	p.t.Helper()
	return p.until(strings.Join(texts, "; "), func(screen string) bool {
		for _, text := range texts {
			if !strings.Contains(screen, text) {
				return false
			}
		}
		return true
	})
}

func (p *person) until(what string, ok func(screen string) bool) string {
	p.t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		screen := p.screen()
		if ok(screen) {
			return screen
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("never seen: %s:\n%s", what, screen)
		}
	}
}

var keysByName = map[string]tea.KeyPressMsg{
	"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "tab": {Code: tea.KeyTab}, "up": {Code: tea.KeyUp}, "down": {Code: tea.KeyDown},
	"left": {Code: tea.KeyLeft}, "right": {Code: tea.KeyRight}, "home": {Code: tea.KeyHome}, "end": {Code: tea.KeyEnd},
	"pgup": {Code: tea.KeyPgUp}, "pgdown": {Code: tea.KeyPgDown}, "backspace": {Code: tea.KeyBackspace},
	"ctrl+c": {Code: 'c', Mod: tea.ModCtrl}, "ctrl+u": {Code: 'u', Mod: tea.ModCtrl},
}

// press presses keys by their names, or a letter.
func (p *person) press(names ...string) {
	p.t.Helper()
	for _, name := range names {
		k, ok := keysByName[name]
		if !ok {
			r, _ := utf8.DecodeRuneInString(name)
			k = tea.KeyPressMsg{Code: r, Text: name}
		}
		p.send(k)
		p.settle()
	}
}

func (p *person) types(text string) {
	p.t.Helper()
	for _, r := range text {
		p.press(string(r))
	}
}

// golden compares a screen with the one in testdata.
func golden(t *testing.T, name, screen string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	screen += "\n"
	if *rewrite {
		if err := os.WriteFile(path, []byte(screen), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: go test ./cmd/manager/top -rewrite writes it", err)
	}
	if diff := cmp.Diff(string(want), screen); diff != "" {
		t.Errorf("%s is another screen (go test ./cmd/manager/top -rewrite takes it):\n%s", path, diff)
	}
}

// holds reports whether a text is anywhere in what can be reached from the model, also
// typed as runes.
func holds(m *Model, secret string) bool {
	seen := map[uintptr]bool{}
	var look func(v reflect.Value) bool
	look = func(v reflect.Value) bool {
		switch v.Kind() {
		case reflect.String:
			return strings.Contains(v.String(), secret)
		case reflect.Pointer:
			if v.IsNil() || seen[v.Pointer()] {
				return false
			}
			seen[v.Pointer()] = true
			return look(v.Elem())
		case reflect.Interface:
			return !v.IsNil() && look(v.Elem())
		case reflect.Slice:
			if v.Type().Elem().Kind() == reflect.Int32 { // runes, also those behind the end
				all := v.Slice(0, v.Cap())
				var text strings.Builder
				for i := range all.Len() {
					text.WriteRune(rune(all.Index(i).Int()))
				}
				return strings.Contains(text.String(), secret)
			}
			fallthrough
		case reflect.Array:
			for i := range v.Len() {
				if look(v.Index(i)) {
					return true
				}
			}
		case reflect.Map:
			for it := v.MapRange(); it.Next(); {
				if look(it.Key()) || look(it.Value()) {
					return true
				}
			}
		case reflect.Struct:
			if strings.HasPrefix(v.Type().PkgPath(), "github.com/mtfleet/mtfleet/actors") && v.Type().Name() == "Manager" {
				return false // the other end
			}
			for i := range v.NumField() {
				if look(v.Field(i)) {
					return true
				}
			}
		}
		return false
	}
	return look(reflect.ValueOf(m))
}
