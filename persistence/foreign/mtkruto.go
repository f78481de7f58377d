package foreign

import (
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/mtfleet/mtfleet/tl"
)

// An MTKruto string is URL-safe base64 without padding of a run-length code of
//
//	string("2" or "2-test") · bytes(key)
//
// as in TL. In the code a run of n zero bytes, 1 to 255, is 00 n; all other bytes stand for themselves.
const (
	mtkrutoTest = "-test"
	// mtkrutoMax is the longest plain text: string("2-test") is 8 bytes, bytes(key) 4+256.
	mtkrutoMax = 8 + 4 + keySize
)

func parseMTKruto(text []byte) (Session, error) {
	s := Session{Format: MTKruto}
	data, ok := decode64(text)
	if !ok {
		return s, errBase64(MTKruto)
	}
	defer clear(data)
	plain, err := unpackZeros(data)
	if err != nil {
		return s, err
	}
	defer clear(plain)
	r := tl.NewReader(plain)
	name := r.String()
	key := r.BytesView()
	if r.End() != nil {
		return s, bad(MTKruto, ReasonMalformed, "", "its parts do not fit its length: its end is missing or something follows it; copy it whole and alone")
	}
	id, test := strings.CutSuffix(name, mtkrutoTest)
	if len(id) != 1 || id[0] < '0' || id[0] > '9' {
		return s, bad(MTKruto, ReasonMalformed, "DC", "it is not the name of a DC: the string is damaged")
	}
	s.DC, s.Test = int(id[0]-'0'), tristate(test)
	err = s.setKey(key)
	return s, err
}

// unpackZeros undoes the run-length code. It makes at most mtkrutoMax bytes, however long the runs say they are.
func unpackZeros(data []byte) ([]byte, error) {
	plain := make([]byte, 0, mtkrutoMax)
	for i := 0; i < len(data); i++ {
		if data[i] != 0 && len(plain) < mtkrutoMax {
			plain = append(plain, data[i])
			continue
		}
		n := 1
		if data[i] == 0 {
			if i++; i == len(data) || data[i] == 0 {
				clear(plain)
				return nil, bad(MTKruto, ReasonMalformed, "", "a run of zeros has no length: its end is missing, or it is damaged")
			}
			n = int(data[i])
		}
		if len(plain)+n > mtkrutoMax {
			clear(plain)
			return nil, bad(MTKruto, ReasonTooLarge, "", "it unpacks to more than the %d bytes that such a string can hold: it is damaged", mtkrutoMax)
		}
		plain = plain[:len(plain)+n] // zeros, for nothing was written there
	}
	return plain, nil
}

// packZeros is the inverse of unpackZeros.
func packZeros(plain []byte) []byte {
	data := make([]byte, 0, 2*len(plain))
	for i := 0; i < len(plain); {
		n := 0
		for i+n < len(plain) && plain[i+n] == 0 && n < 255 {
			n++
		}
		if n > 0 {
			data = append(data, 0, byte(n))
			i += n
			continue
		}
		data = append(data, plain[i])
		i++
	}
	return data
}

func encodeMTKruto(s *Session) ([]byte, error) {
	name := strconv.Itoa(s.DC)
	if s.Test == Yes {
		name += mtkrutoTest
	}
	plain := make([]byte, 0, mtkrutoMax)
	plain = tl.AppendString(plain, name)
	plain = tl.AppendBytes(plain, s.Key[:])
	data := packZeros(plain)
	defer func() { clear(plain); clear(data) }()
	return base64.RawURLEncoding.AppendEncode(nil, data), nil
}
