package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	dccontrol "github.com/mtfleet/mtfleet/mtproto/dctest/serve/control"
)

// testdcControl is the HTTP server of a test cluster; url is "" without --control.
type testdcControl struct {
	*dccontrol.Server
	url string
}

// startControl listens where the flags say, which may be nowhere.
func (f testdcFlags) startControl(cluster *serve.Cluster) (out testdcControl, err error) {
	var listeners []net.Listener
	defer func() {
		if err != nil {
			for _, l := range listeners {
				_ = l.Close()
			}
		}
	}()
	if f.control != "" {
		l, err := dccontrol.Listen(f.control)
		if err != nil {
			return out, controlAddrError(err)
		}
		listeners = append(listeners, l)
		out.url = "http://" + l.Addr().String()
	}
	if f.controlSocket != "" {
		l, err := control.Listen(f.controlSocket)
		if err != nil {
			return out, socketError("testdc: --control-socket", err)
		}
		listeners = append(listeners, l)
	}
	out.Server = dccontrol.Serve(cluster, listeners...)
	return out, nil
}

func controlAddrError(err error) error {
	var addr *dccontrol.AddrError
	switch {
	case !errors.As(err, &addr):
		return err
	case errors.Is(err, syscall.EADDRINUSE):
		return &exitError{code: exitInUse, kind: "in_use", text: "testdc: --control " + addr.Addr + ": the address is in use", err: err}
	}
	return usage("testdc: --control %s: %s", addr.Addr, addr.Reason)
}

// socketError says of what, a flag or a setting, a socket cannot be opened.
func socketError(of string, err error) error {
	var socket *control.SocketError
	switch {
	case !errors.As(err, &socket):
		return err
	case socket.Err != nil:
		return usage("%s %s: %v", of, socket.Path, socket.Err)
	}
	return &exitError{code: exitInUse, kind: "in_use", text: of + " " + socket.Path + ": something is there already, another file or a socket in use", err: err}
}

// printCodes prints each code that is sent until ctx ends.
func (a *app) printCodes(ctx context.Context, cluster *serve.Cluster) {
	seen := 0
	for ctx.Err() == nil {
		var list []api.SentCode
		list, seen = cluster.CodesFrom(ctx, seen)
		for _, c := range list {
			if a.asJSON {
				_ = json.NewEncoder(a.out).Encode(struct {
					Code api.SentCode `json:"code"`
				}{c})
				continue
			}
			fmt.Fprintln(a.out, codeLine(c))
		}
	}
}

// codeLine is a code as a person reads it.
func codeLine(c api.SentCode) string {
	to := c.Email
	if to == "" {
		to = "+" + c.Phone
	}
	return c.At.UTC().Format(time.TimeOnly) + "  " + c.Kind + " to " + to + ": " + c.Code
}
