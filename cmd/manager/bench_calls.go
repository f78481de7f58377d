package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/bench"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// benchCallsFlags are what `bench calls` takes.
type benchCallsFlags struct {
	accounts, inFlight int
	during             time.Duration
	method             string
	payload            int
	noPFS              bool
	out                benchOutput
}

func (a *app) benchCallsCommand() *cobra.Command {
	var f benchCallsFlags
	c := &cobra.Command{
		Use: "calls", Short: "Measure what a call costs and how long it takes", Args: exactly(),
		Long: `calls signs bots in and calls the API from them in a closed loop: each caller makes its
next call when the one before has ended. Three shapes are measured, one after the
other: one account with one call in flight, one with 64, and 100 accounts with one
each. With --accounts or --in-flight it is that one shape.

CPU and bytes are of the manager's process and its sockets; calls a second depend on
the test DC too, which has the same CPUs. Percentiles are corrected for coordinated
omission: for a call that was stuck, those count that its caller would have made
meanwhile at its usual pace. With --json the last line of standard output is one JSON
object, whose own figures are those of the last shape. The exit code is 0 if no call
failed.`,
		RunE: func(c *cobra.Command, _ []string) error { return a.benchCalls(c.Context(), f) },
	}
	flags := c.Flags()
	flags.IntVar(&f.accounts, "accounts", 0, "how many bots call, 1 to 5000 (default: the three shapes)")
	flags.IntVar(&f.inFlight, "in-flight", 0, "how many calls of each are in flight, 1 to 1000")
	flags.DurationVar(&f.during, "for", 10*time.Second, "how long each shape is measured")
	flags.StringVar(&f.method, "method", callMethods[0].name, "what is called: `METHOD` is testdc.echo, help.getConfig or users.getUsers (of oneself)")
	flags.IntVar(&f.payload, "payload", 64, "bytes of an echo, 0 to 65536")
	flags.BoolVar(&f.noPFS, "no-pfs", false, "without temp keys")
	f.out.add(c)
	return c
}

// callShape is how many accounts call, each with how many calls in flight.
type callShape struct {
	Accounts int `json:"accounts"`
	InFlight int `json:"in_flight"` // of each
}

func (f *benchCallsFlags) check() error {
	switch {
	case f.accounts < 0 || f.accounts > 5000:
		return usage("bench calls: --accounts %d: this must be 1 to 5000", f.accounts)
	case f.inFlight < 0 || f.inFlight > 1000:
		return usage("bench calls: --in-flight %d: this must be 1 to 1000", f.inFlight)
	case f.during <= 0:
		return usage("bench calls: --for %v: this must be positive", f.during)
	case f.payload < 0 || f.payload > 65536:
		return usage("bench calls: --payload %d: this must be 0 to 65536", f.payload)
	case callMethod(f.method) == nil:
		return usage("bench calls: --method %s: this must be testdc.echo, help.getConfig or users.getUsers", f.method)
	}
	return nil
}

func (f *benchCallsFlags) shapes() []callShape {
	if f.accounts == 0 && f.inFlight == 0 {
		return []callShape{{1, 1}, {1, 64}, {100, 1}}
	}
	return []callShape{{max(f.accounts, 1), max(f.inFlight, 1)}}
}

// benchCaller calls once from an account and says what is wrong with the answer.
type benchCaller func(ctx context.Context, acc *actors.Account, id int64, payload []byte) error

// callMethods are what can be called; the first is the default.
var callMethods = []struct {
	name string
	call benchCaller
}{
	{"testdc.echo", func(ctx context.Context, acc *actors.Account, id int64, payload []byte) error {
		got, err := actors.Invoke(ctx, acc, &echo.EchoRequest{ID: id, Payload: payload})
		if err == nil && (got.ID != id || !bytes.Equal(got.Payload, payload)) {
			err = errWrongAnswer
		}
		return err
	}},
	{"help.getConfig", func(ctx context.Context, acc *actors.Account, _ int64, _ []byte) error {
		got, err := actors.Invoke(ctx, acc, &tg.HelpGetConfigRequest{})
		if err == nil && len(got.DCOptions) == 0 {
			err = errWrongAnswer
		}
		return err
	}},
	{"users.getUsers", func(ctx context.Context, acc *actors.Account, _ int64, _ []byte) error {
		got, err := actors.Invoke(ctx, acc, &tg.UsersGetUsersRequest{ID: []tg.AnyInputUser{&tg.InputUserSelf{}}})
		if err == nil && len(got) != 1 {
			err = errWrongAnswer
		}
		return err
	}},
}

