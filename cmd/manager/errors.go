package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/cmd/manager/wording"
	"github.com/mtfleet/mtfleet/config"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

// The exit codes, as `manager help exit-codes` explains them.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInUse       = 3
	exitMasterKey   = 4
	exitRefused     = 5
	exitWait        = 6
	exitUnreachable = 7
	exitDamaged     = 8
	exitState       = 9
	exitWarnings    = 10
	exitInterrupted = 130
)

func exitCodesTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "What the exit codes mean",
		Long: `What the exit codes mean:

  0    done; of demo and bench: every promise held
  1    failed; of demo and bench: a promise did not hold; of doctor: an error
  2    usage or configuration is wrong
  3    in use: the store, the control socket, or an address to listen on; or the
       store is a copy whose original may be in use, or was moved to another one
  4    the master key is missing, unreadable, or not the store's; or an identity
       is not one of the backup's
  5    the server refused: a wrong or expired code or link, an unknown token, a wrong
       two-step password, a method called with what it does not take, ...
  6    the server ordered to wait; the message says until when
  7    a DC cannot be reached, or the manager went away
  8    the store is damaged: something is missing, a record cannot be read, or it
       is of a newer version; the same of a backup; of store salvage: not everything
       could be saved
  9    there is no such account, or its state does not allow this
  10   of doctor: warnings, and nothing worse
  130  interrupted

With --json an error is one JSON object on standard error:
{"error": "...", "kind": "...", "exit_code": N}, with "until" for a wait, and
for account call with "call": the server's code, type and argument, path, retry_at
and may_have_run.`,
	}
}

// exitError is an error that knows its exit code.
type exitError struct {
	code int
	kind control.Kind // for --json
	text string
	err  error
}

func (e *exitError) Error() string { return e.text }
func (e *exitError) Unwrap() error { return e.err }

func usage(format string, args ...any) error {
	return &exitError{code: exitUsage, kind: control.KindInvalid, text: fmt.Sprintf(format, args...)}
}

var kindCodes = map[control.Kind]int{
	control.KindNoAccount:   exitState,
	control.KindNoConsumer:  exitState,
	control.KindNoPeer:      exitState,
	control.KindExists:      exitState,
	control.KindState:       exitState,
	control.KindInvalid:     exitUsage,
	control.KindConfig:      exitUsage,
	control.KindRefused:     exitRefused,
	control.KindWait:        exitWait,
	control.KindUnreachable: exitUnreachable,
	control.KindStopped:     exitUnreachable,
	control.KindMoved:       exitUnreachable,
	control.KindDamaged:     exitDamaged,
	control.KindInUse:       exitInUse,
	control.KindMasterKey:   exitMasterKey,
	control.KindCanceled:    exitInterrupted,
}

// exitCode picks the code of an error.
func exitCode(err error) int {
	var exit *exitError
	var settings *config.Error
	var app *actors.AppError
	var socket *control.SocketError
	switch {
	case errors.As(err, &exit):
		return exit.code
	case errors.As(err, &settings), errors.As(err, &app):
		return exitUsage
	case errors.As(err, &socket), errors.Is(err, syscall.EADDRINUSE):
		return exitInUse
	}
	if code, ok := kindCodes[kindOf(err)]; ok {
		return code
	}
	return exitFailed
}

// kindOf names an error for programs.
func kindOf(err error) control.Kind {
	var exit *exitError
	if errors.As(err, &exit) && exit.kind != "" {
		return exit.kind
	}
	if errors.As(err, new(*config.Error)) || errors.As(err, new(*actors.AppError)) {
		return control.KindConfig
	}
	if errors.As(err, new(*control.SocketError)) || errors.Is(err, syscall.EADDRINUSE) {
		return control.KindInUse
	}
	return control.KindOf(control.Wrap(err))
}

// describe is what a person reads: what is wrong and what to do next.
func describe(err error) string {
	var (
		settings *config.Error
		addr     *serve.AddrError
		locked   *persistence.LockedError
		failed   *control.Error
		exit     *exitError
	)
	switch {
	case errors.As(err, &exit):
		return exit.text
	case errors.As(err, &settings):
		return describeConfig(settings)
	case errors.As(err, &addr):
		return describeAddr(addr)
	case errors.As(err, &locked):
		return describeLocked(locked)
	case errors.As(err, &failed):
		s := failed.Message
		if !failed.Until.IsZero() && failed.Until.After(time.Now()) {
			s += fmt.Sprintf(" (try again after %s, in %s)", failed.Until.Local().Format(time.DateTime), wording.RoundUp(time.Until(failed.Until)))
		}
		return s
	case errors.Is(err, context.Canceled):
		return "interrupted"
	}
	var e *control.Error
	errors.As(control.Wrap(err), &e)
	return e.Message
}

func describeConfig(e *config.Error) string {
	var b strings.Builder
	b.WriteString("the configuration is wrong:")
	for _, p := range e.Problems {
		b.WriteString("\n  " + p.String())
	}
	b.WriteString("\nCorrect it; `manager config check` looks again and `manager config example` shows every setting.")
	return b.String()
}

func describeAddr(e *serve.AddrError) string {
	why := e.Reason
	if strings.Contains(why, syscall.EADDRINUSE.Error()) {
		why = "another program listens there: stop it, or choose another port (port 0 takes a free one)"
	}
	return fmt.Sprintf("DC %d cannot listen on %s: %s", e.DC, e.Addr, why)
}

func describeLocked(e *persistence.LockedError) string {
	who := "another process"
	if e.PID != 0 {
		who = fmt.Sprintf("process %d", e.PID)
	}
	return fmt.Sprintf("the store in %s is in use by %s: a store has one manager; stop that one first, or give this one a data directory of its own (store.dir)", e.Dir, who)
}

// addrInUse turns a listen error into one that says what to do.
func addrInUse(setting, addr string, err error) error {
	var op *net.OpError
	if errors.Is(err, syscall.EADDRINUSE) {
		return &exitError{code: exitInUse, kind: control.KindInUse, err: err,
			text: fmt.Sprintf("%s: another program listens on %s: stop it, or choose another port", setting, addr)}
	}
	if errors.As(err, &op) {
		err = op.Err
	}
	return fmt.Errorf("%s: cannot listen on %s: %w", setting, addr, err)
}

// report writes an error to standard error.
func (a *app) report(err error) {
	text := describe(err)
	if text == "" { // said already
		return
	}
	if !a.asJSON {
		a.printf("manager: %s\n", text)
		return
	}
	var call *control.CallError
	var failed *control.Error
	if errors.As(err, &failed) {
		call = failed.Call
	}
	b, _ := json.Marshal(struct {
		Error string             `json:"error"`
		Kind  control.Kind       `json:"kind"`
		Exit  int                `json:"exit_code"`
		Until time.Time          `json:"until,omitzero"`
		Call  *control.CallError `json:"call,omitempty"`
	}{text, kindOf(err), exitCode(err), untilOf(err), call})
	a.printf("%s\n", b)
}

// untilOf is the end of the wait that an error is about; zero for none.
func untilOf(err error) time.Time {
	var failed *control.Error
	if errors.As(err, &failed) {
		return failed.Until
	}
	return time.Time{}
}
