package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/cmd/manager/watch"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
)

const (
	// watchPace is how often the manager is asked how the fleet is.
	watchPace = 200 * time.Millisecond
	// restartAfter is how long a killed manager, or a DC that restarts, is away: long enough
	// to be seen.
	restartAfter = time.Second
	// notNoticed is after how long a trouble that nobody was seen offline in is over: it was
	// shorter than watchPace.
	notNoticed = 5 * time.Second
	// statusPatience is how long the manager may take to say how the fleet is.
	statusPatience = 2 * time.Second
	// watchStory is how many lines of what happened are kept.
	watchStory = 30
)

// watched is what `demo --watch` prints with --json.
type watched struct {
	Page      string `json:"page"` // a link that lets one browser in
	Dashboard string `json:"dashboard"`
}

// watching breaks a fleet when it is told to, and starts its manager again when that is
// gone. All of it happens on one goroutine, that of run.
type watching struct {
	*demo
	asked chan pressed
	base  dctest.Counts // when everybody was signed in

	// Of run alone.
	down    map[int]time.Time // DCs that are, and when they come back; zero for when they are told to
	restart time.Time         // of the manager; zero while it runs
	trouble trouble

	mu  sync.Mutex // guards the following field
	now watch.Figures
}

// trouble is from something that breaks until everybody is online again.
type trouble struct {
	on     bool
	since  time.Time // when the last of what was broken came back
	seen   bool      // somebody was offline
	before dctest.Counts
}

// pressed is something to do.
type pressed struct {
	act  watch.Act
	dc   int
	done chan<- error
}

// watch has everybody sign in, serves the page and does what is pressed until ctx ends,
// which is how it ends well.
func (d *demo) watch(ctx context.Context) error {
	if err := d.start(ctx); err != nil {
		return err
	}
	if err := d.signInAll(ctx); err != nil {
		return err
	}
	w := &watching{demo: d, asked: make(chan pressed), down: map[int]time.Time{}, base: d.cluster.Counts()}
	w.look(ctx)
	page, err := watch.Serve(watch.Options{
		Figures: w.figures, Do: w.do, Dashboard: w.link,
		Used: func(next string) { d.printf("  For another browser: %s\n", next) },
	})
	if err != nil {
		return fmt.Errorf("demo: serving its page: %w", err)
	}
	defer page.Close()
	d.bar.close()
	if err := w.tell(page); err != nil {
		return err
	}
	err = w.run(ctx)
	if w.restart.IsZero() && w.child.stop() != nil {
		w.child.kill()
	}
	return err
}

// freeAddress is one of loopback that nobody listens on. A manager that is started again
// has it again: pages that are open find it there.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// tell says where the pages are, and opens a browser for a person at a terminal.
func (w *watching) tell(page *watch.Server) error {
	link, board := page.Link(), "http://"+w.child.board+"/"
	if w.f.json {
		return w.printJSON(watched{Page: link, Dashboard: board})
	}
	if _, ok := terminal(w.out); ok && !w.f.noOpen {
		if cmd := browser(runtime.GOOS, os.Getenv, exec.LookPath); cmd != "" {
			openIn(cmd, page.Link()) // others may see what a command is given: this link is used at once
		}
	}
	end := "and removes all they wrote"
	if w.f.keep != "" {
		end = "and keeps what they wrote"
	}
	return w.sayf(`
  the page of this demo    %s
  the dashboard            %s  (that page leads there, by a link)

  A link lets one browser in, once. Ctrl-C ends the manager and the test DCs, %s.`, link, board, end)
}

// browser is the command that opens a link in a browser; empty if there is none.
func browser(system string, env func(string) string, look func(string) (string, error)) string {
	name := "xdg-open"
	switch {
	case system == "darwin":
		name = "open"
	case system == "windows", env("DISPLAY") == "" && env("WAYLAND_DISPLAY") == "": // it would draw in this terminal
		return ""
	}
	path, err := look(name)
	if err != nil {
		return ""
	}
	return path
}

// openIn opens a link. Where that does not work, there is the link that is printed. A
// browser that begins with it outlives us.
func openIn(command, link string) {
	cmd := exec.Command(command, link)
	apart(cmd)
	if cmd.Start() == nil {
		go func() { _ = cmd.Wait() }()
	}
}

// run does what is asked until ctx ends or the manager cannot be started again.
func (w *watching) run(ctx context.Context) error {
	tick := time.NewTicker(watchPace)
	defer tick.Stop()
	for {
		gone := w.child.gone
		if !w.restart.IsZero() {
			gone = nil
		}
		select {
		case <-ctx.Done():
			return nil
		case p := <-w.asked:
			p.done <- w.press(p.act, p.dc)
		case <-gone:
			w.lose("the manager's process has ended")
		case <-tick.C:
			if err := w.mend(ctx); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return err
			}
		}
		w.look(ctx)
	}
}

// do has run do what was pressed on the page, and waits for it.
func (w *watching) do(ctx context.Context, act watch.Act, dc int) error {
	done := make(chan error, 1)
	select {
	case w.asked <- pressed{act, dc, done}:
		return <-done
	case <-ctx.Done():
		return errors.New("the demo is busy, or ends")
	}
}

