package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/mtfleet/mtfleet/cmd/manager/sdnotify"
	"github.com/mtfleet/mtfleet/config"
)

// reloader reads the configuration of a manager again when it is told to, and has
// those settings count that may change while it runs.
type reloader struct {
	load func() (*config.Config, error)
	hups <-chan os.Signal
	log  *slog.Logger
	// level is that of log; limits and callers are told the new ones.
	level   slog.LevelVar
	limits  func(config.Limits)
	callers func([]config.Caller)
	// unit is told when a reload begins and ends.
	unit *sdnotify.Service
}

// reloadable are the settings that count at once.
var reloadable = []string{
	"log.level", "limits.connects_per_second", "limits.key_creations_per_second", "limits.key_creations_at_once",
	"limits.sign_ins_per_minute", "limits.accounts", "api.callers",
}

// run reloads at each SIGHUP until ctx ends. It was started with cfg.
func (r *reloader) run(ctx context.Context, cfg *config.Config) {
	now := cfg
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.hups:
			r.unit.Reload(func() { now = r.reload(cfg, now) })
		}
	}
}

// reload reads it once and returns the configuration whose reloadable settings count:
// now, where the new one is wrong. What needs a restart is told against started,
// every time, until it is put back.
func (r *reloader) reload(started, now *config.Config) *config.Config {
	next, err := r.load()
	var level slog.Level
	if err == nil {
		level, err = logLevel(next.Log)
	}
	if err != nil {
		r.log.Error("the configuration is wrong: nothing was changed", "problems", problemsOf(err), "advice", "correct it, look with `manager config check`, then send SIGHUP again")
		return now
	}
	changed := slices.DeleteFunc(config.Changed(now, next), func(name string) bool { return !slices.Contains(reloadable, name) })
	waiting := slices.DeleteFunc(config.Changed(started, next), func(name string) bool { return slices.Contains(reloadable, name) })
	if slices.ContainsFunc(changed, func(name string) bool { return strings.HasPrefix(name, "limits.") }) {
		r.limits(next.Limits)
	}
	if slices.Contains(changed, "api.callers") {
		r.callers(next.API.Callers)
	}
	if len(changed) > 0 {
		r.log.Info("the configuration was read again", "changed", strings.Join(changed, " "))
	} else {
		r.log.Info("the configuration was read again: nothing that can change now is different")
	}
	if len(waiting) > 0 {
		r.log.Warn("settings have changed that count only after a restart", "settings", strings.Join(waiting, " "))
	}
	r.level.Set(level) // last: the lines above are by the level that was asked for before
	return next
}

// problemsOf is what is wrong with a configuration, on one line.
func problemsOf(err error) string {
	var settings *config.Error
	if !errors.As(err, &settings) {
		return err.Error()
	}
	var all []string
	for _, p := range settings.Problems {
		all = append(all, p.String())
	}
	return strings.Join(all, "; ")
}
