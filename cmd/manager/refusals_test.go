package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

var rewrite = flag.Bool("rewrite", false, "write the tables in testdata anew")

// everywhere is what any method may be refused with, by class.
// https://core.telegram.org/api/errors
var everywhere = []string{
	"303 USER_MIGRATE_1",
	"400 CONNECTION_NOT_INITED", "400 CONNECTION_LAYER_INVALID",
	"400 CONNECTION_API_ID_INVALID", "400 CONNECTION_APP_VERSION_EMPTY", "400 CONNECTION_DEVICE_MODEL_EMPTY", "400 CONNECTION_SYSTEM_EMPTY",
	"400 CONNECTION_SYSTEM_LANG_CODE_EMPTY", "400 CONNECTION_LANG_PACK_INVALID", "400 CONNECTION_LANG_CODE_INVALID",
	"400 INPUT_LAYER_INVALID", "400 INPUT_METHOD_INVALID_1_2", "400 INPUT_CONSTRUCTOR_INVALID_1_2", "400 INPUT_FETCH_ERROR",
	"400 METHOD_INVALID", "400 BOT_METHOD_INVALID", "400 MSG_WAIT_FAILED", "400 PEER_FLOOD", "404 NOT_FOUND",
	"401 AUTH_KEY_UNREGISTERED", "401 AUTH_KEY_INVALID", "401 AUTH_KEY_PERM_EMPTY", "401 SESSION_REVOKED", "401 SESSION_EXPIRED",
	"401 ACTIVE_USER_REQUIRED", "401 USER_DEACTIVATED", "401 USER_DEACTIVATED_BAN", "401 SESSION_PASSWORD_NEEDED",
	"403 RECAPTCHA_CHECK_x__y", "403 INTEGRITY_CHECK_CLASSIC_x", "403 APNS_VERIFY_CHECK_x", "403 ANY_OTHER",
	"406 AUTH_KEY_DUPLICATED", "406 ANY_OTHER",
	"420 FLOOD_WAIT_0", "420 FLOOD_WAIT_3", "420 FLOOD_WAIT_7000", "420 FLOOD_PREMIUM_WAIT_3", "420 FLOOD_TEST_PHONE_WAIT_3",
	"420 FROZEN_METHOD_INVALID",
	"500 RPC_CALL_FAIL", "500 RPC_MCGET_FAIL", "500 INTERDC_2_CALL_ERROR", "500 INTERDC_2_CALL_RICH_ERROR", "500 No workers running",
	"500 WORKER_BUSY_TOO_LONG_RETRY", "500 AUTH_KEY_UNSYNCHRONIZED", "500 AUTH_RESTART_3", "500 RPC_CALL_FAIL, always",
	"-503 Timeout", "-503 Timeout, always", "-503 MSG_WAIT_TIMEOUT",
}

// brief tells whether one error of each class is enough beside the method's own;
// the tables are of all.
func brief() bool { return testing.Short() || raced }

// everyClass is one of each, for a brief run.
var everyClass = []string{
	"303 USER_MIGRATE_1", "400 CONNECTION_NOT_INITED", "400 INPUT_FETCH_ERROR", "401 SESSION_REVOKED", "401 USER_DEACTIVATED", "403 ANY_OTHER",
	"406 AUTH_KEY_DUPLICATED", "420 FLOOD_WAIT_3", "500 RPC_CALL_FAIL", "-503 Timeout",
}

// outcome is what an error came to, as somebody meets it.
type outcome struct {
	does  string   // what happens
	exit  int      // of the command that was at it
	words []string // what it and `account show` print

	first     []string // what was printed before a wait was over
	firstExit int
}

// row is an error of a method with its outcome.
type row struct {
	err string
	outcome
}

