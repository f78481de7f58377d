package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/config"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/persistence"
)

// demoResult is what the demonstration found. Every figure is the ledger's, or
// compares the ledger with the event stream.
type demoResult struct {
	Accounts int `json:"accounts"`
	// SignedIn counts users with a live home authorization.
	SignedIn int `json:"signed_in"`
	// PFSBound counts those of them whose perm key has a live bound temp key and
	// never carried a call itself.
	PFSBound int `json:"pfs_bound"`
	// OnlineAfter...: users for whom a call was executed after the event.
	OnlineAfterDCRestart      int `json:"online_after_dc_restart"`
	OnlineAfterManagerRestart int `json:"online_after_manager_restart"`
	OnlineAfterTempKeysLost   int `json:"online_after_temp_keys_lost"`
	// NewLogins counts sign-ins after the kill; there must be none.
	NewLogins int `json:"new_logins_after_restart"`
	// CallsOK were answered byte for byte, and executed says the ledger.
	CallsOK     int `json:"calls_ok"`
	CallsFailed int `json:"calls_failed"`
	// CallsRepeated were cut off by the kill of the manager and made again.
	CallsRepeated int `json:"calls_repeated"`
	UpdatesPushed int `json:"updates_pushed"`
	UpdatesLost   int `json:"updates_lost"`
	// UpdatesTwice came again after the kill, which is allowed.
	UpdatesTwice int `json:"updates_twice"`
	Overlaps     int `json:"ledger_overlaps"`
	Orphans      int `json:"ledger_orphans"`
	// Violations counts what the DCs refused because it was against the protocol.
	// Using a key that a DC has forgotten is not that.
	Violations int `json:"protocol_violations"`
	// Noted counts what was against the documents and served all the same.
	Noted    int `json:"protocol_noted"`
	PermKeys int `json:"perm_keys_made"`
	TempKeys int `json:"temp_keys_made"`

	// Governor is the budget that the manager ran under.
	Governor governor.Budget `json:"governor"`

	// Error is what kept the demonstration from going on; the figures are not
	// complete then.
	Error string `json:"error,omitempty"`

	Seconds  float64            `json:"seconds"`
	Phases   map[string]float64 `json:"phase_seconds"`
	Recovery map[string]float64 `json:"recovery_seconds"`

	killed   time.Time
	failures []string
}

func seconds(d time.Duration) float64 { return math.Round(d.Seconds()*1000) / 1000 }

func (r *demoResult) phase(name string, took time.Duration) {
	if r.Phases == nil {
		r.Phases = map[string]float64{}
	}
	r.Phases[name] = seconds(took)
}

func (r *demoResult) recovery(name string, took time.Duration) {
	if r.Recovery == nil {
		r.Recovery = map[string]float64{}
	}
	r.Recovery[name] = seconds(took)
}

// ok tells whether every promise held.
func (r *demoResult) ok() bool {
	for _, n := range []int{r.SignedIn, r.PFSBound, r.OnlineAfterDCRestart, r.OnlineAfterManagerRestart, r.OnlineAfterTempKeysLost} {
		if n != r.Accounts {
			return false
		}
	}
	return r.Error == "" && r.Accounts > 0 && r.NewLogins == 0 && r.CallsOK > 0 && r.CallsFailed == 0 &&
		r.UpdatesLost == 0 && r.Overlaps == 0 && r.Orphans == 0 && r.Violations == 0
}

