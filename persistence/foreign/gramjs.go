package foreign

import (
	"encoding/base64"
	"encoding/binary"
)

// A GramJS string is '1' and the standard base64, padded, of
//
//	dc u8 · length i16 · address, text · port i16 · key 256
//
// all big-endian (telegram/sessions/StringSession.ts). The port is signed there: those above 32767 read as negative, and
// their two bytes are the same.
const gramJSFixed = 1 + 2 + 2 + keySize

// gramJSHost is the length field of the address. It is false for a payload too short to have one.
func gramJSHost(data []byte) (n int, ok bool) {
	if len(data) < 4 {
		return 0, false
	}
	return int(binary.BigEndian.Uint16(data[1:])), true
}

func parseGramJS(text []byte) (Session, error) {
	s := Session{Format: GramJS}
	data, err := versionOne(GramJS, text)
	if err != nil {
		return s, err
	}
	defer clear(data)
	n, ok := gramJSHost(data)
	if !ok || n < 1 || n > maxHost {
		return s, bad(GramJS, ReasonMalformed, "address", "its length is not that of an address: the string is damaged")
	}
	if len(data) != gramJSFixed+n {
		return s, bad(GramJS, ReasonMalformed, "", "it holds %d bytes, not %d: %s", len(data), gramJSFixed+n, cutOrLonger(len(data), gramJSFixed+n))
	}
	s.DC = int(data[0])
	port := binary.BigEndian.Uint16(data[3+n:])
	if s.Addr, err = joinAddr(GramJS, string(data[3:3+n]), int(port)); err != nil {
		return s, err
	}
	err = s.setKey(data[5+n:])
	return s, err
}

func encodeGramJS(s *Session) ([]byte, error) {
	host, port, err := s.address(GramJS)
	if err != nil {
		return nil, err
	}
	// Above 100 GramJS takes the length for the beginning of a Telethon address.
	if len(host) > 100 {
		return nil, bad(GramJS, ReasonMissing, "address", "its host has a name of %d characters, and GramJS reads at most 100", len(host))
	}
	data := make([]byte, 0, gramJSFixed+len(host))
	defer func() { clear(data) }()
	data = append(data, byte(s.DC))
	data = binary.BigEndian.AppendUint16(data, uint16(len(host)))
	data = append(data, host...)
	data = binary.BigEndian.AppendUint16(data, uint16(port))
	data = appendKey(data, &s.Key)
	return base64.StdEncoding.AppendEncode([]byte{telethonVersion}, data), nil
}
