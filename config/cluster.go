package config

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Cluster makes a manager one of several that keep the fleet of one store, each the
// accounts it owns.
type Cluster struct {
	// Node is the name of this one; empty: it keeps the store alone.
	Node string
	// Listen is an address and a port for the other nodes, Address where they reach
	// it, the same unless it is said.
	Listen  string
	Address string
	// Cert, Key and CA are files: the certificate of this node, which has its name and
	// is shown to other nodes both as a server's and as a client's; its key; and the
	// authority that signs those of all nodes and of nobody else.
	Cert, Key, CA string
	// Capacity is the weight of this node: its share of the accounts.
	Capacity int
	// Lease is how long the store takes this node for alive after each sign of life.
	Lease time.Duration
	// DrainLimit is how long a manager that is told to end hands accounts over.
	DrainLimit time.Duration
}

// Limits of the settings of a cluster. Those of the lease and of the capacity are
// the store's own.
const (
	minLease    = time.Second
	maxLease    = 10 * time.Minute
	maxCapacity = 1_000_000
	maxDrain    = time.Hour
)

func (v *validator) cluster() {
	c := v.c.Cluster
	if c.Node == "" {
		if c.Listen != "" || c.Address != "" || c.Cert != "" || c.Key != "" || c.CA != "" {
			v.fail("cluster.node", "other settings of cluster are set, and this is not: name this node, or leave the others out")
		}
		return
	}
	if !isNodeName(c.Node) {
		v.fail("cluster.node", "%q is no name of a node: it has 1 to 63 characters of [a-z0-9-], as its certificate has it", c.Node)
	}
	v.nodeAddress("cluster.listen", c.Listen, true)
	if c.Address != c.Listen || v.c.Source("cluster.address") != (Source{}) {
		v.nodeAddress("cluster.address", c.Address, false)
	} else if host, _, err := net.SplitHostPort(c.Listen); err == nil && isEverywhere(host) {
		v.fail("cluster.address", "cluster.listen is every address of this machine: say at which one the other nodes reach it, such as 192.0.2.7:9466")
	}
	for _, f := range []struct{ path, value string }{{"cluster.cert", c.Cert}, {"cluster.key", c.Key}, {"cluster.ca", c.CA}} {
		if f.value == "" {
			v.fail(f.path, "nodes know each other by certificates alone: name the file")
		}
	}
	if c.Capacity < 1 || c.Capacity > maxCapacity {
		v.fail("cluster.capacity", "%d is not between 1 and %d", c.Capacity, maxCapacity)
	}
	if c.Lease < minLease || c.Lease > maxLease {
		v.fail("cluster.lease", "%v is not between %v and %v", c.Lease, minLease, maxLease)
	}
	if c.DrainLimit < 0 || c.DrainLimit > maxDrain {
		v.fail("cluster.drain_limit", "%v is not between 0s and %v", c.DrainLimit, maxDrain)
	}
}

// nodeAddress wants an address and a port; one to listen on may be every address of
// the machine, and one to be reached at may be a host's name.
func (v *validator) nodeAddress(path, value string, listens bool) {
	host, port, err := net.SplitHostPort(value)
	n, portErr := strconv.ParseUint(port, 10, 16)
	_, addrErr := netip.ParseAddr(host)
	switch {
	case err != nil, portErr != nil, n == 0, listens && addrErr != nil && host != "" && host != "localhost":
		v.fail(path, "%q is not an address and a port, such as 192.0.2.7:9466", value)
	case !listens && isEverywhere(host):
		v.fail(path, "%q is every address of this machine: say at which one the other nodes reach it, such as 192.0.2.7:9466", value)
	}
}

func isEverywhere(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "" || err == nil && addr.IsUnspecified()
}

// isNodeName accepts what a certificate can have as the name of a host.
func isNodeName(s string) bool {
	return len(s) >= 1 && len(s) <= 63 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" && s[0] != '-' && s[len(s)-1] != '-'
}
