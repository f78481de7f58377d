package control

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mtfleet/mtfleet/actors"
)

// This file puts together what the nodes of a cluster say of their accounts.

// joinLists makes one list. An account that moves may be on two nodes for a moment, and is told once.
func joinLists(parts []part[AccountList]) (AccountList, error) {
	names, err := silent(parts)
	if err != nil {
		return AccountList{}, err
	}
	all := AccountList{Accounts: []Account{}, Silent: names}
	for _, p := range parts {
		all.Accounts = append(all.Accounts, p.got.Accounts...)
		all.Outages = joinOutages(all.Outages, p.got.Outages)
	}
	slices.SortStableFunc(all.Accounts, func(a, b Account) int { return strings.Compare(a.ID, b.ID) })
	all.Accounts = slices.CompactFunc(all.Accounts, func(a, b Account) bool { return a.ID == b.ID })
	return all, nil
}

// joinOutages adds up who is without a DC. How many are signed in altogether a node says only with an outage, so Of is of the
// nodes that have one.
func joinOutages(all, more []actors.Outage) []actors.Outage {
	for _, o := range more {
		i := slices.IndexFunc(all, func(had actors.Outage) bool { return had.DC == o.DC })
		if i < 0 {
			all = append(all, o)
			continue
		}
		all[i].Accounts += o.Accounts
		all[i].Of += o.Of
		if o.Since.Before(all[i].Since) {
			all[i].Since = o.Since
		}
	}
	return all
}

// joinStatus makes one status. A need that every node would tell in the same words is told once, another by the node that has it.
func joinStatus(parts []part[FleetStatus]) (FleetStatus, error) {
	names, err := silent(parts)
	if err != nil {
		return FleetStatus{}, err
	}
	f := parts[0].got
	f.Silent = names
	f.Accounts, f.States, f.Homes, f.Outages, f.Waits, f.Needs = 0, []StateCount{}, []HomeDC{}, nil, []WaitCount{}, []Need{}
	f.Governor.DCs = []GovernedDC{}
	for _, p := range parts {
		if p.err != nil {
			continue
		}
		f.Accounts += p.got.Accounts
		f.addCounts(&p.got)
		f.Outages = joinOutages(f.Outages, p.got.Outages)
		f.Governor.DCs = joinDCs(f.Governor.DCs, p.got.Governor.DCs)
		f.Needs = joinNeeds(f.Needs, p.got.Needs, p.node)
	}
	order := States()
	slices.SortFunc(f.States, func(a, b StateCount) int {
		return cmp.Compare(slices.Index(order, a.State), slices.Index(order, b.State))
	})
	slices.SortFunc(f.Homes, func(a, b HomeDC) int { return cmp.Compare(a.DC, b.DC) })
	f.Needs = append(f.Needs, nodeNeeds(f.Nodes, names)...)
	sortNeeds(f.Needs)
	return f, nil
}

func (f *FleetStatus) addCounts(of *FleetStatus) {
	for _, s := range of.States {
		i := slices.IndexFunc(f.States, func(had StateCount) bool { return had.State == s.State })
		if i < 0 {
			i, f.States = len(f.States), append(f.States, StateCount{State: s.State})
		}
		f.States[i].Accounts += s.Accounts
	}
	for _, h := range of.Homes {
		i := slices.IndexFunc(f.Homes, func(had HomeDC) bool { return had.DC == h.DC })
		if i < 0 {
			i, f.Homes = len(f.Homes), append(f.Homes, HomeDC{DC: h.DC})
		}
		f.Homes[i].Accounts += h.Accounts
		f.Homes[i].Online += h.Online
	}
	for _, w := range of.Waits {
		i := slices.IndexFunc(f.Waits, func(had WaitCount) bool { return had.Scope == w.Scope })
		if i < 0 {
			i, f.Waits = len(f.Waits), append(f.Waits, WaitCount{Scope: w.Scope})
		}
		f.Waits[i].Count += w.Count
		if w.Last.After(f.Waits[i].Last) {
			f.Waits[i].Last = w.Last
		}
	}
}

func joinNeeds(all, more []Need, node string) []Need {
	for _, need := range more {
		need.Node = node
		i := slices.IndexFunc(all, func(had Need) bool {
			return had.What == need.What && had.Urgency == need.Urgency && had.Command == need.Command
		})
		if i < 0 {
			all = append(all, need)
			continue
		}
		all[i].Node = "" // more than one says so
		all[i].Count += need.Count
	}
	return all
}

// nodeNeeds are what needs somebody of the nodes themselves.
func nodeNeeds(nodes []Node, silent []string) (all []Need) {
	reach := slices.ContainsFunc(nodes, func(n Node) bool { return n.Live && !n.CutOff })
	for _, n := range nodes {
		switch {
		case !n.Live:
			all = append(all, Need{Urgency: urgentNow, Command: "manager node list", Count: n.Accounts,
				What: fmt.Sprintf("Node %s has died or does not reach the store: the other nodes take its %d accounts.", n.Name, n.Accounts)})
		case n.CutOff:
			all = append(all, Need{Urgency: urgentNow, Command: "manager node list", Count: n.Accounts, What: cutOffNeed(n, reach)})
		case slices.Contains(silent, n.Name):
			all = append(all, Need{Urgency: urgentNow, Command: "manager node list", Count: n.Accounts,
				What: fmt.Sprintf("Node %s keeps %d accounts and does not answer the other nodes: look at the network, its certificate and cluster.address.", n.Name, n.Accounts)})
		}
	}
	return all
}

