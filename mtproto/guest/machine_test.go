package guest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl/tg"
)

var epoch = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

var (
	exported = (&tg.AuthExportedAuthorization{ID: 42, Bytes: []byte("SECRET")}).Append(nil)
	imported = (&tg.AuthAuthorization{User: &tg.User{ID: 42}}).Append(nil)
	signUp   = (&tg.AuthAuthorizationSignUpRequired{}).Append(nil)
	badBytes = tgerr.New(400, "AUTH_BYTES_INVALID")
	revoked  = tgerr.New(401, "SESSION_REVOKED")
	timeout  = tgerr.New(-503, "Timeout")
	flood    = tgerr.New(420, "FLOOD_WAIT_90")
	errLost  = errors.New("the connection was lost")
)

// A rig is a machine with a clock.
type rig struct {
	t   *testing.T
	now time.Time
	m   *Machine
}

func newRig(t *testing.T, s Snapshot) *rig {
	r := &rig{t, epoch, New(Config{DC: 4}, s)}
	r.m.Start(r.now)
	return r
}

// want checks the outputs, a sentence first. A refusal and a wait read as how
// long it lasts from now, and the server's word.
func (r *rig) want(sentence string, lines ...string) {
	r.t.Helper()
	var got []string
	for out, ok := r.m.Next(); ok; out, ok = r.m.Next() {
		line := out.String()
		if out.Kind == OutRefused || out.Kind == OutWaiting {
			line = fmt.Sprintf("%v{%.0fs, %v}", out.Kind, out.Until.Sub(r.now).Seconds(), word(out.Err))
		}
		got = append(got, line)
	}
	if diff := cmp.Diff(lines, got); diff != "" {
		r.t.Errorf("%s (-want +got):\n%s", sentence, diff)
	}
}

// word is the innermost error in short.
func word(err error) string {
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	if e, ok := tgerr.As(err); ok {
		return fmt.Sprintf("%d %s", e.Code, e.Type)
	}
	return err.Error()
}

// until is the end of the refusal.
func (r *rig) until() time.Time { return r.m.snap.Refused.Until }

// wantedAfter lets time pass and somebody want the DC.
func (r *rig) wantedAfter(d time.Duration) {
	r.now = r.now.Add(d)
	r.m.Advance(r.now)
	r.m.Wanted(r.now)
}

func (r *rig) exported()              { r.m.Exported(r.now, r.m.id, exported) }
func (r *rig) imported()              { r.m.Imported(r.now, r.m.id, imported) }
func (r *rig) exportFailed(err error) { r.m.ExportFailed(r.now, r.m.id, err) }
func (r *rig) importFailed(err error) { r.m.ImportFailed(r.now, r.m.id, err) }

// pause goes to the deadline and checks how far it was.
func (r *rig) pause(want time.Duration) {
	r.t.Helper()
	d := r.m.Deadline()
	if d.IsZero() {
		r.t.Fatalf("nothing is waited for in %v", r.m.State())
	}
	if got := d.Sub(r.now); got != want {
		r.t.Errorf("the pause is %v, want %v", got, want)
	}
	r.m.Advance(d.Add(-1))
	if r.m.State() != StatePausing {
		r.t.Error("the pause is cut short")
	}
	r.now = d
	r.m.Advance(d)
}

// toReady carries the authorization over.
func (r *rig) toReady() {
	r.t.Helper()
	r.toReadyFrom("Save{authorized: true}")
}

func (r *rig) toReadyFrom(save string) {
	r.t.Helper()
	r.m.KeyReady(r.now)
	r.want("a key is there: home exports", "Export")
	r.exported()
	r.want("the bytes are imported at once", "Import")
	r.imported()
	r.want("the authorization is saved before calls go", save, "Ready")
}

func TestExportAndImport(t *testing.T) {
	r := newRig(t, Snapshot{})
	r.want("without a key nothing happens")
	r.toReady()
	r.m.KeyReady(r.now)
	r.m.Start(r.now)
	r.want("another binding of the same key changes nothing")
}

