package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/config"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
)

// benchCommands are all commands of the group.
func benchCommands() (names []string) {
	for _, c := range (&app{}).benchCommand().Commands() {
		names = append(names, c.Name())
	}
	return names
}

// refuses runs a command, which is refused before anything is started.
func refuses(t *testing.T, env []string, want string, args ...string) {
	t.Helper()
	var said bytes.Buffer
	a := &app{in: strings.NewReader(""), out: io.Discard, err: &said, env: env}
	if code := a.main(t.Context(), args); code != exitUsage || !strings.Contains(said.String(), want) {
		t.Errorf("%q: exit code %d, %q; want %d and %q", args, code, said.String(), exitUsage, want)
	}
}

func TestNoSettingLeadsABenchmarkElsewhere(t *testing.T) {
	commands := benchCommands()
	if len(commands) < 6 {
		t.Fatalf("the benchmarks are %q", commands)
	}
	for name, c := range map[string]struct {
		args []string
		env  []string
		want string
	}{
		"a configuration of the operator's": {args: []string{"--config", "manager.yaml"}, want: "leave it out"},
		"a proxy by --set":                  {args: []string{"--set", "proxy.url=socks5://127.0.0.1:1080"}, want: "never through a proxy"},
		"a list of proxies by --set":        {args: []string{"--set", "transport.proxies=socks5://127.0.0.1:1080"}, want: "never through a proxy"},
		"a proxy in the environment":        {env: []string{"MTFLEET_PROXY=socks5://127.0.0.1:1080"}, want: "MTFLEET_PROXY is set"},
		"other DCs by --set":                {args: []string{"--set", "environment=production"}, want: "test DCs of its own"},
		"the operator's application":        {args: []string{"--set", "api_id=20000"}, want: "test DCs of its own"},
		"its hash":                          {args: []string{"--set", "api_hash=0123456789abcdef0123456789abcdef"}, want: "test DCs of its own"},
		"a store of the operator's":         {args: []string{"--set", "store.dir=data"}, want: "test DCs of its own"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, command := range commands {
				refuses(t, c.env, c.want, append([]string{"bench", command}, c.args...)...)
			}
		})
	}
}

func TestABenchmarkRefusesWhatItCannotMeasure(t *testing.T) {
	for args, want := range map[string]string{
		"rotate --accounts 0":                         "--accounts 0",
		"rotate --every 0s":                           "--every 0s",
		"rotate --accounts 1000":                      "1,800,000 calls, and the test DC's ledger remembers 1,048,576",
		"rotate --every 10s --for 5s":                 "--for 5s",
		"idle --accounts 0":                           "--accounts 0",
		"idle --dcs 10":                               "--dcs 10",
		"idle --for 0s":                               "--for must be positive",
		"idle --calls-for -1s":                        "--calls-for must not be negative",
		"idle --calls-per-s 0":                        "--calls-per-s is 1 to 1000",
		"idle --seeded --in-memory --accounts 100001": "this must be 1 to 100000",
		"soak --accounts 0":                           "--accounts 0",
		"soak --dcs 10":                               "--dcs 10",
		"soak --idle 0s":                              "--idle must be positive",
		"soak --seeded --for 1s":                      "--for as long at least",
		"cold":                                        "this is for bench restart",
		"cold --dir testdata":                         "this is for bench restart",
		"logins --accounts 12501":                     "--accounts 12501: this must be 1 to 12500 for 4 rows",
		"logins --pfs maybe":                          "--pfs maybe",
		"logins --concurrency 1001":                   "--concurrency 1001",
		"logins --mix sms":                            "--mix sms",
		"logins --mix bot=-1":                         "--mix bot=-1",
		"logins --mix bot=many":                       "--mix bot=many",
		"logins --mix bot,bot":                        "named once",
		"logins --mix bot=0,qr=0":                     "nobody signs in",
		"storm --accounts 0":                          "--accounts 0",
		"storm --dcs 10":                              "--dcs 10",
		"storm --outage 1ms":                          "--outage 1ms",
		"storm --preset none":                         "--preset none",
		"restart --accounts 100000":                   "--accounts 100000",
		"restart --dcs 0":                             "--dcs 0",
		"restart --preset none":                       "--preset none",
		"idle --report none/report.html":              "no such folder",
		"calls --report testdata":                     "this is no file",
		"loaded --accounts 0":                         "--accounts 0",
		"loaded --sign-ins 0":                         "--sign-ins 0",
		"loaded --quiet 0s":                           "must be 1s or more",
		"loaded --accounts 5000 --for 5m":             "calls, and the test DC's ledger remembers 1,048,576",
		"target":                                      "--descriptor is missing",
		"target --descriptor none.json":               "--descriptor: open none.json",
		"target --descriptor bench.go":                "is no descriptor",
		"target --descriptor d --concurrency 0":       "--concurrency 0",
		"target --descriptor d --in-flight 0":         "--in-flight 0",
		"target --descriptor d --for 0s":              "--for 0s",
		"target --descriptor d --method messages.no":  "--method messages.no",
		"target --descriptor d --accounts -1":         "--accounts -1",
		"calls --accounts 5001":                       "--accounts 5001",
		"calls --in-flight 1001":                      "--in-flight 1001",
		"calls --for 0s":                              "--for 0s",
		"calls --payload -1":                          "--payload -1",
		"calls --method messages.sendMail":            "--method messages.sendMail",
	} {
		t.Run(args, func(t *testing.T) { refuses(t, nil, want, append([]string{"bench"}, strings.Fields(args)...)...) })
	}
}

