package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
)

// orderOfTurn tells a process of this program that it is a client, and what it does.
const orderOfTurn = "--turn"

// conductor has the test DC and gives the orders.
type conductor struct {
	dc     *serve.Cluster
	js     string // the folder of mtcute's script
	outage time.Duration
}

func startDC(bots int) (*serve.Cluster, error) {
	return serve.Start(serve.Config{
		Core: dctest.Config{DCs: 1}, Bots: bots,
		API: api.Config{LoginsPerDay: -1, Limits: api.Limits{ImportBot: api.RateLimit{Calls: -1}}},
	})
}

// turn has one client take one turn in a process of its own.
func (c *conductor) turn(ctx context.Context, o Orders) (Figures, error) {
	o.Descriptor = c.dc.Descriptor()
	orders, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	name, args := os.Args[0], []string{orderOfTurn, string(orders)}
	if o.Client == "mtcute" {
		name, args = "node", []string{"--expose-gc", "bench.mjs", string(orders)}
	}
	child := exec.CommandContext(ctx, name, args...)
	child.Stderr = os.Stderr
	if o.Client == "mtcute" {
		child.Dir = c.js
	}
	in, err := child.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := child.StdoutPipe()
	if err != nil {
		return nil, err
	}
	before := c.dc.Counts()
	if err := child.Start(); err != nil {
		return nil, err
	}
	found, err := c.hear(out, in)
	_ = in.Close()
	_ = child.Process.Kill() // a client is not asked to leave
	_ = child.Wait()
	if err != nil {
		return nil, fmt.Errorf("%s, %v: %w", o.Client, o, err)
	}
	if o.Scenario == scenarioStorm {
		found[keysMade] = float64(c.made() - c.expected(before, o))
	}
	return found, nil
}

// made is how many keys the DC has seen.
func (c *conductor) made() int {
	n := c.dc.Counts()
	return n.PermKeys + n.TempKeys
}

// expected is how many there are when each account has those it signed in with.
func (c *conductor) expected(before dctest.Counts, o Orders) int {
	each := 1
	if o.PFS {
		each = 2
	}
	return before.PermKeys + before.TempKeys + each*o.Accounts
}

// hear reads what a turn says up to its result, and cuts it off when it is ready for that.
func (c *conductor) hear(out io.Reader, in io.Writer) (Figures, error) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var s said
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			return nil, fmt.Errorf("it says %q", lines.Text())
		}
		switch {
		case s.Failed != "":
			return nil, errors.New(s.Failed)
		case s.Result != nil:
			return s.Result, nil
		case s.Ready:
			if err := c.cutOff(in); err != nil {
				return nil, err
			}
		}
	}
	return nil, errors.Join(errors.New("it ended without a result"), lines.Err())
}

// cutOff closes all connections and refuses new ones for a while.
func (c *conductor) cutOff(in io.Writer) error {
	if _, err := fmt.Fprintln(in, cutOff); err != nil {
		return err
	}
	for _, f := range []dctest.Fault{{Kind: dctest.FaultRefuse, For: dctest.Duration(c.outage)}, {Kind: dctest.FaultCloseConns}} {
		if _, err := c.dc.Fault(f); err != nil {
			return err
		}
	}
	time.Sleep(c.outage)
	_, err := fmt.Fprintln(in, backOn)
	return err
}