func TestTheQueriesNameTheDCAndCarryTheBytes(t *testing.T) {
	r := newRig(t, Snapshot{})
	r.m.KeyReady(r.now)
	out, _ := r.m.Next()
	if q, ok := out.Query.(*tg.AuthExportAuthorizationRequest); !ok || q.DCID != 4 {
		t.Errorf("the export is %v", out.Query)
	}
	r.m.Exported(r.now, out.Call, exported)
	out, _ = r.m.Next()
	if q, ok := out.Query.(*tg.AuthImportAuthorizationRequest); !ok || q.ID != 42 || string(q.Bytes) != "SECRET" {
		t.Errorf("the import is %v", out.Query)
	}
	if s := fmt.Sprintf("%v %+v %#v", out, out, out); strings.Contains(s, "SECRET") {
		t.Errorf("the credential shows in %s", s)
	}
}

func TestARestartKeepsTheAuthorization(t *testing.T) {
	r := newRig(t, Snapshot{Authorized: true})
	r.m.KeyReady(r.now)
	r.want("the perm key has it already", "Ready")
	if diff := cmp.Diff(Snapshot{Authorized: true}, r.m.Snapshot()); diff != "" {
		t.Error(diff)
	}
}

func TestAFailedExportIsTriedAgain(t *testing.T) {
	r := newRig(t, Snapshot{})
	r.m.KeyReady(r.now)
	r.exportFailed(errLost)
	r.pause(time.Second)
	r.exportFailed(timeout)
	r.pause(2 * time.Second)
	r.m.Exported(r.now, r.m.id, []byte("rubbish!"))
	r.pause(4 * time.Second)
	r.want("one export after each pause", "Export", "Export", "Export", "Export")
}

func TestAServerThatKeepsFailingIsLeftAloneForAWhile(t *testing.T) {
	r := newRig(t, Snapshot{})
	r.m.KeyReady(r.now)
	for range troublesMost {
		r.exportFailed(timeout)
		r.m.Next()
		r.now = r.m.Deadline()
		r.m.Advance(r.now)
	}
	if d := r.now.Sub(epoch); d < 4*time.Minute || d > 7*time.Minute {
		t.Errorf("calls were held for %v", d)
	}
	r.m.Next()
	r.exportFailed(timeout)
	r.want("there is an end", "Save{authorized: false, refusals: 1}", "Refused{60s, -503 Timeout}")
	r.wantedAfter(time.Minute)
	r.want("it is tried again for whoever wants it", "Export")
}

// refuseRound has the import refused until callers are told or the key goes.
func (r *rig) refuseRound() {
	r.t.Helper()
	r.want("home exports", "Export")
	for try := range importsMost {
		r.exported()
		r.want("the bytes are imported at once", "Import")
		r.importFailed(badBytes)
		if try < importsMost-1 {
			r.pause(time.Second << try)
			r.want("fresh bytes are asked for", "Export")
		}
	}
}

func TestARefusedImportReachesTheCallerInSecondsAndCostsOneKeyADay(t *testing.T) {
	r := newRig(t, Snapshot{})
	r.m.KeyReady(r.now)
	r.refuseRound()
	if d := r.now.Sub(epoch); d > 5*time.Second {
		t.Errorf("the caller waits for %v", d)
	}
	r.want("who waits is told the server's words", "Save{authorized: false, refusals: 1}", "Refused{60s, 400 AUTH_BYTES_INVALID}")
	if !r.m.Deadline().IsZero() {
		t.Error("it is tried again by itself")
	}
	r.now = r.now.Add(time.Minute - 1)
	r.m.Wanted(r.now)
	r.want("who comes meanwhile does not ask the server")
	if err := r.m.Refusal(r.now); !tgerr.Is(err, "AUTH_BYTES_INVALID") {
		t.Errorf("but is told %v", err)
	}

	r.wantedAfter(1)
	r.refuseRound()
	r.want("refused again, the key is to blame", "Save{authorized: false, refusals: 1, a key was dropped}", "DropKey")
	r.m.KeyReady(r.now)
	r.refuseRound()
	r.want("the next one is not better", "Save{authorized: false, refusals: 2, a key was dropped}", "Refused{120s, 400 AUTH_BYTES_INVALID}")
	for _, minutes := range []int{4, 8, 16, 32, 60, 60} {
		r.wantedAfter(r.until().Sub(r.now))
		r.refuseRound()
		r.want("no other key within a day", fmt.Sprintf("Save{authorized: false, refusals: %d, a key was dropped}", r.m.snap.Refusals),
			fmt.Sprintf("Refused{%ds, 400 AUTH_BYTES_INVALID}", minutes*60))
	}
	r.wantedAfter(keyEvery)
	r.refuseRound()
	r.want("a day later there is", fmt.Sprintf("Save{authorized: false, refusals: %d, a key was dropped}", r.m.snap.Refusals), "DropKey")
	r.toReadyFrom("Save{authorized: true, refusals: 8, a key was dropped}")
	r.now = r.now.Add(settled)
	r.m.Unauthorized(r.now, revoked)
	r.want("once it was well, its history is forgotten", "Stop", "Save{authorized: false, a key was dropped}", "Export")
}

