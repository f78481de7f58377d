package main

import (
	"encoding/base64"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"helm.sh/helm/v3/pkg/strvals"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

func TestBuildKitTakesTheContainerfile(t *testing.T) {
	f, err := os.Open("../container/Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	parsed, err := parser.Parse(f)
	if err != nil {
		t.Fatal(err)
	}
	lint := linter.New(&linter.Config{Warn: func(rule, _, url, text string, at []parser.Range) { t.Errorf("%s at %v: %s (%s)", rule, at, text, url) }})
	stages, _, err := instructions.Parse(parsed.AST, lint)
	if err != nil {
		t.Fatal(err)
	}
	if last := stages[len(stages)-1]; len(stages) != 2 || last.BaseName != "scratch" {
		t.Errorf("%d stages, the last one from %s", len(stages), last.BaseName)
	}
	for _, w := range parsed.Warnings {
		t.Errorf("%s (%s)", w.Short, w.URL)
	}
}

// loadCompose reads the compose file in dir as docker compose does.
func loadCompose(t *testing.T, dir string, env types.Mapping) (*types.Project, error) {
	t.Helper()
	file := filepath.Join(dir, "compose.yml")
	return loader.LoadWithContext(t.Context(), types.ConfigDetails{WorkingDir: dir, ConfigFiles: []types.ConfigFile{{Filename: file}},
		Environment: maps.Clone(env)}) // it adds to them
}

func TestComposeWantsWhatOnlyTheOperatorHas(t *testing.T) {
	all := types.Mapping{"MTFLEET_API_ID": "900001", "MTFLEET_API_HASH": "0123", "GRAFANA_PASSWORD": "x"}
	if _, err := loadCompose(t, "../container", all); err != nil {
		t.Error(err)
	}
	for name := range all {
		env := maps.Clone(all)
		delete(env, name)
		if _, err := loadCompose(t, "../container", env); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

// play runs commands of docs/deploy.md in dir, and returns how the programs in stubs
// were called: they are not run, but noted.
func play(t *testing.T, commands, dir string, stubs ...string) (calls [][]string) {
	t.Helper()
	notes := filepath.Join(t.TempDir(), "calls")
	script := ""
	for _, stub := range stubs {
		script += stub + `() { printf '%s\0' ` + stub + ` "$@" >>"$NOTES"; printf '\n' >>"$NOTES"; }` + "\n"
	}
	cmd := exec.Command("bash", "-euc", script+commands)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "NOTES="+notes)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v of\n%s\nprinted\n%s", err, commands, out)
	}
	text, err := os.ReadFile(notes)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Split(line, "\x00")
		calls = append(calls, words[:len(words)-1])
	}
	return calls
}

// TestThePagesContainerIsPrepared does what docs/deploy.md says in a copy of the
// working tree, up to what takes an engine.
func TestThePagesContainerIsPrepared(t *testing.T) {
	commands, err := blocks("A container")
	if err != nil || len(commands) != 1 {
		t.Fatal(len(commands), err)
	}
	clone := filepath.Join(t.TempDir(), "mtfleet")
	if err := cloneCommit(clone); err != nil {
		t.Fatal(err)
	}
	calls := play(t, commands[0], clone, "podman", "sudo")
	dir := filepath.Join(clone, "deploy", "container")
	env, err := dotenv.Read(filepath.Join(dir, ".env"))
	if err != nil {
		t.Fatal(err)
	}
	project, err := loadCompose(t, dir, env)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".env", "master-key"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s is %v %v", name, info, err)
		}
	}
	key, err := os.ReadFile(project.Secrets["master-key"].File)
	if err != nil {
		t.Fatal(err)
	}
	isKey(t, string(key))
	// Neither of the two gets into an image or a commit.
	if out, err := exec.Command("git", "-C", clone, "status", "--porcelain").CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%s %v", out, err)
	}
	uid, _, _ := strings.Cut(imageUser(t), ":")
	want := [][]string{
		{"sudo", "chown", uid, "master-key"},
		{"podman", "compose", "up", "--build", "--detach"},
		{"podman", "compose", "exec", "mtfleet", "/usr/bin/manager", "account", "login", "alice", "--add"},
	}
	if !slices.EqualFunc(calls, want, slices.Equal) {
		t.Errorf("%q", calls)
	}
	if _, there := project.Services[want[2][3]]; !there {
		t.Errorf("there is no service %s", want[2][3])
	}
}

