//go:build linux

package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/panjf2000/gnet/v2"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// ways begin to wait on n new connections to an address. What they return is not to
// be collected.
var ways = map[string]func(addr string, n int, a *arrivals) (any, error){
	"goroutine": goroutines(stay), "renewed": goroutines(renew), "epoll": epoll, "gnet": eventLoop,
}

// server sends a packet to every connection for each byte of its standard input.
func server() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	conns := make(chan []net.Conn, 1)
	conns <- nil
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns <- append(<-conns, c)
		}
	}()
	orders, b := bufio.NewReader(os.Stdin), make([]byte, packet)
	for {
		if _, err := orders.ReadByte(); err != nil {
			return nil // the other process is done
		}
		list := <-conns
		for _, c := range list {
			if _, err := c.Write(b); err != nil {
				return err
			}
		}
		conns <- list
	}
}

// conn is a connection and the buffer in which a pong has room.
type conn struct {
	net.Conn
	buf [128]byte
}

func goroutines(wait func(*conn, *arrivals)) func(string, int, *arrivals) (any, error) {
	return func(addr string, n int, a *arrivals) (any, error) {
		list := make([]*conn, n)
		for i := range list {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				return nil, err
			}
			list[i] = &conn{Conn: c}
			go wait(list[i], a)
		}
		return list, nil
	}
}

func stay(c *conn, a *arrivals) {
	for {
		n, err := c.Read(c.buf[:])
		if err != nil {
			return
		}
		handle(c.buf[:n], a)
	}
}

// renew is stay with a new goroutine, and a small stack, for each packet.
func renew(c *conn, a *arrivals) {
	n, err := c.Read(c.buf[:])
	if err != nil {
		return
	}
	handle(c.buf[:n], a)
	go renew(c, a)
}

// handle takes a stack of more than 2 KiB, as handling a packet does.
//
//go:noinline
func handle(b []byte, a *arrivals) {
	var room [3 << 10]byte
	a.add(copy(room[:], b))
}

// epoll has one goroutine wait for all descriptors, which it has taken out of the
// hands of package net.
func epoll(addr string, n int, a *arrivals) (any, error) {
	set, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	for range n {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return nil, err
		}
		fd, err := descriptor(c.(*net.TCPConn))
		if err != nil {
			return nil, err
		}
		if err := unix.EpollCtl(set, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
			return nil, err
		}
	}
	go func() {
		events, buf := make([]unix.EpollEvent, 128), make([]byte, 4096)
		for {
			ready, err := unix.EpollWait(set, events, -1)
			if err != nil && err != unix.EINTR {
				return
			}
			for _, e := range events[:max(ready, 0)] {
				if got, err := unix.Read(int(e.Fd), buf); err == nil {
					handle(buf[:got], a)
				}
			}
		}
	}()
	return nil, nil
}

// descriptor is a copy of a connection's, which is closed.
func descriptor(c *net.TCPConn) (fd int, err error) {
	defer c.Close()
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	controlErr := raw.Control(func(of uintptr) { fd, err = unix.FcntlInt(of, syscall.F_DUPFD_CLOEXEC, 0) })
	if controlErr != nil {
		return 0, controlErr
	}
	return fd, err
}

// loop is what gnet tells of packets.
type loop struct {
	gnet.BuiltinEventEngine
	a *arrivals
}

func (l *loop) OnTraffic(c gnet.Conn) gnet.Action {
	b, err := c.Next(-1)
	if err != nil {
		return gnet.Close
	}
	handle(b, l.a)
	return gnet.None
}

func eventLoop(addr string, n int, a *arrivals) (any, error) {
	client, err := gnet.NewClient(&loop{a: a}, gnet.WithNumEventLoop(1), gnet.WithLogger(zap.NewNop().Sugar()))
	if err != nil {
		return nil, err
	}
	if err := client.Start(); err != nil {
		return nil, err
	}
	list := make([]gnet.Conn, n)
	for i := range list {
		if list[i], err = client.Dial("tcp", addr); err != nil {
			return nil, err
		}
	}
	return list, nil
}