func TestOneOrTwoRefusedImportsAreNoticedByNobody(t *testing.T) {
	for refused := range importsMost {
		r := newRig(t, Snapshot{})
		r.m.KeyReady(r.now)
		for range refused {
			r.exported()
			r.importFailed(badBytes)
			r.now = r.m.Deadline()
			r.m.Advance(r.now)
		}
		r.exported()
		for out, ok := r.m.Next(); ok; out, ok = r.m.Next() {
			if out.Kind != OutExport && out.Kind != OutImport {
				t.Errorf("%d refusals: %v", refused, out)
			}
		}
		r.imported()
		r.want("it is ready", "Save{authorized: true}", "Ready")
	}
}

func TestWhatIsToldIsTheServersLastWord(t *testing.T) {
	for _, tc := range []struct {
		name string
		fail func(r *rig)
		want string
	}{
		{"an import answered with a sign-up", func(r *rig) { r.m.Imported(r.now, r.m.id, signUp) },
			"the authorization cannot be carried to DC 4, next try after 2026-09-01T12:01:03Z: the import was answered with something other than an authorization"},
		{"an import that is refused", func(r *rig) { r.importFailed(badBytes) },
			"the authorization cannot be carried to DC 4, next try after 2026-09-01T12:01:03Z: tgerr: server answered 400 AUTH_BYTES_INVALID"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, Snapshot{})
			r.m.KeyReady(r.now)
			for {
				r.exported()
				tc.fail(r)
				if r.m.Deadline().IsZero() {
					break
				}
				r.now = r.m.Deadline()
				r.m.Advance(r.now)
			}
			var refused *RefusedError
			if err := r.m.Refusal(r.now); !errors.As(err, &refused) || err.Error() != tc.want || refused.Until != r.until() {
				t.Errorf("got %v", err)
			}
			again := New(Config{DC: 4}, r.m.Snapshot())
			if err := again.Refusal(r.now); err == nil || err.Error() != tc.want {
				t.Errorf("after a restart: %v", err)
			}
		})
	}
}

func TestHomeThatForbidsTheExportIsNotAskedAgainAtOnce(t *testing.T) {
	r := newRig(t, Snapshot{})
	r.m.KeyReady(r.now)
	r.exportFailed(tgerr.New(420, "FROZEN_METHOD_INVALID"))
	r.want("callers are told", "Export", "Save{authorized: false, refusals: 1}", "Refused{60s, 420 FROZEN_METHOD_INVALID}")
}

func TestARestartGoesOnWithTheRefusal(t *testing.T) {
	r := newRig(t, Snapshot{})
	r.m.KeyReady(r.now)
	r.refuseRound()
	r.m = New(Config{DC: 4}, r.m.Snapshot())
	r.m.Start(r.now)
	r.m.KeyReady(r.now)
	r.want("calls that were let in are told", "Refused{60s, 400 AUTH_BYTES_INVALID}")
	r.wantedAfter(time.Minute)
	r.want("it is tried again when it is wanted", "Export")
}

