package badgerstore

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/dgraph-io/badger/v4"
)

// badgerLogger passes Badger's messages on. What Badger calls information is
// debugging to us.
type badgerLogger struct{ to *slog.Logger }

var _ badger.Logger = badgerLogger{}

func (l badgerLogger) log(level slog.Level, format string, args ...any) {
	if l.to == nil || !l.to.Enabled(context.Background(), level) {
		return
	}
	l.to.Log(context.Background(), level, "badger: "+strings.TrimSpace(fmt.Sprintf(format, args...)))
}

func (l badgerLogger) Errorf(format string, args ...any) { l.log(slog.LevelError, format, args...) }

func (l badgerLogger) Warningf(format string, args ...any) { l.log(slog.LevelWarn, format, args...) }

func (l badgerLogger) Infof(format string, args ...any) { l.log(slog.LevelDebug, format, args...) }

// levelTrace is below debug: Badger says four things of each commit there, which
// would hide everything else.
const levelTrace = slog.LevelDebug - 4

func (l badgerLogger) Debugf(format string, args ...any) { l.log(levelTrace, format, args...) }
