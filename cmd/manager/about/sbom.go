package about

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// The parts of a CycloneDX 1.6 bill of materials that a binary can fill in.
// https://cyclonedx.org/docs/1.6/json/
type (
	bom struct {
		Format       string       `json:"bomFormat"`
		Spec         string       `json:"specVersion"`
		Serial       string       `json:"serialNumber"`
		Version      int          `json:"version"`
		Metadata     metadata     `json:"metadata"`
		Components   []component  `json:"components"`
		Dependencies []dependency `json:"dependencies"`
	}
	metadata struct {
		Time      string    `json:"timestamp,omitempty"`
		Component component `json:"component"`
	}
	component struct {
		Type       string     `json:"type"`
		Ref        string     `json:"bom-ref"`
		Name       string     `json:"name"`
		Version    string     `json:"version,omitempty"`
		PURL       string     `json:"purl"`
		Properties []property `json:"properties,omitempty"`
	}
	property struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	dependency struct {
		Ref       string   `json:"ref"`
		DependsOn []string `json:"dependsOn,omitempty"`
	}
)

// SBOM returns the bill of materials of a build: CycloneDX 1.6, as JSON. The same
// binary has the same one, to the last byte. Licences are not in it, for a binary
// does not know them, and which module needs which neither.
func (b Build) SBOM() ([]byte, error) {
	main := module("application", b.Main, b.Version)
	for _, p := range []property{{"go:commit", b.Commit}, {"go:os", b.OS}, {"go:arch", b.Arch}} {
		if p.Value != "" {
			main.Properties = append(main.Properties, p)
		}
	}
	// The standard library is a module of the toolchain's version.
	all := []component{module("library", "std", strings.TrimPrefix(b.Go, "go"))}
	for _, m := range b.Modules {
		c := module("library", m.Path, m.Version)
		if m.Sum != "" {
			c.Properties = []property{{"go:sum", m.Sum}}
		}
		all = append(all, c)
	}
	doc := bom{Format: "CycloneDX", Spec: "1.6", Version: 1, Metadata: metadata{Component: main}, Components: all}
	if !b.CommitTime.IsZero() {
		doc.Metadata.Time = b.CommitTime.UTC().Format(time.RFC3339)
	}
	needs := dependency{Ref: main.Ref}
	for _, c := range all {
		needs.DependsOn = append(needs.DependsOn, c.Ref)
	}
	doc.Dependencies = []dependency{needs}

	contents, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	doc.Serial = serial(contents)
	text, err := json.MarshalIndent(doc, "", "  ")
	return append(text, '\n'), err
}

func module(kind, path, version string) component {
	purl := "pkg:golang/" + (&url.URL{Path: path}).EscapedPath() + "@" + url.PathEscape(version)
	return component{Type: kind, Ref: purl, Name: path, Version: version, PURL: purl}
}

// serial is a UUID (version 8: one's own) that says what the document holds.
func serial(contents []byte) string {
	u := sha256.Sum256(contents)
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:16])
}
