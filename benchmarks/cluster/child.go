//go:build unix

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/pgstore"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

// nodeEnv makes this program a node: the nodeConfig, in JSON.
const nodeEnv = "MTFLEET_CLUSTER_NODE"

// masterKey seals the records of a run, which holds nothing but tests.
var masterKey = seal.MasterKey{42}

// nodeConfig is what a node is told when it starts.
type nodeConfig struct {
	Name  string
	DSN   string
	Doors map[string]string // by the address of a DC: where the node's way to it begins
	DCs   serve.Descriptor
	Lease time.Duration
	Plant string
}

// order is a line to a node, word one of its own.
type order struct {
	N     int    `json:"n"`
	Do    string `json:"do"`
	ID    string `json:"id,omitempty"`
	Token string `json:"token,omitempty"`
	Echo  int64  `json:"echo,omitempty"`
}

type word struct {
	N     int    `json:"n,omitempty"` // of the order that it answers
	End   end    `json:"end,omitempty"`
	Words string `json:"words,omitempty"`
	ID    string `json:"id,omitempty"` // an update of this account
	Pts   int32  `json:"pts,omitempty"`
	Ready bool   `json:"ready,omitempty"`
}

// end is how an order ended.
type end string

const (
	endOK         end = "ok"
	endNone       end = "none" // the account is elsewhere
	endNotSent    end = "not sent"
	endMayHaveRun end = "may have run"
	endFailed     end = "failed"      // the server's error, or of what is no call
	endLate       end = "no answer"   // the caller waits no more; it may have run
	endGone       end = "node killed" // nobody is left to tell; it may have run
)

// callTime is how long a node goes on with a call.
const callTime = 20 * time.Second

// mouth writes words: a line each, at once, so that none is cut off by a kill.
type mouth struct{ mu sync.Mutex }

func (m *mouth) say(w word) {
	line, err := json.Marshal(w)
	if err != nil {
		panic(err) // plain fields
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	_, _ = os.Stdout.Write(append(line, '\n'))
}

// beNode is a node until its standard input closes.
func beNode(text string) int {
	if err := serveNode(text); err != nil {
		fmt.Fprintln(os.Stderr, "the node:", err)
		return 1
	}
	return 0
}

func serveNode(text string) (err error) {
	var c nodeConfig
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	orders := make(chan order, 1024)
	go func() {
		defer cancel()
		defer close(orders)
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			var o order
			if json.Unmarshal(lines.Bytes(), &o) == nil {
				orders <- o
			}
		}
	}()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	log.Info("a node starts", "name", c.Name, "pid", os.Getpid())
	store, err := again(ctx, log, func() (*pgstore.Store, error) {
		return pgstore.Open(ctx, pgstore.Options{URL: persistence.SecretText(c.DSN), Key: masterKey, Logger: log})
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	m, err := again(ctx, log, func() (*actors.Manager, error) { return actors.Open(c.options(store, log)) })
	if err != nil {
		return err
	}
	out := &mouth{}
	var all sync.WaitGroup
	all.Go(func() { consume(ctx, m, out, log) })
	out.say(word{Ready: true})
	for o := range orders {
		all.Go(func() {
			w := obey(m, o)
			w.N = o.N
			out.say(w)
		})
	}
	grace, done := actors.CloseGrace()
	defer done()
	err = m.Close(grace)
	all.Wait()
	return err
}

// again does f until it succeeds: the name may have a lease yet, the database be away.
func again[T any](ctx context.Context, log *slog.Logger, f func() (T, error)) (T, error) {
	for {
		v, err := f()
		if err == nil || ctx.Err() != nil {
			return v, err
		}
		log.Info("it is tried again", "err", err)
		_ = sleep(ctx, 100*time.Millisecond)
	}
}

func (c nodeConfig) options(store persistence.Cluster, log *slog.Logger) actors.Options {
	if c.Plant == plantNoFence {
		store = unfenced{store}
	}
	o := actorstest.OptionsFor(c.DCs, store)
	o.Node, o.Cluster, o.Logger = c.Name, &actors.ClusterOptions{Term: c.Lease}, log
	o.Wire.Dialer, o.Wire.RequireLoopback = doors(c.Doors), true
	return o
}

// doors dials the node's own way to each DC.
type doors map[string]string

func (d doors) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	door, ok := d[addr]
	if !ok {
		return nil, fmt.Errorf("no DC is at %s", addr)
	}
	return (&net.Dialer{}).DialContext(ctx, network, door)
}

// unfenced is a store of which a node believes that it has renewed its lease, whatever
// became of that: nothing silences it.
type unfenced struct{ persistence.Cluster }

func (u unfenced) Renew(_ context.Context, o persistence.Owner) error {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = u.Cluster.Renew(ctx, o) // so that it has its accounts until it is cut off
	}()
	return nil
}

// consume says what the durable consumer is told, and acknowledges it then.
func consume(ctx context.Context, m *actors.Manager, out *mouth, log *slog.Logger) {
	consumer, err := again(ctx, log, func() (*actors.Consumer, error) {
		return m.Consumer(ctx, actors.ConsumerOptions{Name: "cluster", Filter: &actors.Filter{Kinds: []actors.EventKind{actors.EventUpdate}}})
	})
	if err != nil {
		return
	}
	for ev, err := range consumer.Events(ctx) {
		if err != nil {
			log.Error("no more updates", "err", err)
			return
		}
		if ev.Kind == actors.EventUpdate && ev.Box.Kind == actors.BoxCommon && ev.Pts != 0 {
			out.say(word{ID: ev.Account, Pts: ev.Pts})
		}
		if !ev.Cursor.IsZero() {
			_ = consumer.Ack(ev.Cursor) // what is not acknowledged comes again
		}
	}
}

func obey(m *actors.Manager, o order) word {
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	switch o.Do {
	case "call":
		a, err := m.Account(o.ID)
		if err != nil {
			return word{End: endNone}
		}
		got, err := actors.Invoke(ctx, a, &echo.EchoRequest{ID: o.Echo}, actors.WithPolicy(actors.Once))
		if err == nil && got.ID != o.Echo {
			return word{End: endFailed, Words: fmt.Sprintf("it was answered as call %d", got.ID)}
		}
		return ended(err)
	case "sign in":
		a, err := m.Account(o.ID)
		if err != nil {
			a, err = m.Add(ctx, o.ID, actors.AccountOptions{})
		}
		if err == nil && !a.Status().SignedIn { // it may be by an order whose answer was lost
			_, err = a.SignIn(ctx, actors.BotToken(o.Token))
		}
		return ended(err)
	case "drain":
		ctx, cancel := context.WithTimeout(context.Background(), drainTime)
		defer cancel()
		return ended(m.Drain(ctx))
	}
	return word{End: endFailed, Words: "no such order"}
}

func ended(err error) word {
	switch {
	case err == nil:
		return word{End: endOK}
	case errors.Is(err, actors.ErrMayHaveRun):
		return word{End: endMayHaveRun, Words: err.Error()}
	case errors.Is(err, actors.ErrNotSent):
		return word{End: endNotSent, Words: err.Error()}
	}
	return word{End: endFailed, Words: err.Error()}
}
