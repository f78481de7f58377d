package wire

import (
	"errors"
	"fmt"
	"syscall"
	"time"
)

const (
	// descriptorsReserved are the file descriptors of a process that connections
	// leave alone: a store has ten to thirty files open, the control socket a
	// connection for each command that runs, and there are standard error, the
	// metrics page and the poller. Of a limit below 128 half are left alone, of a
	// very low one descriptorsLeast: a manager alone has 20 to 30 open.
	descriptorsReserved = 64
	descriptorsLeast    = 44
	// SocketsPerAccount is what an account needs at its busiest, when it uses one
	// DC: its connection and, while a key is replaced, the successor's.
	SocketsPerAccount = 2
	// shortageEpisode is the pause after which a shortage is another one.
	shortageEpisode = time.Minute
)

// SocketsWithin returns how many connections a process has room for that may
// have that many files open: a value for [Config.Sockets].
func SocketsWithin(descriptors int) int {
	return max(descriptors-min(max(descriptors/2, descriptorsLeast), descriptorsReserved), 1)
}

// DescriptorsFor returns how many files a process must be allowed to have open
// for that many accounts.
func DescriptorsFor(accounts int) int { return accounts*SocketsPerAccount + descriptorsReserved }

// DescriptorError says that this machine had no file descriptor for a dial.
// Nothing was sent, and it says nothing about the DC.
type DescriptorError struct {
	Sockets int   // connections and dials of this network
	Limit   int   // files that the process may have open; 0: not known
	System  bool  // it is the limit of the whole machine
	Err     error // of the dial; nil at the bound of [Config.Sockets]
}

// Error gives the numbers and what to do.
func (e *DescriptorError) Error() string {
	if e.System {
		return fmt.Sprintf("wire: this machine has no file descriptor left for any process (%d are connections of this one): close other programs, or raise fs.file-max", e.Sockets)
	}
	open := fmt.Sprintf("%d connections are open, as many as fit into the limit of %d beside other files", e.Sockets, e.Limit)
	if e.Err != nil {
		open = fmt.Sprintf("all %d that this process may have are open, %d of them connections", e.Limit, e.Sockets)
	}
	return fmt.Sprintf("wire: too few file descriptors: %s: raise the limit (ulimit -n, or LimitNOFILE= of a systemd unit); "+
		"N accounts need %d x N + %d, and one more for each other DC that an account uses", open, SocketsPerAccount, descriptorsReserved)
}

// Unwrap returns the dial's error.
func (e *DescriptorError) Unwrap() error { return e.Err }

// BlamesNobody says that the DC was not asked.
func (e *DescriptorError) BlamesNobody() {}

// errSockets is the error of a dial at the bound of [Config.Sockets].
var errSockets = errors.New("wire: too many connections for this process")

// shortage reports whether a dial failed for want of a file descriptor.
func shortage(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, errSockets)
}

// take counts a socket that is to be made; every one is given back once.
func (w *Network) take() error {
	if n := w.sockets.Add(1); w.cfg.Sockets > 0 && n > int64(w.cfg.Sockets) {
		w.sockets.Add(-1)
		return errSockets
	}
	return nil
}

func (w *Network) giveBack() { w.sockets.Add(-1) }

// exhausted makes the error of a shortage, and tells of it once an episode.
func (w *Network) exhausted(cause error) error {
	limit, _ := DescriptorLimit()
	e := &DescriptorError{Sockets: int(w.sockets.Load()), Limit: limit, System: errors.Is(cause, syscall.ENFILE)}
	if cause != errSockets {
		e.Err = cause
	}
	now := time.Now()
	w.mu.Lock()
	another := w.shortAt.IsZero() || now.Sub(w.shortAt) > shortageEpisode
	w.shortAt = now
	w.mu.Unlock()
	if another && w.cfg.OnShortage != nil {
		w.cfg.OnShortage(e)
	}
	return e
}
