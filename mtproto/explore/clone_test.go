package explore

import (
	"reflect"
	"time"
	"unsafe"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/guest"
)

// This file copies worlds, the engines in them too, whose fields are their own. An
// engine is a value with one owner: what it points to is its own as well, but for
// what nobody changes. What has to be done for a type is found out once, for an
// exploration spends its time here.

var (
	timeType   = reflect.TypeFor[time.Time]()
	keyType    = reflect.TypeFor[*crypt.AuthKey]()
	keyIDType  = reflect.TypeFor[crypt.KeyID]()
	callIDType = reflect.TypeFor[guest.CallID]()
	errorType  = reflect.TypeFor[error]()
)

// A shape is what is known of a type: what a shallow copy of it shares with the
// original, and what tells two values apart. Structs and arrays in it are laid
// flat.
type shape struct {
	typ   reflect.Type
	links []link
	marks []mark
}

// A link is a pointer or a slice in a value.
type link struct {
	offset uintptr
	typ    reflect.Type // of a slice, nil for a pointer
	to     *shape
}

// sliceHeader is a slice as it is in memory.
type sliceHeader struct {
	data     unsafe.Pointer
	len, cap int
}

var shapes = map[reflect.Type]*shape{}

func shapeOf(t reflect.Type) *shape {
	if known := shapes[t]; known != nil {
		return known
	}
	s := &shape{typ: t}
	shapes[t] = s // also of a type that holds itself
	switch {
	case t == timeType, t == keyType, t == keyIDType, t == errorType:
		s.marks = []mark{{kind: special[t]}}
		return s
	}
	switch t.Kind() {
	case reflect.Pointer:
		to := shapeOf(t.Elem())
		s.links, s.marks = []link{{to: to}}, []mark{{kind: markPointer, to: to}}
	case reflect.Slice:
		to := shapeOf(t.Elem())
		s.links, s.marks = []link{{typ: t, to: to}}, []mark{{kind: markSlice, to: to}}
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			s.lay(shapeOf(f.Type), f.Offset, meaningOf(f))
		}
	case reflect.Array:
		to := shapeOf(t.Elem())
		for i := range t.Len() {
			s.lay(to, uintptr(i)*t.Elem().Size(), value)
		}
	case reflect.Func:
	default:
		s.marks = []mark{{kind: kindOf(t)}}
	}
	return s
}

// lay adds what a part has at an offset.
func (s *shape) lay(part *shape, at uintptr, means meaning) {
	for _, l := range part.links {
		l.offset += at
		s.links = append(s.links, l)
	}
	for _, m := range part.marks {
		if m, counts := m.meant(means); counts {
			m.offset += at
			s.marks = append(s.marks, m)
		}
	}
}

// clone returns a copy that shares nothing that changes.
func clone[T any](p *T) *T {
	c := *p
	shapeOf(reflect.TypeFor[T]()).part(unsafe.Pointer(&c))
	return &c
}

// part gives a shallow copy what its original has.
func (s *shape) part(p unsafe.Pointer) {
	for i := range s.links {
		l := &s.links[i]
		at := unsafe.Add(p, l.offset)
		if l.typ != nil {
			l.partSlice((*sliceHeader)(at))
			continue
		}
		if old := *(*unsafe.Pointer)(at); old != nil {
			n := reflect.New(l.to.typ)
			n.Elem().Set(reflect.NewAt(l.to.typ, old).Elem())
			l.to.part(n.UnsafePointer())
			*(*unsafe.Pointer)(at) = n.UnsafePointer()
		}
	}
}

func (l *link) partSlice(s *sliceHeader) {
	if s.len == 0 {
		s.cap = 0 // two that grow into one place would be in each other's way
		return
	}
	n := reflect.MakeSlice(l.typ, s.len, s.len)
	reflect.Copy(n, reflect.NewAt(l.typ, unsafe.Pointer(s)).Elem())
	s.data, s.cap = n.UnsafePointer(), s.len
	if len(l.to.links) > 0 {
		for i := range s.len {
			l.to.part(unsafe.Add(s.data, uintptr(i)*l.to.typ.Size()))
		}
	}
}
