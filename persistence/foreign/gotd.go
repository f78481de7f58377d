package foreign

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
)

// gotdVersion is the version in gotd's session JSON and in gotgproto's envelope. There is no other; gotd takes a session
// of any other for none.
const gotdVersion = 1

// gotdData is what gotd's session.Data holds, as far as it matters here. Its config is the server's answer to
// help.getConfig, which everybody asks anew.
type gotdData struct {
	Config struct {
		TestMode bool
		ThisDC   int
	}
	DC        int
	Addr      string
	AuthKey   []byte
	AuthKeyID []byte
	Salt      int64
}

func parseGoTD(text []byte) (Session, error) { return parseGoTDAs(GoTD, text) }

func parseGoTDAs(f Format, text []byte) (Session, error) {
	s := Session{Format: f}
	var v struct {
		Version *int
		Data    *gotdData
	}
	defer func() {
		if v.Data != nil {
			clear(v.Data.AuthKey)
		}
	}()
	if err := json.Unmarshal(text, &v); err != nil {
		if f == GoTD && bytes.Contains(text, []byte(`"Buffer"`)) {
			return s, bad(GramJSStore, ReasonOtherDoor, "", "this is one file of a GramJS store: give the folder")
		}
		return s, bad(f, ReasonMalformed, "", "it is not gotd's session JSON: its end is missing, or it is something else")
	}
	if v.Version == nil || v.Data == nil {
		return s, bad(f, ReasonUnrecognised, "", "it is JSON, and not gotd's: there is no Version with Data beside it")
	}
	if *v.Version != gotdVersion {
		return s, bad(f, ReasonVersion, "Version", "it is %d, and gotd itself reads %d only", *v.Version, gotdVersion)
	}
	d := v.Data
	if err := s.setKey(d.AuthKey); err != nil {
		return s, err
	}
	if err := s.checkID(d.AuthKeyID); err != nil {
		return s, err
	}
	s.DC = d.DC
	if d.Addr != "" {
		var err error
		if s.Addr, err = splitAddr(f, d.Addr); err != nil {
			return s, err
		}
	}
	// TestMode is false where no config was ever fetched, too.
	if d.Config.TestMode || d.Config.ThisDC != 0 {
		s.Test = tristate(d.Config.TestMode)
	}
	s.Dropped = append(s.Dropped, "the salt")
	if d.Config.ThisDC != 0 {
		s.Dropped = append(s.Dropped, "the server's configuration")
	}
	return s, nil
}

// checkID compares the key with the id that a record has beside it.
func (s *Session) checkID(id []byte) error {
	if len(id) != 8 {
		return bad(s.Format, ReasonKeyID, "key id", "it has %d bytes, not 8: the record is damaged", len(id))
	}
	if !bytes.Equal(id, s.keyID()) {
		return bad(s.Format, ReasonKeyID, "key id", "it is not the id of the key beside it: the record is damaged")
	}
	return nil
}

// keyID is the id of the key as its eight bytes stand on the wire.
func (s *Session) keyID() []byte { return binary.LittleEndian.AppendUint64(nil, uint64(s.Key.ID())) }

// A gotgproto string is standard base64, padded, of a JSON envelope with gotd's JSON in base64 inside.
type gotgprotoEnvelope struct {
	Version int
	Data    []byte
}

func parseGoTGProto(text []byte) (Session, error) {
	s := Session{Format: GoTGProto}
	data, ok := decode64(text)
	if !ok {
		return s, errBase64(GoTGProto)
	}
	defer clear(data)
	var e gotgprotoEnvelope
	defer func() { clear(e.Data) }()
	if err := json.Unmarshal(data, &e); err != nil {
		return s, bad(GoTGProto, ReasonMalformed, "", "what it holds is not gotgproto's JSON: its end is missing, or it is damaged")
	}
	if e.Version != gotdVersion {
		return s, bad(GoTGProto, ReasonVersion, "Version", "it is %d, and the only one known is %d", e.Version, gotdVersion)
	}
	if len(e.Data) == 0 {
		return s, bad(GoTGProto, ReasonKey, "Data", "there is nothing in it: the session was saved before it signed in")
	}
	return parseGoTDAs(GoTGProto, e.Data)
}

// gotdDocument is the JSON that gotd itself writes, with a config it will fetch anew.
type gotdDocument struct {
	Version int
	Data    struct {
		Config struct {
			BlockedMode     bool
			ForceTryIpv6    bool
			Date            int
			Expires         int
			TestMode        bool
			ThisDC          int
			DCOptions       []struct{}
			DCTxtDomainName string
			TmpSessions     int
			WebfileDCID     int
		}
		DC        int
		Addr      string
		AuthKey   []byte
		AuthKeyID []byte
		Salt      int64
	}
}

func encodeGoTD(s *Session) ([]byte, error) {
	d := gotdDocument{Version: gotdVersion}
	d.Data.Config.TestMode = s.Test == Yes
	d.Data.Config.ThisDC = s.DC
	d.Data.DC, d.Data.Addr = s.DC, s.Addr
	d.Data.AuthKey, d.Data.AuthKeyID = s.Key[:], s.keyID()
	out, err := json.Marshal(d)
	if err != nil {
		return nil, bad(GoTD, ReasonMalformed, "", "it cannot be written as JSON")
	}
	return out, nil
}

func encodeGoTGProto(s *Session) ([]byte, error) {
	inner, err := encodeGoTD(s)
	if err != nil {
		return nil, err
	}
	defer clear(inner)
	outer, err := json.Marshal(gotgprotoEnvelope{Version: gotdVersion, Data: inner})
	if err != nil {
		return nil, bad(GoTGProto, ReasonMalformed, "", "it cannot be written as JSON")
	}
	outer = append(outer, '\n') // as gotgproto's encoder ends it
	defer clear(outer)
	return base64.StdEncoding.AppendEncode(nil, outer), nil
}
