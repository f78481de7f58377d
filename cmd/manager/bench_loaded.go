package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/bench/page"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
)

// benchLoadedFlags are what `bench loaded` takes.
type benchLoadedFlags struct {
	accounts, signIns int
	quiet, during     time.Duration
	disk, busy        bool
	out               benchOutput
}

func (a *app) benchLoadedCommand() *cobra.Command {
	var f benchLoadedFlags
	c := &cobra.Command{
		Use: "loaded", Short: "Call while a crowd signs in, and see whether a call notices", Args: exactly(),
		Long: `loaded signs bots in (PFS) and calls testdc.echo from each of them every 200 ms in an open
loop: a call's time counts from the moment it was to be sent. After a quiet time
--sign-ins more bots begin to sign in, all at once, and the calls go on for --for. A
sign-in that has not ended then is given up, and is no failure. Each is two keys, for
which all CPUs of the machine compute on both sides.

What ran is read from the test DC's ledger. The exit code is 0 if no call failed, and the
99th percentile in the crowd is at most five times that of the quiet time, or 25 ms.`,
		RunE: func(c *cobra.Command, _ []string) error { return a.benchLoaded(c.Context(), f) },
	}
	flags := c.Flags()
	flags.IntVar(&f.accounts, "accounts", 200, "how many bots call")
	flags.IntVar(&f.signIns, "sign-ins", 2000, "how many more sign in meanwhile")
	flags.DurationVar(&f.quiet, "quiet", time.Minute, "how long nobody signs in first")
	flags.DurationVar(&f.during, "for", time.Minute, "how long the crowd signs in")
	flags.BoolVar(&f.disk, "disk", false, "on Badger, as run has it, and not on the store in memory")
	flags.BoolVar(&f.busy, "busy", false, "this machine has other work: show the times of calls, and do not judge them")
	f.out.add(c)
	return c
}

func (f *benchLoadedFlags) check() error {
	switch {
	case f.accounts < 1 || f.accounts > 5000:
		return usage("bench loaded: --accounts %d: this must be 1 to 5000", f.accounts)
	case f.signIns < 1 || f.signIns > 20_000:
		return usage("bench loaded: --sign-ins %d: this must be 1 to 20000", f.signIns)
	case f.quiet < time.Second || f.during < time.Second:
		return usage("bench loaded: --quiet and --for must be 1s or more")
	}
	// What the ledger does not remember one by one it cannot be asked about.
	if calls := f.accounts * int((f.quiet+f.during)/benchPace); calls > dctest.DefaultEchoRecords {
		return usage("bench loaded: these are %s calls, and the test DC's ledger remembers %s: take fewer --accounts, or a shorter --for",
			thousands(calls), thousands(dctest.DefaultEchoRecords))
	}
	return nil
}

// loadedResult is what bench loaded found.
type loadedResult struct {
	CallsOK     int `json:"calls_ok"`     // answered byte for byte, and executed says the ledger
	CallsFailed int `json:"calls_failed"` // of both phases
	// SignIns that ended well, failed, or were given up when the time was over.
	SignIns        int     `json:"sign_ins"`
	SignInsFailed  int     `json:"sign_ins_failed"`
	SignInsGivenUp int     `json:"sign_ins_given_up"`
	SignInsASecond float64 `json:"logins_per_s"`
	// The times of calls in milliseconds, from the moment they were to be sent: while
	// the crowd signs in, and before.
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	Max      float64 `json:"max_ms"`
	P50Quiet float64 `json:"p50_quiet_ms"`
	P99Quiet float64 `json:"p99_quiet_ms"`
	MaxQuiet float64 `json:"max_quiet_ms"`
	// P99Allowed is what P99 is held to.
	P99Allowed float64      `json:"p99_allowed_ms"`
	OK         bool         `json:"ok"`
	Flags      loadedParams `json:"flags"`
	benchReport

	quiet, loaded *loadPhase
	failure       string // of the first sign-in
}

// loadedParams say what was run.
type loadedParams struct {
	Accounts int     `json:"accounts"`
	SignIns  int     `json:"sign_ins"`
	Quiet    float64 `json:"quiet_seconds"`
	For      float64 `json:"for_seconds"`
	Busy     bool    `json:"busy"` // times were not judged
}

func (a *app) benchLoaded(ctx context.Context, f benchLoadedFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	r := &loadedResult{benchReport: newReport(), Flags: loadedParams{f.accounts, f.signIns, f.quiet.Seconds(), f.during.Seconds(), f.busy}}
	plan := benchPlan{accounts: f.accounts + f.signIns, bots: f.accounts + f.signIns, dcs: 1, disk: f.disk}
	return a.playBench(ctx, f.out, plan, func(ctx context.Context, w *benchWorld) error {
		if err := r.run(ctx, w, f); err != nil {
			return err
		}
		w.bar.close()
		return a.tellBench(f.out, r.OK, r)
	})
}

