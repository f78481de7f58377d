package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/health"
	"github.com/mtfleet/mtfleet/cmd/manager/sdnotify"
)

// underSystemd is the line to systemd; nil where something else started the
// manager.
func (a *app) underSystemd(log *slog.Logger) *sdnotify.Service {
	unit, err := sdnotify.New(a.env, os.Getpid(), log)
	if err != nil {
		log.Warn("systemd will not hear of this manager", "err", err)
	}
	return unit
}

// unitHealth is what systemd is told of a manager: the same answers that /readyz,
// /livez and /fleetz give.
func unitHealth(ask health.Sources) sdnotify.Health {
	return sdnotify.Health{
		Up:     allWell(slices.Concat(ask.Live, ask.Ready)),
		Alive:  allWell(ask.Live),
		Status: func() string { return fleetLine(ask.Fleet().States) },
	}
}

// allWell asks all checks, and returns the first error.
func allWell(checks []health.Check) func(context.Context) error {
	probe := health.NewProbe(checks...)
	return func(ctx context.Context) error {
		for _, answer := range probe.Look(ctx) {
			if answer.Err != nil {
				return fmt.Errorf("%s: %w", answer.Name, answer.Err)
			}
		}
		return nil
	}
}

// fleetLine says how many accounts are online, and how the others are, in the order
// of the states.
func fleetLine(count map[actors.State]int) string {
	all := 0
	var others []string
	for _, state := range slices.Sorted(maps.Keys(count)) {
		all += count[state]
		if state != actors.Online && count[state] > 0 {
			others = append(others, fmt.Sprintf("%d %s", count[state], state))
		}
	}
	if all == 0 {
		return "no accounts yet"
	}
	line := fmt.Sprintf("%d of %d accounts online", count[actors.Online], all)
	if len(others) > 0 {
		line += ": " + strings.Join(others, ", ")
	}
	return line
}
