package control

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
	"connectrpc.com/grpcreflect"
)

// maxRequest bounds a request: the largest has an echo payload of 1 MiB in base64.
const maxRequest = 4 << 20

// Server answers on a listener.
type Server struct {
	http *http.Server
	done chan error
}

// Serve begins to answer on the unix socket of [Listen]: to its owner and to root, who may do everything. Shut the server
// down before the service.
func Serve(l net.Listener, s Service) *Server {
	server := &Server{
		http: &http.Server{
			Handler: Handler(s), ReadHeaderTimeout: 10 * time.Second, Protocols: protocols(), ConnContext: withPeer,
		},
		done: make(chan error, 1),
	}
	go func() { server.done <- server.http.Serve(l) }()
	return server
}

// protocols are HTTP/1.1, and HTTP/2 without TLS as gRPC clients speak it on a socket.
func protocols() *http.Protocols {
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	return &p
}

// Handler serves the methods of a Service over HTTP, by Connect, gRPC and gRPC-Web, with what gRPC has for looking at a
// server: reflection, and health. Who may call what is the word of the request's context, see [Caller].
func Handler(s Service) http.Handler {
	guard := newGuard(methods(), s)
	opts := []connect.HandlerOption{
		connect.WithReadMaxBytes(maxRequest), connect.WithInterceptors(guard),
		connect.WithCodec(jsonCodec{"json"}), connect.WithCodec(jsonCodec{"json; charset=utf-8"}),
	}
	mux := http.NewServeMux()
	for _, m := range methods() {
		mux.Handle(m.procedure, m.serve(s, guard, opts...))
	}
	names := services()
	reflector := grpcreflect.NewStaticReflector(names...)
	mux.Handle(grpcreflect.NewHandlerV1(reflector, connect.WithInterceptors(guard)))
	mux.Handle(grpcreflect.NewHandlerV1Alpha(reflector, connect.WithInterceptors(guard)))
	mux.Handle(grpchealth.NewHandler(grpchealth.NewStaticChecker(names...), connect.WithInterceptors(guard)))
	return mux
}

// services names those of the schema, each once.
func services() (names []string) {
	for _, m := range methods() {
		if name := string(m.schema.Parent().FullName()); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
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
