package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/bench"
	"github.com/mtfleet/mtfleet/cmd/manager/bench/page"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
)

// benchTargetFlags are what `bench target` takes.
type benchTargetFlags struct {
	descriptor            string
	accounts, concurrency int
	inFlight              int
	during                time.Duration
	method                string
	noPFS                 bool
	out                   benchOutput
}

func (a *app) benchTargetCommand() *cobra.Command {
	var f benchTargetFlags
	c := &cobra.Command{
		Use: "target", Short: "Load a test server that somebody else started on this machine", Args: exactly(),
		Long: `target signs in the bots and persons of a descriptor, as manager testdc --descriptor
writes it, at the server that it describes, calls the API from all of them, and logs
them out. The server may be any: what is needed are its dcs, public_keys, phones (with
code, and password_text where there is one) and bots; apps, where it wants one.

Its addresses must be on loopback, and its RSA keys not Telegram's: there is no flag
for anything else. Its CPU is not known here. The floor is that of one perm key for
each account, and with PFS a temp key: at a server with several DCs a sign-in makes
more, at the first DC and at home.`,
		RunE: func(c *cobra.Command, _ []string) error { return a.benchDescriptor(c.Context(), f) },
	}
	flags := c.Flags()
	flags.StringVar(&f.descriptor, "descriptor", "", "the `FILE` that describes the server, as JSON")
	flags.IntVar(&f.accounts, "accounts", 0, "how many of its bots and persons sign in (default: all)")
	flags.IntVar(&f.concurrency, "concurrency", 8, "how many at once, 1 to 1000")
	flags.IntVar(&f.inFlight, "in-flight", 1, "how many calls of each are in flight, 1 to 1000")
	flags.DurationVar(&f.during, "for", 10*time.Second, "how long they call")
	flags.StringVar(&f.method, "method", "help.getConfig", "what is called: `METHOD` is testdc.echo, help.getConfig or users.getUsers (of oneself)")
	flags.BoolVar(&f.noPFS, "no-pfs", false, "without temp keys")
	f.out.add(c)
	return c
}

func (f *benchTargetFlags) check() error {
	switch {
	case f.descriptor == "":
		return usage("bench target: --descriptor is missing: the file that describes the server")
	case f.accounts < 0 || f.accounts > maxLogins:
		return usage("bench target: --accounts %d: this must be 1 to %d", f.accounts, maxLogins)
	case f.concurrency < 1 || f.concurrency > 1000:
		return usage("bench target: --concurrency %d: this must be 1 to 1000", f.concurrency)
	case f.inFlight < 1 || f.inFlight > 1000:
		return usage("bench target: --in-flight %d: this must be 1 to 1000", f.inFlight)
	case f.during <= 0:
		return usage("bench target: --for %v: this must be positive", f.during)
	case callMethod(f.method) == nil:
		return usage("bench target: --method %s: this must be testdc.echo, help.getConfig or users.getUsers", f.method)
	}
	return nil
}

// readTarget reads a descriptor, and refuses one of servers that may not be loaded.
func readTarget(file string) (d serve.Descriptor, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return d, usage("bench target: --descriptor: %v", err)
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return d, usage("bench target: --descriptor %s is no descriptor: %v", file, err)
	}
	table, err := d.Table()
	if err != nil {
		return d, usage("bench target: --descriptor %s: %v", file, err)
	}
	if len(d.Apps) == 0 { // any will do, and it is nobody's
		d.Apps = []serve.AppID{{ID: 900_001, Hash: "6d74666c6565742d746573742d617070"}}
	}
	_, err = benchTarget(table)
	return d, err
}

// crowdOf is who signs in at a server: its bots, then its persons, n of them or all.
func crowdOf(d serve.Descriptor, n int) (list []newcomer, err error) {
	for _, b := range d.Bots {
		list = append(list, newcomer{kind: loginBot, bot: b})
	}
	for _, p := range d.Phones {
		kind := loginPhone
		if p.Password {
			kind = loginPassword
		}
		list = append(list, newcomer{kind: kind, person: p})
	}
	if len(list) == 0 || n > len(list) {
		return nil, usage("bench target: the descriptor has %s and %s, and %d accounts are wanted", count(len(d.Bots), "bot"), count(len(d.Phones), "person"), max(n, 1))
	}
	if n > 0 {
		list = list[:n]
	}
	for i := range list {
		list[i].account = fmt.Sprintf("account-%05d", i+1)
	}
	return list, nil
}

