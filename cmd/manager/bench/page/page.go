// Package page writes the result of a measurement as one HTML file that loads nothing
// from anywhere: what was printed, charts drawn as SVG, and the result as JSON.
package page

import (
	"bytes"
	_ "embed" // of the layout
	"encoding/json"
	"fmt"
	"html/template"
	"io"
)

// Page is what is written.
type Page struct {
	Title  string
	Text   string // as it was printed for a person
	Charts []Chart
	Result any // as JSON, for whoever wants the figures
}

// Chart is one picture. It is one of Bars, Steps and Shares.
type Chart interface {
	// draw returns an SVG element.
	draw() string
	title() string
}

//go:embed page.html
var source string

var layout = template.Must(template.New("page").Parse(source))

// Write writes the page. The error is w's, or that of a result that is not JSON.
func (p Page) Write(w io.Writer) error {
	result, err := json.MarshalIndent(p.Result, "", "  ")
	if err != nil {
		return fmt.Errorf("page: the result: %w", err)
	}
	type drawn struct {
		Title string
		SVG   template.HTML
	}
	view := struct {
		Title, Text, JSON string
		Charts            []drawn
	}{Title: p.Title, Text: p.Text, JSON: string(result)}
	for _, c := range p.Charts {
		view.Charts = append(view.Charts, drawn{c.title(), template.HTML(c.draw())}) // made of numbers and escaped words
	}
	var out bytes.Buffer
	if err := layout.Execute(&out, view); err != nil {
		return fmt.Errorf("page: %w", err)
	}
	_, err = w.Write(out.Bytes())
	return err
}
