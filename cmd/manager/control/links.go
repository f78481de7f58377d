package control

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	mtfleetv1 "github.com/mtfleet/mtfleet/cmd/manager/api/mtfleet/v1"
)

// This file is what lies between the nodes of a cluster: TLS 1.3 with a certificate on both sides that the cluster's own
// authority has signed, and that has the name of its node. A request that one node hands to another says which node did, and
// for whom: the other trusts a node with that as it trusts it with the accounts.

// NodeTLS is by what a node is known to the others.
type NodeTLS struct {
	// Node is its name, which is among the DNS names of its certificate.
	Node string
	// Cert, Key and CA are PEM files: its certificate, for a server and a client, read again with its key when they change;
	// and the authority that signs those of all nodes.
	Cert, Key, CA string
}

const (
	nodeHeader   = "Mtfleet-Node"   // which node hands a request over
	callerHeader = "Mtfleet-Caller" // for whom, escaped
	roleHeader   = "Mtfleet-Role"   // and what that one may do
)

const (
	// linkPatience bounds the way to another node: what is not there by then is tried again, or said to be away.
	linkPatience = 3 * time.Second
	// linkPing is how often a connection is looked at on which nothing comes, and how long an answer to that may take: a stream
	// from a machine that died ends so.
	linkPing = 5 * time.Second
)

// links are the ways to other nodes.
type links struct {
	certs *reloading
	pool  *x509.CertPool
	self  string
}

// openLinks reads the files. The error says what is wrong with them.
func openLinks(c NodeTLS) (*links, error) {
	authorities, err := pool(c.CA)
	if err != nil {
		return nil, fmt.Errorf("cluster.ca cannot be used: %w", err)
	}
	certs := &reloading{cert: c.Cert, key: c.Key}
	pair, err := certs.get(nil)
	if err != nil {
		return nil, fmt.Errorf("cluster.cert and cluster.key cannot be used: %w", err)
	}
	if err := checkNodeCertificate(pair, authorities, c.Node); err != nil {
		return nil, fmt.Errorf("cluster.cert cannot be used: %w", err)
	}
	return &links{certs: certs, pool: authorities, self: c.Node}, nil
}

// Check tells whether other nodes will believe this one, and until when: the first end of its certificate and of those that
// it is signed by.
func (c NodeTLS) Check() (until, authority time.Time, err error) {
	l, err := openLinks(c)
	if err != nil {
		return until, authority, err
	}
	pair, err := l.certs.get(nil)
	if err != nil {
		return until, authority, err
	}
	chains, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: l.pool, Intermediates: between(pair)})
	if err != nil {
		return until, authority, err
	}
	for _, cert := range chains[0][1:] {
		if authority.IsZero() || cert.NotAfter.Before(authority) {
			authority = cert.NotAfter
		}
	}
	return pair.Leaf.NotAfter, authority, nil
}

// between are what a chain has beside the certificate of its own.
func between(pair *tls.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, der := range pair.Certificate[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			pool.AddCert(c)
		}
	}
	return pool
}

// checkNodeCertificate finds out before the others do.
func checkNodeCertificate(pair *tls.Certificate, authorities *x509.CertPool, node string) error {
	if err := pair.Leaf.VerifyHostname(node); err != nil {
		return fmt.Errorf("it is not one of the node %s, whose name must be among its DNS names: %w", node, err)
	}
	for use, of := range map[x509.ExtKeyUsage]string{x509.ExtKeyUsageServerAuth: "a server", x509.ExtKeyUsageClientAuth: "a client"} {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: authorities, Intermediates: between(pair), KeyUsages: []x509.ExtKeyUsage{use}}); err != nil {
			return fmt.Errorf("other nodes would not accept it as that of %s: %w", of, err)
		}
	}
	return nil
}

// to makes a way to another node; it connects with the first request.
func (l *links) to(node, address string) *Remote {
	conf := &tls.Config{
		MinVersion: tls.VersionTLS13, RootCAs: l.pool, ServerName: node,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return l.certs.get(nil) },
	}
	transport := &http.Transport{
		TLSClientConfig: conf, ForceAttemptHTTP2: true, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: linkPatience,
		DialContext: (&net.Dialer{Timeout: linkPatience}).DialContext,
		HTTP2:       &http.HTTP2Config{SendPingTimeout: linkPing, PingTimeout: linkPing},
	}
	return &Remote{node: node, base: "https://" + address, http: &http.Client{Transport: handing{shorter{Transport: transport}, l.self}}}
}