func (r *loadedResult) run(ctx context.Context, w *benchWorld, f benchLoadedFlags) error {
	w.bar.begin("signing in "+count(f.accounts, "bot"), f.accounts)
	bots, err := w.signIn(ctx, 0, f.accounts, benchWidth(), actors.AccountOptions{})
	if err != nil {
		return err
	}
	w.bar.done("signed in %s", count(f.accounts, "bot"))
	load := benchLoad{pace: benchPace, accounts: f.accounts, call: func(ctx context.Context, i int, id int64) error {
		return echoCall(ctx, bots[i], w.dc.Bots[i].UserID, id)
	}}
	w.bar.say("calling, quiet")
	r.quiet = load.phase(ctx, f.quiet, func() {})
	load.underWay.Wait()

	w.bar.say("calling while " + count(f.signIns, "bot") + " sign in")
	crowd, giveUp := context.WithCancel(ctx)
	defer giveUp()
	ended, begun := make(chan struct{}), time.Now()
	var last atomic.Int64 // when the last sign-in ended, since begun
	go func() {
		defer close(ended)
		r.signInCrowd(crowd, w, f, func() { last.Store(int64(time.Since(begun))) })
	}()
	r.loaded = load.phase(ctx, f.during, func() {})
	giveUp()
	<-ended
	load.underWay.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	w.bar.done("called for %v", f.quiet+f.during)
	if took := time.Duration(last.Load()); took > 0 {
		r.SignInsASecond = round3(float64(r.SignIns) / took.Seconds())
	}
	ledger, err := w.dc.ledger(ctx, "echoes")
	if err != nil {
		return err
	}
	r.judge(&ledger)
	return r.conclude(w)
}

// signInCrowd has everybody sign in who is left, all at once, and counts what comes of
// it; done is called after each that ended well.
func (r *loadedResult) signInCrowd(ctx context.Context, w *benchWorld, f benchLoadedFlags, done func()) {
	var well, givenUp atomic.Int64
	failures := &firstFailure{}
	each(f.signIns, f.signIns, func(i int) {
		l := newcomer{account: botName(f.accounts + i), kind: loginBot, bot: w.dc.Bots[f.accounts+i]}
		switch err := w.logIn(ctx, l, actors.AccountOptions{}); {
		case err == nil:
			well.Add(1)
			done()
		case ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded):
			givenUp.Add(1)
		default:
			failures.add(l.account, err)
		}
	})
	r.SignIns, r.SignInsGivenUp = int(well.Load()), int(givenUp.Load())
	r.SignInsFailed, r.failure = failures.n, failures.first
}

// The bound of the 99th percentile in a crowd: it is given more than a rotation, which
// computes one key at a time.
const loadedTimes = 5

// judge fills in the verdict.
func (r *loadedResult) judge(l *benchLedger) {
	r.CallsOK, r.CallsFailed = judgePhases(l, r.quiet, r.loaded)
	q := func(p *loadPhase, at float64) float64 { return millis(p.quantile(at)) }
	r.P50, r.P99, r.Max = q(r.loaded, 0.5), q(r.loaded, 0.99), q(r.loaded, 1)
	r.P50Quiet, r.P99Quiet, r.MaxQuiet = q(r.quiet, 0.5), q(r.quiet, 0.99), q(r.quiet, 1)
	r.P99Allowed = millis(max(loadedTimes*r.quiet.quantile(0.99), p99Floor))
	r.OK = r.CallsFailed == 0 && r.CallsOK > 0 && r.SignIns > 0 && r.SignInsFailed == 0 && (r.Flags.Busy || r.P99 <= r.P99Allowed)
}

func (r *loadedResult) print(w io.Writer) {
	ms := func(v float64) string { return fmt.Sprintf("%.2f ms", v) }
	printLines(w, fmt.Sprintf("bench loaded: %s call every %v while %s sign in", count(r.Flags.Accounts, "account"), benchPace, count(r.Flags.SignIns, "other")), []benchLine{
		{"calls answered byte for byte", thousands(r.CallsOK), fmt.Sprintf("%d failed", r.CallsFailed)},
		{"sign-ins in " + fmt.Sprintf("%gs", r.Flags.For), thousands(r.SignIns), fmt.Sprintf("%d failed, %d given up at the end; %.1f a second", r.SignInsFailed, r.SignInsGivenUp, r.SignInsASecond)},
		{"p50 of a call", ms(r.P50), ms(r.P50Quiet) + " quiet"},
		{"p99 of a call", ms(r.P99), fmt.Sprintf("%s quiet, %s allowed", ms(r.P99Quiet), ms(r.P99Allowed))},
		{"the longest", ms(r.Max), ms(r.MaxQuiet) + " quiet"},
	})
	for _, failure := range append(r.callFailures(), r.failure) {
		if failure != "" {
			fmt.Fprintf(w, "  failed first: %s\n", failure)
			break
		}
	}
	r.footer(w)
}

func (r *loadedResult) callFailures() (list []string) {
	for _, p := range []*loadPhase{r.quiet, r.loaded} {
		if p != nil {
			list = append(list, p.failures...)
		}
	}
	return list
}

func (r *loadedResult) charts() []page.Chart {
	return []page.Chart{r.quiet.chart("How long calls took: quiet"), r.loaded.chart("How long calls took: in the crowd")}
}
