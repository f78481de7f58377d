package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/mtfleet/mtfleet/actors/wire"
)

// Manager is who answers at the control socket.
type Manager struct {
	Socket string
	// Err is why nobody answered though somebody listens; nil where somebody did, or
	// nobody listens.
	Err     error
	Listens bool
	Left    bool // a socket that nobody listens on
	Running bool // a manager, and not a command that holds the store
	PID     int
	Version string
	Command string // that holds the store
	// SameStore: it has the store of this configuration, which is Store.
	SameStore bool
	Store     string
}

// CheckManager tells whether a manager runs, and whether it is ours.
func CheckManager(m Manager) Finding {
	f := Finding{Check: "manager", Level: Note, Mend: "manager run"}
	switch {
	case errors.Is(m.Err, fs.ErrPermission):
		f.Level, f.What = Error, "we may not open "+m.Socket
		f.Why, f.Mend = "only the user that a manager runs as, and root, reach its accounts", "ls -l "+Quoted(m.Socket)
	case m.Err != nil:
		f.Level, f.What = Error, fmt.Sprintf("somebody listens on %s and does not answer: %s", m.Socket, trimmed(m.Err))
		f.Why, f.Mend = "no command reaches the accounts while their manager hangs", "fuser -v "+Quoted(m.Socket)
	case !m.Listens && m.Left:
		f.What, f.Why = "none runs; one that was killed left "+m.Socket, "the next manager replaces the socket"
	case !m.Listens:
		f.What, f.Why = "none runs", "accounts are online only while one does"
	case !m.SameStore:
		f.Level, f.What = Error, fmt.Sprintf("process %d at %s has another store: %s", m.PID, m.Socket, m.Store)
		f.Why, f.Mend = "every command would go to the accounts of that store", "manager --set control.socket=PATH doctor"
	case !m.Running:
		f.What = fmt.Sprintf("none runs: `%s`, process %d, holds the store", m.Command, m.PID)
		f.Why = "a manager starts only when that command is finished, or left with Ctrl-C"
	default:
		return ok(f.Check, "it runs as process %d", m.PID)
	}
	return f
}

// CheckVersion tells whether the manager that runs is this program. Where none
// runs nothing is found.
func CheckVersion(m Manager, own string) []Finding {
	switch {
	case !m.Running:
		return nil
	case m.Version != own:
		return []Finding{{Check: "version", Level: Warning, What: fmt.Sprintf("the manager that runs is %s, and this program %s", m.Version, own),
			Why: "what was mended in the newer one helps after a restart alone", Mend: fmt.Sprintf("kill %d && manager run", m.PID)}}
	}
	return []Finding{ok("version", "%s, as the manager that runs", own)}
}

// CheckDescriptors tells whether a process that may open limit files, 0 if that is
// not known, is enough for so many accounts.
func CheckDescriptors(limit, accounts int) Finding {
	need := wire.DescriptorsFor(accounts)
	switch {
	case limit == 0:
		return ok("descriptors", "there is no limit that can be told, %d are needed for %s", need, counted(accounts, "account"))
	case limit < need:
		return Finding{Check: "descriptors", Level: Warning, What: fmt.Sprintf("%d files may be open, %d are needed for %s", limit, need, counted(accounts, "account")),
			Why:  "accounts beyond that wait until another one has no connection",
			Mend: fmt.Sprintf("ulimit -n %d   # or LimitNOFILE=%d in the systemd unit; then start it again", need, need)}
	}
	return ok("descriptors", "%d files may be open, %d are needed for %s", limit, need, counted(accounts, "account"))
}

// DescriptorLimit is how many files a process may have open, this one for 0; 0 is
// not known.
func DescriptorLimit(pid int) int {
	if pid == 0 {
		limit, _ := wire.DescriptorLimit()
		return limit
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil {
		return 0
	}
	return openFiles(string(text))
}

// openFiles reads the soft limit of open files from what /proc says.
func openFiles(limits string) int {
	for line := range strings.Lines(limits) {
		if rest, found := strings.CutPrefix(line, "Max open files"); found {
			if fields := strings.Fields(rest); len(fields) > 0 {
				n, _ := strconv.Atoi(fields[0]) // "unlimited" is none that can be told
				return n
			}
		}
	}
	return 0
}

// CheckMetrics tells whether the page of metrics and health answers. Where no
// manager runs there is none to be looked at.
func CheckMetrics(ctx context.Context, listen string, running bool) []Finding {
	switch {
	case listen == "":
		return []Finding{{Check: "metrics", Level: Note, What: "there is no page of metrics and health",
			Why: "nobody is told when accounts are lost", Mend: "manager --set metrics.listen=127.0.0.1:9464 run"}}
	case !running:
		return nil
	}
	f := Finding{Check: "metrics", Level: Warning, Why: "whoever watches this manager sees nothing of it", Mend: "curl -v http://" + reachable(listen) + "/readyz"}
	status, said, err := get(ctx, "http://"+reachable(listen)+"/readyz")
	switch {
	case err != nil:
		f.What = fmt.Sprintf("the page at %s does not answer: %s", listen, bareNet(err))
	case status != http.StatusOK:
		f.What = fmt.Sprintf("the page at %s says that the manager is not ready: %s", listen, said)
		f.Why = "a probe that asks for readiness sends nobody here"
	default:
		f = ok(f.Check, "the page at %s answers", listen)
	}
	return []Finding{f}
}

// get asks for a page and returns the beginning of what it says, on one line.
func get(ctx context.Context, url string) (status int, said string, err error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // no proxy of the environment
	resp, err := client.Do(q)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 512))
	return resp.StatusCode, strings.Join(strings.Fields(string(text)), " "), err
}

// reachable is an address to ask where one was given to listen on.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}
