package control

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"
)

// Remote is a Service over the unix socket of the manager that runs, or over TCP.
type Remote struct {
	where string // "behind PATH" or "at URL"
	node  string // of a cluster, where it is one
	base  string // what the methods' paths follow
	http  *http.Client
}

// ErrNobody says that nobody listens on the socket: no manager runs.
var ErrNobody = errors.New("control: no manager answers")

// errEnded is of a stream that ended before it was open.
var errEnded = errors.New("control: the stream ended at once")

// baseURL is what the methods' paths follow over the unix socket, which is the host.
const baseURL = "http://manager"

// Dial reaches the manager behind a unix socket. The error is ErrNobody when
// there is none.
func Dial(ctx context.Context, socket string) (*Remote, error) {
	dial := func(ctx context.Context) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}
	nc, err := dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w on %s: %w", ErrNobody, socket, err)
	}
	_ = nc.Close()
	transport := &http.Transport{
		DialContext:         func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     time.Minute,
	}
	return &Remote{where: "behind " + socket, base: baseURL, http: &http.Client{Transport: shorter{Transport: transport}}}, nil
}

// Elsewhere is a manager of another machine.
type Elsewhere struct {
	URL string // https://host:port
	// CA is a PEM file with who signed its certificate; empty: the system's.
	CA string
	// Token says who asks, or Cert and Key do, PEM files.
	Token     string
	Cert, Key string
}

// DialTCP makes a Remote of a manager elsewhere; it connects with the first call. The error is of a file that cannot be
// used.
func DialTCP(e Elsewhere) (*Remote, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS13}
	if e.CA != "" {
		authorities, err := pool(e.CA)
		if err != nil {
			return nil, &Error{Kind: KindConfig, Err: err, Message: fmt.Sprintf("remote.ca cannot be used: %v", err)}
		}
		conf.RootCAs = authorities
	}
	if e.Cert != "" {
		pair, err := tls.LoadX509KeyPair(e.Cert, e.Key)
		if err != nil {
			return nil, &Error{Kind: KindConfig, Err: err, Message: fmt.Sprintf("remote.cert and remote.key cannot be used: %v", err)}
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	transport := &http.Transport{TLSClientConfig: conf, ForceAttemptHTTP2: true, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: 10 * time.Second}
	return &Remote{where: "at " + e.URL, base: strings.TrimSuffix(e.URL, "/"), http: &http.Client{Transport: shorter{transport, e.Token}}}, nil
}

// Close is of a [Service]; the manager goes on.
func (r *Remote) Close() error {
	r.http.CloseIdleConnections()
	return nil
}

// serverGrace is how much longer than the server the client waits, so that the
// one who knows more says why it took so long.
const serverGrace = 3 * time.Second

// graceful gives a call that is limited so much longer. Whoever cancels it does not
// wait.
func graceful(caller context.Context) (context.Context, context.CancelFunc) {
	deadline, limited := caller.Deadline()
	if !limited {
		return context.WithCancel(caller)
	}
	ctx, stop := context.WithDeadline(context.WithoutCancel(caller), deadline.Add(serverGrace))
	watch := context.AfterFunc(caller, func() {
		if errors.Is(caller.Err(), context.Canceled) {
			stop()
		}
	})
	return ctx, func() { watch(); stop() }
}

// timeoutHeader tells the server how long the client waits.
const timeoutHeader = "Connect-Timeout-Ms"

// shorter takes serverGrace from what the server is told, and says who asks.
type shorter struct {
	*http.Transport
	token string
}

// RoundTrip implements http.RoundTripper.
func (s shorter) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if s.token != "" {
		r.Header.Set("Authorization", "Bearer "+s.token)
	}
	if ms, err := strconv.ParseInt(r.Header.Get(timeoutHeader), 10, 64); err == nil {
		r.Header.Set(timeoutHeader, strconv.FormatInt(max(ms-serverGrace.Milliseconds(), 1), 10))
	}
	return s.Transport.RoundTrip(r)
}

// failed is the error of a call: what the manager said, or that it went away, unless the caller gave up.
func (r *Remote) failed(ctx context.Context, err error) error {
	var ce *connect.Error
	if errors.As(err, &ce) && connect.IsWireError(ce) {
		return saidError(ce)
	}
	if ctx.Err() != nil {
		return Wrap(ctx.Err())
	}
	if r.node != "" {
		return linkFailed(r.node, err)
	}
	if r.base != baseURL {
		return &Error{Kind: KindStopped, Err: err, Message: fmt.Sprintf("the manager %s cannot be reached: %v: see that it runs there with api.listen, and that remote.url is where", r.where, reason(err))}
	}
	return &Error{Kind: KindStopped, Err: err, Message: "the manager " + r.where + " went away: start it again with `manager run`, then repeat the command"}
}

// reason is what the network said, without what Connect and net/http say before it.
func reason(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		if _, ok := err.(*net.OpError); ok { // which names the address
			return err
		}
		err = inner
	}
}
