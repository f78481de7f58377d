package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"connectrpc.com/connect"
)

// Remote is a Service over the unix socket of the manager that runs.
type Remote struct {
	socket string
	http   *http.Client
}

// ErrNobody says that nobody listens on the socket: no manager runs.
var ErrNobody = errors.New("control: no manager answers")

// errEnded is of a stream that ended before it was open.
var errEnded = errors.New("control: the stream ended at once")

// baseURL is what the methods' paths follow; the socket is the host.
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
	return &Remote{socket: socket, http: &http.Client{Transport: shorter{transport}}}, nil
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

// shorter takes serverGrace from what the server is told.
type shorter struct{ *http.Transport }

// RoundTrip implements http.RoundTripper.
func (s shorter) RoundTrip(r *http.Request) (*http.Response, error) {
	if ms, err := strconv.ParseInt(r.Header.Get(timeoutHeader), 10, 64); err == nil {
		r = r.Clone(r.Context())
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
	return &Error{Kind: KindStopped, Err: err, Message: "the manager behind " + r.socket + " went away: start it again with `manager run`, then repeat the command"}
}