func TestAWrongClockDoesNotCloseADCForYears(t *testing.T) {
	years := epoch.AddDate(5, 0, 0)
	r := newRig(t, Snapshot{Refusals: -1, Refused: Refusal{Until: years, Code: 400, Text: "AUTH_BYTES_INVALID"}, KeyDropped: years})
	want := Snapshot{Refused: Refusal{Until: epoch.Add(refusedMost), Code: 400, Text: "AUTH_BYTES_INVALID"}, KeyDropped: epoch}
	if diff := cmp.Diff(want, r.m.Snapshot()); diff != "" {
		t.Errorf("the times are not bounded (-want +got):\n%s", diff)
	}
	r.want("which the disk learns", "Save{authorized: false, a key was dropped}")
}

func TestALongWaitIsToldAndNothingIsAskedBeforeItsEnd(t *testing.T) {
	ours := fmt.Errorf("export: %w", &WaitError{DC: 2, Until: epoch.Add(90 * time.Second), Err: errLost})
	for _, tc := range []struct {
		name string
		err  error
		word string
	}{
		{"the server's", flood, "420 FLOOD_WAIT"},
		{"one that is remembered", ours, "the connection was lost"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, importing := range []bool{false, true} {
				r := newRig(t, Snapshot{})
				r.m.KeyReady(r.now)
				if importing {
					r.exported()
					r.importFailed(tc.err)
					r.want("who waits is told", "Export", "Import", "Waiting{90s, "+tc.word+"}")
				} else {
					r.exportFailed(tc.err)
					r.want("who waits is told", "Export", "Waiting{90s, "+tc.word+"}")
				}
				r.now = r.now.Add(90*time.Second - 1)
				r.m.Wanted(r.now)
				r.m.Advance(r.now)
				var wait *WaitError
				if err := r.m.Refusal(r.now); !errors.As(err, &wait) || !wait.Until.Equal(epoch.Add(90*time.Second)) {
					t.Errorf("a call that comes meanwhile is told %v", err)
				}
				r.now = r.now.Add(time.Hour)
				r.m.Advance(r.now)
				r.want("nobody wants it: nothing is asked")
				r.m.Wanted(r.now)
				r.want("somebody does", "Export")
			}
		})
	}
}

func TestAShortWaitIsNoticedByNobody(t *testing.T) {
	short := tgerr.New(420, "FLOOD_WAIT_3")
	r := newRig(t, Snapshot{})
	r.m.KeyReady(r.now)
	for i := range shortTries {
		r.exportFailed(short)
		r.pause(max(3*time.Second, time.Second<<i))
	}
	r.want("it is asked again after each", "Export", "Export", "Export", "Export", "Export")
	r.exportFailed(short)
	r.want("a server that goes on and on is told of", "Waiting{3s, 420 FLOOD_WAIT}")
}

func TestAWaitThatIsCleared(t *testing.T) {
	r := newRig(t, Snapshot{})
	r.m.KeyReady(r.now)
	r.exportFailed(tgerr.New(420, "FLOOD_WAIT_2147483647"))
	r.want("a wait of 68 years", "Export", "Waiting{2147483647s, 420 FLOOD_WAIT}")
	r.m.WaitCleared(r.now)
	r.m.Wanted(r.now)
	r.want("its owner knows better", "Export")
}

func TestAKeyLostDuringAWaitDoesNotShortenIt(t *testing.T) {
	r := newRig(t, Snapshot{})
	r.m.KeyReady(r.now)
	r.exportFailed(flood)
	r.m.KeyLost(r.now)
	r.want("told once", "Export", "Waiting{90s, 420 FLOOD_WAIT}")
	r.now = r.now.Add(time.Minute)
	r.m.KeyReady(r.now)
	r.want("the wait goes on", "Waiting{30s, 420 FLOOD_WAIT}")
	r.m.KeyLost(r.now)
	r.now = r.now.Add(time.Minute)
	r.m.KeyReady(r.now)
	r.want("over, and nobody wants the DC")
	r.m.Wanted(r.now)
	r.want("somebody does", "Export")
}

func TestALostImportIsExportedAgain(t *testing.T) {
	r := newRig(t, Snapshot{})
	r.m.KeyReady(r.now)
	r.exported()
	r.importFailed(errLost)
	r.pause(time.Second)
	r.want("the bytes may be used up: fresh ones are asked for", "Export", "Import", "Export")
}

