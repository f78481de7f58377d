package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress says what the demonstration is doing: a bar for a person at a
// terminal, a line now and then for a log.
type progress struct {
	w     io.Writer
	tty   bool
	begun time.Time

	mu       sync.Mutex // guards the following fields
	bar      *progressbar.ProgressBar
	what     string
	n, total int
	said     time.Time // the last line of a log
	phase    time.Time
}

func newProgress(w io.Writer) *progress {
	_, tty := terminal(w)
	return &progress{w: w, tty: tty, begun: time.Now()}
}

// quiet is how long a log may be without a line while something goes on.
const quiet = 2 * time.Second

// begin says what is done now; total 0 is something without steps.
func (p *progress) begin(what string, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.what, p.n, p.total = what, 0, total
	p.phase, p.said = time.Now(), time.Now()
	if !p.tty {
		p.line("%s ...", what)
		return
	}
	options := []progressbar.Option{
		progressbar.OptionSetWriter(p.w), progressbar.OptionSetDescription("  " + pad(what, 42)),
		progressbar.OptionSetWidth(18), progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false),
		progressbar.OptionThrottle(50 * time.Millisecond), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetRenderBlankState(true), progressbar.OptionSpinnerType(14),
		progressbar.OptionSetTheme(progressbar.Theme{Saucer: "█", SaucerPadding: "░"}),
	}
	steps := -1 // a spinner
	if total > 0 {
		steps = total
		options = append(options, progressbar.OptionShowCount())
	}
	p.bar = progressbar.NewOptions(steps, options...)
}

// say begins something during which nothing is drawn.
func (p *progress) say(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.what, p.phase = what, time.Now()
	p.line("%s ...", what)
}

// add is n steps more.
func (p *progress) add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n += n
	if p.bar != nil {
		_ = p.bar.Add(n)
		return
	}
	if time.Since(p.said) >= quiet {
		p.said = time.Now()
		p.line("%s: %d of %d", p.what, p.n, p.total)
	}
}

// done ends what was begun and says how it went.
func (p *progress) done(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.line("%s (%.1f s)", fmt.Sprintf(format, args...), time.Since(p.phase).Seconds())
}

// close takes the bar away.
func (p *progress) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

// clear and line are called with mu held.
func (p *progress) clear() {
	if p.bar != nil {
		_ = p.bar.Finish() // ends a spinner's goroutine
		_ = p.bar.Clear()
		p.bar = nil
	}
}

func (p *progress) line(format string, args ...any) {
	fmt.Fprintf(p.w, "  %5.1f s  %s\n", time.Since(p.begun).Seconds(), fmt.Sprintf(format, args...))
}
