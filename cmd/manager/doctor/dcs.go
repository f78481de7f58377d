package doctor

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/mtfleet/mtfleet/actors/wire"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/handshake"
	"github.com/mtfleet/mtfleet/mtproto/proxy"
)

// CheckDCs tells which DCs can be reached, by each family of addresses. A DC that
// answers by one of them is nobody's loss; one that answers by none is.
func CheckDCs(answers []Answer, via *proxy.Server) (found []Finding) {
	if f, all := proxyFailed(answers, via); all {
		return []Finding{f}
	}
	for _, family := range []dc.Families{dc.IPv4, dc.IPv6} {
		if f, none := familyDown(answers, family); none {
			found = append(found, f)
			answers = slices.DeleteFunc(slices.Clone(answers), func(a Answer) bool { return a.Family == family })
		}
	}
	for _, a := range answers {
		name := wayName(a.Way)
		if a.Err == nil {
			found = append(found, ok("dcs", "%s answered in %v", name, a.Took.Round(100*time.Microsecond)))
			continue
		}
		f := Finding{Check: "dcs", Level: Error, What: name + ": " + because(a.Err), Why: "accounts without their DC are not online", Mend: lookFor(a, via)}
		switch {
		case slices.ContainsFunc(answers, func(b Answer) bool { return b.DC == a.DC && b.Err == nil }):
			f.Level, f.Why = Note, "nobody is without it: it answers by its other addresses"
		case errors.Is(a.Err, handshake.ErrNoKey):
			f.Why, f.Mend = "what answers there is not trusted: another environment, or somebody in between", "manager config show"
		}
		found = append(found, f)
	}
	return found
}

// proxyFailed finds the proxy that none of the DCs was reached through.
func proxyFailed(answers []Answer, via *proxy.Server) (f Finding, failed bool) {
	var through *wire.ProxyError
	if via == nil || len(answers) == 0 || slices.ContainsFunc(answers, func(a Answer) bool { return !errors.As(a.Err, &through) }) {
		return f, false
	}
	return Finding{Check: "proxy", Level: Error, What: fmt.Sprintf("no DC can be reached through %s: %s", via, because(through.Err)),
		Why: "nothing goes around a proxy: its accounts are offline", Mend: fmt.Sprintf("nc -vz %s %d", Quoted(via.Host), via.Port)}, true
}

// familyDown finds the family by which no DC answers while the other one works.
func familyDown(answers []Answer, family dc.Families) (f Finding, down bool) {
	asked, reached, other := 0, 0, 0
	var why error
	for _, a := range answers {
		switch {
		case a.Family != family && a.Err == nil:
			other++
		case a.Family == family && a.Err == nil:
			reached++
		case a.Family == family:
			asked, why = asked+1, a.Err
		}
	}
	if asked < 2 || reached > 0 || other == 0 {
		return f, false
	}
	name, flag := "IPv4", "-4"
	if family == dc.IPv6 {
		name, flag = "IPv6", "-6"
	}
	return Finding{Check: "dcs", Level: Note, What: fmt.Sprintf("no DC can be reached by %s: %s", name, because(why)),
		Why: "nobody is without a DC as long as the other family works", Mend: "ip " + flag + " route"}, true
}

func wayName(w Way) string {
	switch w.Family {
	case dc.IPv4:
		return w.DC.String() + " by IPv4"
	case dc.IPv6:
		return w.DC.String() + " by IPv6"
	}
	return w.DC.String()
}

// because is an error in a few words.
func because(err error) string {
	var code *wire.CodeError
	switch {
	case errors.Is(err, handshake.ErrTimeout), errors.Is(err, os.ErrDeadlineExceeded):
		return "no answer in time"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nobody listens there"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.EADDRNOTAVAIL):
		return "there is no way there from this machine"
	case errors.Is(err, handshake.ErrNoKey):
		return "it has no RSA key that is known here"
	case errors.As(err, &code):
		return trimmed(code)
	}
	return trimmed(err)
}

// bareNet is a network error without the operation and the address.
func bareNet(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return because(err)
}

// lookFor is the command that shows where a way to a DC ends.
func lookFor(a Answer, via *proxy.Server) string {
	host, port, err := net.SplitHostPort(a.Addr)
	switch {
	case via != nil:
		return fmt.Sprintf("nc -vz %s %d", Quoted(via.Host), via.Port)
	case err != nil:
		return "manager config show"
	}
	return "nc -vz " + host + " " + port
}

// clockBound is when the alert ClockOffset fires too.
const clockBound = 5 * time.Second

// CheckClock compares this machine's clock with those of the DCs that answered.
// Without any nothing is found.
func CheckClock(answers []Answer) []Finding {
	offsets := map[dc.ID]time.Duration{} // the least of each DC's
	for _, a := range answers {
		if old, known := offsets[a.DC]; a.Err == nil && (!known || a.Offset.Abs() < old.Abs()) {
			offsets[a.DC] = a.Offset
		}
	}
	var off []dc.ID
	for id, offset := range offsets {
		if offset.Abs() > clockBound {
			off = append(off, id)
		}
	}
	slices.Sort(off)
	switch {
	case len(offsets) == 0:
		return nil
	case len(off) == 0:
		return []Finding{ok("clock", "it agrees with %s", counted(len(offsets), "DC"))}
	case len(off) == len(offsets):
		return []Finding{{Check: "clock", Level: Warning, What: "this machine's clock is " + apart(median(offsets)) + " that of every DC that answered",
			Why: "calls go on, but binds of new keys and every date in the log suffer by it", Mend: "sudo timedatectl set-ntp true"}}
	}
	var names []string
	for _, id := range off {
		names = append(names, fmt.Sprintf("%v is %s this machine's clock", id, apart(-offsets[id])))
	}
	return []Finding{{Check: "clock", Level: Note, What: strings.Join(names, ", ") + ", and the others agree with it",
		Why: "it is that DC's clock that is wrong: the manager counts with the difference", Mend: "manager governor"}}
}

// apart says by how much ours is ahead or behind, where the other's minus ours is
// offset.
func apart(offset time.Duration) string {
	if offset < 0 {
		return (-offset).Round(time.Second).String() + " ahead of"
	}
	return offset.Round(time.Second).String() + " behind"
}

func median(offsets map[dc.ID]time.Duration) time.Duration {
	var all []time.Duration
	for _, d := range offsets {
		all = append(all, d)
	}
	slices.SortFunc(all, cmp.Compare[time.Duration])
	return all[len(all)/2]
}
