package main

import (
	"context"
	"fmt"
	"io"
	"time"
)

// rotateResult is what bench rotate found. What ran and what lived is the ledger's.
type rotateResult struct {
	CallsOK     int `json:"calls_ok"`     // answered byte for byte, and executed says the ledger
	CallsFailed int `json:"calls_failed"` // of both phases
	// UpdatesLost are in the ledger and not in the event stream; holes count as lost.
	UpdatesLost   int `json:"updates_lost"`
	UpdatesJudged int `json:"updates_judged"`
	// Rotations are binds that succeeded since they began.
	Rotations       int `json:"rotations"`
	RotationsFailed int `json:"rotations_failed"` // that an account answered with an error
	// TempKeysLiveMax is the most temp keys that a DC knew of one perm key in one slot
	// at any time, TempKeysLiveAfter when all was over.
	TempKeysLiveMax   int `json:"temp_keys_live_max"`
	TempKeysLiveAfter int `json:"temp_keys_live_after"`
	TempKeysMade      int `json:"temp_keys_made"`
	// The times of calls in milliseconds, from the moment they were to be sent: while
	// rotating, and before.
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	P999      float64 `json:"p999_ms"`
	Max       float64 `json:"max_ms"`
	P50Quiet  float64 `json:"p50_quiet_ms"`
	P99Quiet  float64 `json:"p99_quiet_ms"`
	P999Quiet float64 `json:"p999_quiet_ms"`
	MaxQuiet  float64 `json:"max_quiet_ms"`
	// P99Allowed is what P99 is held to.
	P99Allowed float64      `json:"p99_allowed_ms"`
	Overlaps   int          `json:"ledger_overlaps"`
	Violations int          `json:"protocol_violations"` // refused by the DCs
	OK         bool         `json:"ok"`
	Flags      rotateParams `json:"flags"`
	benchReport

	quiet, rotating *loadPhase
	rotatingFrom    time.Time
	rotateErrors    []string
}

// rotateParams say what was run.
type rotateParams struct {
	Accounts    int     `json:"accounts"`
	DCs         int     `json:"dcs"`
	Every       float64 `json:"every_seconds"`
	For         float64 `json:"for_seconds"`
	Quiet       float64 `json:"quiet_seconds"`
	CallEvery   float64 `json:"call_every_seconds"`
	UpdateEvery float64 `json:"update_every_seconds"`
	BindStrict  bool    `json:"bind_strict"`
	Busy        bool    `json:"busy"` // times were not judged
}

func (r *rotateResult) begin(f benchRotateFlags) {
	r.benchReport = newReport()
	r.Flags = rotateParams{
		Accounts: f.accounts, DCs: f.dcs, Every: f.every.Seconds(), For: f.during.Seconds(), Quiet: f.quiet.Seconds(),
		CallEvery: benchPace.Seconds(), UpdateEvery: benchUpdate.Seconds(), BindStrict: f.bindStrict, Busy: f.busy,
	}
}

// The bound of the 99th percentile while rotating: what is three times as long is
// noticed, and below a frame and a half nobody would.
const (
	p99Times = 3
	p99Floor = 25 * time.Millisecond
)

// settle bounds the wait for the last old keys to be dropped: their connections
// listen for what is pending, which is nothing, and a drop is a round trip.
const settle = 15 * time.Second

// judge asks the ledger.
func (b *benchRotation) judge(ctx context.Context) error {
	b.bar.begin("waiting for the last updates", len(b.pushed))
	last := 0
	b.stream.wait(ctx, b.pushed, func(n int) { b.bar.add(n - last); last = n })
	b.bar.done("%d of %d updates came", last, len(b.pushed))

	b.bar.begin("asking the ledger", 0)
	if err := b.afterwards(ctx); err != nil {
		return err
	}
	ledger, err := b.dc.ledger(ctx, "keys", "binds", "echoes")
	if err != nil {
		return err
	}
	delivered, _ := b.stream.delivered()
	verdict, err := b.dc.verdict(ctx, delivered)
	if err != nil {
		return err
	}
	b.result.judge(&ledger, &verdict)
	b.bar.done("asked the ledger")
	return b.result.conclude(b.benchWorld)
}

