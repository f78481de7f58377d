package about

import (
	"bytes"
	"encoding/json"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var info = &debug.BuildInfo{
	GoVersion: "go1.26.0",
	Main:      debug.Module{Path: "github.com/mtfleet/mtfleet", Version: "v1.2.3+dirty"},
	Deps: []*debug.Module{
		{Path: "example.org/a", Version: "v1.0.0", Sum: "h1:a="},
		{Path: "example.org/b", Version: "v2.0.0", Replace: &debug.Module{Path: "example.org/c", Version: "v2.0.1+incompatible", Sum: "h1:c="}},
	},
	Settings: []debug.BuildSetting{
		{Key: "-trimpath", Value: "true"}, {Key: "CGO_ENABLED", Value: "0"}, {Key: "GOOS", Value: "plan9"}, {Key: "GOARCH", Value: "arm"},
		{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: "abc"}, {Key: "vcs.time", Value: "2026-11-27T07:00:00Z"}, {Key: "vcs.modified", Value: "true"},
	},
}

func TestABuildIsWhatGoWroteIntoTheBinary(t *testing.T) {
	want := Build{
		Version: "v1.2.3+dirty", Commit: "abc", CommitTime: time.Date(2026, 11, 27, 7, 0, 0, 0, time.UTC), Modified: true,
		Go: "go1.26.0", OS: "plan9", Arch: "arm", Flags: map[string]string{"-trimpath": "true", "CGO_ENABLED": "0"},
		Main:    "github.com/mtfleet/mtfleet",
		Modules: []Module{{"example.org/a", "v1.0.0", "h1:a="}, {"example.org/c", "v2.0.1+incompatible", "h1:c="}},
	}
	if diff := cmp.Diff(want, Of(info)); diff != "" {
		t.Error(diff)
	}
}

func TestABuildThatGoKnowsNothingOfIsDev(t *testing.T) {
	for name, info := range map[string]*debug.BuildInfo{
		"no information":                           nil,
		"a working tree without version control":   {Main: debug.Module{Version: "(devel)"}},
		"a test, whose main module has no version": {},
	} {
		if got := Of(info).Version; got != Dev {
			t.Errorf("%s: version %q", name, got)
		}
	}
}

func TestTheBillNamesEveryModuleAndTheStandardLibrary(t *testing.T) {
	text, err := Of(info).SBOM()
	if err != nil {
		t.Fatal(err)
	}
	var got bom
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	var purls []string
	for _, c := range got.Components {
		purls = append(purls, c.PURL)
	}
	want := []string{"pkg:golang/std@1.26.0", "pkg:golang/example.org/a@v1.0.0", "pkg:golang/example.org/c@v2.0.1+incompatible"}
	if diff := cmp.Diff(want, purls); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]dependency{{got.Metadata.Component.Ref, want}}, got.Dependencies); diff != "" {
		t.Error(diff)
	}
	if got.Metadata.Time != "2026-11-27T07:00:00Z" || got.Metadata.Component.Version != "v1.2.3+dirty" {
		t.Errorf("%+v", got.Metadata)
	}
	if !regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(got.Serial) {
		t.Errorf("serial %s", got.Serial)
	}
}

func TestTheSameBuildHasTheSameBill(t *testing.T) {
	one, _ := Of(info).SBOM()
	two, _ := Of(info).SBOM()
	if !bytes.Equal(one, two) {
		t.Error("two bills of one build differ")
	}
	other := Of(info)
	other.Modules = other.Modules[1:]
	three, _ := other.SBOM()
	number := func(bill []byte) string {
		_, rest, _ := strings.Cut(string(bill), "urn:uuid:")
		return rest[:36]
	}
	if number(one) == number(three) {
		t.Error("bills of two builds have one number")
	}
}
