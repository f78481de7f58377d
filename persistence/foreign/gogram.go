package foreign

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
)

// gogram writes its prefix and URL-safe base64 without padding of a JSON object; it wrote, until 2025, another prefix and
// the same base64 of five fields joined by ":_:" or, before that, by "::":
//
//	key 256 bytes · key id 8 bytes · host:port · dc · api_id
//
// the first two raw, which its own reader splits wrongly when they contain the separator; here they are cut by length.
const (
	gogramJSON   = "1BvE"
	gogramFields = "1BvX"
)

type gogramObject struct {
	Key  []byte `json:"key"`
	Hash []byte `json:"hash"`
	DC   int    `json:"dc_id"`
	Addr string `json:"ip_addr"`
	App  int    `json:"app_id"`
}

func parseGogram(text []byte) (Session, error) {
	s := Session{Format: Gogram}
	body, isJSON := bytes.CutPrefix(text, []byte(gogramJSON))
	if !isJSON {
		rest, isFields := bytes.CutPrefix(text, []byte(gogramFields))
		if !isFields {
			return s, bad(Gogram, ReasonVersion, "", "it begins with neither "+gogramJSON+" nor "+gogramFields)
		}
		body = rest
	}
	data, ok := decode64(body)
	if !ok {
		return s, errBase64(Gogram)
	}
	defer clear(data)
	var o gogramObject
	defer func() { clear(o.Key) }()
	if isJSON {
		if err := json.Unmarshal(data, &o); err != nil {
			return s, bad(Gogram, ReasonMalformed, "", "what it holds is not gogram's JSON: its end is missing, or it is damaged")
		}
	} else if ok := o.fields(data); !ok {
		return s, bad(Gogram, ReasonMalformed, "", "what it holds is not gogram's five fields: its end is missing, or it is damaged")
	}
	err := o.fill(&s)
	return s, err
}

// fields cuts the older form.
func (o *gogramObject) fields(data []byte) bool {
	const idSize = 8
	if len(data) < keySize {
		return false
	}
	rest := data[keySize:]
	for _, sep := range []string{":_:", "::"} {
		tail, ok := bytes.CutPrefix(rest, []byte(sep))
		if !ok || len(tail) < idSize {
			continue
		}
		hash := tail[:idSize]
		tail, ok = bytes.CutPrefix(tail[idSize:], []byte(sep))
		// From the right: an IPv6 address has two colons of its own.
		i := bytes.LastIndex(tail, []byte(sep))
		if !ok || i < 0 {
			continue
		}
		j := bytes.LastIndex(tail[:i], []byte(sep))
		if j < 0 {
			continue
		}
		id, err1 := strconv.ParseInt(string(tail[j+len(sep):i]), 10, 32)
		app, err2 := strconv.ParseInt(string(tail[i+len(sep):]), 10, 32)
		if err1 != nil || err2 != nil {
			continue
		}
		o.Key, o.Hash = bytes.Clone(data[:keySize]), bytes.Clone(hash)
		o.Addr, o.DC, o.App = string(tail[:j]), int(id), int(app)
		return true
	}
	return false
}

func (o *gogramObject) fill(s *Session) error {
	if err := s.setKey(o.Key); err != nil {
		return err
	}
	if err := s.checkID(o.Hash); err != nil {
		return err
	}
	s.DC, s.APIID = o.DC, o.App
	if o.Addr == "" {
		return nil
	}
	var err error
	s.Addr, err = splitAddr(Gogram, o.Addr)
	return err
}

func encodeGogram(s *Session) ([]byte, error) {
	host, port, err := s.address(Gogram)
	if err != nil {
		return nil, err
	}
	if int64(s.APIID) > math.MaxInt32 {
		return nil, bad(Gogram, ReasonMissing, "api_id", "gogram keeps it in 32 bits, and this one has more")
	}
	addr, err := joinAddr(Gogram, host, port)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(gogramObject{Key: s.Key[:], Hash: s.keyID(), DC: s.DC, Addr: addr, App: s.APIID})
	if err != nil {
		return nil, bad(Gogram, ReasonMalformed, "", "it cannot be written as JSON")
	}
	defer clear(data)
	return base64.RawURLEncoding.AppendEncode([]byte(gogramJSON), data), nil
}