// cutOffNeed says of a node that it is cut off; reach tells whether another one is not.
func cutOffNeed(n Node, reach bool) string {
	if !reach {
		return fmt.Sprintf("Node %s reaches no DC, and neither does any other: nothing moves; look at the network that they share.", n.Name)
	}
	return fmt.Sprintf("Node %s reaches no DC, or has not for long: nodes that reach them have its accounts, or take them; look at its network.", n.Name)
}

// joinPacing makes one of what paces the nodes: the budget is that of each.
func joinPacing(parts []part[Pacing]) (Pacing, error) {
	if _, err := silent(parts); err != nil {
		return Pacing{}, err
	}
	all := Pacing{Budget: parts[0].got.Budget, DCs: []GovernedDC{}}
	for _, p := range parts {
		all.DCs = joinDCs(all.DCs, p.got.DCs)
	}
	return all, nil
}

// joinDCs adds up what waits and was granted. A DC is down when it is for one of the nodes.
func joinDCs(all, more []GovernedDC) []GovernedDC {
	for _, d := range more {
		i := slices.IndexFunc(all, func(had GovernedDC) bool { return had.DC == d.DC && had.Media == d.Media && had.Via == d.Via })
		if i < 0 {
			all = append(all, d)
			continue
		}
		had := &all[i]
		had.Waiting, had.Granted = had.Waiting.plus(d.Waiting), had.Granted.plus(d.Granted)
		if had.Up && !d.Up {
			had.Up, had.Since, had.ProbeEvery = false, d.Since, d.ProbeEvery
		}
		had.Flood = had.Flood || d.Flood
		had.IPv4, had.IPv6 = worse(had.IPv4, d.IPv4), worse(had.IPv6, d.IPv6)
	}
	return all
}

func (p Permits) plus(o Permits) Permits {
	return Permits{p.Connects + o.Connects, p.KeyCreations + o.KeyCreations, p.SignIns + o.SignIns}
}

// worse of two ends of a dial.
func worse(a, b string) string {
	if a == "missed" || b == "missed" {
		return "missed"
	}
	return cmp.Or(a, b)
}

// joinConsumers makes one of the consumers of a name: each node has those of the store, for its own accounts.
func joinConsumers(parts []part[ConsumerList]) (ConsumerList, error) {
	if err := mustAll(parts, "the consumers are not told of"); err != nil {
		return ConsumerList{}, err
	}
	all := ConsumerList{Consumers: []actors.ConsumerStatus{}}
	for _, p := range parts {
		for _, c := range p.got.Consumers {
			i := slices.IndexFunc(all.Consumers, func(had actors.ConsumerStatus) bool { return had.Name == c.Name })
			if i < 0 {
				all.Consumers = append(all.Consumers, c)
				continue
			}
			had := &all.Consumers[i]
			had.Accounts += c.Accounts
			had.Lag += c.Lag
			had.Bytes += c.Bytes
			had.Attached = had.Attached || c.Attached
			if had.Oldest.IsZero() || !c.Oldest.IsZero() && c.Oldest.Before(had.Oldest) {
				had.Oldest = c.Oldest
			}
			had.Stopped = cmp.Or(had.Stopped, c.Stopped)
		}
	}
	slices.SortFunc(all.Consumers, func(a, b actors.ConsumerStatus) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// joinRemovals wants every node to have removed it. One that had it no more has.
func joinRemovals(parts []part[Empty]) (Empty, error) {
	removed := false
	var none error
	for i := range parts {
		switch {
		case parts[i].err == nil:
			removed = true
		case KindOf(parts[i].err) == KindNoConsumer:
			none, parts[i].err = parts[i].err, nil
		}
	}
	if err := mustAll(parts, "it is not removed on"); err != nil {
		return Empty{}, err
	}
	if !removed {
		return Empty{}, none
	}
	return Empty{}, nil
}

// joinWebhooks makes one of the webhooks of a name: each node sends what happens to its own accounts. What was put aside lies in
// the store, and every node counts it.
func joinWebhooks(parts []part[WebhookList]) (WebhookList, error) {
	if err := mustAll(parts, "the webhooks are not told of"); err != nil {
		return WebhookList{}, err
	}
	all := WebhookList{Webhooks: []Webhook{}}
	for _, p := range parts {
		for _, w := range p.got.Webhooks {
			i := slices.IndexFunc(all.Webhooks, func(had Webhook) bool { return had.Name == w.Name })
			if i < 0 {
				all.Webhooks = append(all.Webhooks, w)
				continue
			}
			had := &all.Webhooks[i]
			had.Disabled = had.Disabled || w.Disabled
			had.Sent += w.Sent
			had.Dead += w.Dead
			had.Lag += w.Lag
			had.DeadLetters = max(had.DeadLetters, w.DeadLetters)
			had.Failures = max(had.Failures, w.Failures)
			had.LastError = cmp.Or(had.LastError, w.LastError)
			if w.LastSent.After(had.LastSent) {
				had.LastSent = w.LastSent
			}
		}
	}
	return all, nil
}