// handing says with each request which node hands it over, and for whom.
type handing struct {
	shorter
	self string
}

// RoundTrip implements http.RoundTripper.
func (h handing) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	caller := callerOf(r.Context())
	if caller == (Caller{}) { // what this process asks for itself; whoever else asks was let in by the guard
		caller = Caller{Name: "the manager", Role: mtfleetv1.Role_ROLE_ADMIN}
	}
	r.Header.Set(nodeHeader, h.self)
	r.Header.Set(callerHeader, url.QueryEscape(caller.Name))
	r.Header.Set(roleHeader, roleName(caller.Role))
	return h.shorter.RoundTrip(r)
}

// linkError is of a request to another node that the network ended.
type linkError struct {
	err  error
	node string
}

func (e *linkError) Error() string {
	return fmt.Sprintf("node %s cannot be reached: %v", e.node, reason(e.err))
}

// Unwrap returns what the network said.
func (e *linkError) Unwrap() error { return e.err }

// linkFailed is the error of such a request.
func linkFailed(node string, err error) error {
	link := &linkError{err, node}
	return &Error{Kind: KindUnreachable, Message: link.Error(), Err: link}
}

// watched has a request tell whether anything of it was sent.
func watched(ctx context.Context) (context.Context, func() bool) {
	var sent atomic.Bool
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }}), sent.Load
}

// ListenNodes opens the address for the other nodes. The error is a *TCPError.
func ListenNodes(addr string, c NodeTLS) (net.Listener, error) {
	links, err := openLinks(c)
	if err != nil {
		return nil, &TCPError{"the API for other nodes", addr, "the others could not trust it", err}
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, &TCPError{"the API for other nodes", addr, "it cannot be opened", err}
	}
	return tls.NewListener(l, &tls.Config{
		MinVersion: tls.VersionTLS13, GetCertificate: links.certs.get, NextProtos: []string{"h2"},
		ClientCAs: links.pool, ClientAuth: tls.RequireAndVerifyClientCert,
	}), nil
}

// ServeNodes begins to answer other nodes on a listener of ListenNodes, for the accounts that this one keeps: what one node
// hands to another is handed to no third. Shut the server down before the service.
func ServeNodes(l net.Listener, f *Fleet, log *slog.Logger) *Server {
	var p http.Protocols
	p.SetHTTP2(true)
	server := &Server{
		http: &http.Server{
			Handler: f.handedOver(Handler(kept{f.local})), Protocols: &p,
			ReadHeaderTimeout: 10 * time.Second, IdleTimeout: idleConn, MaxHeaderBytes: 64 << 10,
			HTTP2:    &http.HTTP2Config{SendPingTimeout: linkPing, PingTimeout: linkPing, MaxConcurrentStreams: 1000},
			ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		},
		done: make(chan error, 1),
	}
	go func() { server.done <- server.http.Serve(l) }()
	return server
}

// handedOver has requests come from who asked the node that hands them over. What no node of this cluster sent goes on
// without a caller, and is refused by each method.
func (f *Fleet) handedOver(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		node := r.Header.Get(nodeHeader)
		name, err := url.QueryUnescape(r.Header.Get(callerHeader))
		role := RoleNamed(r.Header.Get(roleHeader))
		if err == nil && role != mtfleetv1.Role_ROLE_UNSPECIFIED && slices.Contains(certified(r.TLS), node) && f.knows(r.Context(), node) {
			r = r.WithContext(WithCaller(r.Context(), Caller{Name: name + " on " + node, Role: role}))
		}
		next.ServeHTTP(w, r)
	})
}

// kept is the Service that the other nodes ask: over the accounts of this one.
type kept struct{ *Local }

func (k kept) carry(ctx context.Context, m *method, r any) (any, error) {
	n, ok := r.(named)
	if !ok {
		return m.local(ctx, k.Local, r) // which the node that was asked writes into the audit log
	}
	elsewhere := Wrap(&actors.ElsewhereError{ID: n.account()})
	if _, makes := r.(making); makes {
		return k.Local.carry(ctx, m, r)
	}
	if !k.keeps(n.account()) {
		return nil, elsewhere
	}
	got, err := k.Local.carry(ctx, m, r)
	if KindOf(err) == KindNoAccount { // that moved, or was removed, just then
		err = elsewhere
	}
	return got, err
}
