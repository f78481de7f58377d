package badgerstore

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/dgraph-io/badger/v4"
)

// badgerLogger passes Badger's messages on. What Badger calls information is
// debugging to us. Two of them tell the space below the store what Badger has no
// other way to say; a test holds that they still come.
type badgerLogger struct {
	to    *slog.Logger
	space *space
}

const (
	// sayMerged is said by a compaction that has read what goes into a table,
	// just before it makes that table. It holds no lock then.
	sayMerged = "[%d] LOG Compact. Added"
	// sayNoFlush is said by a flush that failed and is repeated.
	sayNoFlush = "error flushing memtable"
)

var _ badger.Logger = badgerLogger{}

func (l badgerLogger) log(level slog.Level, format string, args ...any) {
	if l.to == nil || !l.to.Enabled(context.Background(), level) {
		return
	}
	l.to.Log(context.Background(), level, "badger: "+strings.TrimSpace(fmt.Sprintf(format, args...)))
}

func (l badgerLogger) Errorf(format string, args ...any) {
	if l.space != nil && strings.HasPrefix(format, sayNoFlush) && len(args) > 0 {
		if err, ok := args[0].(error); ok && !l.space.flushFailed(err) {
			return // said already
		}
	}
	l.log(slog.LevelError, format, args...)
}

func (l badgerLogger) Warningf(format string, args ...any) { l.log(slog.LevelWarn, format, args...) }

func (l badgerLogger) Infof(format string, args ...any) { l.log(slog.LevelDebug, format, args...) }

// levelTrace is below debug: Badger says four things of each commit there, which
// would hide everything else.
const levelTrace = slog.LevelDebug - 4

func (l badgerLogger) Debugf(format string, args ...any) {
	if l.space != nil && strings.HasPrefix(format, sayMerged) {
		l.space.gate()
	}
	l.log(levelTrace, format, args...)
}
