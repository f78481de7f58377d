package main

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/mtfleet/mtfleet/config"
)

// No container engine runs in these tests: they hold what the files name against what
// there is.

const containers = "../../deploy/container/"

// instruction is one of a Containerfile.
type instruction struct{ name, args string }

func containerfile(t *testing.T) (all []instruction) {
	t.Helper()
	text, err := os.ReadFile(containers + "Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	joined := strings.ReplaceAll(string(text), "\\\n", " ")
	for line := range strings.Lines(joined) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		name, args, _ := strings.Cut(line, " ")
		all = append(all, instruction{name, args})
	}
	return all
}

// image is what the last stage of the Containerfile has: its variables, and where what
// it copies ends.
func image(t *testing.T) (last []instruction, env []string, files []string) {
	t.Helper()
	all := containerfile(t)
	for i, in := range all {
		if in.name == "FROM" {
			last = all[i:]
		}
	}
	for _, in := range last {
		words := strings.Fields(in.args)
		switch in.name {
		case "ENV":
			env = append(env, words...)
		case "COPY":
			files = append(files, words[len(words)-1])
		}
	}
	return last, env, files
}

// of are the arguments of the instructions of that name.
func of(all []instruction, name string) (args []string) {
	for _, in := range all {
		if in.name == name {
			args = append(args, in.args)
		}
	}
	return args
}

func TestTheImageHoldsTheManagerAloneAndNoRoot(t *testing.T) {
	last, _, files := image(t)
	for name, want := range map[string]string{
		"FROM": "scratch", "USER": "65532:65532", "ENTRYPOINT": `["/usr/bin/manager"]`, "CMD": `["run"]`, "VOLUME": `["/data"]`,
	} {
		if got := of(last, name); !slices.Equal(got, []string{want}) {
			t.Errorf("%s is %q, want %s", name, got, want)
		}
	}
	if len(of(last, "RUN")) > 0 {
		t.Error("an image from scratch has nothing that could run")
	}
	if missing := missingOf("run"); missing != "" {
		t.Errorf("there is no %s", missing)
	}
	if !slices.Contains(files, "/usr/bin/manager") {
		t.Errorf("the manager is not in %q", files)
	}
}

func TestTheImageIsBuiltByAGoThatIsNewEnough(t *testing.T) {
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	wanted := regexp.MustCompile(`(?m)^go (1\.\d+)`).FindSubmatch(mod)
	from := of(containerfile(t), "FROM")[0]
	if wanted == nil || !strings.Contains(from, "golang:"+string(wanted[1])+"-") {
		t.Errorf("FROM %s, and go.mod wants Go %s", from, wanted[1])
	}
	// As deploy/pack builds it.
	build := of(containerfile(t), "RUN")[1]
	for _, part := range []string{"CGO_ENABLED=0", "-trimpath", "-buildvcs=true", `-ldflags="-s -w"`, "./cmd/manager"} {
		if !strings.Contains(build, part) {
			t.Errorf("%s is not in %s", part, build)
		}
	}
}

// compose is what these tests read of a compose file.
type compose struct {
	Services map[string]struct {
		Build       struct{ Context, Dockerfile string }
		Image       string
		Environment map[string]string
		Secrets     []string
		Volumes     []string
		ReadOnly    bool `yaml:"read_only"`
		Tmpfs       []string
		CapDrop     []string `yaml:"cap_drop"`
		SecurityOpt []string `yaml:"security_opt"`
		Ports       []string
		Ulimits     map[string]int
		Restart     string
		Grace       string `yaml:"stop_grace_period"`
	}
	Name    string
	Secrets map[string]struct{ File string }
	Volumes map[string]struct{}
}