// TestADescriptorOfServersElsewhereIsRefused: before anything is dialled.
func TestADescriptorOfServersElsewhereIsRefused(t *testing.T) {
	key, err := serve.NewRSAKey(rand.NewChaCha8([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	own := []serve.RSAKey{{PEM: string(key.Public().PEM())}}
	here := []serve.DCAddr{{ID: 1, IP: "127.0.0.1", Port: 4430}}
	for name, c := range map[string]struct {
		d    serve.Descriptor
		want string
	}{
		"an address elsewhere": {serve.Descriptor{DCs: append(here, serve.DCAddr{ID: 2, IP: "192.0.2.1", Port: 443}), PublicKeys: own}, "not on loopback"},
		"Telegram's keys":      {serve.Descriptor{DCs: here, PublicKeys: []serve.RSAKey{{PEM: dc.Production().Keys[0]}}}, "Telegram's"},
		"nobody to sign in":    {serve.Descriptor{DCs: here, PublicKeys: own}, "0 bots and 0 persons"},
		"too few":              {serve.Descriptor{DCs: here, PublicKeys: own, Bots: make([]serve.Bot, 1)}, "1 bot and 0 persons, and 2 accounts are wanted"},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := json.Marshal(c.d)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "dc.json")
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
			refuses(t, nil, c.want, "bench", "target", "--descriptor", file, "--accounts", "2")
		})
	}
}

// TestAColdStartOnServersElsewhereIsRefused: the process that bench restart starts takes
// nobody's word.
func TestAColdStartOnServersElsewhereIsRefused(t *testing.T) {
	key, err := serve.NewRSAKey(rand.NewChaCha8([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	own := []serve.RSAKey{{PEM: string(key.Public().PEM())}}
	apps := []serve.AppID{{ID: 900_001, Hash: "6d74666c6565742d746573742d617070"}}
	for name, c := range map[string]struct {
		d    serve.Descriptor
		want string
	}{
		"an address elsewhere": {serve.Descriptor{DCs: []serve.DCAddr{{ID: 1, IP: "192.0.2.1", Port: 443}}, PublicKeys: own, Apps: apps}, "not on loopback"},
		"Telegram's keys": {serve.Descriptor{
			DCs: []serve.DCAddr{{ID: 1, IP: "127.0.0.2", Port: 4430}}, PublicKeys: []serve.RSAKey{{PEM: dc.Production().Keys[0]}}, Apps: apps,
		}, "Telegram's"},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := json.Marshal(coldPlan{Accounts: 1, DCs: 1, Budget: governor.Loopback(), DC: c.d})
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, coldFile), text, 0o600); err != nil {
				t.Fatal(err)
			}
			refuses(t, nil, c.want, "bench", "cold", "--dir", dir)
			if _, err := os.Stat(filepath.Join(dir, "data")); !os.IsNotExist(err) {
				t.Errorf("a store was made: %v", err)
			}
		})
	}
}