// afterwards waits until no slot has more than one temp key, for a while.
func (b *benchRotation) afterwards(ctx context.Context) error {
	for begun := time.Now(); ; {
		ledger, err := b.dc.ledger(ctx, "keys")
		if err != nil {
			return err
		}
		if _, now := liveTempKeys(ledger.Keys); now <= 1 || time.Since(begun) > settle {
			return nil
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// judge fills in the verdict.
func (r *rotateResult) judge(l *benchLedger, v *benchVerdict) {
	r.CallsOK, r.CallsFailed = judgePhases(l, r.quiet, r.rotating)
	for _, b := range l.Binds {
		if b.Error == "" && b.At.After(r.rotatingFrom) {
			r.Rotations++
		}
	}
	r.TempKeysLiveMax, r.TempKeysLiveAfter = liveTempKeys(l.Keys)
	r.TempKeysMade = l.Counts.TempKeys
	r.UpdatesLost, r.UpdatesJudged, r.Overlaps = len(v.LostUpdates), v.JudgedUpdates, len(v.Overlaps)
	r.Violations = l.Counts.Refused
	q := func(p *loadPhase, at float64) float64 { return millis(p.quantile(at)) }
	r.P50, r.P99, r.P999, r.Max = q(r.rotating, 0.5), q(r.rotating, 0.99), q(r.rotating, 0.999), q(r.rotating, 1)
	r.P50Quiet, r.P99Quiet, r.P999Quiet, r.MaxQuiet = q(r.quiet, 0.5), q(r.quiet, 0.99), q(r.quiet, 0.999), q(r.quiet, 1)
	r.P99Allowed = millis(max(p99Times*r.quiet.quantile(0.99), p99Floor))
	r.OK = true
	for _, row := range r.rows() {
		r.OK = r.OK && row.ok
	}
}

// rotateRow is one line of the result.
type rotateRow struct {
	what  string
	ok    bool
	value string
	note  string
}

// rows are the promises and what was found.
func (r *rotateResult) rows() []rotateRow {
	ms := func(v float64) string { return fmt.Sprintf("%.2f ms", v) }
	return []rotateRow{
		{"calls answered byte for byte", r.CallsFailed == 0 && r.CallsOK > 0, thousands(r.CallsOK), fmt.Sprintf("%d failed", r.CallsFailed)},
		{"updates delivered", r.UpdatesLost == 0 && r.UpdatesJudged > 0, thousands(r.UpdatesJudged - r.UpdatesLost), fmt.Sprintf("%d lost", r.UpdatesLost)},
		{"rotations", r.Rotations > 0 && r.RotationsFailed == 0, thousands(r.Rotations), fmt.Sprintf("%d failed", r.RotationsFailed)},
		{"live temp keys of a perm key, at most", r.TempKeysLiveMax <= 2, thousands(r.TempKeysLiveMax), fmt.Sprintf("%d in the end", r.TempKeysLiveAfter)},
		{"live temp keys of a perm key in the end", r.TempKeysLiveAfter == 1, thousands(r.TempKeysLiveAfter), fmt.Sprintf("of %s made", thousands(r.TempKeysMade))},
		{"p99 of a call while rotating", r.Flags.Busy || r.P99 <= r.P99Allowed, ms(r.P99), fmt.Sprintf("%.2f ms quiet, %.2f ms allowed", r.P99Quiet, r.P99Allowed)},
		{"sessions that overlapped on one key", r.Overlaps == 0, thousands(r.Overlaps), ""},
		{"violations of the protocol", r.Violations == 0, thousands(r.Violations), ""},
	}
}

// print shows the result to a person.
func (r *rotateResult) print(w io.Writer) {
	f := r.Flags
	fmt.Fprintf(w, "\nbench rotate: %s on %s, each rotates every %gs for %gs, after %gs of quiet\n\n",
		count(f.Accounts, "account"), count(f.DCs, "DC"), f.Every, f.For, f.Quiet)
	for _, row := range r.rows() {
		mark := "✓"
		if !row.ok {
			mark = "✗"
		}
		fmt.Fprintf(w, "  %s %s%s%s\n", mark, pad(row.what, 42), pad(row.value, 14), row.note)
	}
	fmt.Fprintf(w, "\n                       p50        p99      p99.9        max\n")
	for _, t := range []struct {
		what                string
		p50, p99, p999, max float64
	}{{"quiet", r.P50Quiet, r.P99Quiet, r.P999Quiet, r.MaxQuiet}, {"rotating", r.P50, r.P99, r.P999, r.Max}} {
		fmt.Fprintf(w, "  %-12s %10.2f %10.2f %10.2f %10.2f  ms\n", t.what, t.p50, t.p99, t.p999, t.max)
	}
	failures := append(append([]string{}, r.rotateErrors...), append(r.quiet.failures, r.rotating.failures...)...)
	const most = 5
	for i, failure := range failures {
		if i == most {
			fmt.Fprintf(w, "  ... and %d more\n", len(failures)-most)
			break
		}
		fmt.Fprintf(w, "  failed: %s\n", failure)
	}
	r.footer(w)
}

// finish shows the result and picks the exit code.
func (b *benchRotation) finish() error {
	b.bar.close()
	return b.finishBench(b.result.OK, b.result, b.result.print)
}
