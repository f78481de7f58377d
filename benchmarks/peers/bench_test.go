//go:build unix

package peers

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gotd/td/telegram"
	"github.com/gotd/td/telegram/dcs"
	gotdtg "github.com/gotd/td/tg"

	"github.com/mtfleet/mtfleet/actors"
	adapter "github.com/mtfleet/mtfleet/actors/gotd"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// serverEnv makes the test binary the test DC, so that what the benchmarks measure of their own process is the client.
const serverEnv = "MTFLEET_PEERS_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(serverEnv) != "" {
		if err := serveBots(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "test DC:", err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	if bench := flag.Lookup("test.bench"); bench != nil && bench.Value.String() != "" {
		fmt.Println("governor:", budget()) // as go test prints what the results were got on
	}
	os.Exit(m.Run())
}

// serveBots is the child: one DC that writes its descriptor and ends with its input.
func serveBots(in io.Reader, out io.Writer) error {
	s, err := serve.Start(serve.Config{
		Core: dctest.Config{DCs: 1}, Bots: 256,
		API: api.Config{Limits: api.Limits{ImportBot: api.RateLimit{Calls: -1}}},
	})
	if err != nil {
		return err
	}
	defer s.Close()
	if err := json.NewEncoder(out).Encode(s.Descriptor()); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	return err
}

// startChild runs the test DC beside the benchmark. Load is for a test DC on this machine: anything else is refused.
func startChild(b *testing.B) descriptor {
	b.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), serverEnv+"=1")
	child.Stderr = os.Stderr
	in, err := child.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := child.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close()
		if err := child.Wait(); err != nil {
			b.Errorf("the test DC ended with %v", err)
		}
	})
	var d descriptor
	if err := json.NewDecoder(bufio.NewReader(out)).Decode(&d); err != nil {
		b.Fatalf("the test DC did not start: %v", err)
	}
	for _, o := range d.DCs {
		if addr, err := netip.ParseAddr(o.IP); err != nil || !addr.IsLoopback() {
			b.Fatalf("%s is not a loopback address", o.IP)
		}
	}
	for _, k := range d.PublicKeys {
		if dc.IsTelegramFingerprint(k.Fingerprint) {
			b.Fatal("the RSA key is one of Telegram's")
		}
	}
	return d
}

// loopbackOnly is gotd's way to its DCs, checked at every dial.
func loopbackOnly() dcs.Resolver {
	return dcs.Plain(dcs.PlainOptions{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		if at, err := netip.ParseAddrPort(address); err != nil || !at.Addr().IsLoopback() {
			return nil, fmt.Errorf("peers: %s is not a loopback address", address)
		}
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	}})
}

// budget is what our manager is paced by in benchmarks: it is so wide that nothing waits for a permit.
func budget() governor.Budget { return governor.Loopback() }

// openManager opens our manager, paced by budget.
func openManager(b *testing.B, d descriptor) *actors.Manager {
	b.Helper()
	o := actors.Options{
		Store:  persistence.NewMemory(),
		App:    actors.App{APIID: d.Apps[0].ID, APIHash: d.Apps[0].Hash, DeviceModel: "mtfleet peers", SystemVersion: "none", AppVersion: "0"},
		Limits: budget().Limits(runtime.NumCPU()),
	}
	for _, a := range d.DCs {
		addr := netip.AddrPortFrom(netip.MustParseAddr(a.IP), uint16(a.Port))
		o.DCs.Options = append(o.DCs.Options, dc.Option{DC: dc.ID(a.ID), Addr: addr, ThisPortOnly: true})
	}
	for _, k := range d.PublicKeys {
		o.DCs.Keys = append(o.DCs.Keys, k.PEM)
	}
	o.Wire.RequireLoopback = true
	m, err := actors.Open(o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		ctx, cancel := actors.CloseGrace()
		defer cancel()
		if err := m.Close(ctx); err != nil {
			b.Error(err)
		}
	})
	return m
}

// bot returns the n-th bot; when all are used up, their accounts get another authorization.
func (d descriptor) bot(n int) bot { return d.Bots[n%len(d.Bots)] }

// signInGotd signs one bot in and calls f, if there is one, before it leaves.
func signInGotd(b *testing.B, d descriptor, n int, pfs bool, f func(ctx context.Context, client *telegram.Client) error) {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	c := newGotd(b, d, d.bot(n).DC, loopbackOnly()).pfs(pfs, 0).wantUpdates()
	err := c.run(ctx, func(ctx context.Context, client *telegram.Client) error {
		if _, err := client.Auth().Bot(ctx, d.bot(n).Token); err != nil || f == nil {
			return err
		}
		return f(ctx, client)
	})
	if err != nil {
		b.Fatal(err)
	}
}

