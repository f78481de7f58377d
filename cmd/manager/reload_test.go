package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/mtfleet/mtfleet/config"
)

func TestWhatASIGHUPChanges(t *testing.T) {
	var log bytes.Buffer
	var next *config.Config
	var failed error
	var limits []config.Limits
	var callers [][]config.Caller
	r := &reloader{load: func() (*config.Config, error) { return next, failed }, limits: func(l config.Limits) { limits = append(limits, l) },
		callers: func(l []config.Caller) { callers = append(callers, l) }}
	r.log = leveledLogger(&log, "text", &r.level)
	started := config.Default()
	now := started
	for _, step := range []struct {
		name   string
		change func(c *config.Config)
		err    error
		says   []string
		not    string
		limits int // how often they were set by now
	}{
		{"nothing", func(*config.Config) {}, nil, []string{"nothing that can change now is different"}, "restart", 0},
		{"the level", func(c *config.Config) { c.Log.Level = "debug" }, nil, []string{"read again\" changed=log.level"}, "restart", 0},
		{"a limit, and it stays", func(c *config.Config) { c.Log.Level, c.Limits.Accounts = "debug", 5 }, nil, []string{"changed=limits.accounts"}, "log.level", 1},
		{"what is wrong", nil, &config.Error{Problems: []config.Problem{{Path: "log.levle", Message: "there is no such setting"}}}, []string{"level=ERROR", "nothing was changed", "log.levle: there is no such setting"}, "restart", 1},
		{"a file that is gone", nil, errors.New("it is gone"), []string{"it is gone"}, "restart", 1},
		{"back, with something for a restart", func(c *config.Config) { c.Store.Dir, c.Limits.CallsPerAccount = "elsewhere", 1 }, nil,
			[]string{`changed="limits.accounts log.level"`, `settings="store.dir limits.calls_per_account"`}, "", 2},
		{"that again", func(c *config.Config) { c.Store.Dir = "elsewhere" }, nil, []string{"nothing that can change now", "settings=store.dir"}, "", 2},
		{"who is let in", func(c *config.Config) { c.API.Callers = []config.Caller{{Name: "ops"}} }, nil, []string{"changed=api.callers"}, "restart", 2},
		{"nobody is let in", func(*config.Config) {}, nil, []string{"changed=api.callers"}, "restart", 2},
		{"a secret", func(c *config.Config) { c.APIHash = "0123456789abcdef" }, nil, []string{"settings=api_hash"}, "0123456789abcdef", 2},
	} {
		log.Reset()
		if failed = step.err; failed == nil {
			next = config.Default()
			step.change(next)
		}
		before := now
		now = r.reload(started, now)
		for _, text := range step.says {
			if !strings.Contains(log.String(), text) {
				t.Errorf("%s: the log does not have %q:\n%s", step.name, text, log.String())
			}
		}
		if step.not != "" && strings.Contains(log.String(), step.not) {
			t.Errorf("%s: the log has %q:\n%s", step.name, step.not, log.String())
		}
		if len(limits) != step.limits || failed != nil && now != before {
			t.Errorf("%s: limits were set %d times", step.name, len(limits))
		}
	}
	if len(callers) != 2 || len(callers[0]) != 1 || len(callers[1]) != 0 {
		t.Errorf("callers were told to be %v", callers)
	}
	if r.level.Level().String() != "INFO" {
		t.Errorf("the level is %v in the end", r.level.Level())
	}
}