// TestEveryRefusalIsSaidInWords answers every call of a sign-in, and every call
// about the account's own security, with every error that the method is
// documented to have, and with those any method may have, once each: a real
// manager against the test DC. Whatever the error, it ends in words that say what
// to do, in bounded time, and nobody is lost by it: the sign-in goes on or can be
// begun anew, and who is signed in stays so unless the error is the proof of the
// contrary. What is printed is in testdata/refusals: read its diff like code.
func TestEveryRefusalIsSaidInWords(t *testing.T) {
	for _, list := range [][]road{signInRoads, flowRoads, accountRoads} {
		for _, r := range list {
			name := r.method + " when " + r.when
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				file := "testdata/refusals/" + fileName(name)
				rows := r.travel(t)
				if brief() {
					return
				}
				got := r.table(rows)
				if *rewrite {
					if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
					return
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), got); diff != "" {
					t.Errorf("the table differs (-want +got); read it, then write it anew with -rewrite:\n%s", diff)
				}
			})
		}
	}
}

var noName = regexp.MustCompile(`[^a-zA-Z0-9.]+`)

func fileName(s string) string { return noName.ReplaceAllString(s, "_") + ".txt" }

// errors are those of the method, and those of every method.
func (r *road) errors(t *testing.T) (own, others []string) {
	list, err := api.DocumentedErrors(r.method)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		own = append(own, strconv.Itoa(e.Code)+" "+strings.ReplaceAll(e.Text, "%d", "1"))
	}
	others = everywhere
	if brief() {
		others = everyClass
	}
	return own, slices.DeleteFunc(slices.Clone(others), func(s string) bool { return slices.Contains(own, s) })
}

// travel tries every error on the road.
func (r *road) travel(t *testing.T) (rows []row) {
	own, others := r.errors(t)
	actorstest.Bubble(t, func(t *testing.T) {
		w := newRefusalWorld(t, r)
		usual, err := w.try("")
		if err != nil {
			t.Fatalf("without any error: %v", err)
		}
		for _, text := range append(own, others...) {
			got, err := w.try(text)
			if err != nil {
				t.Errorf("%s: %v; it printed %q", text, err, got.words)
			}
			rows = append(rows, row{text, got.against(usual)})
		}
	})
	return rows
}

// against says what an outcome has that is not usual.
func (o outcome) against(usual outcome) outcome {
	rest, same := strings.CutSuffix(o.does, usual.does)
	if !same || !slices.Equal(o.words[len(o.first):], usual.words) {
		return o
	}
	o.does, o.words, o.exit = rest+"goes on as usual", o.first, o.firstExit
	return o
}

// try answers the next call of the road's method with an error, "" for none, and
// tells what came of it. The error says what is wrong with that.
func (w *refusalWorld) try(text string) (outcome, error) {
	if w.road.call != nil {
		return w.tryCall(text)
	}
	return w.trySignIn(text)
}

// fail makes the next call of the method fail.
func (w *refusalWorld) fail(text string) {
	text, always := strings.CutSuffix(text, ", always")
	w.always = always
	switch {
	case text == "":
	case always:
		code, name, _ := strings.Cut(text, " ")
		n, _ := strconv.Atoi(code)
		actorstest.Inject(w.t, w.s, dctest.Fault{Kind: dctest.FaultRPC, Method: w.road.method, Code: n, Text: name, Count: 1 << 20})
	default:
		if err := w.s.FailNext(w.road.method, text); err != nil {
			w.t.Fatal(err)
		}
	}
}

// hit checks that the error was answered, and ends it.
func (w *refusalWorld) hit(text string) error {
	left := w.s.FaultsLeft()
	if err := w.s.ClearFaults(); err != nil {
		return err
	}
	if left > 0 && !strings.HasSuffix(text, ", always") {
		return fmt.Errorf("%s was not called", w.road.method)
	}
	return nil
}

