package foreign

import (
	"encoding/base64"
	"encoding/binary"
	"net/netip"
)

// A Telethon string is '1' and the URL-safe base64, padded, of
//
//	dc u8 · IPv4 4 or IPv6 16 bytes · port u16 · key 256
//
// all big-endian (telethon/sessions/string.py).
const (
	telethonVersion = '1'
	telethonIPv4    = 1 + 4 + 2 + keySize
	telethonIPv6    = 1 + 16 + 2 + keySize
	keySize         = len(Key{})
)

func parseTelethon(text []byte) (Session, error) {
	s := Session{Format: Telethon, Dropped: nil}
	data, err := versionOne(Telethon, text)
	if err != nil {
		return s, err
	}
	defer clear(data)
	if len(data) != telethonIPv4 && len(data) != telethonIPv6 {
		return s, bad(Telethon, ReasonMalformed, "", "it holds %d bytes, not %d or %d: %s", len(data), telethonIPv4, telethonIPv6, cutOrLonger(len(data), telethonIPv4))
	}
	s.DC = int(data[0])
	ip, _ := netip.AddrFromSlice(data[1 : len(data)-keySize-2])
	if ip.Unmap().IsUnspecified() || ip.IsMulticast() || reserved(ip) {
		return s, bad(Telethon, ReasonMalformed, "address", "it is not the address of a server: the string is damaged")
	}
	port := binary.BigEndian.Uint16(data[len(data)-keySize-2:])
	if s.Addr, err = joinAddr(Telethon, ip.String(), int(port)); err != nil {
		return s, err
	}
	err = s.setKey(data[len(data)-keySize:])
	return s, err
}

// reserved says that an IPv6 address is in the part of ::/8 that was never given to anybody: all but ::1, the IPv4 forms and
// NAT64. A GramJS string whose address has 14 characters, as most have, is as long as a Telethon string with IPv6, and its
// length field would be the beginning of such an address.
func reserved(ip netip.Addr) bool {
	b := ip.As16()
	return ip.Is6() && b[0] == 0 && b[1] != 0 && b[1] != 0x64
}

// versionOne decodes what follows the '1' of Telethon's and GramJS's strings.
func versionOne(f Format, text []byte) ([]byte, error) {
	if len(text) == 0 || text[0] != telethonVersion {
		return nil, bad(f, ReasonVersion, "", "it does not begin with the version 1, the only one there is")
	}
	data, ok := decode64(text[1:])
	if !ok {
		return nil, errBase64(f)
	}
	return data, nil
}

func errBase64(f Format) error {
	return bad(f, ReasonMalformed, "", "it is not base64: a character is missing, or something foreign got into it; copy it whole")
}

// cutOrLonger is what to tell somebody whose string has the wrong length.
func cutOrLonger(have, want int) string {
	if have < want {
		return "its end is missing; copy it whole"
	}
	return "something follows it, or stands in it; copy it alone"
}

func encodeTelethon(s *Session) ([]byte, error) {
	host, port, err := s.address(Telethon)
	if err != nil {
		return nil, err
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return nil, bad(Telethon, ReasonMissing, "address", "Telethon needs an IP address, and the session has the name of a host")
	}
	data := []byte{byte(s.DC)}
	data = append(data, ip.Unmap().AsSlice()...)
	data = binary.BigEndian.AppendUint16(data, uint16(port))
	data = appendKey(data, &s.Key)
	defer clear(data)
	return base64.URLEncoding.AppendEncode([]byte{telethonVersion}, data), nil
}

// appendKey appends a key in one step, so that append leaves no half of it in an array it outgrew.
func appendKey(b []byte, k *Key) []byte { return append(b, k[:]...) }
