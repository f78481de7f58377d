package main

import (
	"io"
	"log/slog"

	"github.com/mtfleet/mtfleet/config"
)

// newLogger logs to w as configured, but nothing below least.
func newLogger(w io.Writer, l config.Log, least slog.Level) (*slog.Logger, error) {
	level, err := logLevel(l)
	if err != nil {
		return nil, err
	}
	return leveledLogger(w, l.Format, max(level, least)), nil
}

// logLevel reads the level of a configuration.
func logLevel(l config.Log) (level slog.Level, err error) {
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		return level, usage("log.level: %q is none", l.Level)
	}
	return level, nil
}

// leveledLogger logs what is of a level that may change meanwhile.
func leveledLogger(w io.Writer, format string, level slog.Leveler) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