// trySignIn lets somebody sign in up to the call, and then to the end.
func (w *refusalWorld) trySignIn(text string) (outcome, error) {
	p := w.newcomer()
	step, err := (*actors.Step)(nil), error(nil)
	if len(w.road.answers) > 0 {
		if step, err = p.signIn(); err != nil {
			return outcome{}, err
		}
	}
	begun := time.Now()
	for i, kind := range w.road.answers {
		if begun = time.Now(); i == len(w.road.answers)-1 {
			w.fail(text)
		}
		if step == nil {
			return outcome{}, errors.New("the sign-in did not wait for its answer")
		}
		if kind == scan {
			step, err = p.scans(step)
		} else {
			step, err = p.answer(p.answerTo(kind, step))
		}
		if err != nil && i < len(w.road.answers)-1 {
			return outcome{}, err
		}
	}
	if len(w.road.answers) == 0 {
		w.fail(text)
		step, err = p.signIn()
	}
	var got outcome
	if err == nil && step != nil && step.Kind == actors.StepWait {
		got.does = fmt.Sprintf("waits %s, then ", time.Until(step.Until).Round(time.Second))
		got.step(p, step, text)
		got.first, got.firstExit, got.words = got.words, got.exit, slices.Clone(got.words)
		time.Sleep(time.Until(step.Until) + time.Second)
		step, err = p.step(step)
	} else if took := time.Since(begun).Round(time.Second); took > 10*time.Second {
		got.does = fmt.Sprintf("after %s ", took)
	}
	if bad := w.hit(text); bad != nil {
		return got, bad
	}
	var bad error
	switch {
	case err != nil:
		got.does += "ends the sign-in"
		bad = got.end(p, err, text)
	case step == nil:
		got.does += "is signed in"
	case step.Kind == actors.StepWait:
		got.does += "waits on"
		got.step(p, step, text)
	default:
		got.does += "asks for " + string(step.Kind)
		got.step(p, step, text)
	}
	if step != nil && step.LastError != "" {
		got.does += " (last_error)"
	}
	if err := p.finish(step, err); err != nil {
		return got, fmt.Errorf("the sign-in cannot be finished: %w", err)
	}
	if err := p.alive(); err != nil {
		return got, err
	}
	return got, errors.Join(bad, p.leave())
}

// tryCall makes the call as an account that is signed in.
func (w *refusalWorld) tryCall(text string) (outcome, error) {
	p := w.kept
	if w.kept = nil; p == nil {
		p = w.newcomer()
		if err := p.finish(p.signIn()); err != nil {
			return outcome{}, err
		}
		if err := p.alive(); err != nil {
			return outcome{}, err
		}
	}
	w.fail(text)
	begun := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Hour)
	defer cancel()
	err := w.road.call(ctx, p)
	took := time.Since(begun).Round(time.Second)
	got := outcome{does: "is done"}
	var bad error
	if took > 10*time.Second && !w.road.quiet {
		got.does = fmt.Sprintf("after %s is done", took)
	}
	if err != nil {
		got.does = strings.Replace(got.does, "is done", "fails", 1)
		bad = got.said(err, text)
	}
	var lost bool
	early := w.always && w.road.quiet // what goes on by itself may, once the error is gone
	if early {
		lost = got.stands(p, text)
	}
	if missed := w.hit(text); missed != nil {
		return outcome{}, fmt.Errorf("%w (%w)", missed, err)
	}
	if time.Sleep(time.Second); !early {
		lost = got.stands(p, text)
	}
	switch {
	case lost:
		if err := p.finish(p.signIn()); err != nil {
			return got, fmt.Errorf("it cannot sign in again: %w", err)
		}
	case w.road.ends && err == nil:
		return got, bad
	case !w.road.alone && !strings.HasPrefix(text, "420"):
		w.kept = p // no wait is left that would hold the next call
	}
	if err := p.alive(); err != nil {
		return got, err
	}
	if w.kept == nil {
		return got, errors.Join(bad, p.a.Pause(context.Background()))
	}
	return got, bad
}

// say keeps a line that is printed, without what differs from run to run.
func (o *outcome) say(where, line, text string) {
	if line = plainer(line, text); line != "" {
		o.words = append(o.words, where+line)
	}
}

