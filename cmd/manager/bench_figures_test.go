package main

import (
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/cmd/manager/bench"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
)

// TestACrowdIsMixedAllTheWayThrough: a stretch of it has the shares of the whole, so
// that sign-ins and their floor meet the same.
func TestACrowdIsMixedAllTheWayThrough(t *testing.T) {
	for text, want := range map[string]string{
		"bot":                  "bot bot bot bot bot bot",
		"bot=1,phone=1":        "bot phone bot phone bot phone",
		"phone=2,2fa=1":        "phone 2fa phone phone 2fa phone",
		"bot=0,qr=5":           "qr qr qr qr qr qr",
		"bot,phone,qr,2fa=1":   "bot phone qr 2fa bot phone",
		"bot=1000,phone=1,2fa": "bot bot bot bot bot bot",
	} {
		mix, err := parseMix(text)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, kind := range mix.crowd(6) {
			got = append(got, string(kind))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// TestNobodyIsAskedToSignInTwice: crowds share the people of the test DC, and each has
// what it signs in with.
func TestNobodyIsAskedToSignInTwice(t *testing.T) {
	mix, err := parseMix("bot,phone,qr,2fa")
	if err != nil {
		t.Fatal(err)
	}
	crowd := mix.crowd(8)
	if got, want := crowd.dcFlags(2), []string{"--users", "12", "--passwords", "4"}; !reflect.DeepEqual(got, want) {
		t.Fatalf("the test DC is started with %q, want %q", got, want)
	}
	var d serve.Descriptor
	for i := range 12 {
		d.Phones = append(d.Phones, serve.Phone{UserID: int64(i + 1), Password: i < 4})
	}
	for i := range 5 {
		d.Bots = append(d.Bots, serve.Bot{UserID: int64(i + 100)})
	}
	people, users, accounts := newLoginPeople(d), map[int64]bool{}, map[string]bool{}
	for range 2 {
		for _, l := range people.take(crowd) {
			user := l.person.UserID + l.bot.UserID
			if user == 100 || users[user] || accounts[l.account] || (l.kind == loginPassword) != l.person.Password {
				t.Errorf("%+v", l)
			}
			users[user], accounts[l.account] = true, true
		}
	}
	if len(users) != 16 {
		t.Errorf("%d people sign in", len(users))
	}
}

func TestFiguresOfASignIn(t *testing.T) {
	l := loginFigures{loginRow: loginRow{true, 8}, Accounts: 10, Failed: 2}
	took := bench.NewLatency()
	took.Record(20 * time.Millisecond)
	l.fill(bench.Cost{CPU: 120 * time.Millisecond, Wall: 2 * time.Second, Mallocs: 100, Bytes: 10240}, bench.Cost{CPU: 100 * time.Millisecond}, 50*time.Millisecond, took)
	if l.CPU != 12 || l.Floor != 10 || l.Ratio != 1.2 || l.Rate != 4 || l.DCCPU != 5 || l.Allocs != 10 || l.Heap != 1 {
		t.Errorf("%+v", l)
	}
	r := loginsResult{Rows: []loginFigures{l, {loginRow: loginRow{false, 1}, failure: "account-1: it never came"}}, Flags: loginsParams{Accounts: 10, Mix: map[loginKind]int{loginBot: 9, loginQR: 1}}}
	var text strings.Builder
	r.print(&text)
	for _, want := range []string{"9 of kind bot, 1 of kind qr", "PFS on, 8 at once", "PFS off, one at a time", "failed first, PFS off, one at a time: account-1: it never came"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in\n%s", want, &text)
		}
	}
}

// TestEveryResultHasItsCharts writes each as a page, also where nothing was measured.
func TestEveryResultHasItsCharts(t *testing.T) {
	took := bench.NewLatency()
	took.Record(3 * time.Millisecond)
	back := comeback{Accounts: 2, Curve: [][2]float64{{0, 0}, {1, 2}}}
	for name, r := range map[string]benchResult{
		"calls": &callsResult{Shapes: []callFigures{{took: took}}}, "logins": &loginsResult{Rows: []loginFigures{{took: took}}},
		"idle": &idleResult{Accounts: 1}, "storm": &stormResult{comeback: back}, "restart": &restartResult{coldStart: coldStart{comeback: back}},
		"soak": &soakResult{Accounts: 1, Looks: []soakLook{{At: 1, RSS: 1024}, {At: 2, RSS: 2048}}}, "no soak": &soakResult{},
		"metrics": &metricsResult{Paths: []pathFigures{{Path: "/metrics", took: took}}},
		"loaded":  &loadedResult{quiet: &loadPhase{took: slow(3)}}, "no calls": &callsResult{Shapes: make([]callFigures, 1)}, "no storm": &stormResult{},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "report.html")
			var out, said strings.Builder
			a := &app{out: &out, err: &said}
			if err := a.tellBench(benchOutput{report: file}, true, r); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(file)
			if err != nil || !strings.Contains(string(text), "<svg") || !strings.Contains(said.String(), file) || !strings.HasPrefix(out.String(), "\nbench ") {
				t.Errorf("%v; printed %q, said %q, written %s", err, out.String(), said.String(), text)
			}
		})
	}
	if err := (&app{out: io.Discard, err: io.Discard}).tellBench(benchOutput{report: filepath.Join(t.TempDir(), "no", "file")}, true, &stormResult{}); err == nil {
		t.Error("a report that cannot be written was no error")
	}
}