// storedKeys reads the perm keys of the store the manager has left.
func (d *demo) storedKeys() ([]dctest.StoreKey, error) {
	quiet := *d.app
	quiet.err = io.Discard
	cfg, err := config.Load(config.Options{File: filepath.Join(d.dir, "manager.yaml"), Version: version(), Official: official})
	if err != nil {
		return nil, err
	}
	quiet.env = nil // the key is in the file
	store, err := quiet.openStore(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	defer store.Close()
	ids, err := store.Accounts()
	if err != nil {
		return nil, err
	}
	var keys []dctest.StoreKey
	for _, id := range ids {
		records, err := store.Load(id)
		if err != nil {
			return nil, err
		}
		state, err := persistence.DecodeState(records)
		if err != nil {
			return nil, err
		}
		for _, k := range state.PermKeys {
			if k.Revoked.IsZero() {
				keys = append(keys, dctest.StoreKey{DC: k.DC, ID: k.KeyID})
			}
		}
	}
	return keys, nil
}

// judge fills in the verdict.
func (r *demoResult) judge(d *demo, l dctest.Ledger, keys []dctest.StoreKey, before time.Time) {
	r.Accounts = len(d.people)
	r.SignedIn, r.PFSBound = authorized(d.people, l)
	for _, login := range l.Logins {
		if login.At.After(r.killed) {
			r.NewLogins++
		}
	}
	executed := make(map[int64]bool, len(l.Echoes))
	for _, e := range l.Echoes {
		executed[e.ID] = true
	}
	r.CallsOK, r.failures, r.CallsRepeated = d.calls.totals(executed)
	r.CallsFailed = len(r.failures)

	delivered, twice := d.stream.delivered()
	verdict := l.Verdict(keys, delivered, before)
	r.UpdatesPushed, r.UpdatesTwice = len(l.Updates), twice
	r.UpdatesLost, r.Overlaps, r.Orphans = len(verdict.LostUpdates), len(verdict.Overlaps), len(verdict.Orphans)
	r.PermKeys, r.TempKeys = l.Counts.PermKeys, l.Counts.TempKeys
	d.keepLedger(l, verdict, r.violations(d))
}

// violations counts what the DCs refused, and returns that and what they noted.
func (r *demoResult) violations(d *demo) (list []dctest.Violation) {
	all, _ := d.cluster.Violations()
	for _, v := range all {
		if v.Severity != dctest.SeverityInfo {
			list = append(list, v)
		}
	}
	n := d.cluster.Counts()
	r.Violations, r.Noted = n.Refused, n.Noted
	return list
}

// keepLedger writes ledger and verdict beside the log, for whoever looks closer.
func (d *demo) keepLedger(l dctest.Ledger, v dctest.Verdict, violations []dctest.Violation) {
	b, err := json.MarshalIndent(map[string]any{
		"verdict": v, "violations": violations, "failed_calls": d.result.failures, "ledger": l,
	}, "", " ")
	if err == nil {
		err = writeFile(filepath.Join(d.dir, "ledger.json"), b)
	}
	if err != nil {
		d.printf("manager: demo: the ledger could not be written: %v\n", err)
	}
}

// authorized counts users with a live home authorization, and those of them whose
// key is used as PFS wants it.
func authorized(people []person, l dctest.Ledger) (signedIn, bound int) {
	type perm struct {
		dc int
		id int64
	}
	temp, bare := map[perm]bool{}, map[perm]bool{}
	for _, k := range l.Keys {
		if k.Temp && k.Perm != 0 && k.Gone.IsZero() {
			temp[perm{k.DC, k.Perm}] = true
		}
	}
	for _, s := range l.Sessions {
		if s.Key == s.Perm && s.FirstMain != 0 {
			bare[perm{s.DC, s.Perm}] = true
		}
	}
	ours := map[int64]bool{}
	for _, p := range people {
		ours[p.userID] = true
	}
	users, boundUsers := map[int64]bool{}, map[int64]bool{}
	for _, a := range l.Authorizations {
		if !a.Home || !a.Ended.IsZero() || !ours[a.UserID] {
			continue
		}
		users[a.UserID] = true
		if key := (perm{a.DC, a.Perm}); temp[key] && !bare[key] {
			boundUsers[a.UserID] = true
		}
	}
	return len(users), len(boundUsers)
}

// print shows the result to a person.
func (r *demoResult) print(w io.Writer, d *demo) {
	var persons int
	for _, p := range d.people {
		if p.phone != "" {
			persons++
		}
	}
	fmt.Fprintf(w, "\nmtfleet demo: %s (%d by phone code, %d by bot token) on %s, %.1f s\n\n",
		count(r.Accounts, "account"), persons, r.Accounts-persons, count(d.f.dcs, "DC"), r.Seconds)
	all := func(n int) (bool, string) {
		return n == r.Accounts, fmt.Sprintf("%s of %s", thousands(n), thousands(r.Accounts))
	}
	none := func(n int) (bool, string) { return n == 0, thousands(n) }
	row := func(what string, ok bool, value, note string) {
		mark := "✓"
		if !ok {
			mark = "✗"
		}
		line := "  " + mark + " " + pad(what, 44) + pad(value, 18) + note
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
	value := func(ok bool, text string) func(what, note string) {
		return func(what, note string) { row(what, ok, text, note) }
	}
	took := func(name string) string { return fmt.Sprintf("%.1f s", r.Phases[name]) }
	back := func(name string) string { return fmt.Sprintf("back in %.1f s", r.Recovery[name]) }
	value(all(r.SignedIn))("signed in", took("sign_in"))
	value(all(r.PFSBound))("temp key bound to the perm key (PFS)", "")
	row("calls answered byte for byte", r.CallsFailed == 0 && r.CallsOK > 0, thousands(r.CallsOK), fmt.Sprintf("%d failed, %d repeated after the kill", r.CallsFailed, r.CallsRepeated))
	value(all(r.OnlineAfterDCRestart))(fmt.Sprintf("online after DC %d was down for %v", d.cutDC, outage), back("dc_restart"))
	value(all(r.OnlineAfterManagerRestart))("online after SIGKILL and a new start", back("manager_restart"))
	value(none(r.NewLogins))("new logins after that", "")
	value(all(r.OnlineAfterTempKeysLost))(fmt.Sprintf("online after DC %d lost its temp keys", d.dropDC), back("temp_keys_lost"))
	row("updates delivered", r.UpdatesLost == 0, thousands(r.UpdatesPushed-r.UpdatesLost), fmt.Sprintf("%d lost, %d twice", r.UpdatesLost, r.UpdatesTwice))
	value(none(r.Overlaps))("sessions that overlapped on one key", "")
	value(none(r.Orphans))("authorized keys missing in the store", "")
	value(none(r.Violations))("violations of the protocol", "")
	fmt.Fprintf(w, "\n  Every figure is from the ledger of the test DCs: %s and %s made.\n",
		count(r.PermKeys, "perm key"), count(r.TempKeys, "temp key"))
	fmt.Fprintf(w, "  Governor, %s.\n", r.Governor)
	const most = 5
	for i, f := range r.failures {
		if i == most {
			fmt.Fprintf(w, "  ... and %d more\n", len(r.failures)-most)
			break
		}
		fmt.Fprintf(w, "  failed call: %s\n", f)
	}
	fmt.Fprintln(w)
}

// count writes a number of things.
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return thousands(n) + " " + thing
}

// pad fills up to a width in characters.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(width-utf8.RuneCountInString(s), 1))
}

// thousands writes a number with commas.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
