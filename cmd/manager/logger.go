package main

import (
	"io"
	"log/slog"

	"github.com/mtfleet/mtfleet/config"
)

// newLogger logs to w as configured, but nothing below least.
func newLogger(w io.Writer, l config.Log, least slog.Level) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		return nil, usage("log.level: %q is none", l.Level)
	}
	o := &slog.HandlerOptions{Level: max(level, least)}
	if l.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return slog.New(slog.NewTextHandler(w, o)), nil
}