func TestFiguresOfAnIdleAccount(t *testing.T) {
	r := idleResult{
		Accounts: 100,
		Before:   bench.Stock{RSS: 20 << 20, Heap: 4 << 20, Goroutines: 7, Descriptors: 10},
		After:    bench.Stock{RSS: 22 << 20, Heap: 5 << 20, Goroutines: 107, Descriptors: 110},
	}
	r.judge(60*time.Millisecond, 30*time.Second, 99)
	if r.RSS != 20.48 || r.Heap != 10.24 || r.Goroutines != 1 || r.Descriptors != 1 || r.CPU != 1.2 || r.Total != 22 || r.OK {
		t.Errorf("%+v", r)
	}
	if r.judge(0, time.Minute, 100); !r.OK {
		t.Errorf("all are online: %+v", r)
	}
	r.Calls.Failed = 1
	if r.judge(0, time.Minute, 100); r.OK {
		t.Error("a call failed, and all is well")
	}
}

func TestAPageIsJudgedByItsSizeItsTimeAndWhatItAnswered(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*metricsResult)
		busy  bool
		ok    bool
	}{
		"all is well":                   {func(*metricsResult) {}, false, true},
		"one is missing":                {func(r *metricsResult) { r.Online-- }, false, false},
		"it was never read":             {func(r *metricsResult) { r.Bytes = 0 }, false, false},
		"it is too large":               {func(r *metricsResult) { r.Bytes = 1_000_001 }, false, false},
		"it took too long":              {func(r *metricsResult) { r.Paths[0].Max = 200.5 }, false, false},
		"it took too long, for a load":  {func(r *metricsResult) { r.Paths[0].Max = 200.5 }, true, true},
		"a scrape was refused":          {func(r *metricsResult) { r.Paths[0].Status = 503 }, true, false},
		"the manager does not answer":   {func(r *metricsResult) { r.Paths[1].Status = 503 }, false, false},
		"what is not the page was slow": {func(r *metricsResult) { r.Paths[1].Max = 900 }, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := &metricsResult{Accounts: 2, Online: 2, Bytes: 1_000_000, Paths: []pathFigures{{Path: "/metrics", Max: 200, Status: 200}, {Path: "/livez", Status: 200}}}
			c.spoil(r)
			if r.judge(c.busy); r.OK != c.ok {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestASoakIsJudgedByWhoCameBackAndWhatWasLeft(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*soakResult)
		ok    bool
	}{
		"all is well":                  {func(*soakResult) {}, true},
		"one is missing":               {func(r *soakResult) { r.Online-- }, false},
		"it never went round":          {func(r *soakResult) { r.Cycles = 0 }, false},
		"a goroutine too many is left": {func(r *soakResult) { r.After.Goroutines += 3 }, false},
		"memory grew":                  {func(r *soakResult) { r.Looks[3].RSS *= 2 }, true},
		"kept goroutines":              {func(r *soakResult) { r.After.Goroutines += 2 }, true},
		"a key was made, rotated":      {func(r *soakResult) { r.Keys = 1 }, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := &soakResult{Accounts: 5, Online: 5, Cycles: 4, GoroutinesKept: 2, Before: bench.Stock{Goroutines: 9}, After: bench.Stock{Goroutines: 9},
				Looks: []soakLook{{At: 10, RSS: 9000}, {At: 20, RSS: 1000}, {At: 30, RSS: 1001}, {At: 40, RSS: 1002}}}
			c.spoil(r)
			if r.judge(); r.OK != c.ok {
				t.Errorf("%+v", r)
			}
			if name == "all is well" && (r.RSSSlope != 360 || r.RSSFirst != 8.789 || r.RSSLast != 0.979) {
				t.Errorf("0.1 KiB a second are %v KiB an hour; memory %v and %v", r.RSSSlope, r.RSSFirst, r.RSSLast)
			}
		})
	}
	if got := slope([]soakLook{{At: 1, RSS: 1}, {At: 2, RSS: 2}}, func(l soakLook) float64 { return l.RSS }); got != 0 {
		t.Errorf("one cycle and the first have a slope of %v", got)
	}
}