// TestACallsTimeCountsFromWhenItWasToBeSent: one account's first call is stuck for
// a second. The others are sent in time all the same, and those of the second in
// which the sender itself was held up are late by as much as they were.
func TestACallsTimeCountsFromWhenItWasToBeSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var mu sync.Mutex
		sent := map[int64]time.Duration{}
		l := benchLoad{accounts: 2, pace: 200 * time.Millisecond, call: func(_ context.Context, account int, id int64) error {
			mu.Lock()
			sent[id] = time.Since(begun)
			mu.Unlock()
			if id == 1 {
				time.Sleep(time.Second)
			}
			time.Sleep(10 * time.Millisecond)
			if id == 3 {
				return errors.New("refused")
			}
			return nil
		}}
		rounds := 0
		p := l.phase(t.Context(), 2*time.Second, func() {
			if rounds++; rounds == 6 { // at 1 s
				time.Sleep(500 * time.Millisecond)
			}
		})
		l.underWay.Wait()
		if len(sent) != 20 || len(p.took) != 20 || rounds != 10 {
			t.Fatalf("%d calls were sent, %d ended, %d rounds", len(sent), len(p.took), rounds)
		}
		for id := range int64(11) {
			if at, want := sent[id+1], time.Duration(id)*100*time.Millisecond; at != want {
				t.Errorf("call %d was sent at %v, want %v", id+1, at, want)
			}
		}
		executed := map[int64]bool{}
		for id := range int64(19) { // the last is not in the ledger
			executed[id+1] = true
		}
		p.judge(executed)
		if len(p.answered) != 18 || len(p.failures) != 2 || !strings.Contains(strings.Join(p.failures, "\n"), "did not execute it") {
			t.Errorf("%d were answered, and failed: %q", len(p.answered), p.failures)
		}
		late := []time.Duration{410, 310, 210, 110, 1010} // of what was to be sent at 1.1 to 1.4 s, and the first
		for i := range late {
			late[i] *= time.Millisecond
		}
		slices.Sort(late)
		if got := p.took[15:]; !slices.Equal(got, late) {
			t.Errorf("the longest took %v, want %v", got, late)
		}
		if p50, p99, most := p.quantile(0.5), p.quantile(0.99), p.quantile(1); p50 != 10*time.Millisecond || p99 != time.Second+10*time.Millisecond || most != p99 {
			t.Errorf("p50 %v, p99 %v, max %v", p50, p99, most)
		}
	})
}

func TestLiveTempKeysAreCountedByPermKeySlotAndDC(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	key := func(dc int, perm int64, made, gone int) dctest.KeyRecord {
		k := dctest.KeyRecord{DC: dc, Temp: true, Perm: perm, Created: at(made)}
		if gone > 0 {
			k.Gone = at(gone)
		}
		return k
	}
	media := key(1, 7, 2, 0)
	media.Media = true
	perm := key(1, 0, 1, 0)
	perm.Temp = false
	for name, c := range map[string]struct {
		keys      []dctest.KeyRecord
		most, now int
	}{
		"none":                                {nil, 0, 0},
		"one after the other":                 {[]dctest.KeyRecord{key(1, 7, 1, 3), key(1, 7, 3, 5), key(1, 7, 5, 0)}, 1, 1},
		"a hand-over":                         {[]dctest.KeyRecord{key(1, 7, 1, 4), key(1, 7, 3, 0)}, 2, 1},
		"one that is never dropped":           {[]dctest.KeyRecord{key(1, 7, 1, 0), key(1, 7, 3, 5), key(1, 7, 4, 0)}, 3, 2},
		"another perm key, DC, slot":          {[]dctest.KeyRecord{key(1, 7, 1, 0), key(1, 8, 1, 0), key(2, 7, 1, 0), media}, 1, 1},
		"a perm key, and one that nobody has": {[]dctest.KeyRecord{perm, key(1, 0, 1, 0)}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if most, now := liveTempKeys(c.keys); most != c.most || now != c.now {
				t.Errorf("%d at most, %d now; want %d and %d", most, now, c.most, c.now)
			}
		})
	}
}

