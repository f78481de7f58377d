package tljson

import (
	"fmt"
	"unicode/utf8"

	"github.com/mtfleet/mtfleet/tl"
)

// kind is what a node is.
type kind uint8

const (
	kindNull kind = iota
	kindTrue
	kindFalse
	kindNumber
	kindString
	kindArray
	kindObject
)

var kindNames = [...]string{"null", "true", "false", "a number", "a string", "an array", "an object"}

func (k kind) String() string { return kindNames[k] }

// node is one value of the text or the name of a field. The nodes of a text lie in the order of the text: those inside
// an array or object follow it, in an object a name before each value.
type node struct {
	kind    kind
	escaped bool // a string with backslashes
	// start and end enclose it in the text, the quotes of a string left out.
	start, end uint32
	// next is the number of the first node after it and all inside it.
	next uint32
}

// maxNesting is how deep arrays and objects may be nested: each level of boxed values takes an object and at most
// one array.
const maxNesting = 2*tl.MaxDepth + 2

// scanner splits a text into nodes. It accepts what RFC 8259 calls JSON, in UTF-8, without lone surrogates.
type scanner struct {
	text  []byte
	at    int
	nodes []node
}

// scan reads all of text.
func (s *scanner) scan(text []byte) *Error {
	if len(text) > MaxText {
		return &Error{Problem: fmt.Sprintf("the text has %d bytes, more than %d", len(text), MaxText)}
	}
	s.text, s.at, s.nodes = text, 0, s.nodes[:0]
	if err := s.value(maxNesting); err != nil {
		return err
	}
	if s.space(); s.at < len(text) {
		return s.fail("text after the value")
	}
	return nil
}

func (s *scanner) fail(problem string) *Error { return &Error{Offset: s.at, Problem: problem} }

// space goes to the next byte that is no space.
func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// peek is the next byte that is no space, 0 at the end.
func (s *scanner) peek() byte {
	if s.space(); s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

// value reads one value. depth is how many levels of nesting are left.
func (s *scanner) value(depth int) *Error {
	c := s.peek()
	if len(s.nodes) >= MaxNodes {
		return s.fail(fmt.Sprintf("more than %d values", MaxNodes))
	}
	switch {
	case c == '"':
		return s.string()
	case c == '{':
		return s.nested(kindObject, '}', depth)
	case c == '[':
		return s.nested(kindArray, ']', depth)
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	case c == 't':
		return s.word("true", kindTrue)
	case c == 'f':
		return s.word("false", kindFalse)
	case c == 'n':
		return s.word("null", kindNull)
	case s.at == len(s.text):
		return s.fail("the text ends where a value is expected")
	}
	return s.fail("not JSON: a value is expected")
}

// add adds the node that lies between start and the current place.
func (s *scanner) add(k kind, start, end int, escaped bool) {
	s.nodes = append(s.nodes, node{kind: k, escaped: escaped, start: uint32(start), end: uint32(end), next: uint32(len(s.nodes) + 1)})
}

func (s *scanner) word(word string, k kind) *Error {
	if len(s.text)-s.at < len(word) || string(s.text[s.at:s.at+len(word)]) != word {
		return s.fail("not JSON: a value is expected")
	}
	s.add(k, s.at, s.at+len(word), false)
	s.at += len(word)
	return nil
}

// nested reads an array or an object.
func (s *scanner) nested(k kind, closing byte, depth int) *Error {
	if depth == 0 {
		return s.fail("nested too deep")
	}
	own := len(s.nodes)
	s.add(k, s.at, s.at, false)
	s.at++
	for first := true; ; first = false {
		c := s.peek()
		switch {
		case c == closing:
			s.at++
			s.nodes[own].end, s.nodes[own].next = uint32(s.at), uint32(len(s.nodes))
			return nil
		case first:
		case c == ',':
			s.at++
		default:
			return s.fail(fmt.Sprintf("not JSON: a comma or %c is expected", closing))
		}
		if k == kindObject {
			if err := s.key(); err != nil {
				return err
			}
		}
		if err := s.value(depth - 1); err != nil {
			return err
		}
	}
}

// key reads the name of a field and the colon.
func (s *scanner) key() *Error {
	if s.peek() != '"' {
		return s.fail("not JSON: the name of a field is expected, in quotes")
	}
	if err := s.string(); err != nil {
		return err
	}
	if s.peek() != ':' {
		return s.fail("not JSON: a colon is expected")
	}
	s.at++
	return nil
}

// string reads a string and checks it.
func (s *scanner) string() *Error {
	s.at++
	start, escaped, ascii := s.at, false, true
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; {
		case c == '"':
			if !ascii && !utf8.Valid(s.text[start:s.at]) {
				s.at = start
				return s.fail("a string is not UTF-8")
			}
			s.add(kindString, start, s.at, escaped)
			s.at++
			return nil
		case c == '\\':
			escaped = true
			if err := s.escape(); err != nil {
				return err
			}
		case c < ' ':
			return s.fail("not JSON: a control character in a string")
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return s.fail("the text ends inside a string")
}

// escape goes to the last byte of an escape.
func (s *scanner) escape() *Error {
	if s.at++; s.at == len(s.text) {
		return s.fail("the text ends inside a string")
	}
	switch s.text[s.at] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return nil
	case 'u':
	default:
		return s.fail("not JSON: an unknown escape")
	}
	r, ok := hex4(s.text[s.at+1:])
	if !ok {
		return s.fail("not JSON: four hexadecimal digits are expected")
	}
	s.at += 4
	if highSurrogate(r) {
		rest := s.text[s.at+1:]
		if len(rest) >= 6 && rest[0] == '\\' && rest[1] == 'u' {
			if low, ok := hex4(rest[2:]); ok && lowSurrogate(low) {
				s.at += 6
				return nil
			}
		}
	}
	if highSurrogate(r) || lowSurrogate(r) {
		return s.fail("half a surrogate pair: such a string has no UTF-8")
	}
	return nil
}

// number reads a number.
func (s *scanner) number() *Error {
	start := s.at
	if s.text[s.at] == '-' {
		s.at++
	}
	zero := s.at < len(s.text) && s.text[s.at] == '0'
	n := s.digits()
	if n == 0 || zero && n > 1 {
		return s.fail("not JSON: not a number")
	}
	if s.at < len(s.text) && s.text[s.at] == '.' {
		s.at++
		if s.digits() == 0 {
			return s.fail("not JSON: not a number")
		}
	}
	if s.at < len(s.text) && s.text[s.at]|0x20 == 'e' {
		s.at++
		if s.at < len(s.text) && (s.text[s.at] == '+' || s.text[s.at] == '-') {
			s.at++
		}
		if s.digits() == 0 {
			return s.fail("not JSON: not a number")
		}
	}
	s.add(kindNumber, start, s.at, false)
	return nil
}

// digits goes past digits and counts them.
func (s *scanner) digits() int {
	start := s.at
	for s.at < len(s.text) && s.text[s.at] >= '0' && s.text[s.at] <= '9' {
		s.at++
	}
	return s.at - start
}
