package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Remote is a Service over the unix socket of the manager that runs.
type Remote struct {
	socket string
	http   *http.Client
}

var _ Service = (*Remote)(nil)

// ErrNobody says that nobody listens on the socket: no manager runs.
var ErrNobody = errors.New("control: no manager answers")

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
	return &Remote{socket: socket, http: &http.Client{Transport: transport}}, nil
}

// Close implements Service; the manager goes on.
func (r *Remote) Close() error {
	r.http.CloseIdleConnections()
	return nil
}

// timeoutHeader tells the server how long the client waits; the name is that of
// the Connect protocol.
const timeoutHeader = "Connect-Timeout-Ms"

// serverGrace is how much longer than the server the client waits, so that the
// one who knows more says why it took so long.
const serverGrace = 3 * time.Second

// post sends a request. The answer's body is the caller's.
func (r *Remote) post(ctx context.Context, method string, request any) (*http.Response, context.CancelFunc, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return nil, nil, Wrap(err)
	}
	cancel := context.CancelFunc(func() {})
	deadline, limited := ctx.Deadline()
	if limited {
		caller := ctx
		var stop context.CancelFunc
		ctx, stop = context.WithDeadline(context.WithoutCancel(caller), deadline.Add(serverGrace))
		watch := context.AfterFunc(caller, func() {
			if errors.Is(caller.Err(), context.Canceled) {
				stop()
			}
		})
		cancel = func() { watch(); stop() }
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://manager"+servicePath+method, bytes.NewReader(body))
	if err != nil {
		cancel()
		return nil, nil, Wrap(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if limited {
		req.Header.Set(timeoutHeader, strconv.FormatInt(max(time.Until(deadline).Milliseconds(), 1), 10))
	}
	resp, err := r.http.Do(req)
	if err != nil {
		err = r.lost(ctx, err)
		cancel()
		return nil, nil, err
	}
	return resp, cancel, nil
}

// lost says that the manager went away, unless the caller gave up.
func (r *Remote) lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return Wrap(ctx.Err())
	}
	return &Error{Kind: KindStopped, Err: err, Message: "the manager behind " + r.socket + " went away: start it again with `manager run`, then repeat the command"}
}

// call is one unary method.
func call[Req, Resp any](ctx context.Context, r *Remote, method string, request Req) (response Resp, err error) {
	resp, cancel, err := r.post(ctx, method, request)
	if err != nil {
		return response, err
	}
	defer cancel()
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return response, readError(resp)
	}
	if err := json.NewDecoder(resp.Body).Decode(&response); err != nil {
		return response, r.lost(ctx, err)
	}
	return response, nil
}

// maxErrorBody bounds what is read of an error.
const maxErrorBody = 64 << 10

func readError(resp *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	var w wireError
	if err := json.Unmarshal(body, &w); err != nil || w.Message == "" {
		return &Error{Kind: KindInternal, Message: "the manager answered " + resp.Status + ": is it of the same version?"}
	}
	return &Error{Kind: w.Kind, Message: w.Message, Until: w.Until, Call: w.Call}
}

// Info implements Service.
func (r *Remote) Info(ctx context.Context, q Empty) (Info, error) {
	return call[Empty, Info](ctx, r, "Info", q)
}

// Add implements Service.
func (r *Remote) Add(ctx context.Context, q AddRequest) (Account, error) {
	return call[AddRequest, Account](ctx, r, "Add", q)
}

// List implements Service.
func (r *Remote) List(ctx context.Context, q Empty) (List, error) {
	return call[Empty, List](ctx, r, "List", q)
}

// Show implements Service.
func (r *Remote) Show(ctx context.Context, q AccountRequest) (Account, error) {
	return call[AccountRequest, Account](ctx, r, "Show", q)
}

// SignIn implements Service.
func (r *Remote) SignIn(ctx context.Context, q SignInRequest) (Progress, error) {
	return call[SignInRequest, Progress](ctx, r, "SignIn", q)
}

// Answer implements Service.
func (r *Remote) Answer(ctx context.Context, q AnswerRequest) (Progress, error) {
	return call[AnswerRequest, Progress](ctx, r, "Answer", q)
}

// Step implements Service.
func (r *Remote) Step(ctx context.Context, q StepRequest) (Progress, error) {
	return call[StepRequest, Progress](ctx, r, "Step", q)
}

// LogOut implements Service.
func (r *Remote) LogOut(ctx context.Context, q AccountRequest) (Account, error) {
	return call[AccountRequest, Account](ctx, r, "LogOut", q)
}

// Remove implements Service.
func (r *Remote) Remove(ctx context.Context, q RemoveRequest) (Empty, error) {
	return call[RemoveRequest, Empty](ctx, r, "Remove", q)
}

// RestoreKey implements Service.
func (r *Remote) RestoreKey(ctx context.Context, q AccountRequest) (Account, error) {
	return call[AccountRequest, Account](ctx, r, "RestoreKey", q)
}

// Rotate implements Service.
func (r *Remote) Rotate(ctx context.Context, q AccountRequest) (Account, error) {
	return call[AccountRequest, Account](ctx, r, "Rotate", q)
}

// ClearWait implements Service.
func (r *Remote) ClearWait(ctx context.Context, q ClearWaitRequest) (Account, error) {
	return call[ClearWaitRequest, Account](ctx, r, "ClearWait", q)
}

// Proxy implements Service.
func (r *Remote) Proxy(ctx context.Context, q ProxyRequest) (Account, error) {
	return call[ProxyRequest, Account](ctx, r, "Proxy", q)
}

// Label implements Service.
func (r *Remote) Label(ctx context.Context, q LabelRequest) (Account, error) {
	return call[LabelRequest, Account](ctx, r, "Label", q)
}

// Pause implements Service.
func (r *Remote) Pause(ctx context.Context, q AccountRequest) (Account, error) {
	return call[AccountRequest, Account](ctx, r, "Pause", q)
}

// Resume implements Service.
func (r *Remote) Resume(ctx context.Context, q AccountRequest) (Account, error) {
	return call[AccountRequest, Account](ctx, r, "Resume", q)
}

// Echo implements Service.
func (r *Remote) Echo(ctx context.Context, q EchoRequest) (EchoResult, error) {
	return call[EchoRequest, EchoResult](ctx, r, "Echo", q)
}
