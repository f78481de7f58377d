package dc

import (
	"fmt"
	"net/netip"
	"slices"
)

// MaxOptions bounds a table as it comes from the server or from a
// configuration; see [Table.Beside] for both together. help.getConfig lists some 20 options; 256 leaves
// room for a cluster of a hundred DCs on loopback and costs 32 KiB at most.
const MaxOptions = 256

// A Table is what is known about an environment's DCs. It is a value: methods
// that change it return another, and nobody writes to its slices.
type Table struct {
	// Test is set for the test servers, whose DC numbers are shifted on the
	// wire.
	Test bool
	// Options are the addresses, in the server's order.
	Options []Option
	// Keys are the RSA public keys of the environment, PEM, one per text.
	Keys []string
}

// Check returns an *OptionError for the first option that cannot be used, or
// an error for a table that is empty or too big.
func (t Table) Check() error {
	switch {
	case len(t.Options) == 0:
		return fmt.Errorf("dc: the table has no addresses")
	case len(t.Options) > MaxOptions:
		return fmt.Errorf("dc: the table has %d addresses, more than %d", len(t.Options), MaxOptions)
	}
	for i, o := range t.Options {
		if reason := o.check(); reason != "" {
			return &OptionError{Index: i, Option: o, Reason: reason}
		}
	}
	return nil
}