// TestEachPromiseOfARotationIsJudged spoils one after the other.
func TestEachPromiseOfARotationIsJudged(t *testing.T) {
	const calls = 100
	run := func(spoil func(*rotateResult, *benchLedger, *benchVerdict)) *rotateResult {
		phase := func(first int64) *loadPhase {
			p := &loadPhase{}
			for id := range int64(calls) {
				p.end(first+id, time.Now(), nil)
				p.took[id] = 10 * time.Millisecond
			}
			return p
		}
		begun := time.Now()
		r := &rotateResult{quiet: phase(1), rotating: phase(1 + calls), rotatingFrom: begun}
		l := &benchLedger{
			Keys:  []dctest.KeyRecord{{Temp: true, Perm: 7, Gone: begun.Add(2)}, {Temp: true, Perm: 7, Created: begun.Add(1)}},
			Binds: []dctest.BindRecord{{At: begun.Add(-1)}, {At: begun.Add(1)}, {At: begun.Add(1), Error: "ENCRYPTED_MESSAGE_INVALID"}},
		}
		for id := range int64(2 * calls) {
			l.Echoes = append(l.Echoes, dctest.EchoRecord{ID: id + 1, Count: 1})
		}
		v := &benchVerdict{JudgedUpdates: 5}
		spoil(r, l, v)
		r.judge(l, v)
		return r
	}
	for name, c := range map[string]struct {
		spoil func(*rotateResult, *benchLedger, *benchVerdict)
		ok    bool
	}{
		"all is well":                           {func(*rotateResult, *benchLedger, *benchVerdict) {}, true},
		"a call failed":                         {func(r *rotateResult, _ *benchLedger, _ *benchVerdict) { r.quiet.end(1, time.Now(), errors.New("lost")) }, false},
		"an answer that was never given":        {func(_ *rotateResult, l *benchLedger, _ *benchVerdict) { l.Echoes = l.Echoes[1:] }, false},
		"an update was lost":                    {func(_ *rotateResult, _ *benchLedger, v *benchVerdict) { v.LostUpdates = make([]api.UpdateRecord, 1) }, false},
		"no update was pushed":                  {func(_ *rotateResult, _ *benchLedger, v *benchVerdict) { v.JudgedUpdates = 0 }, false},
		"nobody rotated":                        {func(_ *rotateResult, l *benchLedger, _ *benchVerdict) { l.Binds = l.Binds[:1] }, false},
		"a rotation failed":                     {func(r *rotateResult, _ *benchLedger, _ *benchVerdict) { r.RotationsFailed = 1 }, false},
		"an old key is not dropped":             {func(_ *rotateResult, l *benchLedger, _ *benchVerdict) { l.Keys[0].Gone = time.Time{} }, false},
		"three keys at a time":                  {func(_ *rotateResult, l *benchLedger, _ *benchVerdict) { l.Keys = append(l.Keys, l.Keys[0]) }, false},
		"sessions overlapped":                   {func(_ *rotateResult, _ *benchLedger, v *benchVerdict) { v.Overlaps = make([]dctest.Overlap, 1) }, false},
		"a DC refused something":                {func(_ *rotateResult, l *benchLedger, _ *benchVerdict) { l.Counts.Refused = 1 }, false},
		"calls took three times as long":        {func(r *rotateResult, _ *benchLedger, _ *benchVerdict) { r.rotating.took = slow(30) }, true},
		"and a bit more":                        {func(r *rotateResult, _ *benchLedger, _ *benchVerdict) { r.rotating.took = slow(31) }, false},
		"and a bit more on a machine with work": {func(r *rotateResult, _ *benchLedger, _ *benchVerdict) { r.rotating.took, r.Flags.Busy = slow(31), true }, true},
		"calls took ten times as long, and nobody would notice": {func(r *rotateResult, _ *benchLedger, _ *benchVerdict) {
			r.quiet.took, r.rotating.took = slow(2), slow(20)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(c.spoil)
			var text strings.Builder
			r.print(&text)
			if r.OK != c.ok || strings.Contains(text.String(), "✗") == c.ok {
				t.Errorf("it holds: %v\n%s", r.OK, text.String())
			}
			if name == "all is well" && (r.CallsOK != 2*calls || r.Rotations != 1 || r.TempKeysLiveMax != 2 || r.TempKeysLiveAfter != 1) {
				t.Errorf("it is %+v", fmt.Sprint(*r))
			}
		})
	}
}

// slow is a hundred calls of so many milliseconds.
func slow(ms int) []time.Duration {
	return slices.Repeat([]time.Duration{time.Duration(ms) * time.Millisecond}, 100)
}

// TestAFileWithoutLimitsHasTheProductionPreset: and what a preset writes into a
// configuration is read back as that preset.
func TestAFileWithoutLimitsHasTheProductionPreset(t *testing.T) {
	read := func(more string) governor.Budget {
		t.Helper()
		file := filepath.Join(t.TempDir(), "manager.yaml")
		if err := os.WriteFile(file, []byte("api_id: 20000\napi_hash: \"0123456789abcdef0123456789abcdef\"\nstore: {dir: d, key_file: k}\n"+more), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := config.Load(config.Options{File: file})
		if err != nil {
			t.Fatal(err)
		}
		return budget(cfg.Limits)
	}
	if got := read(""); got != governor.Production() {
		t.Errorf("the defaults are %v", got)
	}
	for _, b := range []governor.Budget{governor.Production(), governor.Loopback()} {
		if got := read(budgetConfig(b)); got != b {
			t.Errorf("%v was read as %v", b, got)
		}
	}
	own := governor.Production()
	own.SignInsPerMinute++
	if got := read(budgetConfig(own)); got.Preset != "" || !strings.Contains(got.String(), "own numbers: 20 connects") {
		t.Errorf("other numbers are %v", got)
	}
}