var errWrongAnswer = errors.New("something else was answered")

func callMethod(name string) benchCaller {
	for _, m := range callMethods {
		if m.name == name {
			return m.call
		}
	}
	return nil
}

// callFigures are what was measured of one shape.
type callFigures struct {
	callShape
	Calls  int64   `json:"calls"`
	Failed int64   `json:"failed"`
	Rate   float64 `json:"calls_per_s"`
	CPU    float64 `json:"cpu_us_per_call"`
	DCCPU  float64 `json:"dc_cpu_us_per_call"` // of the test DC's process
	// Milliseconds, corrected for coordinated omission; P99Measured is not.
	P50         float64 `json:"p50_ms"`
	P90         float64 `json:"p90_ms"`
	P99         float64 `json:"p99_ms"`
	P999        float64 `json:"p999_ms"`
	Max         float64 `json:"max_ms"`
	P99Measured float64 `json:"p99_measured_ms"`
	// Bytes of a call on the sockets, without the headers of TCP; 0 where the system
	// does not tell.
	Sent     float64 `json:"bytes_sent_per_call"`
	Received float64 `json:"bytes_received_per_call"`
	Allocs   float64 `json:"allocs_per_call"`
	Heap     float64 `json:"alloc_bytes_per_call"`

	failure string         // the first
	took    *bench.Latency // as measured
}

// callsResult is what bench calls found: the figures of the last shape, and all of them.
type callsResult struct {
	callFigures
	Shapes []callFigures `json:"shapes"`
	OK     bool          `json:"ok"`
	Flags  callsParams   `json:"flags"`
	benchReport
}

// callsParams say what was run.
type callsParams struct {
	Method  string  `json:"method"`
	Payload int     `json:"payload_bytes"`
	For     float64 `json:"for_seconds"`
	PFS     bool    `json:"pfs"`
}

func (a *app) benchCalls(ctx context.Context, f benchCallsFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	r := &callsResult{OK: true, benchReport: newReport(), Flags: callsParams{f.method, f.payload, f.during.Seconds(), !f.noPFS}}
	most := 0
	for _, s := range f.shapes() {
		most = max(most, s.Accounts)
	}
	plan := benchPlan{accounts: most, bots: most, dcs: 1, remember: true}
	return a.playBench(ctx, f.out, plan, func(ctx context.Context, w *benchWorld) error {
		w.bar.begin("signing in "+count(most, "bot"), most)
		bots, err := w.signIn(ctx, 0, most, benchWidth(), actors.AccountOptions{NoPFS: f.noPFS})
		if err != nil {
			return err
		}
		w.bar.done("signed in %s", count(most, "bot"))
		for _, s := range f.shapes() {
			figures, err := w.calls(ctx, s, bots[:s.Accounts], f)
			if err != nil {
				return err
			}
			r.Shapes, r.callFigures, r.OK = append(r.Shapes, figures), figures, r.OK && figures.Failed == 0 && figures.Calls > 0
		}
		if err := r.conclude(w); err != nil {
			return err
		}
		w.bar.close()
		return a.tellBench(f.out, r.OK, r)
	})
}

// callsWarm is how long each shape is called before it is measured, of its time.
const callsWarm = 10 // a tenth

// calls measures one shape.
func (w *benchWorld) calls(ctx context.Context, s callShape, bots []*actors.Account, f benchCallsFlags) (callFigures, error) {
	loop := closedLoop{bots: bots, inFlight: s.InFlight, call: callMethod(f.method), payload: make([]byte, f.payload)}
	w.bar.say(s.String())
	loop.run(ctx, f.during/callsWarm)
	sent, received := w.line.Traffic()
	theirs := w.dc.cpu()
	var m bench.Meter
	m.Start()
	got := loop.run(ctx, f.during)
	m.Stop()
	theirs = w.dc.cpu() - theirs
	sentNow, receivedNow := w.line.Traffic()
	if ctx.Err() != nil {
		return callFigures{}, ctx.Err()
	}
	out := callFigures{callShape: s, Calls: got.calls.Load(), Failed: got.failed.Load(), failure: got.failure, took: got.took}
	out.fill(got.took, m.Sum, theirs, sentNow-sent, receivedNow-received)
	w.bar.done("%s: %s calls", s, thousands(int(out.Calls)))
	return out, nil
}

