package sdnotify

import (
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// sendPatience bounds a message to a service manager that reads nothing: it is
// given up then, and the next one tries again.
const sendPatience = time.Second

// Service tells systemd how this process is. A nil Service tells nobody, as where
// no service manager started the process.
type Service struct {
	addr     net.UnixAddr
	watchdog time.Duration // how often systemd wants to hear; 0: never
	log      *slog.Logger

	mu     sync.Mutex // guards the following fields
	conn   *net.UnixConn
	unsaid bool // the last message did not arrive, which was logged

	watch, stop task
	up          atomic.Bool // systemd was told that it is, and not that it stops
}

// New reads what systemd says to a service in its environment: NOTIFY_SOCKET,
// WATCHDOG_USEC and WATCHDOG_PID. Without the first it returns nil. Pid is this
// process; what fails later is logged, for no service stops because nobody hears
// of it. The error is an *EnvError.
func New(env []string, pid int, log *slog.Logger) (*Service, error) {
	name := variable(env, "NOTIFY_SOCKET")
	if name == "" {
		return nil, nil
	}
	if name[0] != '/' && name[0] != '@' {
		return nil, &EnvError{"NOTIFY_SOCKET", name, "it is neither an absolute path nor the name of an abstract socket"}
	}
	s := &Service{addr: net.UnixAddr{Name: name, Net: "unixgram"}, log: log}
	if err := s.readWatchdog(env, pid); err != nil {
		return nil, err
	}
	// Dialled at once and kept: a process without a free file descriptor is alive
	// too, and has to say so.
	if err := s.dial(); err != nil {
		return nil, &EnvError{"NOTIFY_SOCKET", name, err.Error()}
	}
	return s, nil
}

func (s *Service) readWatchdog(env []string, pid int) error {
	usec, whose := variable(env, "WATCHDOG_USEC"), variable(env, "WATCHDOG_PID")
	if usec == "" || whose != "" && whose != strconv.Itoa(pid) {
		return nil // of another process: a parent's variables come along
	}
	n, err := strconv.ParseInt(usec, 10, 64)
	if err != nil || n <= 0 || n > int64(24*time.Hour/time.Microsecond) {
		return &EnvError{"WATCHDOG_USEC", usec, "it is not a number of microseconds, of a day at most"}
	}
	s.watchdog = time.Duration(n) * time.Microsecond
	return nil
}

// EnvError says that a variable of systemd's cannot be used.
type EnvError struct{ Variable, Value, Reason string }

// Error names the variable and what is wrong with it.
func (e *EnvError) Error() string {
	return fmt.Sprintf("sdnotify: %s is %q: %s", e.Variable, e.Value, e.Reason)
}

// variable looks a variable up; the last one of a name counts.
func variable(env []string, name string) (value string) {
	for _, kv := range env {
		if k, v, _ := strings.Cut(kv, "="); k == name {
			value = v
		}
	}
	return value
}

// dial connects to the service manager.
func (s *Service) dial() (err error) {
	s.conn, err = net.DialUnix("unixgram", nil, &s.addr)
	return err
}

// send sends one message: assignments, each a line of it.
func (s *Service) send(assignments ...string) {
	message := []byte(strings.Join(assignments, "\n"))
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.write(message)
	if err != nil {
		// A service manager that was replaced has another socket at that name.
		if s.conn != nil {
			_ = s.conn.Close()
		}
		if err = s.dial(); err == nil {
			err = s.write(message)
		}
	}
	if err != nil && !s.unsaid {
		s.log.Warn("systemd cannot be told how the service is", "err", err)
	}
	s.unsaid = err != nil
}

func (s *Service) write(message []byte) error {
	if s.conn == nil {
		return net.ErrClosed
	}
	_ = s.conn.SetWriteDeadline(time.Now().Add(sendPatience))
	_, err := s.conn.Write(message)
	return err
}

// status is a status text as an assignment: one line.
func status(text string) string { return "STATUS=" + strings.ReplaceAll(text, "\n", " ") }