var (
	aTime     = regexp.MustCompile(`(\d{4}-\d\d-\d\d[T ])?\d\d:\d\d:\d\dZ?`)
	anAccount = regexp.MustCompile(`\bx\d+\b`)
	aSecret   = regexp.MustCompile(`[A-Za-z0-9_-]{43}`) // 32 random bytes
	aNumber   = regexp.MustCompile(`\+99966\d+`)
	anAddress = regexp.MustCompile(`\bx\S*@example\.org`)
)

// plainer puts one name for every account, time, and the error itself.
func plainer(line, text string) string {
	line = aSecret.ReplaceAllString(line, "RANDOM")
	line = anAddress.ReplaceAllString(aNumber.ReplaceAllString(line, "+NUMBER"), "ADDRESS")
	line = aTime.ReplaceAllString(anAccount.ReplaceAllString(line, "alice"), "TIME")
	code, name, _ := strings.Cut(strings.TrimSuffix(text, ", always"), " ")
	if name == "" {
		return line
	}
	n, _ := strconv.Atoi(code)
	e := tgerr.New(n, name)
	for _, said := range []string{strings.TrimPrefix(e.Error(), "tgerr: server answered "), e.Type} {
		line = strings.ReplaceAll(line, said, "NAME")
	}
	return line
}

// step is what a step looks like to a command.
func (o *outcome) step(p *somebody, s *actors.Step, text string) {
	printed, exit := p.printed(s)
	o.exit = exit
	for line := range strings.SplitSeq(printed, "\n") {
		o.say("prints  ", line, text)
	}
	if st := p.a.Status(); actors.Plain(st.Why) != "" {
		o.say("show    ", actors.Plain(st.Why)+": "+st.Advice, text)
	}
}

// end is how a command ends whose sign-in does.
func (o *outcome) end(p *somebody, err error, text string) error {
	bad := o.said(err, text)
	st := p.a.Status()
	o.say("show    ", actors.Plain(st.Why)+": "+st.Advice, text)
	return bad
}

// bare are the kinds of errors that say too little.
var bare = []control.Kind{control.KindInternal}

// said is what a command prints of an error.
func (o *outcome) said(err error, text string) error {
	wrapped := control.Wrap(err)
	o.exit = exitCode(wrapped)
	line := describe(wrapped)
	o.say("prints  ", line, text)
	kind := control.KindOf(wrapped)
	o.does += ", " + string(kind)
	switch {
	case slices.Contains(bare, kind):
		return fmt.Errorf("it ends as %q", kind)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("it hangs")
	}
	return nil
}

// stands is where the account stands afterwards, and whether it has to sign in
// again.
func (o *outcome) stands(p *somebody, text string) (lost bool) {
	st := p.a.Status()
	if st.State != actors.Online {
		o.does += "; the account is " + st.State.String()
		o.say("show    ", actors.Plain(st.Why)+": "+st.Advice, text)
	}
	return !st.SignedIn
}

// table is the rows as people read them: what comes to the same is one entry.
func (r *road) table(rows []row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, when %s\n", r.method, r.when)
	for len(rows) > 0 {
		first := rows[0].outcome
		if first.exit == exitOK && strings.HasSuffix(first.does, "goes on as usual") {
			first.words = nil
		}
		same := func(x row) bool {
			return x.does == first.does && x.exit == first.exit && slices.Equal(x.words, first.words)
		}
		fmt.Fprintf(&b, "\n%s", first.does)
		if first.exit != 0 {
			fmt.Fprintf(&b, ", exit code %d", first.exit)
		}
		b.WriteString("\n")
		for _, x := range rows {
			if same(x) {
				fmt.Fprintf(&b, "    %s\n", x.err)
			}
		}
		for _, line := range first.words {
			fmt.Fprintf(&b, "  %s\n", line)
		}
		rows = slices.DeleteFunc(rows, same)
	}
	return b.String()
}
