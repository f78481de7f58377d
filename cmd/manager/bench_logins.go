package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/bench"
)

// benchLoginsFlags are what `bench logins` takes.
type benchLoginsFlags struct {
	accounts, concurrency int
	pfs, mix              string
	disk                  bool
	out                   benchOutput
}

func (a *app) benchLoginsCommand() *cobra.Command {
	var f benchLoginsFlags
	c := &cobra.Command{
		Use: "logins", Short: "Measure what a sign-in costs, beside what none can cost less", Args: exactly(),
		Long: `logins adds accounts and signs them in, each from nothing until it is online: connect,
perm key, with PFS a temp key and its bind, the sign-in itself, the state of updates,
and every commit. Without flags it is done without and with PFS, one at a time and
eight at once; each row has --accounts of its own.

Beside it stands the floor: the arithmetic without which there is no key (a modular
exponentiation, one of a fixed base, RSA_PAD, a factorisation) and no proof of a
password, by the functions that the manager uses. Sign-ins and floor take turns, so
that both meet the machine in the same mood. CPU is of the manager's process, and what
shows codes and scans QR codes is in it.

--mix says who signs in, as weights: bot, phone (a code), qr (scanned at once) and 2fa
(a code and a password); "bot=1,phone=3" is three persons for each bot. With --json the
last line of standard output is one JSON object, whose own figures are those of the
last row. The exit code is 0 if every sign-in succeeded.`,
		RunE: func(c *cobra.Command, _ []string) error { return a.benchLogins(c.Context(), f) },
	}
	flags := c.Flags()
	flags.IntVar(&f.accounts, "accounts", 96, "how many accounts sign in, for each row")
	flags.IntVar(&f.concurrency, "concurrency", 0, "how many at once, 1 to 1000 (default: 1, then 8)")
	flags.StringVar(&f.pfs, "pfs", "both", "with temp keys: `WHICH` is on, off or both")
	flags.StringVar(&f.mix, "mix", "bot", "who signs in: `WEIGHTS` of bot, phone, qr and 2fa")
	flags.BoolVar(&f.disk, "disk", false, "on Badger, as run has it, and not on the store in memory")
	f.out.add(c)
	return c
}

// loginRow is one way of signing accounts in.
type loginRow struct {
	PFS         bool `json:"pfs"`
	Concurrency int  `json:"concurrency"`
}

func (f *benchLoginsFlags) rows() (rows []loginRow) {
	for _, pfs := range []bool{false, true} {
		if f.pfs != "both" && pfs != (f.pfs == "on") {
			continue
		}
		if f.concurrency > 0 {
			rows = append(rows, loginRow{pfs, f.concurrency})
			continue
		}
		rows = append(rows, loginRow{pfs, 1}, loginRow{pfs, 8})
	}
	return rows
}

// maxLogins is how many persons and bots a benchmark may want of the test DC.
const maxLogins = 50_000

func (f *benchLoginsFlags) check() (loginMix, error) {
	mix, err := parseMix(f.mix)
	switch {
	case f.pfs != "on" && f.pfs != "off" && f.pfs != "both":
		return mix, usage("bench logins: --pfs %s: this must be on, off or both", f.pfs)
	case f.accounts < 1 || f.accounts*len(f.rows()) > maxLogins:
		return mix, usage("bench logins: --accounts %d: this must be 1 to %d for %s", f.accounts, maxLogins/len(f.rows()), count(len(f.rows()), "row"))
	case f.concurrency < 0 || f.concurrency > 1000:
		return mix, usage("bench logins: --concurrency %d: this must be 1 to 1000", f.concurrency)
	}
	return mix, err
}

// loginFigures are what was measured of one row.
type loginFigures struct {
	loginRow
	Accounts int     `json:"accounts"`
	Failed   int     `json:"failed"`
	CPU      float64 `json:"cpu_ms_per_login"`
	Floor    float64 `json:"floor_ms_per_login"`
	Ratio    float64 `json:"ratio_to_floor"`
	Rate     float64 `json:"logins_per_s"`        // while nothing but sign-ins ran
	DCCPU    float64 `json:"dc_cpu_ms_per_login"` // of the test DC's process
	// How long a sign-in took, in milliseconds.
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
	// Keys are those that the DC made with the accounts of the row: 1, with PFS 2.
	Keys   float64 `json:"keys_per_login"`
	Allocs float64 `json:"allocs_per_login"`
	Heap   float64 `json:"alloc_kib_per_login"`

	failure string // the first
	took    *bench.Latency
}

// loginsResult is what bench logins found: the figures of the last row, and all of them.
type loginsResult struct {
	loginFigures
	Rows  []loginFigures `json:"rows"`
	OK    bool           `json:"ok"`
	Flags loginsParams   `json:"flags"`
	benchReport
}

// loginsParams say what was run.
type loginsParams struct {
	Accounts int               `json:"accounts"` // of each row
	Mix      map[loginKind]int `json:"mix"`      // how many of these are what
	DCs      int               `json:"dcs"`
}

