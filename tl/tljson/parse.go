package tljson

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mtfleet/mtfleet/tl"
)

// parser makes a TL value of a text. It is used again and again, for its buffers.
type parser struct {
	scanner
	c *Codec
	// slots are, for the objects being read, outermost first, which node holds each field; 0 for none.
	slots []uint32
	// plain holds a string without its escapes.
	plain []byte
}

// keepNodes is how large the buffers of a parser may be to be kept: 64 KiB of nodes, more than nearly all queries need.
const keepNodes = 4096

// release hands the parser back, without what it read, which may be secret.
func (p *parser) release() {
	p.text, p.slots = nil, p.slots[:0]
	clear(p.plain[:cap(p.plain)])
	if cap(p.nodes) <= keepNodes && cap(p.plain) <= 16*keepNodes {
		p.c.parsers.Put(p)
	}
}

// fail says what is wrong with a node.
func (p *parser) fail(at uint32, format string, args ...any) *Error {
	return &Error{Offset: int(p.nodes[at].start), Problem: fmt.Sprintf(format, args...)}
}

// string is the content of a string, valid until the next call.
func (p *parser) string(at uint32) []byte {
	n := &p.nodes[at]
	s := p.text[n.start:n.end]
	if n.escaped {
		p.plain = unescape(p.plain[:0], s)
		s = p.plain
	}
	return s
}

// quoted is a name in the text, for an error.
func (p *parser) quoted(at uint32) string { return strconv.Quote(quotable(string(p.string(at)))) }

// call reads the whole text as the parameters of a method.
func (p *parser) call(index int) ([]byte, *Error) {
	if p.nodes[0].kind != kindObject {
		return nil, p.fail(0, "%s where an object with the parameters is expected", p.nodes[0].kind)
	}
	if at := p.constructor(0); at != 0 && (p.nodes[at].kind != kindString || string(p.string(at)) != p.c.names.Name(index)) {
		return nil, p.fail(at, "another name than that of the method, %s", p.c.names.Name(index)).within("_")
	}
	return p.object(make([]byte, 0, 64), 0, index, tl.MaxDepth)
}

// constructor returns which node holds the "_" of an object, 0 for none. It nearly always comes first.
func (p *parser) constructor(at uint32) uint32 {
	for key := at + 1; key < p.nodes[at].next; key = p.nodes[key+1].next {
		if s := p.string(key); len(s) == 1 && s[0] == '_' {
			return key + 1
		}
	}
	return 0
}

// boxed appends the value of type typ in a node. depth is how many levels of nesting are left.
func (p *parser) boxed(b []byte, at uint32, typ tl.Type, depth int) ([]byte, *Error) {
	switch p.nodes[at].kind {
	case kindObject:
	case kindTrue, kindFalse:
		return p.boxedBool(b, at, typ)
	default:
		return nil, p.fail(at, "%s where an object is expected, of type %s", p.nodes[at].kind, p.c.table.TypeName(typ))
	}
	if depth <= 0 {
		return nil, p.fail(at, "nested too deep")
	}
	name := p.constructor(at)
	switch {
	case name == 0:
		return nil, p.fail(at, "missing: %s", p.c.constructorsOf(typ)).within("_")
	case p.nodes[name].kind != kindString:
		return nil, p.fail(name, "%s where the name of a constructor is expected", p.nodes[name].kind).within("_")
	}
	index, ok := p.c.names.Find(string(p.string(name)))
	if !ok {
		return nil, p.fail(name, "%s is not in the schema: %s", p.quoted(name), p.c.constructorsOf(typ)).within("_")
	}
	if _, got, _ := p.c.table.At(index); typ != tl.TypeAny && typ != got {
		return nil, p.fail(name, "%s is of type %s: %s", p.c.names.Name(index), p.c.table.TypeName(got),
			p.c.constructorsOf(typ)).within("_")
	}
	return p.object(b, at, index, depth)
}

// boxedBool appends a Bool where its constructors could stand.
func (p *parser) boxedBool(b []byte, at uint32, typ tl.Type) ([]byte, *Error) {
	if index, ok := p.c.table.Index(tl.BoolTrueID); ok {
		if _, boolean, _ := p.c.table.At(index); typ == tl.TypeAny || typ == boolean {
			return tl.AppendBool(b, p.nodes[at].kind == kindTrue), nil
		}
	}
	return nil, p.fail(at, "%s where an object is expected, of type %s", p.nodes[at].kind, p.c.table.TypeName(typ))
}