// signInOurs signs one bot in and leaves it online.
func signInOurs(b *testing.B, m *actors.Manager, d descriptor, n int, pfs bool) *actors.Account {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	a, err := m.Add(ctx, "bot-"+strconv.Itoa(n), actors.AccountOptions{NoPFS: !pfs})
	if err != nil {
		b.Fatal(err)
	}
	events := a.Events(ctx)
	if step, err := a.SignIn(ctx, actors.BotToken(d.bot(n).Token)); err != nil || step != nil {
		b.Fatalf("sign-in: step %+v, error %v", step, err)
	}
	if a.Status().State == actors.Online {
		return a
	}
	for ev := range events {
		if ev.Kind == actors.EventState && ev.Status.State == actors.Online {
			return a
		}
	}
	b.Fatalf("the account is not online: %+v", a.Status())
	return nil
}

// measured reports the CPU time that f takes of this process, for each iteration.
func measured(b *testing.B, unit string, in time.Duration, f func()) {
	b.ResetTimer()
	began := cpu()
	f()
	took := cpu() - began
	b.StopTimer()
	b.ReportMetric(float64(took)/float64(in)/float64(b.N), unit)
}

// cpu is the user and system time of this process.
func cpu() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r) // cannot fail for the process itself
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkSignIn: from a new account to a bot that is signed in and subscribed to updates, with all its keys.
func BenchmarkSignIn(b *testing.B) {
	d := startChild(b)
	for _, pfs := range []bool{false, true} {
		name := map[bool]string{false: "perm", true: "pfs"}[pfs]
		b.Run(name+"/gotd", func(b *testing.B) {
			measured(b, "cpu-ms/sign-in", time.Millisecond, func() {
				for n := range b.N {
					signInGotd(b, d, n, pfs, nil)
				}
			})
		})
		b.Run(name+"/mtfleet", func(b *testing.B) {
			m := openManager(b, d)
			measured(b, "cpu-ms/sign-in", time.Millisecond, func() {
				for n := range b.N {
					signInOurs(b, m, d, n, pfs)
				}
			})
		})
	}
}

// BenchmarkCall: users.getUsers(self) of one account under a temp key, one after the other and many at once.
func BenchmarkCall(b *testing.B) {
	d := startChild(b)
	for _, callers := range []int{1, 64} {
		b.Run(strconv.Itoa(callers)+"/gotd", func(b *testing.B) {
			signInGotd(b, d, 0, true, func(ctx context.Context, client *telegram.Client) error {
				api := client.API()
				return callAll(b, callers, func() error {
					_, err := self(ctx, api)
					return err
				})
			})
		})
		b.Run(strconv.Itoa(callers)+"/mtfleet", func(b *testing.B) {
			a := signInOurs(b, openManager(b, d), d, 0, true)
			query := &tg.UsersGetUsersRequest{ID: []tg.AnyInputUser{&tg.InputUserSelf{}}}
			err := callAll(b, callers, func() error {
				_, err := actors.Invoke(b.Context(), a, query)
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
		})
		b.Run(strconv.Itoa(callers)+"/raw", func(b *testing.B) { // as bytes: what the account itself costs
			a := signInOurs(b, openManager(b, d), d, 0, true)
			query := &tg.UsersGetUsersRequest{ID: []tg.AnyInputUser{&tg.InputUserSelf{}}}
			err := callAll(b, callers, func() error {
				_, err := a.InvokeRaw(b.Context(), query)
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
		})
		b.Run(strconv.Itoa(callers)+"/adapter", func(b *testing.B) { // gotd's typed API on an account
			api := gotdtg.NewClient(adapter.Invoker(signInOurs(b, openManager(b, d), d, 0, true)))
			err := callAll(b, callers, func() error {
				_, err := self(b.Context(), api)
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}

// callAll shares b.N calls between so many callers and measures them.
func callAll(b *testing.B, callers int, call func() error) error {
	var (
		wg     sync.WaitGroup
		left   atomic.Int64
		failed = make([]error, callers)
	)
	left.Store(int64(b.N))
	measured(b, "cpu-us/call", time.Microsecond, func() {
		for i := range callers {
			wg.Go(func() {
				for failed[i] == nil && left.Add(-1) >= 0 {
					failed[i] = call()
				}
			})
		}
		wg.Wait()
	})
	return errors.Join(failed...)
}
