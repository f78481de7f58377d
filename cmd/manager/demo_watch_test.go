package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// watchedDemo is a `demo --watch` in a process of its own, and a browser at its page.
type watchedDemo struct {
	t    *testing.T
	cmd  *exec.Cmd
	said bytes.Buffer
	tmp  string // all it may write in
	watched
	base string // of the page
	http.Client
}

func startWatchedDemo(t *testing.T, args ...string) *watchedDemo {
	t.Helper()
	exe, err := exec.LookPath("manager")
	if err != nil {
		t.Fatal(err)
	}
	d := &watchedDemo{t: t, cmd: exec.Command(exe, append([]string{"demo", "--watch", "--json"}, args...)...)}
	if d.tmp, err = os.MkdirTemp("", "watch"); err != nil { // a short path, for the socket
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(d.tmp) })
	d.cmd.Env = append(os.Environ(), "TMPDIR="+d.tmp)
	d.cmd.Stderr = &d.said
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.cmd.Process.Kill() }) // which ends its manager too, whose standard input closes
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil || json.Unmarshal(line, &d.watched) != nil {
		_ = d.cmd.Process.Kill()
		_ = d.cmd.Wait()
		t.Fatalf("it printed %q (%v)\n%s", line, err, d.said.String())
	}
	at, err := url.Parse(d.Page)
	if err != nil {
		t.Fatal(err)
	}
	d.base = "http://" + at.Host
	d.Jar, _ = cookiejar.New(nil) // never fails
	return d
}

