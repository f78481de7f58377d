package control

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/persistence"
)

func TestWhatNeedsSomebodyIsToldInOrderOfUrgency(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	at := func(id, state, why string, ago time.Duration) Account {
		acc := Account{ID: id, State: state, Status: actors.Status{Why: why, Since: now.Add(-ago), SignedIn: true, HomeDC: 2}}
		acc.Taken()
		return acc
	}
	asks := at("signing", "signing-in", "", 0)
	asks.Step = &actors.Step{Kind: actors.StepCode, Type: actors.TypeInput}
	waits := at("flooded", "signing-in", "", 0)
	waits.Step = &actors.Step{Kind: actors.StepWait, Type: actors.TypeWaitUntil}
	running := FleetStatus{About: About{Running: true, Store: "/data"}}
	with := func(change func(*FleetStatus)) FleetStatus {
		f := running
		change(&f)
		return f
	}
	for _, c := range []struct {
		what     string
		f        FleetStatus
		accounts []Account
		hooks    []actors.ConsumerStatus
		want     []string // urgency: sentence [command]
	}{
		{"a fleet that is well needs nobody", running, []Account{at("a", "online", "", 0), at("b", "paused", "", 0), waits, at("c", "connecting", "", time.Minute)}, nil, nil},
		{"an empty store needs no manager", FleetStatus{}, nil, nil, nil},
		{"where no manager runs nobody is online", FleetStatus{}, []Account{at("a", "offline", "", 0)}, nil,
			[]string{"now: No manager runs: nobody is online. [manager run]"}},
		{"one account is told with why and what to do", running, []Account{at("a", "revoked", "the server said AUTH_KEY_UNREGISTERED", 0)}, nil,
			[]string{"now: a is revoked: the server said AUTH_KEY_UNREGISTERED. [manager account login a]"}},
		{"many are told in a line", running, []Account{at("a", "quarantined", "x", 0), at("b", "quarantined", "", 0), at("c", "quarantined", "", 0), at("d", "quarantined", "", 0)}, nil,
			[]string{"now: 4 accounts (a, b, c, ...) are quarantined: out of service until resumed. [manager account list --state quarantined]"}},
		{"the store and DCs come first, then accounts, then sign-ins", with(func(f *FleetStatus) {
			f.Store = StoreStatus{Refuses: true, Why: "the disk is full"}
			f.Outages = []actors.Outage{{DC: 2, Accounts: 9, Of: 12, Why: "no answer"}}
			f.Governor.DCs = []GovernedDC{{DC: 2, Since: now.Add(-time.Hour)}, {DC: 4, Since: now.Add(-time.Hour), Via: "socks5://x:1"}, {DC: 5, Since: now}}
		}), []Account{at("n", "new", "x", 0), at("l", "connecting", "", time.Hour), at("d", "duplicated", "", 0), asks}, nil, []string{
			"now: The store takes no commits, so nothing new is begun: the disk is full. [df -h /data]",
			"now: 9 of 12 accounts are without DC 2: no answer. [manager governor]",
			"now: DC 4 through socks5://x:1 cannot be reached: check the network and the addresses of the DCs. [manager governor]",
			"now: d is duplicated: the key is in use elsewhere too; end that first. [manager account login d]",
			"later: n is not signed in. [manager account login n]",
			"later: signing is being signed in, and somebody is asked for something. [manager account login signing]",
		}},
		{"an account that is late is told where its DC is there", running, []Account{at("l", "connecting", "", time.Hour)}, nil,
			[]string{"soon: l is connecting for more than 5 minutes. [manager account show l]"}},
		{"a store that is taken stops everybody", with(func(f *FleetStatus) { f.Store.Taken = true }), nil, nil,
			[]string{"now: Every account here is stopped, for another manager has claimed the store: find out which, end one of the two, and start this one again. []"}},
		{"room, backups, floods and consumers can wait", with(func(f *FleetStatus) {
			f.Store = StoreStatus{Free: 3, Needed: 1, LastBackup: now.Add(-73 * time.Hour)}
			f.Governor.DCs = []GovernedDC{{DC: 1, Flood: true}}
		}), nil, []actors.ConsumerStatus{{Name: "app"}, {Name: "webhook.crm", Lag: 7, Stopped: &actors.ConsumerStop{Why: "the target answered 410 Gone"}}}, []string{
			"soon: The disk of the store is almost full. [df -h /data]",
			"soon: The last backup of the store is 3 days old. [manager store backup FILE --recipient AGE_KEY]",
			"soon: DC 1 wants fewer connections: lower limits.connects_per_second. [manager governor]",
			"soon: Consumer webhook.crm is stopped: the target answered 410 Gone; 7 updates wait. [manager webhooks retry crm]",
		}},
	} {
		f := c.f
		f.At = now
		var count census
		for i := range c.accounts {
			count.add(&c.accounts[i], now)
		}
		var got []string
		for _, n := range count.needs(&f, c.hooks) {
			got = append(got, n.Urgency+": "+n.What+" ["+n.Command+"]")
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s:\n%s", c.what, diff)
		}
	}
}

// A status is the same over the wire, of a manager that runs; and the store tells its part where none does.
func TestTheStatusOfAFleet(t *testing.T) {
	store := persistence.NewMemory()
	m, r := manage(t, store)
	made := time.Unix(1_700_000_000, 0).UTC()
	m.BackedUp(made)
	for _, id := range []string{"a", "b"} {
		if _, err := m.Add(t.Context(), id, actors.AccountOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	f, err := Status.Call(t.Context(), r, Empty{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]StateCount{{"new", 2}}, f.States); diff != "" || f.Accounts != 2 || !f.Store.LastBackup.Equal(made) || f.Store.Refuses || f.Store.Taken {
		t.Errorf("%+v\n%s", f, diff)
	}
	if !slices.ContainsFunc(f.Needs, func(n Need) bool {
		return strings.Contains(n.What, "2 accounts (a, b) are not signed in") && n.Count == 2
	}) {
		t.Errorf("%+v", f.Needs)
	}
	if err := m.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	d := NewDirect(actors.Options{Store: store.Reopen()}, About{}, 0)
	f, err = Status.Call(t.Context(), d, Empty{})
	if err != nil || f.About.Running || f.Accounts != 2 || len(f.Needs) != 2 || f.Needs[0].Command != "manager run" {
		t.Errorf("%+v, %v", f, err)
	}
}
