package foreign

import "encoding/base64"

// decode64 decodes base64 of either alphabet, padded or not. Libraries differ in both, and people lose the padding when
// they copy. ok is false when it is not base64. The caller wipes what it gets.
func decode64(text []byte) (data []byte, ok bool) {
	for i := 0; i < 2 && len(text) > 0 && text[len(text)-1] == '='; i++ {
		text = text[:len(text)-1]
	}
	std := make([]byte, len(text))
	defer clear(std)
	for i, c := range text {
		switch c {
		case '-':
			c = '+'
		case '_':
			c = '/'
		}
		std[i] = c
	}
	data = make([]byte, base64.RawStdEncoding.DecodedLen(len(std)))
	n, err := base64.RawStdEncoding.Decode(data, std)
	if err != nil {
		clear(data)
		return nil, false
	}
	return data[:n], true
}

// base64Text says whether text has nothing but characters of base64, of either alphabet.
func base64Text(text []byte) bool {
	for _, c := range text {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '+', c == '/', c == '-', c == '_', c == '=':
		default:
			return false
		}
	}
	return len(text) > 0
}
