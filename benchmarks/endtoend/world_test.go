//go:build unix

package endtoend

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/cmd/manager/bench"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

// serverEnv makes the test binary the test DC: see TestMain.
const serverEnv = "MTFLEET_BENCH_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(serverEnv) != "" {
		if err := serveCluster(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "test DC:", err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	if bench := flag.Lookup("test.bench"); bench != nil && bench.Value.String() != "" {
		fmt.Println(budgetLine())
	}
	os.Exit(m.Run())
}

// budget is what the managers that are measured are paced by: it is so wide that
// none waits for a permit on a machine on which the server has to live too.
func budget() governor.Budget { return governor.Loopback() }

// budgetLine names it, in the form of the lines that go test prints before the
// results of benchmarks.
func budgetLine() string { return "governor: " + budget().String() }

func TestTheResultsNameTheBudget(t *testing.T) {
	if got := budgetLine(); !strings.HasPrefix(got, "governor: loopback: 2000 connects") || strings.Contains(got, "\n") {
		t.Errorf("%q", got)
	}
}

// bots is how many accounts there are to sign in; a benchmark that needs more
// signs some in again.
const bots = 4096

// serveCluster is the child: it says where it listens, and ends with its input.
func serveCluster(in io.Reader, out io.Writer) error {
	cluster, err := serve.Start(serve.Config{Core: dctest.Config{DCs: 1, EchoRecords: 1}, Bots: bots})
	if err != nil {
		return err
	}
	defer cluster.Close()
	if err := json.NewEncoder(out).Encode(cluster.Descriptor()); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	return err
}

// startServer runs the test DC as a child process until the benchmark ends.
func startServer(b *testing.B) serve.Descriptor {
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
		_ = in.Close() // it ends with its input, and the pipe is all that could fail
		if err := child.Wait(); err != nil {
			b.Errorf("the test DC ended with %v", err)
		}
	})
	var d serve.Descriptor
	if err := json.NewDecoder(bufio.NewReader(out)).Decode(&d); err != nil {
		b.Fatalf("the test DC did not start: %v", err)
	}
	return d
}

// world is a test DC in a child process and a manager in this one.
type world struct {
	bots    []serve.Bot
	key     *crypt.PublicKey
	manager *actors.Manager
	next    int // number of the next account
}

// newWorld opens a manager on the store, with changed options, paced by budget.
func newWorld(b *testing.B, store persistence.Store, change ...func(*actors.Options)) *world {
	b.Helper()
	d := startServer(b)
	table, err := d.Table()
	if err != nil {
		b.Fatal(err)
	}
	keys, err := bench.Target(table)
	if err != nil {
		b.Fatal(err)
	}
	o := actorstest.OptionsFor(d, store)
	o.Limits = budget().Limits(runtime.NumCPU())
	o.Wire.RequireLoopback = true
	for _, f := range change {
		f(&o)
	}
	return &world{bots: d.Bots, key: keys[0], manager: actorstest.Open(b, o)}
}

// signIn signs n new accounts in, up to width at once, and returns when all of
// them are online.
func (w *world) signIn(b *testing.B, n, width int, o actors.AccountOptions) []*actors.Account {
	b.Helper()
	all := make([]*actors.Account, n)
	errs := make([]error, n)
	var wg sync.WaitGroup
	turns := make(chan struct{}, width)
	for i := range n {
		turns <- struct{}{}
		number := w.next
		w.next++
		wg.Go(func() {
			all[i], errs[i] = w.signInOne(number, o)
			<-turns
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		b.Fatal(err)
	}
	return all
}

func (w *world) signInOne(number int, o actors.AccountOptions) (*actors.Account, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	a, err := w.manager.Add(ctx, "bot-"+strconv.Itoa(number), o)
	if err != nil {
		return nil, err
	}
	events := a.Events(ctx)
	if step, err := a.SignIn(ctx, actors.BotToken(w.bots[number%len(w.bots)].Token)); err != nil || step != nil {
		return nil, fmt.Errorf("account %d: step %v, error %w", number, step, err)
	}
	if a.Status().State == actors.Online {
		return a, nil
	}
	for ev := range events {
		if ev.Kind == actors.EventState && ev.Status.State == actors.Online {
			return a, nil
		}
	}
	return nil, fmt.Errorf("account %d never came online: %+v", number, a.Status())
}

func ms(d time.Duration, n int) float64 { return d.Seconds() * 1e3 / float64(n) }
