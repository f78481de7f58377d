// Package protomap carries Go values into protobuf messages of the same fields, and back.
//
// A field of a struct and one of a message belong together when the JSON name of the first is the name of the second;
// embedded structs are as encoding/json has them. A message that holds one thing and nothing else, as the answers of
// an API do, stands for that thing.
package protomap

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// A Map is between one type of structs and one message. It is made once and safe for concurrent use.
type Map struct {
	t       reflect.Type
	fields  []field
	missing []string
	// inside is the message's only field where the struct is what it holds.
	inside protoreflect.FieldDescriptor
	inner  *Map
}

type field struct {
	index []int
	fd    protoreflect.FieldDescriptor
	codec codec
	// always: its zero value is one of several words, and told like the others.
	always bool
}

// New returns the map between a struct type and a message. The error names a field of the struct that the message has
// not, or whose type is another there.
func New(t reflect.Type, md protoreflect.MessageDescriptor) (*Map, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("protomap: %v is no struct", t)
	}
	fields := jsonFields(t)
	if fd := only(md); fd != nil && !slices.ContainsFunc(fields, func(f jsonField) bool { return f.name == string(fd.Name()) }) {
		inner, err := New(t, fd.Message())
		return &Map{t: t, inside: fd, inner: inner}, err
	}
	m := &Map{t: t}
	taken := map[protoreflect.Name]bool{}
	for _, f := range fields {
		fd := md.Fields().ByName(protoreflect.Name(f.name))
		if fd == nil {
			return nil, fmt.Errorf("protomap: %s has no field %s, which %v has", md.FullName(), f.name, t)
		}
		c, err := codecOf(f.t, fd)
		if err != nil {
			return nil, fmt.Errorf("protomap: %s of %v: %w", f.name, t, err)
		}
		taken[fd.Name()] = true
		m.fields = append(m.fields, field{f.index, fd, c, f.t.Implements(textType) && f.t != timeType && !f.omitted})
	}
	for i := range md.Fields().Len() {
		if fd := md.Fields().Get(i); !taken[fd.Name()] {
			m.missing = append(m.missing, string(fd.FullName()))
		}
	}
	return m, nil
}

// Missing names the fields of messages that no field of a struct is carried to, in this map and in those of its fields.
func (m *Map) Missing() []string {
	if m.inner != nil {
		return m.inner.Missing()
	}
	all := slices.Clone(m.missing)
	for _, f := range m.fields {
		if f.codec.inner != nil {
			all = append(all, f.codec.inner.Missing()...)
		}
	}
	return all
}

// only is the field of a message that has no other, where that is a message itself.
func only(md protoreflect.MessageDescriptor) protoreflect.FieldDescriptor {
	if md.Fields().Len() != 1 {
		return nil
	}
	if fd := md.Fields().Get(0); fd.Message() != nil && !fd.IsList() && !fd.IsMap() {
		return fd
	}
	return nil
}

// Put carries a struct into an empty message. The error is about a value that has no form there, as JSON that is none.
func (m *Map) Put(v any, to protoreflect.Message) error { return m.put(reflect.ValueOf(v), to) }

func (m *Map) put(v reflect.Value, to protoreflect.Message) error {
	if m.inner != nil {
		return m.inner.put(v, to.Mutable(m.inside).Message())
	}
	for _, f := range m.fields {
		value, err := v.FieldByIndexErr(f.index)
		if err != nil || value.IsZero() && !f.always || empty(value) { // behind a nil pointer, or as it is anyway
			continue
		}
		if err := f.codec.put(value, to, f.fd); err != nil {
			return fmt.Errorf("%s: %w", f.fd.Name(), err)
		}
	}
	return nil
}

// empty reports whether a value is a slice of nothing.
func empty(v reflect.Value) bool { return v.Kind() == reflect.Slice && v.Len() == 0 }

// Take carries a message into a struct that v points to. The error is about a value that has no form there. Lists
// become slices that are not nil.
func (m *Map) Take(from protoreflect.Message, v any) error {
	return m.take(from, reflect.ValueOf(v).Elem())
}

func (m *Map) take(from protoreflect.Message, v reflect.Value) error {
	if m.inner != nil {
		return m.inner.take(from.Get(m.inside).Message(), v)
	}
	for _, f := range m.fields {
		if !from.Has(f.fd) && !f.fd.IsList() {
			continue
		}
		if err := f.codec.take(from, f.fd, v.FieldByIndex(f.index)); err != nil {
			return fmt.Errorf("%s: %w", f.fd.Name(), err)
		}
	}
	if t, ok := v.Addr().Interface().(Taker); ok {
		t.Taken()
	}
	return nil
}

// A Taker is a struct with fields that follow from others: it is told when the others are there.
type Taker interface{ Taken() }

// jsonField is a field of a struct as encoding/json sees it.
type jsonField struct {
	name    string
	index   []int
	t       reflect.Type
	omitted bool // where it is zero
}

// jsonFields lists those of a struct. Of two with one name the one that is less deep is meant.
func jsonFields(t reflect.Type) (out []jsonField) {
	at := map[string]int{}
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" || f.Anonymous && name == "" || !reachable(t, f.Index) {
			continue
		}
		if name == "" {
			name = f.Name
		}
		one := jsonField{name, f.Index, f.Type, strings.Contains(options, "omit")}
		if i, twice := at[name]; twice {
			if len(f.Index) < len(out[i].index) {
				out[i] = one
			}
			continue
		}
		at[name] = len(out)
		out = append(out, one)
	}
	return out
}

// reachable tells whether every struct on the way to a field is one whose fields count as the outer one's.
func reachable(t reflect.Type, index []int) bool {
	for _, i := range index[:len(index)-1] {
		f := t.Field(i)
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			return false
		}
		t = f.Type
	}
	return true
}