// targetResult is what bench target found.
type targetResult struct {
	Logins loginFigures `json:"logins"`
	Calls  callFigures  `json:"calls"`
	OK     bool         `json:"ok"`
	Flags  targetParams `json:"flags"`
	benchReport
}

// targetParams say what was run.
type targetParams struct {
	Addresses int     `json:"addresses"`
	Method    string  `json:"method"`
	For       float64 `json:"for_seconds"`
}

func (a *app) benchDescriptor(ctx context.Context, f benchTargetFlags) error {
	a.asJSON = f.out.json
	if err := a.benchSettings(); err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	d, err := readTarget(f.descriptor)
	if err != nil {
		return err
	}
	crowd, err := crowdOf(d, f.accounts)
	if err != nil {
		return err
	}
	r := &targetResult{benchReport: newReport(), Flags: targetParams{len(d.DCs), f.method, f.during.Seconds()}}
	plan := benchPlan{accounts: len(crowd), dcs: len(d.DCs), target: &d, remember: true}
	return a.playBench(ctx, f.out, plan, func(ctx context.Context, w *benchWorld) error {
		if err := r.run(ctx, w, crowd, f); err != nil {
			return err
		}
		w.bar.close()
		return a.tellBench(f.out, r.OK, r)
	})
}

func (r *targetResult) run(ctx context.Context, w *benchWorld, crowd []newcomer, f benchTargetFlags) error {
	defer w.logOut()
	floor, err := bench.NewFloor(w.keys[0])
	if err != nil {
		return err
	}
	if r.Logins, err = w.logins(ctx, loginRow{!f.noPFS, f.concurrency}, crowd, floor); err != nil {
		return err
	}
	var online []*actors.Account
	for _, acc := range w.manager.Accounts() {
		if acc.Status().State == actors.Online {
			online = append(online, acc)
		}
	}
	if len(online) > 0 {
		calls := benchCallsFlags{during: f.during, method: f.method, payload: 64}
		if r.Calls, err = w.calls(ctx, callShape{len(online), f.inFlight}, online, calls); err != nil {
			return err
		}
	}
	r.OK = r.Logins.Failed == 0 && r.Calls.Failed == 0 && r.Calls.Calls > 0
	return r.conclude(w)
}

// logOut ends the authorizations that a server of somebody else's has given, also when
// the run was interrupted.
func (w *benchWorld) logOut() {
	all := slices.DeleteFunc(w.manager.Accounts(), func(acc *actors.Account) bool { return !acc.Status().SignedIn })
	w.bar.begin("logging out", len(all))
	ctx, cancel := context.WithTimeout(context.Background(), signInTimeout)
	defer cancel()
	each(len(all), benchWidth(), func(i int) {
		_ = all[i].LogOut(ctx) // what does not end is the server's, which is a test
		w.bar.add(1)
	})
	w.bar.done("logged out")
}

func (r *targetResult) print(w io.Writer) {
	l, c := r.Logins, r.Calls
	printLines(w, fmt.Sprintf("bench target: %s at %s, %s", count(l.Accounts, "account"), count(r.Flags.Addresses, "address"), l.loginRow), []benchLine{
		{"sign-ins that failed", thousands(l.Failed), l.failure},
		{"sign-ins a second", fmt.Sprintf("%.1f", l.Rate), "the server has the same CPUs"},
		{"CPU of a sign-in", fmt.Sprintf("%.2f ms", l.CPU), fmt.Sprintf("floor %.2f ms, ratio %.2f", l.Floor, l.Ratio)},
		{"a sign-in, p50 and p99", fmt.Sprintf("%.1f ms", l.P50), fmt.Sprintf("%.1f ms", l.P99)},
		{"calls of " + r.Flags.Method, thousands(int(c.Calls)), fmt.Sprintf("%d failed %s", c.Failed, c.failure)},
		{"calls a second", fmt.Sprintf("%.0f", c.Rate), c.String()},
		{"CPU of a call", fmt.Sprintf("%.1f µs", c.CPU), ""},
		{"a call, p50 and p99", fmt.Sprintf("%.3f ms", c.P50), fmt.Sprintf("%.3f ms", c.P99)},
	})
	r.footer(w)
}

func (r *targetResult) charts() []page.Chart {
	return []page.Chart{latencyChart("How long sign-ins took", r.Logins.took), latencyChart("How long calls took", r.Calls.took)}
}
