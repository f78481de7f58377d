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
	"github.com/mtfleet/mtfleet/cmd/manager/control"
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

// unitHealth is what systemd is told of a manager that serves the control socket there.
func unitHealth(m *actors.Manager, socket string) sdnotify.Health {
	return sdnotify.Health{
		Up: func(ctx context.Context) error {
			remote, err := control.Dial(ctx, socket)
			if err != nil {
				return err
			}
			defer remote.Close()
			_, err = control.Info.Call(ctx, remote, control.Empty{})
			return err
		},
		Alive: func(ctx context.Context) error {
			_, err := m.Governor(ctx)
			return err
		},
		Status: func() string { return fleetLine(m.States()) },
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
