package actors

import (
	"strconv"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

// This file is the list of all series. docs/telemetry.md is written from it.

// other is the last value of an attribute whose values come from elsewhere.
const other = "other"

// catalog is every series of a Manager.
type catalog struct {
	accounts, stateChanges                               series
	dcUp, connections, connects, connectionsLost         series
	handshakes, binds, rotations, tempKeyAge, tempDrops  series
	calls, callSeconds, waits, waitLongest               series
	governorQueue, updateLag, updateHoles, eventsDropped series
	clockOffset                                          series
	storeFree, storeNeeded, storeCommit, storeFailures   series
	storeRefuses, storeBackup                            series
	restarts, signInSteps, signInOldest                  series
	nodeLease, nodeCutOff, nodeMoves, nodeSilences       series
}

// all lists the series in the order of the document.
func (c *catalog) all() []*series {
	return []*series{
		&c.accounts, &c.stateChanges,
		&c.dcUp, &c.connections, &c.connects, &c.connectionsLost,
		&c.handshakes, &c.binds, &c.rotations, &c.tempKeyAge, &c.tempDrops,
		&c.calls, &c.callSeconds, &c.waits, &c.waitLongest,
		&c.governorQueue, &c.updateLag, &c.updateHoles, &c.eventsDropped, &c.clockOffset,
		&c.storeFree, &c.storeNeeded, &c.storeCommit, &c.storeFailures, &c.storeRefuses, &c.storeBackup,
		&c.restarts, &c.signInSteps, &c.signInOldest,
		&c.nodeLease, &c.nodeCutOff, &c.nodeMoves, &c.nodeSilences,
	}
}

// seriesOf is the catalog for a table of DCs.
func seriesOf(table dc.Table) *catalog {
	atDC, can := attr{"dc", dcValues(table)}, possibleChanges()
	return &catalog{
		accounts: series{
			name: "mtfleet.accounts", kind: gauges, attrs: []attr{{"state", stateValues()}},
			tells: "accounts by state",
			do:    "`connecting` that stays: see `mtfleet_dc_up`. `quarantined`, `revoked`, `duplicated`, `frozen`: `account list` says why and what to do",
		},
		stateChanges: series{
			name: "mtfleet.state_changes", kind: counts, attrs: []attr{{"to", stateValues()}, {"reason", reasonValues}},
			zeros: func(v values) bool { return can[v] },
			tells: "changes of an account's state, by what brought them about",
			do:    "many to `connecting` by `connection`: the network or a DC; many by `fault`: read the log; by `server`: the server ended or held accounts",
		},
		dcUp: series{
			name: "mtfleet.dc.up", kind: gauges, attrs: []attr{{"dc", atDC.values[:len(atDC.values)-1]}, {"family", familyValues}},
			tells: "0 while the DC is down by every route to it, or the last dial by that family of addresses failed; 1 otherwise, also of what nobody has tried yet",
			do:    "both 0: only probes are sent, and all come back by themselves; if it stays, look at the network. One 0: nobody is without the DC for it, and that family is tried again only when the other fails",
		},
		connections: series{
			name: "mtfleet.connections", kind: gauges, attrs: []attr{atDC},
			tells: "sockets to the DC that stand",
			do:    "an account has one at home, two during a rotation, one for each guest DC in use",
		},
		connects: series{
			name: "mtfleet.connects", kind: counts, attrs: []attr{atDC, {"result", connectValues}},
			tells: "attempts to connect that have ended",
			do:    "`refused`, `timeout`: the network or the DC; `flood`: too many connections, lower limits.connects; `local`: this machine, see the log",
		},
		connectionsLost: series{
			name: "mtfleet.connections.lost", kind: counts, attrs: []attr{atDC},
			tells: "connections that stood and ended by no wish of ours",
			do:    "a fall of many at once is the network or the DC",
		},
		handshakes: series{
			name: "mtfleet.handshakes", kind: counts, attrs: []attr{atDC, {"kind", []string{"perm", "temp"}}, {"result", []string{"ok", "failed"}}},
			tells: "auth keys made, or not made",
			do:    "`perm` without sign-ins or new DCs: keys are being lost; `failed`: the log says why",
		},
		binds: series{
			name: "mtfleet.binds", kind: counts, attrs: []attr{atDC, {"result", []string{"ok", "failed"}}},
			tells: "temp keys bound, or not bound",
			do:    "`failed` again and again: this machine's clock, or the perm key is gone",
		},
		rotations: series{
			name: "mtfleet.rotations", kind: counts, attrs: []attr{{"result", rotationValues}},
			tells: "replacements of temp keys in use: `ok`; `failed`, the old key goes on and it is tried again; `lost`, the server had forgotten the key or its binding; `aborted`, the connection was closed meanwhile",
			do:    "`failed`: see binds and handshakes; `lost`: calls waited for a new key, nothing is to be done",
		},
		tempKeyAge: series{
			name: "mtfleet.temp_key.age", kind: histogram, unit: "s", buckets: []float64{60, 600, 3600, 4 * 3600, 12 * 3600, 20 * 3600, 22 * 3600, 23 * 3600, 24 * 3600, 48 * 3600},
			tells: "how old a temp key was when calls stopped to go under it",
			do:    "more than the life that is asked for (24 h): rotations fail",
		},
		tempDrops: series{
			name: "mtfleet.temp_keys.dropped", kind: counts,
			tells: "replaced temp keys that the server forgot at our word",
			do:    "less than rotations that are `ok`: the others expire by themselves",
		},
		calls: series{
			name: "mtfleet.calls", kind: counts, attrs: []attr{{"class", []string{classOnce, classRepeatable}}, {"result", resultValues()}, atDC},
			tells: "calls ended: `repeatable` may run twice, `once` may not; the result is ok, the class of the server's error, or what is known of a call without an answer",
			do:    "`wait`, `flood`: call less; `may_have_run`: connections are lost under calls; `not_sent`: the account is not in service",
		},
		callSeconds: series{
			name: "mtfleet.call.duration", kind: histogram, unit: "s", buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
			tells: "time from Invoke to its end, whatever that is",
			do:    "compare with the round trip to the DC; what is above is waiting: for a connection, a new key, or its turn",
		},
		waits: series{
			name: "mtfleet.waits", kind: gauges, attrs: []attr{{"scope", scopeValues}},
			tells: "waits ordered by the server and in force: of a `method`, of a whole `account`, of a `subject`, a phone number or token",
			do:    "what waits is not sent early; call that method less",
		},
		waitLongest: series{
			name: "mtfleet.wait.longest", kind: gauges, unit: "s",
			tells: "how long the longest wait in force still lasts",
			do:    "days: see the accounts in state `waiting`",
		},
		governorQueue: series{
			name: "mtfleet.governor.queue", kind: gauges, attrs: []attr{atDC, {"kind", queueValues}},
			tells: "who waits for leave to connect, to make a key, to sign in",
			do:    "it stays high while a DC is down; otherwise the limits are too low for the fleet, or keys take long",
		},
		updateLag: series{
			name: "mtfleet.update.lag", kind: histogram, unit: "s", buckets: []float64{1, 2, 5, 10, 30, 60, 300, 900, 3600, 6 * 3600, 24 * 3600},
			tells: "time from the date of an update, in whole seconds, until the account had it; less than 0 counts as 0",
			do:    "high after an outage; high always: this machine's clock, or a consumer that is behind",
		},
		updateHoles: series{
			name: "mtfleet.update_holes", kind: counts,
			tells: "stretches of updates that cannot be had any more",
			do:    "each is told as an event and in the log: read those chats anew",
		},
		eventsDropped: series{
			name: "mtfleet.events_dropped", kind: counts,
			tells: "events that a reader lost because it was too slow",
			do:    "read faster, filter, or use a consumer, which loses no update",
		},
		clockOffset: series{
			name: "mtfleet.clock.offset", kind: gauges, unit: "s", attrs: []attr{atDC},
			tells: "the DC's time minus this machine's, as last measured; 0 before that",
			do:    "more than a few seconds either way: set this machine's clock",
		},
		storeFree: series{
			name: "mtfleet.store.free", kind: gauges, unit: "By",
			tells: "room on the store's file system; missing where it is not known",
			do:    "low: make room, before the store refuses commits",
		},
		storeNeeded: series{
			name: "mtfleet.store.needed", kind: gauges, unit: "By",
			tells: "the room below which the store refuses commits; missing where what is free is not known",
			do:    "compare with what is free",
		},
		storeCommit: series{
			name: "mtfleet.store.commit", kind: histogram, unit: "s", buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5},
			tells: "how long a commit of an account took until it was on disk, or was refused",
			do:    "high: the disk is slow or busy; sign-ins and rotations wait for it",
		},
		storeFailures: series{
			name: "mtfleet.store.failures", kind: counts,
			tells: "commits that the store refused",
			do:    "any: the log says what is wrong with the disk",
		},
		storeRefuses: series{
			name: "mtfleet.store.refuses", kind: gauges,
			tells: "1 while the store refuses commits",
			do:    "1: no sign-in begins; the log says what to do",
		},
		storeBackup: series{
			name: "mtfleet.store.backup.timestamp", kind: gauges, unit: "s",
			tells: "when the last good backup was made, in seconds since 1970; 0 when this manager knows of none",
			do:    "0, or long ago: make one, and look why none is made",
		},
		restarts: series{
			name: "mtfleet.actor_restarts", kind: counts, attrs: []attr{{"kind", actorValues}},
			tells: "actors that panicked: each is started again, or its account quarantined when that is too often",
			do:    "any is a fault of this program: report it with the log",
		},
		signInSteps: series{
			name: "mtfleet.sign_in_steps", kind: counts, attrs: []attr{{"flow", flowValues}, {"step", stepValues()}, {"result", stepResults}},
			zeros: func(v values) bool { return (v[1] == stepEnd) == (v[2] != "asked" && v[2] != "again") },
			tells: "steps of sign-ins: `asked` of a human, `again` after an answer that was refused; and `end`, which is `ok`, `failed`, `canceled`, or `left` to a later process",
			do:    "`again`: wrong codes or passwords; `failed`: `account list` says why",
		},
		signInOldest: series{
			name: "mtfleet.sign_in.oldest", kind: gauges, unit: "s",
			tells: "how long ago the oldest sign-in under way was begun; 0 when there is none",
			do:    "hours: somebody has left it, `account list` says at which step",
		},
		nodeLease: series{
			name: "mtfleet.node.lease", kind: gauges, unit: "s",
			tells: "how long this node of a cluster may yet speak before it must have heard from the store; 0 while it is silent, and without a cluster",
			do:    "it falls below half of what it was: the store answers late or not at all; 0: every account of this node stands still, and others take them",
		},
		nodeCutOff: series{
			name: "mtfleet.node.cut_off", kind: gauges,
			tells: "1 while this node of a cluster reaches no DC, and until it has reached them for a while; 0 otherwise",
			do:    "1 on one node: its network; its accounts are on the others. 1 on all: the DCs, or what all have in common",
		},
		nodeMoves: series{
			name: "mtfleet.node.moves", kind: counts, attrs: []attr{{"direction", moveValues}},
			tells: "accounts that this node of a cluster has `taken` into service, and `given` to others",
			do:    "many without a node that came or went: nodes lose their leases, see `mtfleet_node_silences_total`",
		},
		nodeSilences: series{
			name: "mtfleet.node.silences", kind: counts,
			tells: "how often this node of a cluster fell silent because its lease had ended",
			do:    "any: the store was away for longer than cluster.lease, or this machine stood still; the log says which",
		},
	}
}