func (a *app) benchLogins(ctx context.Context, f benchLoginsFlags) error {
	mix, err := f.check()
	if err != nil {
		return err
	}
	crowd := mix.crowd(f.accounts)
	r := &loginsResult{OK: true, benchReport: newReport(), Flags: loginsParams{f.accounts, crowd.counts(), 1}}
	n := len(f.rows())
	plan := benchPlan{accounts: f.accounts*n + 1, bots: crowd.counts()[loginBot]*n + 1, dcs: 1, disk: f.disk, dcFlags: crowd.dcFlags(n)}
	return a.playBench(ctx, f.out, plan, func(ctx context.Context, w *benchWorld) error {
		floor, err := bench.NewFloor(w.keys[0])
		if err != nil {
			return err
		}
		if err := w.warmUp(ctx, actors.AccountOptions{}); err != nil {
			return err
		}
		people := newLoginPeople(w.dc.Descriptor)
		for _, row := range f.rows() {
			figures, err := w.logins(ctx, row, people.take(crowd), floor)
			if err != nil {
				return err
			}
			r.Rows, r.loginFigures, r.OK = append(r.Rows, figures), figures, r.OK && figures.Failed == 0
		}
		if err := r.conclude(w); err != nil {
			return err
		}
		w.bar.close()
		return a.tellBench(f.out, r.OK, r)
	})
}

// loginBlock is how many sign-ins take turns with their floor.
const loginBlock = 16

// logins measures one row.
func (w *benchWorld) logins(ctx context.Context, row loginRow, crowd []newcomer, floor *bench.Floor) (loginFigures, error) {
	out := loginFigures{loginRow: row, Accounts: len(crowd)}
	before, err := w.dc.counts(ctx)
	if err != nil {
		return out, err
	}
	var signIns, floors bench.Meter
	took, failures := bench.NewLatency(), &firstFailure{}
	theirs := w.dc.cpu()
	w.bar.begin(row.String(), len(crowd))
	for block := range slices.Chunk(crowd, max(loginBlock, 2*row.Concurrency)) {
		signIns.Start()
		each(len(block), row.Concurrency, func(i int) {
			begun := time.Now()
			if err := w.logIn(ctx, block[i], actors.AccountOptions{NoPFS: !row.PFS}); err != nil {
				failures.add(block[i].account, err)
				return
			}
			took.Record(time.Since(begun))
		})
		signIns.Stop()
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
		floors.Start()
		floorOf(floor, block, row)
		floors.Stop()
		w.bar.add(len(block))
	}
	theirs = w.dc.cpu() - theirs
	after, err := w.dc.counts(ctx)
	if err != nil {
		return out, err
	}
	w.bar.done("%s: signed in %s", row, count(len(crowd), "account"))
	out.Failed, out.failure, out.took = failures.n, failures.first, took
	out.fill(signIns.Sum, floors.Sum, theirs, took)
	out.Keys = round3(float64(after.PermKeys+after.TempKeys-before.PermKeys-before.TempKeys) / float64(len(crowd)))
	return out, nil
}

// floorOf does the arithmetic that a block of sign-ins cannot do without.
func floorOf(floor *bench.Floor, block []newcomer, row loginRow) {
	workers := 1
	if row.Concurrency > 1 {
		workers = min(row.Concurrency, runtime.GOMAXPROCS(0))
	}
	keys, passwords := len(block), 0
	if row.PFS {
		keys *= 2
	}
	for _, l := range block {
		if l.kind == loginPassword {
			passwords++
		}
	}
	floor.Keys(keys, workers)
	floor.Passwords(passwords, workers)
}

// fill computes what is told of a sign-in.
func (l *loginFigures) fill(signIns, floors bench.Cost, theirs time.Duration, took *bench.Latency) {
	n := l.Accounts
	l.CPU, l.Floor, l.DCCPU = per(signIns.CPU, n, time.Millisecond), per(floors.CPU, n, time.Millisecond), per(theirs, n, time.Millisecond)
	if floors.CPU > 0 {
		l.Ratio = round3(float64(signIns.CPU) / float64(floors.CPU))
	}
	if signIns.Wall > 0 {
		l.Rate = round3(float64(n-l.Failed) / signIns.Wall.Seconds())
	}
	l.P50, l.P99 = per(took.Quantile(0.5), 1, time.Millisecond), per(took.Quantile(0.99), 1, time.Millisecond)
	l.Allocs, l.Heap = round3(float64(signIns.Mallocs)/float64(n)), round3(float64(signIns.Bytes)/float64(n)/1024)
}

// String names a row.
func (r loginRow) String() string {
	pfs, many := "PFS off", "one at a time"
	if r.PFS {
		pfs = "PFS on"
	}
	if r.Concurrency > 1 {
		many = fmt.Sprintf("%d at once", r.Concurrency)
	}
	return pfs + ", " + many
}

func (r *loginsResult) print(w io.Writer) {
	fmt.Fprintf(w, "\nbench logins: %s for each row, %s\n\n", count(r.Flags.Accounts, "account"), mixWords(r.Flags.Mix))
	fmt.Fprintf(w, "  %-26s%9s%10s%9s%10s%9s%9s%7s%8s\n", "", "CPU ms", "floor ms", "ratio", "logins/s", "p50 ms", "p99 ms", "keys", "failed")
	for _, l := range r.Rows {
		fmt.Fprintf(w, "  %-26s%9.2f%10.2f%9.2f%10.1f%9.1f%9.1f%7.2f%8d\n", l.loginRow, l.CPU, l.Floor, l.Ratio, l.Rate, l.P50, l.P99, l.Keys, l.Failed)
	}
	for _, l := range r.Rows {
		if l.failure != "" {
			fmt.Fprintf(w, "  failed first, %s: %s\n", l.loginRow, l.failure)
		}
	}
	fmt.Fprintf(w, "\n  The test DC has the same CPUs and spends %.2f ms on a sign-in of the last row.\n", r.DCCPU)
	r.footer(w)
}
