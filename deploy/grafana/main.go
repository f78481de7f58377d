// Command grafana writes the dashboard of a fleet, fleet.json, for Grafana. What its
// panels say of a metric is what docs/telemetry.md says.
//
//	go generate ./deploy/grafana
package main

import (
	"fmt"
	"os"
)

//go:generate go run . ../../docs/telemetry.md fleet.json

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "grafana:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("it takes the page of metrics and the file to write: ../../docs/telemetry.md fleet.json")
	}
	page, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	text, err := build(string(page))
	if err != nil {
		return err
	}
	return os.WriteFile(args[1], text, 0o666)
}