// imageUser is the user of the image.
func imageUser(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../container/Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, user, found := strings.Cut(string(text), "\nUSER ")
	if !found {
		t.Fatal("the image has no user")
	}
	user, _, _ = strings.Cut(user, "\n")
	return user
}

func isKey(t *testing.T, text string) {
	t.Helper()
	if key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text)); err != nil || len(key) != 32 {
		t.Errorf("the master key has %d bytes: %v", len(key), err)
	}
}

// TestThePagesReleaseIsWhatTheChartTakes renders the chart with the values of the page's
// command, and holds its Secret against the pod. kubectl, where it is at hand, makes
// that Secret without a cluster.
func TestThePagesReleaseIsWhatTheChartTakes(t *testing.T) {
	commands, err := blocks("Kubernetes")
	if err != nil || len(commands) != 1 {
		t.Fatal(len(commands), err)
	}
	calls := play(t, commands[0], t.TempDir(), "kubectl", "helm")
	if len(calls) != 3 {
		t.Fatalf("%q", calls)
	}
	create, install, exec := calls[0], calls[1], calls[2]
	if !slices.Equal(install[:4], []string{"helm", "install", "fleet", "deploy/helm/mtfleet"}) {
		t.Errorf("%q", install)
	}
	values := map[string]any{}
	for i, word := range install {
		if word == "--set" {
			if err := strvals.ParseInto(install[i+1], values); err != nil {
				t.Fatal(err)
			}
		}
	}
	set := as[appsv1.StatefulSet](t, rendered(t, values), "statefulset.yaml", "StatefulSet")
	if pod := set.Name + "-0"; exec[1] != "exec" || exec[3] != pod {
		t.Errorf("the pod is %s, and %q", pod, exec)
	}
	secret := createdSecret(t, create)
	if secret.Name != values["secret"] {
		t.Errorf("the release wants the secret %s, and %s is made", values["secret"], secret.Name)
	}
	used := map[string]string{} // by what, by entry
	for _, v := range set.Spec.Template.Spec.Containers[0].Env {
		if v.ValueFrom != nil {
			used[v.ValueFrom.SecretKeyRef.Key] = v.Name
		}
	}
	for _, v := range set.Spec.Template.Spec.Volumes {
		if v.Secret != nil && v.Secret.SecretName == secret.Name {
			for _, item := range v.Secret.Items {
				used[item.Key] = v.Name
			}
		}
	}
	for entry, by := range used {
		if len(secret.Data[entry]) == 0 {
			t.Errorf("%s wants %s of it", by, entry)
		}
	}
	if len(used) != len(secret.Data) {
		t.Errorf("%d of %d entries are used", len(used), len(secret.Data))
	}
	isKey(t, string(secret.Data["master-key"]))
}

// createdSecret is what a command of kubectl would create.
func createdSecret(t *testing.T, call []string) corev1.Secret {
	t.Helper()
	if _, err := exec.LookPath(call[0]); err != nil {
		t.Skip("there is no kubectl on this machine")
	}
	cmd := exec.Command(call[0], append(call[1:], "--dry-run=client", "--output=yaml")...)
	cmd.Env = append(os.Environ(), "KUBECONFIG=/dev/null")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%q: %v", call, err)
	}
	var secret corev1.Secret
	if err := yaml.UnmarshalStrict(out, &secret); err != nil {
		t.Fatal(err)
	}
	return secret
}