// ask sends a request, as a browser does that has no more than its cookies.
func (d *watchedDemo) ask(method, url, body string) (status int, text string) {
	d.t.Helper()
	q, err := http.NewRequestWithContext(d.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	q.Header.Set("Accept", "application/json")
	r, err := d.Do(q)
	if err != nil {
		d.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

func (d *watchedDemo) press(body string) {
	d.t.Helper()
	if status, text := d.ask("POST", d.base+"/act", body); status != http.StatusNoContent {
		d.t.Fatalf("%s was answered %d %s", body, status, text)
	}
}

// seen is what the page is told.
type seen struct {
	Text  map[string]string
	Story []struct{ Text string }
}

// until follows the page until what it is told fits.
func (d *watchedDemo) until(what string, ok func(seen) bool) (last seen) {
	d.t.Helper()
	r, err := d.Get(d.base + "/live")
	if err != nil {
		d.t.Fatal(err)
	}
	defer r.Body.Close()
	over := time.AfterFunc(eventually, func() { _ = r.Body.Close() })
	defer over.Stop()
	lines := bufio.NewReader(r.Body)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			d.t.Fatalf("it was never told %s (%v), but last %+v", what, err, last)
		}
		if data, is := strings.CutPrefix(line, "data: "); is {
			last = seen{}
			if err := json.Unmarshal([]byte(data), &last); err != nil {
				d.t.Fatal(err)
			}
			if ok(last) {
				return last
			}
		}
	}
}

// whole waits until the newest of what happened is that everybody is online again, having
// cost so many temp keys and neither a sign-in nor a perm key.
func (d *watchedDemo) whole(tempKeys string) seen {
	d.t.Helper()
	want := "0 new sign-ins, 0 perm keys and " + tempKeys + " made"
	return d.until(want, func(s seen) bool {
		if len(s.Story) == 0 || !strings.HasPrefix(s.Story[0].Text, "everybody is online again") {
			return false
		}
		if !strings.HasSuffix(s.Story[0].Text, want) {
			d.t.Fatalf("it was told %q, and not %s", s.Story[0].Text, want)
		}
		return true
	})
}

// TestWatchBreaksAndMends presses every button: nobody signs in anew, and keys are made for
// those alone that were lost. Ctrl-C leaves nothing.
func TestWatchBreaksAndMends(t *testing.T) {
	t.Parallel()
	d := startWatchedDemo(t, "--accounts", "6", "--dcs", "2")
	if status, _ := d.ask("POST", d.base+"/act", "act=kill"); status != http.StatusUnauthorized {
		t.Errorf("who was not let in is answered %d", status)
	}
	if status, _ := d.ask("GET", d.Page, ""); status != http.StatusOK {
		t.Fatalf("the link is answered %d", status)
	}
	if status, _ := d.ask("GET", d.Page, ""); status != http.StatusForbidden {
		t.Errorf("the link, once more, is answered %d", status)
	}
	first := d.until("that everybody is online", func(s seen) bool { return s.Text["online"] == "6 of 6" })

	d.press("act=cut&dc=2")
	d.until("that DC 2 is down", func(s seen) bool { return s.Text["state-2"] == "down" && s.Text["online"] == "3 of 6" })
	for body, want := range map[string]string{
		"act=cut&dc=2": "DC 2 is down already", "act=forget&dc=2": "DC 2 is down already", "act=give&dc=1": "DC 1 is not down",
		"act=cut&dc=3": "there is no DC 3", "act=cut&dc=0": "is no number of a DC", "act=burn": "There is nothing here that is called",
	} {
		if status, text := d.ask("POST", d.base+"/act", body); status < 400 || !strings.Contains(text, want) {
			t.Errorf("%s is answered %d %s", body, status, text)
		}
	}
	d.press("act=give&dc=2")
	d.whole("0 temp keys")

	d.press("act=forget&dc=1")
	d.until("that DC 1 is back", func(s seen) bool { return s.Story[0].Text != "DC 1 restarts, and has lost its temp keys" })
	d.whole("3 temp keys")

	d.press("act=kill")
	last := d.until("another process", func(s seen) bool {
		return strings.HasPrefix(s.Text["manager"], "process") && s.Text["manager"] != first.Text["manager"]
	})
	d.until("that everybody is online again", func(s seen) bool { return strings.HasPrefix(s.Story[0].Text, "everybody") })
	d.whole("0 temp keys")
	if last.Text["logins"] != "0" || last.Text["perm-keys"] != "0" || last.Text["temp-keys"] != "3" {
		t.Errorf("in the end it is told %v", last.Text)
	}

	// The dashboard is where it was, and lets in whom the page sends.
	status, text := d.ask("GET", d.base+"/dashboard", "")
	if status != http.StatusOK || !strings.Contains(text, "You are signed in") {
		t.Errorf("the dashboard answers %d %s", status, text)
	}
	if status, text := d.ask("GET", d.Dashboard, ""); status != http.StatusOK || !strings.Contains(text, "Fleet") {
		t.Errorf("the dashboard answers %d %s", status, text)
	}

	var process int
	if _, err := fmt.Sscanf(last.Text["manager"], "process %d", &process); err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Wait(); err != nil {
		t.Errorf("it ended with %v\n%s", err, d.said.String())
	}
	if left, err := os.ReadDir(d.tmp); err != nil || len(left) > 0 {
		t.Errorf("it left %v (%v)", left, err)
	}
	if err := syscall.Kill(process, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("its manager, process %d, is there still (%v)", process, err)
	}
}

func TestABrowserIsOpenedWhereThereIsOne(t *testing.T) {
	has := func(names ...string) func(string) (string, error) {
		return func(name string) (string, error) {
			for _, n := range names {
				if n == name {
					return "/bin/" + n, nil
				}
			}
			return "", exec.ErrNotFound
		}
	}
	for _, c := range []struct {
		name, system, display string
		look                  func(string) (string, error)
		want                  string
	}{
		{"a desktop", "linux", ":0", has("xdg-open"), "/bin/xdg-open"},
		{"a server, where it would draw in the terminal", "linux", "", has("xdg-open"), ""},
		{"a desktop without the command", "linux", ":0", has(), ""},
		{"a Mac", "darwin", "", has("open"), "/bin/open"},
		{"Windows", "windows", "", has("open", "xdg-open"), ""},
	} {
		env := func(string) string { return c.display }
		if got := browser(c.system, env, c.look); got != c.want {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}
