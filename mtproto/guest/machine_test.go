package guest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
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

// want checks the outputs, a sentence first.
func (r *rig) want(sentence string, lines ...string) {
	r.t.Helper()
	var got []string
	for out, ok := r.m.Next(); ok; out, ok = r.m.Next() {
		got = append(got, out.String())
	}
	if diff := cmp.Diff(lines, got); diff != "" {
		r.t.Errorf("%s (-want +got):\n%s", sentence, diff)
	}
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
	if r.m.State() != StateWaiting {
		r.t.Error("the pause is cut short")
	}
	r.now = d
	r.m.Advance(d)
}

// toReady carries the authorization over.
func (r *rig) toReady() {
	r.t.Helper()
	r.m.KeyReady(r.now)
	r.want("a key is there: home exports", "Export")
	r.exported()
	r.want("the bytes are imported at once", "Import")
	r.imported()
	r.want("the authorization is saved before calls go", "Save{authorized: true}", "Ready")
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
	r.exportFailed(flood)
	r.pause(90 * time.Second)
	r.m.Exported(r.now, r.m.id, []byte("rubbish!"))
	r.pause(8 * time.Second)
	r.want("one export after each pause", "Export", "Export", "Export", "Export", "Export")
}

func TestAServerThatKeepsFailingEndsTheGuest(t *testing.T) {
	r := newRig(t, Snapshot{})
	r.m.KeyReady(r.now)
	for range troublesMost {
		r.exportFailed(timeout)
		r.m.Next()
		r.now = r.m.Deadline()
		r.m.Advance(r.now)
	}
	r.m.Next()
	r.exportFailed(timeout)
	r.want("there is an end", "Failed{guest: carrying the authorization to DC 4 keeps failing: tgerr: server answered -503 Timeout}")
}

func TestARefusedImportIsExportedAgainThenTheKeyIsDropped(t *testing.T) {
	r := newRig(t, Snapshot{})
	for key := range keysMost + 1 {
		r.m.KeyReady(r.now)
		r.want("a key is there: home exports", "Export")
		for try := range importsMost {
			r.exported()
			r.want("the bytes are imported at once", "Import")
			if try%2 == 0 {
				r.importFailed(badBytes)
			} else {
				r.m.Imported(r.now, r.m.id, signUp)
			}
			if try < importsMost-1 {
				r.now = r.m.Deadline()
				r.m.Advance(r.now)
				r.want("fresh bytes are asked for", "Export")
			}
		}
		if key < keysMost {
			r.want("the key is given up", "DropKey")
		}
	}
	r.want("in the end the DC is", "Failed{guest: DC 4 does not take the authorization: the import is refused under every key}")
	r.m.KeyReady(r.now)
	r.m.KeyLost(r.now)
	r.want("and that is final")
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
	r.want("home does not know the DC", "Failed{guest: home does not export to DC 4: tgerr: server answered 400 DC_ID_INVALID}")
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
	r.want("the second time the key is replaced", "Stop", "Save{authorized: false}", "DropKey")
	r.toReady()
	r.now = r.now.Add(settled)
	r.m.Unauthorized(r.now, revoked)
	r.want("long after, it is the first time again", "Stop", "Save{authorized: false}", "Export")
}

func TestAGuestThatNeverSettlesIsGivenUp(t *testing.T) {
	r := newRig(t, Snapshot{})
	for i := 0; r.m.State() != StateFailed; i++ {
		if i > 100 {
			t.Fatal("it goes on for ever")
		}
		switch r.m.State() {
		case StateKeying:
			r.m.KeyReady(r.now)
		case StateExporting:
			r.exported()
		case StateImporting:
			r.imported()
		case StateReady:
			r.m.Unauthorized(r.now, revoked)
		}
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
	r.want("another key is made", "Export", "Import", "DropKey")
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

// TestAnyInputInAnyState feeds random inputs: nothing panics, one flight is
// under way, and calls go only while the disk says authorized.
func TestAnyInputInAnyState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := New(Config{DC: 4}, Snapshot{Authorized: rapid.Bool().Draw(t, "authorized")})
		disk := m.Snapshot()
		now := epoch
		anyError := func() error {
			return rapid.SampledFrom([]error{
				nil, errLost, badBytes, revoked, timeout, flood, tgerr.New(400, "DC_ID_INVALID"),
				tgerr.New(401, "AUTH_KEY_PERM_EMPTY"), tgerr.New(401, "SESSION_PASSWORD_NEEDED"), tgerr.New(303, "USER_MIGRATE_2"),
			}).Draw(t, "error")
		}
		body := func() []byte {
			return rapid.SampledFrom([][]byte{exported, imported, signUp, nil, []byte("rubbish!"), tl.AppendBool(nil, true)}).Draw(t, "body")
		}
		for range rapid.IntRange(1, 60).Draw(t, "length") {
			id := m.id - CallID(rapid.IntRange(0, 9).Draw(t, "late")/9)
			switch rapid.IntRange(0, 11).Draw(t, "input") {
			case 0:
				m.Start(now)
			case 1, 2:
				m.KeyReady(now)
			case 3:
				m.KeyLost(now)
			case 4, 5:
				m.Exported(now, id, body())
			case 6:
				m.ExportFailed(now, id, anyError())
			case 7:
				m.Imported(now, id, body())
			case 8:
				m.ImportFailed(now, id, anyError())
			case 9:
				m.HomeAlive(now)
			case 10:
				m.Unauthorized(now, anyError())
			case 11:
				now = now.Add(time.Duration(rapid.IntRange(0, 1000).Draw(t, "seconds")) * time.Second)
				m.Advance(now)
				if d := m.Deadline(); !d.IsZero() && !d.After(now) {
					t.Fatalf("Advance does not get past the deadline in %v", m.State())
				}
			}
			for out, ok := m.Next(); ok; out, ok = m.Next() {
				switch out.Kind {
				case OutSave:
					disk = out.Snapshot
				case OutReady:
					if !disk.Authorized {
						t.Fatal("calls go before the disk says authorized")
					}
				}
			}
			if disk != m.Snapshot() {
				t.Fatalf("the disk says %+v, the machine %+v", disk, m.Snapshot())
			}
		}
	})
}