func TestHomeRefusesTheExport(t *testing.T) {
	r := newRig(t, Snapshot{})
	r.m.KeyReady(r.now)
	r.exportFailed(tgerr.New(401, "AUTH_KEY_UNREGISTERED"))
	r.want("the account must hear of it", "Export", "HomeLost{tgerr: server answered 401 AUTH_KEY_UNREGISTERED}")
	if !r.m.Deadline().IsZero() {
		t.Error("the export is repeated by itself")
	}
	r.m.HomeAlive(r.now)
	r.pause(time.Second)
	r.want("it was not so", "Export")
	r.exportFailed(tgerr.New(400, "DC_ID_INVALID"))
	r.want("home does not know the DC", "Failed{home does not export to DC 4: tgerr: server answered 400 DC_ID_INVALID}")
}

func TestA401OnTheGuestIsImportedOnceThenTheKeyIsDropped(t *testing.T) {
	r := newRig(t, Snapshot{})
	r.toReady()
	r.m.Unauthorized(r.now, revoked)
	r.m.Unauthorized(r.now, revoked)
	r.want("calls wait, one flight carries it over again", "Stop", "Save{authorized: false}", "Export")
	r.exported()
	r.imported()
	r.want("it is back", "Import", "Save{authorized: true}", "Ready")
	r.m.Unauthorized(r.now, revoked)
	r.want("the second time the key is replaced", "Stop", "Save{authorized: false, a key was dropped}", "DropKey")
	r.toReadyFrom("Save{authorized: true, a key was dropped}")
	r.now = r.now.Add(settled)
	r.m.Unauthorized(r.now, revoked)
	r.want("long after, it is the first time again", "Stop", "Save{authorized: false, a key was dropped}", "Export")
	r.exported()
	r.imported()
	r.m.Unauthorized(r.now, revoked)
	r.want("but a key a day is enough", "Import", "Save{authorized: true, a key was dropped}", "Ready",
		"Stop", "Save{authorized: false, refusals: 1, a key was dropped}", "Refused{60s, 401 SESSION_REVOKED}")
}

func TestAGuestThatNeverSettlesIsLeftAlone(t *testing.T) {
	r := newRig(t, Snapshot{})
	keys := 0
	for i := 0; r.m.State() != StateRefused; i++ {
		if i > 100 {
			t.Fatal("it goes on for ever")
		}
		switch r.m.State() {
		case StateKeying:
			keys++
			r.m.KeyReady(r.now)
		case StateExporting:
			r.exported()
		case StateImporting:
			r.imported()
		case StateReady:
			r.m.Unauthorized(r.now, revoked)
		}
	}
	if keys != 2 {
		t.Errorf("%d keys were made", keys)
	}
}

func TestALostPermKeyNeedsANewImport(t *testing.T) {
	r := newRig(t, Snapshot{})
	r.toReady()
	r.m.KeyLost(r.now)
	r.want("calls wait for another key", "Stop", "Save{authorized: false}")
	r.toReady()

	r.m.Unauthorized(r.now, revoked)
	r.m.KeyLost(r.now)
	r.exported()
	r.want("an answer under the old key is ignored", "Stop", "Save{authorized: false}", "Export")
	r.toReady()
}

func TestAnUnauthorizedImportDropsTheKey(t *testing.T) {
	r := newRig(t, Snapshot{})
	r.m.KeyReady(r.now)
	r.exported()
	r.importFailed(revoked)
	r.want("another key is made", "Export", "Import", "Save{authorized: false, a key was dropped}", "DropKey")
	r.m.KeyReady(r.now)
	r.exported()
	r.importFailed(revoked)
	r.want("but not another", "Export", "Import", "Save{authorized: false, refusals: 1, a key was dropped}", "Refused{60s, 401 SESSION_REVOKED}")
}

func TestLateAnswersAreIgnored(t *testing.T) {
	r := newRig(t, Snapshot{})
	r.m.KeyReady(r.now)
	old := r.m.id
	r.exported()
	r.m.Exported(r.now, old, exported)
	r.m.ExportFailed(r.now, old, revoked)
	r.m.Imported(r.now, old, imported)
	r.m.ImportFailed(r.now, old, badBytes)
	r.want("one flight", "Export", "Import")
}