// DCs returns the numbers of the DCs of the table, CDN ones excepted, rising.
func (t Table) DCs() []ID {
	var ids []ID
	for _, o := range t.Options {
		if !o.CDN {
			ids = append(ids, o.DC)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Has reports whether an account may live on the DC: it is in the table, and
// not only as a CDN.
func (t Table) Has(id ID) bool {
	return slices.ContainsFunc(t.Options, func(o Option) bool { return o.DC == id && !o.CDN })
}

// Update returns the table with the server's options in place of the old
// ones, DC by DC: a DC the server does not mention keeps its addresses, so
// that a short answer cannot cut off an account. Unusable options are left
// out and returned as errors; what is over [MaxOptions] is left out too. Keys
// never change this way.
func (t Table) Update(options []Option) (Table, []error) {
	var (
		rejected []error
		fresh    = make([]Option, 0, min(len(options), MaxOptions))
		named    = make(map[space]bool)
	)
	for i, o := range options {
		reason := o.check()
		if reason == "" && len(fresh) == MaxOptions {
			reason = fmt.Sprintf("there are more than %d", MaxOptions)
		}
		if reason != "" {
			rejected = append(rejected, &OptionError{Index: i, Option: o, Reason: reason})
			continue
		}
		o.IPv6 = o.Addr.Addr().Unmap().Is6()
		o.Secret = slices.Clone(o.Secret)
		fresh = append(fresh, o)
		// A DC left with media addresses only could not be reached at all.
		if !o.MediaOnly {
			named[o.space()] = true
		}
	}
	for _, o := range t.Options {
		if !named[o.space()] && len(fresh) < MaxOptions {
			fresh = append(fresh, o)
		}
	}
	t.Options = fresh
	return t, rejected
}

// Beside returns the table with other options after its own, those excepted that
// it has: what an operator configured stays beside what the server says, for only
// one of them may be right from here. The result is as long as both.
func (t Table) Beside(options []Option) Table {
	all := slices.Clip(t.Options)
	for _, o := range options {
		if !slices.ContainsFunc(t.Options, o.sameAddress) {
			all = append(all, o)
		}
	}
	t.Options = all
	return t
}

// sameAddress reports whether two options are the same address for the same use.
// How it is to be spoken to may differ.
func (o Option) sameAddress(other Option) bool {
	return o.Addr == other.Addr && o.space() == other.space() && o.MediaOnly == other.MediaOnly
}

// space is a DC in one of the two number spaces.
type space struct {
	dc  ID
	cdn bool
}

func (o Option) space() space { return space{o.DC, o.CDN} }

// A Want says what a connection is for.
type Want struct {
	// DC is the DC to reach.
	DC ID
	// Media asks for addresses for bulk transfers. Where a DC has addresses
	// for media alone, only these are returned.
	Media bool
	// CDN asks for a CDN DC.
	CDN bool
	// IPv6 allows IPv6 addresses; they come last. Who dials several at once mixes
	// them, see [Alternate].
	IPv6 bool
	// Proxied says that a proxy will dial: addresses that stay are preferred.
	Proxied bool
}

// A Target is one address to try.
type Target struct {
	// Addr is the address to dial; its port need not be the option's.
	Addr netip.AddrPort
	// Media is set for an address for media alone: a key made there carries
	// a negative DC number.
	Media bool
	// Obfuscated says that the transport must be obfuscated there.
	Obfuscated bool
	// Secret is the obfuscation secret, nil when there is none.
	Secret []byte
}

// fallbackPorts all speak the same transports on Telegram's addresses.
var fallbackPorts = [...]uint16{443, 80, 5222}

// Select returns the addresses to try, best first: options in the server's
// order at their own ports, addresses marked static last (first through a
// proxy); then the same addresses at the other known ports. It is empty when
// the table knows none.
//
// No other port is tried where the server says so, where a secret is needed
// (a proxy listens there), or on loopback, where ports mean other programs.
func (t Table) Select(w Want) []Target {
	options := t.fitting(w)
	slices.SortStableFunc(options, func(a, b Option) int {
		return w.rank(a) - w.rank(b)
	})
	targets := make([]Target, 0, len(options)*(1+len(fallbackPorts)))
	add := func(o Option, port uint16) {
		target := Target{
			Addr:       netip.AddrPortFrom(o.Addr.Addr(), port),
			Media:      o.MediaOnly,
			Obfuscated: o.TCPOnly || len(o.Secret) > 0,
			Secret:     o.Secret,
		}
		if !slices.ContainsFunc(targets, func(t Target) bool { return t.Addr == target.Addr }) {
			targets = append(targets, target)
		}
	}
	for _, o := range options {
		add(o, o.Addr.Port())
	}
	for _, port := range fallbackPorts {
		for _, o := range options {
			if !o.ThisPortOnly && len(o.Secret) == 0 && !Loopback(o.Addr) {
				add(o, port)
			}
		}
	}
	return targets
}

// Alternate returns targets with the two families of addresses taking turns, each
// in its order and the first target's family first, as RFC 8305 section 4 has it:
// whoever tries the first few of them finds out about both, and need not know
// whether IPv6 works from here.
func Alternate(targets []Target) []Target {
	var families [2][]Target
	for _, t := range targets {
		i := 0
		if t.Addr.Addr().Unmap().Is6() != targets[0].Addr.Addr().Unmap().Is6() {
			i = 1
		}
		families[i] = append(families[i], t)
	}
	mixed := make([]Target, 0, len(targets))
	for i := range len(targets) {
		for _, family := range families {
			if i < len(family) {
				mixed = append(mixed, family[i])
			}
		}
	}
	return mixed
}

// fitting returns the options that a connection may use at all.
func (t Table) fitting(w Want) []Option {
	var plain, media []Option
	for _, o := range t.Options {
		switch {
		case o.DC != w.DC, o.CDN != w.CDN, o.isIPv6() && !w.IPv6:
		case o.MediaOnly:
			media = append(media, o)
		default:
			plain = append(plain, o)
		}
	}
	if w.Media && len(media) > 0 {
		return media
	}
	return plain
}

// rank sorts options; less is better.
func (w Want) rank(o Option) int {
	rank := 0
	if o.isIPv6() {
		rank += 2
	}
	if o.Static != w.Proxied {
		rank++
	}
	return rank
}

// Families is a set of families of addresses.
type Families uint8

// The families.
const (
	IPv4 Families = 1 << iota
	IPv6
)

// Family returns that of an address; none of one that is not valid.
func Family(a netip.Addr) Families {
	switch {
	case !a.IsValid():
		return 0
	case a.Unmap().Is6():
		return IPv6
	}
	return IPv4
}

func (o Option) isIPv6() bool { return o.IPv6 || o.Addr.Addr().Unmap().Is6() }