// press breaks something, or gives a DC back.
func (w *watching) press(act watch.Act, dc int) error {
	if act == watch.Kill {
		if !w.restart.IsZero() {
			return errors.New("there is no manager now: it is about to be started again")
		}
		w.lose(fmt.Sprintf("the manager, process %d, was killed with SIGKILL", w.child.cmd.Process.Pid))
		return nil
	}
	_, down := w.down[dc]
	switch {
	case dc > w.f.dcs:
		return fmt.Errorf("there is no DC %d", dc)
	case act == watch.Give && !down:
		return fmt.Errorf("DC %d is not down", dc)
	case act == watch.Give:
		return w.giveBack(dc)
	case down:
		return fmt.Errorf("DC %d is down already", dc)
	}
	if w.homes()[dc] > 0 {
		w.breaks()
	}
	text, back := fmt.Sprintf("DC %d was cut", dc), time.Time{}
	if act == watch.Forget {
		text, back = fmt.Sprintf("DC %d restarts, and has lost its temp keys", dc), time.Now().Add(restartAfter)
	}
	if err := w.cluster.StopDC(dc, act == watch.Cut); err != nil {
		return err
	}
	w.down[dc] = back
	w.say(text)
	return nil
}

// homes counts the accounts of each DC.
func (w *watching) homes() map[int]int {
	n := map[int]int{}
	for _, p := range w.people {
		n[p.dc]++
	}
	return n
}

// lose ends what is left of a manager. It is started again after a while.
func (w *watching) lose(text string) {
	w.breaks()
	w.trouble.seen = true
	w.child.kill()
	w.restart = time.Now().Add(restartAfter)
	w.say(text)
}

func (w *watching) giveBack(dc int) error {
	if err := w.cluster.StartDC(dc); err != nil {
		return err
	}
	delete(w.down, dc)
	w.say(fmt.Sprintf("DC %d is back", dc))
	w.trouble.since = time.Now()
	return nil
}

// mend brings back what is due.
func (w *watching) mend(ctx context.Context) error {
	now := time.Now()
	for dc, at := range w.down {
		if !at.IsZero() && !now.Before(at) {
			if err := w.giveBack(dc); err != nil {
				return fmt.Errorf("demo: %w", err)
			}
		}
	}
	if w.restart.IsZero() || now.Before(w.restart) {
		return nil
	}
	if err := w.child.start(ctx); err != nil {
		return err
	}
	w.restart = time.Time{}
	w.say(fmt.Sprintf("the manager was started again, process %d", w.child.cmd.Process.Pid))
	w.trouble.since = now
	return nil
}

// breaks begins a trouble, unless there is one.
func (w *watching) breaks() {
	if !w.trouble.on {
		w.trouble = trouble{on: true, before: w.cluster.Counts()}
	}
}

// look asks how things are, and ends a trouble when everybody is online.
func (w *watching) look(ctx context.Context) {
	made := w.cluster.Counts()
	f := watch.Figures{
		Accounts: len(w.people),
		Logins:   made.Logins - w.base.Logins, PermKeys: made.PermKeys - w.base.PermKeys, TempKeys: made.TempKeys - w.base.TempKeys,
	}
	online := map[int]int{}
	if s, err := w.status(ctx); err == nil {
		f.Process = s.About.PID
		for _, h := range s.Homes {
			online[h.DC] = h.Online
			f.Online += h.Online
		}
	}
	homes := w.homes()
	for dc := 1; dc <= w.f.dcs; dc++ {
		_, down := w.down[dc]
		f.DCs = append(f.DCs, watch.DC{ID: dc, Accounts: homes[dc], Online: online[dc], Down: down})
	}
	t := &w.trouble
	switch whole := w.restart.IsZero() && len(w.down) == 0; {
	case !t.on:
	case f.Online < f.Accounts:
		t.seen = true
	case whole && (t.seen || time.Since(t.since) > notNoticed):
		w.say(fmt.Sprintf("everybody is online again, %.2f s after that: %s, %s and %s made", time.Since(t.since).Seconds(),
			count(made.Logins-t.before.Logins, "new sign-in"), count(made.PermKeys-t.before.PermKeys, "perm key"), count(made.TempKeys-t.before.TempKeys, "temp key")))
		*t = trouble{}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	f.Story = w.now.Story
	w.now = f
}

// status asks the manager how its fleet is.
func (w *watching) status(ctx context.Context) (control.FleetStatus, error) {
	if !w.restart.IsZero() {
		return control.FleetStatus{}, errors.New("there is no manager")
	}
	ctx, cancel := context.WithTimeout(ctx, statusPatience)
	defer cancel()
	s, err := w.child.use(ctx)
	if err != nil {
		return control.FleetStatus{}, err
	}
	return control.Status.Call(ctx, s, control.Empty{})
}

// link has the manager make a link to its dashboard, and waits for one that is away.
func (w *watching) link(ctx context.Context) (string, error) {
	for {
		s, err := w.child.use(ctx)
		if err != nil {
			return "", errors.New("the manager is away")
		}
		link, err := control.DashboardLink.Call(ctx, s, control.Empty{})
		if err == nil {
			return link.Link, nil
		}
		if sleep(ctx, watchPace) != nil { // it was killed, most likely, and that is not known yet
			return "", err
		}
	}
}

// figures are what the page shows.
func (w *watching) figures() watch.Figures {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// say adds to what happened.
func (w *watching) say(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	// A new list: pages have the old one.
	story := append(slices.Clone(w.now.Story), watch.Line{At: time.Now(), Text: text})
	w.now.Story = story[max(0, len(story)-watchStory):]
}
