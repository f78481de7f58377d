package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/config"
	"github.com/mtfleet/mtfleet/persistence"
)

// asNode has a manager be a node of its store, where the configuration makes one of
// it.
func asNode(o *actors.Options, c config.Cluster) error {
	_, ok := o.Store.(persistence.Cluster)
	switch {
	case c.Node == "" && ok: // without a lease nothing keeps a second manager, anywhere, from using the same keys
		return &exitError{code: exitUsage, kind: control.KindConfig,
			text: "store.postgres is set and cluster.node is not: other machines reach that store too, so a manager has it only as a node, with a lease: name this one by cluster.node (docs/cluster.md)"}
	case c.Node == "":
		return nil
	case !ok:
		return &exitError{code: exitUsage, kind: control.KindConfig,
			text: "cluster.node is set, and the store is one that a manager has for itself alone: use a store that several nodes share, or leave cluster out"}
	}
	o.Node = c.Node
	o.Cluster = &actors.ClusterOptions{Address: c.Address, Capacity: c.Capacity, Term: c.Lease, Version: version()}
	return nil
}

// nodeLook is how often it is tried to join while another process has the name, and
// claimLook while a command has the store.
const (
	nodeLook  = 5 * time.Second
	claimLook = time.Second
)

// openManager opens a manager. A node waits while another process has its name, most
// often the one that was here before, and was killed; and while a command has the whole
// store. say is told what is waited for, again and again.
func openManager(ctx context.Context, o actors.Options, log *slog.Logger, say func(string)) (*actors.Manager, error) {
	var taken takenName
	held := ""
	for {
		m, err := actors.Open(o)
		var name *persistence.NodeTakenError
		var claim *persistence.ClaimedError
		wait := nodeLook
		switch {
		case errors.As(err, &name):
			taken.tell(log, name)
			wait = min(wait, name.Left)
			say(fmt.Sprintf("another process has the name of this node, %s, for %v yet", name.Name, name.Left.Round(time.Second)))
		case errors.As(err, &claim):
			if held != claim.By {
				held = claim.By
				log.Warn("a command has the store for itself: it is waited for", "command", claim.By)
			}
			wait = claimLook
			say("a command has the store for itself: " + claim.By)
		default:
			return m, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
	}
}

// whileNode returns ctx, ended too when this node is none any more: then its cause is
// an *exitError, for who starts the process again makes it one. done is to be called.
func whileNode(ctx context.Context, m *actors.Manager, c config.Cluster) (during context.Context, done func()) {
	during, end := context.WithCancelCause(ctx)
	if c.Node != "" {
		go func() {
			select {
			case <-m.Lost():
				end(&exitError{code: exitFailed, kind: control.KindStore, err: m.Ready(),
					text: fmt.Sprintf("the node %s is none any more: another process took its name while it was silent, or the database has forgotten who owns what, as after a failover that lost transactions. Start it again, as systemd and Kubernetes do: it has accounts when every lease of before is over", c.Node)})
			case <-during.Done():
			}
		}()
	}
	return during, func() { end(nil) }
}

// takenName is what was told of another process that has this node's name.
type takenName struct {
	told   int
	before time.Duration // how long that one's lease lasted at the last look
}

func (t *takenName) tell(log *slog.Logger, taken *persistence.NodeTakenError) {
	switch {
	case t.told == 0:
		t.told = 1
		log.Warn("another process has the name of this node: it is waited for until that one's lease is over", "node", taken.Name, "address", taken.Address, "left", taken.Left.Round(time.Millisecond))
	case t.told == 1 && taken.Left > t.before:
		t.told = 2
		log.Error("the process that has the name of this node renews its lease: it runs", "node", taken.Name, "address", taken.Address,
			"advice", "stop that one, or give this one another name (cluster.node)")
	}
	t.before = taken.Left
}

// neighbours are the other nodes of the cluster, as they reach this one and it them.
// A nil one is that of a manager that keeps its store alone.
type neighbours struct {
	listener net.Listener
	tls      control.NodeTLS
	fleet    *control.Fleet
	server   *control.Server
}

// listenNodes opens the address for them; nil where the manager is no node.
func listenNodes(c config.Cluster) (*neighbours, error) {
	if c.Node == "" {
		return nil, nil
	}
	tls := control.NodeTLS{Node: c.Node, Cert: c.Cert, Key: c.Key, CA: c.CA}
	l, err := control.ListenNodes(c.Listen, tls)
	if err != nil {
		return nil, err
	}
	return &neighbours{listener: l, tls: tls}, nil
}

// serve begins to answer them, and returns the service over the accounts of all.
func (n *neighbours) serve(local *control.Local, store persistence.Store, log *slog.Logger) (control.Service, error) {
	if n == nil {
		return local, nil
	}
	local.Cluster = store.(persistence.Cluster) // or asNode had refused it
	fleet, err := control.NewFleet(local, n.tls, log)
	if err != nil {
		return nil, err
	}
	n.fleet, n.server = fleet, control.ServeNodes(n.listener, fleet, log)
	log.Info("this manager is a node of a cluster", "node", n.tls.Node, "listens", n.listener.Addr().String())
	return fleet, nil
}

// close ends what serve began.
func (n *neighbours) close(ctx context.Context) {
	if n == nil {
		return
	}
	if n.server != nil {
		_ = n.server.Shutdown(ctx)
	}
	if n.fleet != nil {
		_ = n.fleet.Close()
	}
	_ = n.listener.Close()
}

// drain hands the accounts of a node over to the others, for a time.
func drain(m *actors.Manager, c config.Cluster, log *slog.Logger) {
	if c.Node == "" || len(m.Accounts()) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.DrainLimit)
	defer cancel()
	had, begun := len(m.Accounts()), time.Now()
	log.Info("the accounts of this node are handed over", "accounts", had, "for at most", c.DrainLimit)
	if err := m.Drain(ctx); err != nil {
		log.Warn("some accounts were not handed over in time: other nodes take them when this one has ended", "accounts", len(m.Accounts()), "of", had,
			"advice", "raise cluster.drain_limit if that happens often")
		return
	}
	log.Info("the accounts of this node were handed over", "accounts", had, "in", time.Since(begun).Round(time.Millisecond))
}
