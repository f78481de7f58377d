package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// rootOfImage makes a directory with what deploy/container/Containerfile puts into its
// image, and the secret of the compose file, and returns the image's variables.
func rootOfImage(t *testing.T, user int) (root string, env []string) {
	t.Helper()
	text, err := os.ReadFile("../container/Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, last, _ := strings.Cut(string(text), "\nFROM scratch\n")
	env = regexp.MustCompile(`MTFLEET_\w+=\S+`).FindAllString(last, -1)
	root = t.TempDir()
	for _, dir := range []string{"usr/bin", "etc/mtfleet", "run/secrets", "data"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	binary, err := os.ReadFile(packed.manager)
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string][]byte{"usr/bin/manager": binary, "run/secrets/master-key": []byte(strings.Repeat("ab", 32))} {
		if err := os.WriteFile(filepath.Join(root, path), content, 0o500); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"data", "run/secrets/master-key", "usr/bin/manager"} {
		if err := os.Chown(filepath.Join(root, path), user, user); err != nil {
			t.Fatal(err)
		}
	}
	// A test's directory is its user's alone.
	for dir := root; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return root, env
}

// TestTheManagerNeedsNothingThatTheImageHasNot runs the manager where there is no file
// but the image's, no home, and no name for its user, against a test DC outside. It is
// no container: no engine is needed, and none is tried.
func TestTheManagerNeedsNothingThatTheImageHasNot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can change the root directory of a process")
	}
	const user = 65532
	root, env := rootOfImage(t, user)
	inside := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), "/usr/bin/manager", args...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: user, Gid: user}}
		cmd.Dir = "/"
		cmd.Env = env
		return cmd
	}

	outside := t.TempDir()
	dc := exec.CommandContext(t.Context(), packed.manager, "testdc", "--bots", "1", "--dcs", "1", "--descriptor", "dc.json", "--write-config", "dc.yaml")
	dc.Dir = outside
	if err := dc.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = dc.Process.Signal(os.Interrupt)
		_ = dc.Wait()
	}()
	var described struct {
		Bots []struct{ Token string }
	}
	await(t, "the test DC", func() bool {
		text, err := os.ReadFile(filepath.Join(outside, "dc.json"))
		_, other := os.Stat(filepath.Join(outside, "dc.yaml"))
		return err == nil && other == nil && json.Unmarshal(text, &described) == nil
	})
	settings, err := os.ReadFile(filepath.Join(outside, "dc.yaml"))
	if err == nil {
		err = os.WriteFile(filepath.Join(root, "etc/mtfleet/config.yaml"), settings, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	page := l.Addr().String()
	_ = l.Close()
	env = append(env, "MTFLEET_CONFIG=/etc/mtfleet/config.yaml", "MTFLEET_METRICS_LISTEN="+page) // not of every address
	var log bytes.Buffer
	run := inside("run")
	run.Stderr = &log
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- run.Wait() }()
	await(t, "/readyz", func() bool {
		select {
		case err := <-ended:
			t.Fatal(err, log.String())
		default:
		}
		answer, err := http.Get("http://" + page + "/readyz")
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		_, _ = io.Copy(io.Discard, answer.Body)
		return answer.StatusCode == http.StatusOK
	})

	login := inside("account", "login", "helper", "--add", "--bot-token-file", "-")
	login.Stdin = strings.NewReader(described.Bots[0].Token + "\n")
	if out, err := login.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	await(t, "the account to be online", func() bool {
		out, err := inside("account", "list").CombinedOutput()
		return err == nil && strings.Contains(string(out), "online")
	})

	if err := run.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil || !strings.Contains(log.String(), "manager stopped") {
		t.Errorf("%v\n%s", err, &log)
	}
}

// await waits until something has happened in another process.
func await(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for begun := time.Now(); !happened(); time.Sleep(50 * time.Millisecond) {
		if time.Since(begun) > time.Minute {
			t.Fatalf("waited for %s in vain", what)
		}
	}
}