func readCompose(t *testing.T) compose {
	t.Helper()
	text, err := os.ReadFile(containers + "compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var c compose
	strict := yaml.NewDecoder(bytes.NewReader(text))
	strict.KnownFields(true)
	if err := strict.Decode(&c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheContainersSettingsAreGood(t *testing.T) {
	_, env, files := image(t)
	manager := readCompose(t).Services["mtfleet"]
	given := regexp.MustCompile(`^\$\{(\w+):\?.*\}$`)
	for name, value := range manager.Environment {
		if m := given.FindStringSubmatch(value); m != nil { // from .env
			i := slices.IndexFunc(ownApp, func(kv string) bool { return strings.HasPrefix(kv, m[1]+"=") })
			if m[1] != name || i < 0 {
				t.Errorf("%s is %s: nobody sets that", name, value)
				continue
			}
			value = strings.TrimPrefix(ownApp[i], name+"=")
		}
		env = append(env, name+"="+value)
	}
	cfg, problems := config.Check(config.Options{Env: env, Official: official})
	if len(problems) > 0 {
		t.Fatalf("%v with %q", problems, env)
	}
	if !slices.Contains(files, cfg.Store.Dir) || !slices.Contains(manager.Volumes, "data:"+cfg.Store.Dir) {
		t.Errorf("no volume for %s", cfg.Store.Dir)
	}
	if path.Dir(cfg.Control.Socket) != cfg.Store.Dir {
		t.Errorf("nobody can write %s", cfg.Control.Socket)
	}
	if got := "/run/secrets/" + manager.Secrets[0]; cfg.Store.KeyFile != got {
		t.Errorf("the key is looked for in %s, and lies in %s", cfg.Store.KeyFile, got)
	}
	if !cfg.Metrics.AllowRemote {
		t.Error("Prometheus, in a container of its own, is refused")
	}
}

func TestTheContainerHasNoRightsAndAsManyFilesAsTheUnit(t *testing.T) {
	manager := readCompose(t).Services["mtfleet"]
	if !manager.ReadOnly || !slices.Equal(manager.CapDrop, []string{"ALL"}) || !slices.Contains(manager.SecurityOpt, "no-new-privileges:true") || len(manager.Ports) > 0 {
		t.Errorf("%+v", manager)
	}
	if got := readUnit(t, unitPath).one(t, "LimitNOFILE"); got != "65536" || manager.Ulimits["nofile"] != 65536 || manager.Ulimits["core"] != 0 {
		t.Errorf("%v, and the unit has %s", manager.Ulimits, got)
	}
}

func TestTheComposeFileNamesFilesAndVolumesThatAreThere(t *testing.T) {
	c := readCompose(t)
	if c.Services["mtfleet"].Build.Context != "../.." || c.Services["mtfleet"].Build.Dockerfile != "deploy/container/Containerfile" {
		t.Errorf("%+v", c.Services["mtfleet"].Build)
	}
	mounted := 0
	for name, s := range c.Services {
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			if _, named := c.Volumes[from]; named {
				continue
			}
			mounted++
			if info, err := os.Stat(filepath.Join(containers, from)); err != nil || info.IsDir() || !strings.HasSuffix(v, ":ro") {
				t.Errorf("%s mounts %s: %v", name, v, err)
			}
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s is open to other machines at %s", name, p)
			}
		}
		if !regexp.MustCompile(`^mtfleet$|:v?\d+\.\d+\.\d+$`).MatchString(s.Image) {
			t.Errorf("%s runs %s: no version is named", name, s.Image)
		}
	}
	if mounted != 5 {
		t.Errorf("%d files are mounted", mounted)
	}
	if names := slices.Sorted(maps.Keys(c.Services)); !slices.Equal(names, []string{"grafana", "mtfleet", "prometheus"}) {
		t.Errorf("services %q", names)
	}
}

func TestPrometheusAndGrafanaOfTheComposeFileFindEachOther(t *testing.T) {
	read := func(name string, into any) {
		text, err := os.ReadFile(containers + name)
		if err == nil {
			strict := yaml.NewDecoder(bytes.NewReader(text))
			strict.KnownFields(true)
			err = strict.Decode(into)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	var prometheus struct {
		Global  map[string]string
		Rules   []string `yaml:"rule_files"`
		Scrapes []struct {
			Job    string                       `yaml:"job_name"`
			Static []struct{ Targets []string } `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	read("prometheus.yml", &prometheus)
	_, env, _ := image(t)
	port := ""
	for _, kv := range env {
		if listen, ok := strings.CutPrefix(kv, "MTFLEET_METRICS_LISTEN=0.0.0.0"); ok {
			port = listen
		}
	}
	if got := prometheus.Scrapes[0].Static[0].Targets; port == "" || !slices.Equal(got, []string{"mtfleet" + port}) {
		t.Errorf("it scrapes %q, and the manager listens at %q", got, port)
	}
	inPrometheus := readCompose(t).Services["prometheus"].Volumes
	if !slices.Contains(inPrometheus, "../prometheus/alerts.yml:/etc/prometheus/"+prometheus.Rules[0]+":ro") {
		t.Errorf("%s is not among %q", prometheus.Rules[0], inPrometheus)
	}

	var sources struct {
		Version     int `yaml:"apiVersion"`
		Datasources []struct {
			Name, Type, URL string
			IsDefault       bool `yaml:"isDefault"`
		}
	}
	read("grafana/datasource.yml", &sources)
	if s := sources.Datasources[0]; s.URL != "http://prometheus:9090" || s.Type != "prometheus" || !s.IsDefault {
		t.Errorf("%+v", s)
	}
	var dashboards struct {
		Version   int `yaml:"apiVersion"`
		Providers []struct {
			Name, Type string
			Options    struct{ Path string }
		}
	}
	read("grafana/dashboards.yml", &dashboards)
	inGrafana := readCompose(t).Services["grafana"].Volumes
	if want := "../grafana/fleet.json:" + dashboards.Providers[0].Options.Path + "/fleet.json:ro"; !slices.Contains(inGrafana, want) {
		t.Errorf("%s is not among %q", want, inGrafana)
	}
}

func TestPromtoolTakesTheConfigurationOfTheComposeFile(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("there is no promtool on this machine")
	}
	dir := t.TempDir() // as the two lie in the container
	for from, to := range map[string]string{containers + "prometheus.yml": "prometheus.yml", "../../deploy/prometheus/alerts.yml": "alerts.yml"} {
		text, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, to), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command(promtool, "check", "config", filepath.Join(dir, "prometheus.yml")).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