// The values of attributes.
const (
	classOnce, classRepeatable = "once", "repeatable"
	stepEnd                    = "end"
)

var (
	familyValues   = []string{"ipv4", "ipv6"} // in the order of governor.Families
	connectValues  = []string{"ok", "refused", "timeout", "flood", "local", other}
	rotationValues = []string{"ok", "failed", "lost", "aborted"}
	moveValues     = []string{"taken", "given"}
	scopeValues    = []string{"method", "account", "subject"}
	queueValues    = []string{"connect", "make_key", "sign_in"}
	actorValues    = []string{"connection", "binding", "account", "fleet", "governor", other}
	stepResults    = []string{"asked", "again", "ok", "failed", "canceled", "left"}
	reasonValues   = []string{string(byStart), string(byOwner), string(bySignIn), string(byServer), string(byConnection), string(byAnswer), string(byWait), string(byFault)}
	flowValues     = []string{
		string(login.FlowPhone), string(login.FlowBot), string(login.FlowQR), string(login.FlowPasskey),
		string(login.FlowWeb), string(login.FlowPNV), string(login.FlowImport), other,
	}
)

// dcValues are the DCs of the table that the Manager was opened with: whatever the
// server says later, there are no more.
func dcValues(table dc.Table) (list []string) {
	for _, id := range table.DCs() {
		list = append(list, dcText(id))
	}
	return append(list, other)
}

func dcText(id dc.ID) string { return strconv.Itoa(int(id)) }

func stateValues() (list []string) {
	for s := New; s <= Exported; s++ {
		list = append(list, s.String())
	}
	return list
}

func stepValues() (list []string) {
	for _, kind := range []login.StepKind{
		login.StepPhone, login.StepCode, login.StepNewCode, login.StepFirebase, login.StepPayment, login.StepSignUp,
		login.StepEmail, login.StepEmailSetup, login.StepPassword, login.StepRecovery, login.StepNewPassword, login.StepQR,
		login.StepToken, login.StepWebToken, login.StepPasskey, login.StepPNV, login.StepWait,
	} {
		list = append(list, string(kind))
	}
	return append(list, stepEnd, other)
}

func resultValues() []string {
	list := []string{"ok", "not_sent", "may_have_run", "canceled"}
	for c := tgerr.ClassRetry; c <= tgerr.ClassBadRequest; c++ {
		list = append(list, word(c.String()))
	}
	return append(list, other)
}
