// Command testdc uses the test DC cluster as a tool: it starts one, prints what
// a client needs to reach it, breaks something while a client is at work, and
// reads in the cluster's ledger what really happened.
//
//	go run ./examples/testdc -for 2s
//
// Any MTProto client, in any language, may connect while it runs. To keep a
// cluster running for such clients, `manager testdc` is the better tool.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

func main() {
	life := flag.Duration("for", 5*time.Second, "how long the cluster runs")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), *life+time.Minute)
	defer cancel()
	if err := run(ctx, *life); err != nil {
		fmt.Fprintln(os.Stderr, "testdc:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, life time.Duration) error {
	// The zero Config is three DCs on free ports of 127.0.0.1, and a fresh RSA
	// key: no address outside this machine and none of Telegram's keys is taken.
	cluster, err := serve.Start(serve.Config{Persons: 1, Bots: 1})
	if err != nil {
		return err
	}
	defer cluster.Close()

	fmt.Println("# the descriptor: all that a client needs")
	d := cluster.Descriptor()
	if err := show(d); err != nil {
		return err
	}
	bot := d.Bots[0]
	time.AfterFunc(life/2, func() {
		// A restarted DC closes its connections and has forgotten sessions and
		// temp keys. Faults are data: `manager testdc` takes the same as JSON.
		_, err := cluster.Fault(dctest.Fault{Kind: dctest.FaultRestart, DC: bot.DC})
		fmt.Printf("# after %v DC %d restarts; error: %v\n", life/2, bot.DC, err)
	})
	calls, err := work(ctx, d, bot, life)
	if err != nil {
		return err
	}

	// The ledger is the cluster's own record. A test believes it, and not the
	// client: keys made, sessions opened, how often each call was executed. The
	// one violation, for information and nobody's fault, is the first packet under
	// the temp key that was forgotten.
	ledger := cluster.Ledger()
	fmt.Printf("# the client made %d calls, and none failed; the ledger says:\n", calls)
	if err := show(ledger.Counts); err != nil {
		return err
	}
	for _, k := range ledger.Keys {
		kind, end := "perm", "alive"
		if k.Temp {
			kind = fmt.Sprintf("temp, bound to %x", uint64(k.Perm))
		}
		if k.Why != "" {
			end = k.Why
		}
		fmt.Printf("key %x at DC %d: %s; %s\n", uint64(k.ID), k.DC, kind, end)
	}
	// Two sessions at once on one key are what the real server ends accounts for.
	verdict := ledger.Verdict(nil, nil, time.Now())
	fmt.Printf("sessions that overlapped: %d; calls executed: %d\n", len(verdict.Overlaps), len(ledger.Echoes))
	if len(verdict.Overlaps) > 0 || len(ledger.Echoes) < calls {
		return errors.New("the ledger does not agree with the client")
	}
	return nil
}

// work is the client: a manager with one bot, calling all the time. testdc.echo
// is the one method that the real API does not have; the ledger counts its ids.
func work(ctx context.Context, d serve.Descriptor, bot serve.Bot, life time.Duration) (calls int, err error) {
	dcs, err := d.Table()
	if err != nil {
		return 0, err
	}
	manager, err := actors.Open(actors.Options{
		Store: persistence.NewMemory(), DCs: dcs,
		App: actors.App{APIID: d.Apps[0].ID, APIHash: d.Apps[0].Hash, DeviceModel: "mtfleet example", SystemVersion: "Go", AppVersion: "1.0"},
	})
	if err != nil {
		return 0, err
	}
	defer func() {
		ctx, cancel := actors.CloseGrace()
		defer cancel()
		err = errors.Join(err, manager.Close(ctx))
	}()
	a, err := manager.Add(ctx, "robot", actors.AccountOptions{})
	if err != nil {
		return 0, err
	}
	if _, err := a.SignIn(ctx, actors.BotToken(bot.Token)); err != nil {
		return 0, err
	}
	for end := time.Now().Add(life); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		calls++
		if _, err := actors.Invoke(ctx, a, &echo.EchoRequest{ID: int64(calls)}); err != nil {
			return calls, fmt.Errorf("call %d: %w", calls, err)
		}
	}
	return calls, nil
}

func show(v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	fmt.Println(string(b))
	return err
}
