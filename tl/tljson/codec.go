package tljson

import (
	"sync"

	"github.com/mtfleet/mtfleet/tl"
)

// Bounds of a text to read.
const (
	// MaxText is its length in bytes: a query has less than 1 MiB, of which base64 makes 1.4 MiB, and a field's name
	// with its punctuation rarely more than three times the field.
	MaxText = 4 << 20
	// MaxNodes is how many values and names of fields it holds: at 16 bytes each, 8 MiB of memory while it is read.
	MaxNodes = 1 << 19
)

// Codec turns values of one schema into JSON and back. It may be used by any number of goroutines.
type Codec struct {
	table   *tl.Table
	names   *tl.Names
	parsers sync.Pool // of *parser
}

// New makes a codec of a schema and its names, tg.Schema and tg.Names for the API.
func New(table *tl.Table, names *tl.Names) *Codec {
	c := &Codec{table: table, names: names}
	c.parsers.New = func() any { return &parser{c: c} }
	return c
}

// Append appends the one boxed value in v as JSON on one line. Errors are *tl.ParseError, and dst is returned as it
// was. A bare Vector of a function's result does not say what it holds: see AppendResult.
func (c *Codec) Append(dst []byte, v tl.Raw) ([]byte, error) {
	w := printer{c: c, in: v, out: dst}
	end, err := w.boxed(0, tl.TypeAny, tl.MaxDepth)
	return w.done(dst, end, err)
}

// AppendResult is Append for the result of a method, which may be a Vector.
func (c *Codec) AppendResult(dst []byte, method string, v tl.Raw) ([]byte, error) {
	m, err := c.Method(method)
	if err != nil {
		return c.Append(dst, v)
	}
	return m.AppendResult(dst, v)
}

// Parse reads one value, of any constructor or function. Errors are *Error.
func (c *Codec) Parse(text []byte) (tl.Raw, error) {
	return c.parse(text, func(p *parser) ([]byte, *Error) { return p.boxed(nil, 0, tl.TypeAny, tl.MaxDepth) })
}

// ParseCall reads the parameters of a method: an object of its fields, in which "_", the method's name, may be left
// out. An empty text is an empty object. Errors are *Error, and *UnknownMethodError if there is no such method.
func (c *Codec) ParseCall(method string, params []byte) (tl.Raw, error) {
	m, err := c.Method(method)
	if err != nil {
		return nil, err
	}
	return m.ParseCall(params)
}

// Method is one method of the schema, for who reads its parameters and then writes its result.
type Method struct {
	c     *Codec
	index int
}

// Method finds a method by its name. The error is an *UnknownMethodError.
func (c *Codec) Method(name string) (Method, error) {
	index, ok := c.names.Find(name)
	if ok {
		_, typ, _ := c.table.At(index)
		ok = typ == tl.TypeFunction
	}
	if !ok {
		return Method{}, &UnknownMethodError{Method: quotable(name), Nearest: c.Nearest(name)}
	}
	return Method{c, index}, nil
}

// Name is the method's name.
func (m Method) Name() string { return m.c.names.Name(m.index) }

// ParseCall is Codec.ParseCall.
func (m Method) ParseCall(params []byte) (tl.Raw, error) {
	if len(params) == 0 {
		params = []byte("{}")
	}
	return m.c.parse(params, func(p *parser) ([]byte, *Error) { return p.call(m.index) })
}

// AppendResult is Codec.AppendResult.
func (m Method) AppendResult(dst []byte, v tl.Raw) ([]byte, error) {
	if elem, ok := m.c.names.VectorResult(m.index); ok && v.ID() == tl.VectorID {
		w := printer{c: m.c, in: v, out: dst}
		end, err := w.vector(0, tl.OpVector, elem, tl.MaxDepth)
		return w.done(dst, end, err)
	}
	return m.c.Append(dst, v)
}

func (c *Codec) parse(text []byte, read func(*parser) ([]byte, *Error)) (tl.Raw, error) {
	p := c.parsers.Get().(*parser)
	defer p.release()
	if err := p.scan(text); err != nil {
		return nil, err
	}
	b, err := read(p)
	if err != nil {
		return nil, err
	}
	return b, nil
}
