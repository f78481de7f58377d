package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// servicePath begins the path of every method.
const servicePath = "/mtfleet.v1.Service/"

// maxRequest bounds a request: the largest has an echo payload of 1 MiB in base64.
const maxRequest = 4 << 20

// wireError is an Error as JSON.
type wireError struct {
	Code    string    `json:"code"`
	Message string    `json:"message"`
	Kind    Kind      `json:"kind"`
	Until   time.Time `json:"until,omitzero"`
	// Call is there for errors of Call and Echo.
	Call *CallError `json:"call,omitempty"`
}

// Handler serves a Service over HTTP.
func Handler(s Service) http.Handler {
	mux := http.NewServeMux()
	unary(mux, "Info", s.Info)
	unary(mux, "Add", s.Add)
	unary(mux, "List", s.List)
	unary(mux, "Show", s.Show)
	unary(mux, "SignIn", s.SignIn)
	unary(mux, "Answer", s.Answer)
	unary(mux, "Step", s.Step)
	unary(mux, "LogOut", s.LogOut)
	unary(mux, "Remove", s.Remove)
	unary(mux, "Pause", s.Pause)
	unary(mux, "Resume", s.Resume)
	unary(mux, "RestoreKey", s.RestoreKey)
	unary(mux, "Rotate", s.Rotate)
	unary(mux, "ClearWait", s.ClearWait)
	unary(mux, "Label", s.Label)
	unary(mux, "Proxy", s.Proxy)
	unary(mux, "Governor", s.Governor)
	handleSecurity(mux, s)
	handlePeers(mux, s)
	handleTimeline(mux, s)
	handleHandover(mux, s)
	handleCalls(mux, s)
	unary(mux, "Echo", s.Echo)
	handleStreams(mux, s)
	handleWebhooks(mux, s)
	return mux
}

func unary[Req, Resp any](mux *http.ServeMux, name string, method func(context.Context, Req) (Resp, error)) {
	mux.HandleFunc("POST "+servicePath+name, func(w http.ResponseWriter, r *http.Request) {
		request, err := readRequest[Req](w, r)
		if err != nil {
			writeError(w, err)
			return
		}
		ctx, cancel := withTimeout(r)
		defer cancel()
		response, err := method(ctx, request)
		if err != nil {
			writeError(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		out := json.NewEncoder(w)
		out.SetEscapeHTML(false) // it is not for a page: what the server said stays as it is
		_ = out.Encode(response)
	})
}

func readRequest[Req any](w http.ResponseWriter, r *http.Request) (request Req, err error) {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest))
	d.DisallowUnknownFields()
	if err := d.Decode(&request); err != nil {
		// The decoder's text may quote a value, and a value may be a secret.
		return request, &Error{Kind: KindInvalid, Message: "the request is not the JSON object this method takes"}
	}
	return request, nil
}

// withTimeout ends a request when its client says that it will not wait longer.
func withTimeout(r *http.Request) (context.Context, context.CancelFunc) {
	ms, err := strconv.ParseInt(r.Header.Get(timeoutHeader), 10, 64)
	if err != nil || ms <= 0 || ms > int64(24*time.Hour/time.Millisecond) {
		return context.WithCancel(r.Context())
	}
	return context.WithTimeout(r.Context(), time.Duration(ms)*time.Millisecond)
}

func writeError(w http.ResponseWriter, err error) {
	e := wireOf(err)
	code, known := codes[e.Kind]
	if !known {
		code = codes[KindInternal]
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code.status)
	_ = json.NewEncoder(w).Encode(e)
}

// wireOf is an error as JSON.
func wireOf(err error) *wireError {
	e := Wrap(err).(*Error)
	code, known := codes[e.Kind]
	if !known {
		code = codes[KindInternal]
	}
	return &wireError{Code: code.name, Message: e.Message, Kind: e.Kind, Until: e.Until, Call: e.Call}
}

// SocketError says that the control socket cannot be opened.
type SocketError struct {
	Path   string
	Reason string
	Err    error // the system's refusal, where that is the reason
}

// Unwrap returns the system's refusal.
func (e *SocketError) Unwrap() error { return e.Err }

func (e *SocketError) Error() string {
	return fmt.Sprintf("the control socket %s %s", e.Path, e.Reason)
}

// Listen opens the unix socket with mode 0600. Call it when the store is ours: a
// socket nobody listens on is then left over from a manager that was killed, and
// is replaced. The listener's file is removed by Close. The error is a
// *SocketError.
func Listen(path string) (net.Listener, error) {
	fail := func(reason string) error { return &SocketError{Path: path, Reason: reason} }
	refused := func(what string, err error) error { return &SocketError{path, what + err.Error(), err} }
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, refused("cannot be looked at: ", err)
	case info.Mode().Type() != fs.ModeSocket:
		return nil, fail("is in the way: there is another file of that name; move it, or set control.socket")
	default:
		if nc, err := net.DialTimeout("unix", path, time.Second); err == nil {
			_ = nc.Close()
			return nil, fail("is in use by a manager of another store: set control.socket to another path")
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, refused("cannot be made: ", err)
	}
	// Made in a directory only we can enter and then moved, so that there is no
	// instant at which another user could connect.
	private, err := os.MkdirTemp(filepath.Dir(path), ".s")
	if err != nil {
		return nil, refused("cannot be made: ", err)
	}
	defer os.RemoveAll(private)
	made := filepath.Join(private, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if err != nil {
		return nil, refused("cannot be opened: ", err)
	}
	l.SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(made, 0o600), os.Rename(made, path)); err != nil {
		_ = l.Close()
		return nil, refused("cannot be made: ", err)
	}
	return newListener(l, path), nil
}

// Server answers on a listener.
type Server struct {
	http *http.Server
	done chan error
}

// Serve begins to answer. Shut the server down before the service.
func Serve(l net.Listener, s Service) *Server {
	server := &Server{
		http: &http.Server{Handler: Handler(s), ReadHeaderTimeout: 10 * time.Second},
		done: make(chan error, 1),
	}
	go func() { server.done <- server.http.Serve(l) }()
	return server
}

// Shutdown stops listening, waits for requests under way until ctx ends, and
// then cuts them off. Streams of events end with their journal.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	<-s.done
	return err
}