func TestFiguresOfACall(t *testing.T) {
	c := callFigures{callShape: callShape{Accounts: 2, InFlight: 5}, Calls: 1000}
	took := bench.NewLatency()
	for range 999 {
		took.Record(10 * time.Millisecond)
	}
	took.Record(time.Second)
	c.fill(took, bench.Cost{CPU: 100 * time.Millisecond, Wall: time.Second, Mallocs: 30_000, Bytes: 3_000_000}, 50*time.Millisecond, 300_000, 200_000)
	if c.Rate != 1000 || c.CPU != 100 || c.DCCPU != 50 || c.Sent != 300 || c.Received != 200 || c.Allocs != 30 || c.Heap != 3000 {
		t.Errorf("%+v", c)
	}
	if c.P50 < 9.9 || c.P50 > 10.1 || c.P99Measured > 10.1 || c.P99 < 800 {
		t.Errorf("p50 %v, p99 %v, as measured %v: the stall of a second stands for a hundred calls", c.P50, c.P99, c.P99Measured)
	}
	var none callFigures
	if none.fill(bench.NewLatency(), bench.Cost{}, 0, 0, 0); none != (callFigures{}) {
		t.Errorf("no call: %+v", none)
	}
}

// TestEachPromiseUnderACrowdIsJudged spoils one after the other.
func TestEachPromiseUnderACrowdIsJudged(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*loadedResult, *benchLedger)
		ok    bool
	}{
		"all is well":                 {func(*loadedResult, *benchLedger) {}, true},
		"a call failed":               {func(r *loadedResult, _ *benchLedger) { r.loaded.end(1, time.Now(), io.EOF) }, false},
		"an answer never given":       {func(_ *loadedResult, l *benchLedger) { l.Echoes = l.Echoes[1:] }, false},
		"nobody signed in":            {func(r *loadedResult, _ *benchLedger) { r.SignIns = 0 }, false},
		"a sign-in failed":            {func(r *loadedResult, _ *benchLedger) { r.SignInsFailed = 1 }, false},
		"one was given up":            {func(r *loadedResult, _ *benchLedger) { r.SignInsGivenUp = 1 }, true},
		"slow in the crowd":           {func(r *loadedResult, _ *benchLedger) { r.loaded.took = slow(51) }, false},
		"slow on a busy machine":      {func(r *loadedResult, _ *benchLedger) { r.loaded.took, r.Flags.Busy = slow(51), true }, true},
		"slower, and a blink at most": {func(r *loadedResult, _ *benchLedger) { r.quiet.took, r.loaded.took = slow(1), slow(25) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			r, l := &loadedResult{SignIns: 5, quiet: &loadPhase{took: slow(10), answered: []int64{1}}, loaded: &loadPhase{took: slow(40), answered: []int64{2}}}, &benchLedger{}
			for id := range int64(2) {
				l.Echoes = append(l.Echoes, dctest.EchoRecord{ID: id + 1, Count: 1})
			}
			c.spoil(r, l)
			if r.judge(l); r.OK != c.ok {
				t.Errorf("it holds: %v: %+v", r.OK, r)
			}
		})
	}
}

func TestALookMayTakeAPartOfTheTimeAndNoMore(t *testing.T) {
	for took, want := range map[time.Duration]time.Duration{
		0: onlineLook, time.Microsecond: onlineLook, 4 * time.Millisecond: 100 * time.Millisecond, 3 * time.Second: lookMost,
	} {
		if got := lookAgain(took); got != want {
			t.Errorf("after one of %v the next is in %v, want %v", took, got, want)
		}
	}
}

func TestAComebackIsJudgedByItsOptimum(t *testing.T) {
	well := comeback{Accounts: 100, Online: 100, Online99: 12.5}
	for name, c := range map[string]struct {
		spoil   func(*comeback)
		optimum time.Duration
		busy    bool
		ok      bool
	}{
		"in time":                   {func(*comeback) {}, 10 * time.Second, false, true},
		"late":                      {func(*comeback) {}, 9 * time.Second, false, false},
		"late on a busy machine":    {func(*comeback) {}, 9 * time.Second, true, true},
		"within a second":           {func(c *comeback) { c.Online99 = 1.4 }, time.Millisecond, false, true},
		"one is missing":            {func(c *comeback) { c.Online = 99 }, 10 * time.Second, false, false},
		"a key was made":            {func(c *comeback) { c.Keys = 1 }, 10 * time.Second, false, false},
		"one is missing, busy":      {func(c *comeback) { c.Online = 99 }, 10 * time.Second, true, false},
		"a key was made, and busy,": {func(c *comeback) { c.Keys = 1 }, 10 * time.Second, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := well
			c.spoil(&got)
			if ok := got.judge(c.optimum, 0.5, c.busy); ok != c.ok {
				t.Errorf("it is well: %v: %+v", ok, got)
			}
		})
	}
	if well.judge(10*time.Second, 0.5, false); well.Ratio != 1.2 || well.Optimum != 10 {
		t.Errorf("%+v", well)
	}
}
