package main

import (
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

// serveProfiles serves profiles of this process on a unix socket of mode 0600, from
// before the store is opened, so that a start that hangs can be looked into; ""
// means nowhere. A profile may take as long as who asks for it wants.
func serveProfiles(path string) (stop func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	l, err := control.Listen(path)
	if err != nil {
		return nil, socketError("debug.pprof_socket", err)
	}
	mux := http.NewServeMux()
	// Every profile by its name; not the command line, where a secret may be.
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }()
	return func() {
		_ = server.Close()
		_ = l.Close()
	}, nil
}
