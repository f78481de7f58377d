//go:build unix

package pgtest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// port names the socket; no server listens on TCP.
const port = "5432"

// startWait is more than a start takes on a busy machine, recovery included.
const startWait = 60 * time.Second

// T is what a server needs of the test that it is for: each testing.TB is one, and a
// program that is no test brings its own. Fatal, Fatalf and Skip do not return.
type T interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Skip(args ...any)
	Cleanup(f func())
}

// Server is one server, and its data directory.
type Server struct {
	// Options are what postgresql.conf would say, as "fsync=on"; set before Start.
	Options []string

	t    T
	bin  string
	as   *syscall.Credential // nil: who runs the test
	dir  string
	cmd  *exec.Cmd
	log  *os.File
	done chan error
}

// Start makes a server and starts it; it ends with the test. Without fsync, unless
// options say otherwise: what a killed server wrote is there all the same. Where
// there is no PostgreSQL the test is skipped.
func Start(t T, options ...string) *Server {
	t.Helper()
	s := New(t)
	s.Options = options
	s.tool("initdb", "--pgdata", s.Data(), "--username", "fleet", "--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync")
	s.Start()
	return s
}

// New makes a place for a server, without a data directory in it.
func New(t T) *Server {
	t.Helper()
	bin, err := find()
	if err != nil {
		t.Skip(err)
	}
	as, err := unprivileged()
	if err != nil {
		t.Skip(err)
	}
	// A socket's path has 107 bytes at most: t.TempDir has the test's name in it.
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{t: t, bin: bin, as: as, dir: dir}
	t.Cleanup(func() {
		s.Kill()
		_ = os.RemoveAll(dir)
	})
	if as != nil {
		if err := os.Chown(dir, int(as.Uid), int(as.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// find returns where the server's programs are: Debian keeps them out of the path.
func find() (string, error) {
	if path, err := exec.LookPath("postgres"); err == nil {
		path, err = filepath.EvalSymlinks(path) // to where its other programs are
		return filepath.Dir(path), err
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		return "", errors.New("there is no PostgreSQL on this machine (Debian's package is postgresql)")
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return n
	}
	slices.SortFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(found[len(found)-1]), nil
}

// unprivileged is as whom a server runs: it refuses to be root's.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, _ := strconv.ParseUint(u.Uid, 10, 32)
			gid, _ := strconv.ParseUint(u.Gid, 10, 32)
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is no user postgres or nobody")
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "PGHOST="+s.dir, "PGPORT="+port, "PGUSER=fleet", "PGDATABASE=postgres", "LC_ALL=C", "HOME="+s.dir)
	// A group of its own: an interrupt of the terminal is for the test, which ends it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: s.as}
	return cmd
}

func (s *Server) tool(name string, args ...string) string {
	s.t.Helper()
	out, err := s.command(name, args...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

// Data is the data directory.
func (s *Server) Data() string { return filepath.Join(s.dir, "data") }

// Socket is the path of the unix socket.
func (s *Server) Socket() string { return filepath.Join(s.dir, ".s.PGSQL."+port) }

// DSN is the connection string of the database postgres, whose owner is fleet.
func (s *Server) DSN() string {
	return fmt.Sprintf("host=%s port=%s user=fleet dbname=postgres", s.dir, port)
}

// Start starts a server that does not run, and returns when it takes connections.
func (s *Server) Start() {
	s.t.Helper()
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	args := []string{"-D", s.Data(), "-k", s.dir, "-p", port, "-h", "", "-c", "fsync=off", "-c", "shared_buffers=32MB", "-c", "dynamic_shared_memory_type=posix", "-c", "max_wal_senders=4"}
	for _, o := range s.Options {
		args = append(args, "-c", o)
	}
	s.cmd, s.log, s.done = s.command("postgres", args...), log, make(chan error, 1)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func(cmd *exec.Cmd, done chan<- error) { done <- cmd.Wait() }(s.cmd, s.done)
	for deadline := time.Now().Add(startWait); ; {
		not := s.command("pg_isready", "--quiet").Run()
		if not == nil {
			return
		}
		select {
		case err := <-s.done:
			s.cmd = nil
			s.t.Fatalf("postgres ended: %v\n%s", err, s.Log())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("postgres does not take connections after %v: %v\n%s", startWait, not, s.Log())
		}
	}
}

// Log is what the server has logged.
func (s *Server) Log() string {
	b, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return string(bytes.TrimSpace(b))
}

// Stop ends the server in order: connections are closed, and what was committed is
// on disk.
func (s *Server) Stop() {
	if s.cmd != nil {
		_ = s.cmd.Process.Signal(syscall.SIGINT) // "fast"
		s.wait()
	}
}

// Kill ends all of its processes with SIGKILL.
func (s *Server) Kill() {
	if s.cmd != nil {
		pids := s.signal(syscall.SIGKILL)
		s.wait()
		for _, pid := range pids { // until the last has left their memory
			for runs(pid) {
				time.Sleep(time.Millisecond)
			}
		}
	}
}

// Freeze stops all of its processes, as on a machine that is suspended, until Thaw.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw lets them go on.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

// signal is for the server and its processes, each of which leads a group of its own,
// and returns who they are. The server comes first and stands still meanwhile, so
// that it starts no more of them.
func (s *Server) signal(sig syscall.Signal) (pids []int) {
	pid := s.cmd.Process.Pid
	if sig != syscall.SIGCONT {
		_ = syscall.Kill(pid, syscall.SIGSTOP)
	}
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for _, child := range strings.Fields(string(children)) {
		if n, err := strconv.Atoi(child); err == nil {
			pids = append(pids, n)
		}
	}
	pids = append(pids, pid)
	for _, pid := range pids {
		_ = syscall.Kill(pid, sig)
	}
	return pids
}

// runs reports whether there is such a process, and not only what is left of it
// until somebody asks how it ended.
func runs(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !bytes.Contains(stat, []byte(") Z"))
}

// Restart kills the server and starts it again: it recovers from its log.
func (s *Server) Restart() {
	s.t.Helper()
	s.Kill()
	s.Start()
}

func (s *Server) wait() {
	<-s.done
	s.cmd = nil
	_ = s.log.Close()
	// A killed server leaves its socket; the next one looks whose it was.
	_ = os.Remove(s.Socket())
	_ = os.Remove(s.Socket() + ".lock")
	_ = os.Remove(filepath.Join(s.Data(), "postmaster.pid"))
}

// SQL runs statements with psql as the owner of everything, and returns what they
// give, unaligned.
func (s *Server) SQL(statements string) string {
	s.t.Helper()
	return strings.TrimSpace(s.tool("psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1", "--command", statements))
}

// Backup copies a running server into another place, which has no data yet.
func (s *Server) Backup(to *Server) {
	s.t.Helper()
	s.tool("pg_basebackup", "--pgdata", to.Data(), "--checkpoint", "fast", "--no-sync", "--wal-method", "stream")
}

// Standby makes of a backup a standby of the server that follows, until Promote.
func (s *Server) Standby(of *Server) {
	s.t.Helper()
	s.Options = append(s.Options, "primary_conninfo=host="+of.dir+" port="+port+" user=fleet")
	if err := os.WriteFile(filepath.Join(s.Data(), "standby.signal"), nil, 0o644); err != nil {
		s.t.Fatal(err)
	}
	s.Start()
}

// Promote makes a standby a primary.
func (s *Server) Promote() {
	s.t.Helper()
	s.SQL("select pg_promote(true, 30)")
}

// MoveTo has the server listen where another one did, which has ended.
func (s *Server) MoveTo(other *Server) {
	s.t.Helper()
	s.Stop()
	if err := os.RemoveAll(other.Data()); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(s.Data(), other.Data()); err != nil {
		s.t.Fatal(err)
	}
	other.Options = s.Options
	other.Start()
}
