package main

import (
	"context"
	"net"
	"time"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

// A sign-in that waits for somebody holds the store, when no manager runs. It
// serves the control socket meanwhile, so that other commands can look at the
// accounts and answer the step, and a manager that starts is told who it is.

type served struct {
	socket net.Listener
	server *control.Server
}

// serve begins to serve the socket, once, where the store is ours.
func (l *signIn) serve() {
	direct, ours := l.service.(*control.Direct)
	if !ours || l.served != nil {
		return
	}
	l.served = &served{}
	cfg, err := l.load(false)
	if err == nil {
		l.served.socket, err = control.Listen(cfg.Control.Socket)
	}
	if err != nil { // the sign-in needs no socket
		l.printf("manager: other commands wait until this one ends: %s\n", describe(err))
		return
	}
	direct.Keep(l.id, l.again())
	l.served.server = control.Serve(l.served.socket, direct)
}

// unserve ends what serve began: before the store is closed.
func (l *signIn) unserve() {
	if l.served == nil || l.served.server == nil {
		return
	}
	_ = l.served.socket.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = l.served.server.Shutdown(ctx) // who still waits for a step is cut off
}