// fill computes what is told of a call.
func (c *callFigures) fill(took *bench.Latency, spent bench.Cost, theirs time.Duration, sent, received uint64) {
	n := int(c.Calls)
	if n == 0 {
		return
	}
	each := func(sum uint64) float64 { return round3(float64(sum) / float64(n)) }
	c.Rate = round3(float64(n) / spent.Wall.Seconds())
	c.CPU, c.DCCPU = per(spent.CPU, n, time.Microsecond), per(theirs, n, time.Microsecond)
	c.Sent, c.Received, c.Allocs, c.Heap = each(sent), each(received), each(spent.Mallocs), each(spent.Bytes)
	// The usual pace of one caller.
	corrected := took.Corrected(spent.Wall * time.Duration(c.Accounts*c.InFlight) / time.Duration(n))
	ms := func(l *bench.Latency, q float64) float64 { return per(l.Quantile(q), 1, time.Millisecond) }
	c.P50, c.P90, c.P99, c.P999, c.Max = ms(corrected, 0.5), ms(corrected, 0.9), ms(corrected, 0.99), ms(corrected, 0.999), ms(corrected, 1)
	c.P99Measured = ms(took, 0.99)
}

// closedLoop calls from each account with so many calls in flight.
type closedLoop struct {
	bots     []*actors.Account
	inFlight int
	call     benchCaller
	payload  []byte
	nextID   atomic.Int64
}

// loopResult is what came of a stretch.
type loopResult struct {
	calls, failed atomic.Int64
	took          *bench.Latency
	once          sync.Once // guards failure
	failure       string
}

// run calls for so long, and returns when the last calls have ended.
func (l *closedLoop) run(ctx context.Context, d time.Duration) *loopResult {
	got, end := &loopResult{took: bench.NewLatency()}, time.Now().Add(d)
	var callers sync.WaitGroup
	for _, acc := range l.bots {
		for range l.inFlight {
			callers.Go(func() {
				for at := time.Now(); at.Before(end) && ctx.Err() == nil; {
					err := l.call(ctx, acc, l.nextID.Add(1), l.payload)
					now := time.Now()
					got.took.Record(now.Sub(at))
					at = now
					got.calls.Add(1)
					if err != nil {
						got.failed.Add(1)
						got.once.Do(func() { got.failure = acc.ID() + ": " + err.Error() })
					}
				}
			})
		}
	}
	callers.Wait()
	return got
}

// String names a shape.
func (s callShape) String() string {
	return fmt.Sprintf("%s, %d in flight each", count(s.Accounts, "account"), s.InFlight)
}

func (r *callsResult) print(w io.Writer) {
	for _, c := range r.Shapes {
		printLines(w, fmt.Sprintf("bench calls: %s, %s, %gs", r.Flags.Method, c.callShape, r.Flags.For), []benchLine{
			{"calls", thousands(int(c.Calls)), fmt.Sprintf("%d failed", c.Failed)},
			{"calls a second", fmt.Sprintf("%.0f", c.Rate), "the test DC has the same CPUs"},
			{"CPU of a call", fmt.Sprintf("%.1f µs", c.CPU), fmt.Sprintf("%.1f µs of the test DC's beside it", c.DCCPU)},
			{"p50, p90", fmt.Sprintf("%.3f ms", c.P50), fmt.Sprintf("%.3f ms", c.P90)},
			{"p99, p99.9", fmt.Sprintf("%.3f ms", c.P99), fmt.Sprintf("%.3f ms; p99 as measured %.3f ms", c.P999, c.P99Measured)},
			{"bytes there and back", fmt.Sprintf("%.0f", c.Sent), fmt.Sprintf("%.0f", c.Received)},
			{"allocations", fmt.Sprintf("%.1f", c.Allocs), fmt.Sprintf("%.0f bytes", c.Heap)},
		})
		if c.failure != "" {
			fmt.Fprintf(w, "  failed first: %s\n", c.failure)
		}
	}
	r.footer(w)
}