// object appends the constructor with a number, whose fields are those of an object.
func (p *parser) object(b []byte, at uint32, index, depth int) ([]byte, *Error) {
	base := len(p.slots)
	if err := p.place(at, index, base); err != nil {
		return nil, err
	}
	id, _, ops := p.c.table.At(index)
	b, err := p.fields(tl.AppendUint32(b, id), at, index, ops, base, depth)
	p.slots = p.slots[:base]
	return b, err
}

// place finds out which field of the constructor each value of the object is, and keeps it in slots from base on.
// Fields in the order of the schema are found at once.
func (p *parser) place(at uint32, index, base int) *Error {
	begin := p.c.names.Fields(index)
	next, n := begin, 0
	constructor := false
	for key := at + 1; key < p.nodes[at].next; key = p.nodes[key+1].next {
		name := p.string(key)
		if len(name) == 1 && name[0] == '_' {
			if constructor {
				return p.fail(key, "given twice").within("_")
			}
			constructor = true
			continue
		}
		found, again := false, false
		for !found {
			_, ok := next.Next()
			switch {
			case ok && next.Name() == string(name):
				found = true
			case ok:
				n++
			case again:
				return p.unknown(key, index)
			default:
				next, n, again = begin, 0, true
			}
		}
		for len(p.slots) <= base+n {
			p.slots = append(p.slots, 0)
		}
		if p.slots[base+n] != 0 {
			return p.fail(key, "given twice").within(string(name))
		}
		p.slots[base+n] = key + 1
		n++
	}
	return nil
}

// unknown says that a constructor has no field of the name in a node.
func (p *parser) unknown(key uint32, index int) *Error {
	has := p.c.fieldsOf(index)
	if has == "" {
		has = "it has none"
	}
	name := quotable(string(p.string(key)))
	if strings.ContainsFunc(name, func(r rune) bool { return r != '_' && (r < '0' || r > 'z') }) {
		name = strconv.Quote(name)
	}
	return p.fail(key, "no field of %s: %s", p.c.names.Name(index), has).within(name)
}

// fields appends the fields of a constructor.
func (p *parser) fields(b []byte, at uint32, index int, ops []tl.Op, base, depth int) ([]byte, *Error) {
	var flags words
	end := len(p.slots)
	names := p.c.names.Fields(index)
	for n := base; ; n++ {
		cond, ok := names.Next()
		if !ok {
			break
		}
		slot := uint32(0)
		if n < end {
			slot = p.slots[n]
		}
		if word, bit, ok := cond.If(); ok { // of type true
			w := &flags[word]
			w.known |= 1 << bit
			if slot == 0 {
				continue
			}
			switch p.nodes[slot].kind {
			case kindTrue:
				w.set |= 1 << bit
			case kindFalse:
				w.unset |= 1 << bit
			case kindNull:
			default:
				return nil, p.fail(slot, "%s where true is expected, or nothing", p.nodes[slot].kind).within(names.Name())
			}
			continue
		}
		if word, ok := ops[0].FlagWord(); ok {
			ops = ops[1:]
			w := &flags[word]
			w.at = len(b)
			b = tl.AppendUint32(b, 0)
			if slot != 0 {
				bits, err := p.integer(slot, 0, 1<<32-1)
				if err != nil {
					return nil, err.within(names.Name())
				}
				w.extra = uint32(bits)
			}
			continue
		}
		var op, elem tl.Op
		cond, op, elem, ops = tl.NextField(ops)
		there := slot != 0
		if word, bit, ok := cond.If(); ok {
			w := &flags[word]
			w.known |= 1 << bit
			if there = there && p.nodes[slot].kind != kindNull; !there {
				w.unset |= 1 << bit
				continue
			}
			w.set |= 1 << bit
		}
		if !there {
			return nil, p.fail(at, "missing").within(names.Name())
		}
		var err *Error
		if b, err = p.value(b, slot, op, elem, depth); err != nil {
			return nil, err.within(names.Name())
		}
	}
	return p.setFlags(b, at, index, base, &flags)
}
