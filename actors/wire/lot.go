package wire

import (
	"net"
	"sync"
)

// A lot holds connections that nothing has come on for a while: none of them
// has a goroutine. It exists where the system has epoll, and for plain TCP sockets;
// a goroutine waits on every other connection.
//
// A connection is in it from park until it is taken out, once, by whichever comes
// first: a packet, or its Close.
type lot struct {
	net *Network

	mu     sync.Mutex
	poll   poller // made with the first connection
	failed bool   // it could not be made, and is not tried again
	last   uint64
	parked map[uint64]*Conn // by number, which names a connection to the system
	looks  bool             // a goroutine waits for all of them
	woken  bool             // it was interrupted
}

// poller waits for many sockets at once.
type poller interface {
	// watch has wait return the number once, when the socket has something to read.
	// A socket that is closed is watched no more.
	// again says that it was watched before.
	watch(socket *net.TCPConn, number uint64, again bool) error
	// wait returns such numbers in a buffer, or none after interrupt, also when it is
	// called after that, until resume. An error says that it cannot go on.
	wait(buf []uint64) ([]uint64, error)
	interrupt()
	resume()
}

// park waits for the next packet of an idle connection without a goroutine. It
// reports whether the reader is not needed: the connection is parked, or was, and
// has another already.
func (l *lot) park(c *Conn) bool {
	socket := plainTCP(c.socket)
	if socket == nil || !l.open() {
		return false
	}
	again := c.known
	c.known = true // whoever takes it out may be here before watch has returned
	number, ok := l.enter(c)
	if !ok {
		return false
	}
	if l.poll.watch(socket, number, again) != nil { // its reader finds out what is wrong
		l.leave(number)
		return !c.unpark(number)
	}
	return true
}

// open makes the poller.
func (l *lot) open() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.poll == nil && !l.failed {
		p, err := newPoller()
		l.poll, l.failed = p, err != nil
	}
	return !l.failed
}

// enter gives an open connection a number, and has somebody wait.
func (l *lot) enter(c *Conn) (number uint64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reason != nil {
		return 0, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	if l.parked == nil {
		l.parked = map[uint64]*Conn{}
	}
	l.parked[l.last] = c
	c.parked = l.last
	if !l.looks {
		l.looks = true
		l.wake(false)
		l.net.running.Go(l.look)
	}
	return l.last, true
}

// leave takes a number out, and returns whose it was.
func (l *lot) leave(number uint64) *Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.parked[number]
	delete(l.parked, number)
	if len(l.parked) == 0 && l.looks {
		l.wake(true)
	}
	return c
}

// wake interrupts whoever waits, or has him wait.
func (l *lot) wake(now bool) {
	switch {
	case now == l.woken:
	case now:
		l.poll.interrupt()
	default:
		l.poll.resume()
	}
	l.woken = now
}

// look waits for all that are parked, until none is.
func (l *lot) look() {
	numbers := make([]uint64, 128)
	for {
		ready, err := l.poll.wait(numbers)
		for _, n := range ready {
			if c := l.leave(n); c != nil && c.unpark(n) {
				go c.wait()
			}
		}
		if l.over(err) {
			return
		}
	}
}

// over reports whether nobody is parked. Where the poller has failed, nobody stays.
func (l *lot) over(err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.failed = true
		for n, c := range l.parked {
			delete(l.parked, n)
			go c.evict(n)
		}
	}
	if len(l.parked) == 0 {
		l.looks = false
		return true
	}
	l.wake(false) // somebody came after the last had left
	return false
}

// unpark reports whether the caller is the one who takes the connection out.
func (c *Conn) unpark(number uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.parked != number {
		return false
	}
	c.parked = 0
	return true
}

// evict gives a connection its goroutine back.
func (c *Conn) evict(number uint64) {
	if c.unpark(number) {
		c.wait()
	}
}
