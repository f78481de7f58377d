package dc

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
)

// An ID is the number of a DC, 1 to 5 in production and whatever the operator
// chose elsewhere. The variants (test servers, media) are no other DCs; they
// exist on the wire only, see [Wire].
type ID int

// Default is the DC that a first connection goes to when nothing is known
// about the account: the server redirects from there.
const Default ID = 2

// MaxID bounds the number of a DC. CDN DCs are numbered from 203; 9999 leaves
// the wire ids of the test servers (id + 10000) apart from the others.
const MaxID ID = 9999

// Valid reports whether the number can be one of a DC.
func (id ID) Valid() bool { return id >= 1 && id <= MaxID }

// String is "DC 2".
func (id ID) String() string { return "DC " + strconv.Itoa(int(id)) }

// testOffset is added to the number of a DC of the test servers.
const testOffset = 10000

// Wire returns the number by which p_q_inner_data_dc and the obfuscated
// header name a DC: 10000 is added for the test servers, and the sign is
// turned for a media address.
func Wire(id ID, test, media bool) int {
	n := int(id)
	if test {
		n += testOffset
	}
	if media {
		n = -n
	}
	return n
}

// ParseWire undoes [Wire]. It reports false for numbers that name no DC.
func ParseWire(wire int) (id ID, test, media, ok bool) {
	if wire == math.MinInt {
		return 0, false, false, false
	}
	if wire < 0 {
		media, wire = true, -wire
	}
	if wire > testOffset {
		test, wire = true, wire-testOffset
	}
	id = ID(wire)
	if !id.Valid() {
		return 0, false, false, false
	}
	return id, test, media, true
}

// An Option is one address of a DC, with the fields and flags of dcOption.
type Option struct {
	// DC is the DC behind the address.
	DC ID
	// Addr is the address and its port.
	Addr netip.AddrPort
	// IPv6 marks an address to be used only where IPv6 works.
	IPv6 bool
	// MediaOnly marks an address for media alone; keys made there carry a
	// negative DC number.
	MediaOnly bool
	// TCPOnly marks an address that speaks only obfuscated TCP.
	TCPOnly bool
	// CDN marks an address of a CDN DC, whose numbers are a space of their own.
	CDN bool
	// Static marks an address that will stay: for use through proxies, and
	// when the others fail.
	Static bool
	// ThisPortOnly forbids other ports than Addr's.
	ThisPortOnly bool
	// Secret is the obfuscation secret, nil when there is none. 16 bytes; or
	// 17, the first 0xdd; or more, the first 0xee. Do not log it.
	Secret []byte
}

// String names the DC and the address and leaves the secret out.
func (o Option) String() string {
	return fmt.Sprintf("%v at %v", o.DC, o.Addr)
}

// GoString is String: a secret stays out of %#v too.
func (o Option) GoString() string { return o.String() }

// An OptionError says which option of a list is unusable and why.
type OptionError struct {
	Index  int    // place in the list, from 0
	Option Option // the option itself; its String hides the secret
	Reason string // what is wrong with it
}

func (e *OptionError) Error() string {
	return fmt.Sprintf("dc: option %d (%v): %s", e.Index, e.Option, e.Reason)
}

// check returns what is wrong with an option, "" when nothing is.
func (o Option) check() string {
	switch {
	case !o.DC.Valid():
		return fmt.Sprintf("the DC number must be from 1 to %d", int(MaxID))
	case !o.Addr.IsValid():
		return "it has no address"
	case o.Addr.Port() == 0:
		return "it has no port"
	case o.Addr.Addr().IsUnspecified(), o.Addr.Addr().IsMulticast():
		return "nothing can be dialled at this address"
	case !secretShaped(o.Secret):
		return "its secret has a length or a first byte that no transport knows"
	}
	return ""
}

// secretShaped reports whether a secret has one of the three forms: 16 bytes;
// 17 with a tag in front; a tag, 16 bytes and a host name.
func secretShaped(s []byte) bool {
	const longest = 1 + 16 + 182 // the longest host name of a secret is 182 bytes
	switch {
	case len(s) == 0, len(s) == 16:
		return true
	case len(s) == 17:
		return s[0] == 0xdd
	case len(s) > 17 && len(s) <= longest:
		return s[0] == 0xee
	}
	return false
}

// Loopback reports whether an address is on this machine's loopback. Load is
// refused for every target for which it is not. An invalid address is not.
func Loopback(addr netip.AddrPort) bool {
	return addr.Addr().Unmap().IsLoopback()
}
