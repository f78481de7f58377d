package explore

import (
	"fmt"
	"hash/maphash"
	"reflect"
	"time"
	"unsafe"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

// This file compares worlds. Times count from now, what is long past is the same,
// keys are numbered as they are met, and words for people do not count.

// A meaning says how a field tells two worlds apart.
type meaning uint8

const (
	value  meaning = iota
	words          // for people, or of one step: not at all
	number         // tells calls apart, and counts on for ever: by which are the same
	count          // of failures: as far as it makes a difference to a pause
)

var meanings = map[string]meaning{
	"why": words, "Why": words, "advice": words, "since": words, "Since": words, "spare": words, "Rand": words,
	"saves": words, "crashAt": words, "crashed": words,
	"round": number, "Round": number,
	"failures": count, "tries": count, "runs": count,
}

func meaningOf(f reflect.StructField) meaning {
	if f.Type == callIDType {
		return number
	}
	return meanings[f.Name]
}

// A mark is one thing in a value that tells it apart from others.
type mark struct {
	offset uintptr
	kind   markKind
	means  meaning
	to     *shape // of a pointer or a slice
}

type markKind uint8

const (
	mark8 markKind = iota
	mark16
	mark32
	mark64
	markString
	markTime
	markKey
	markKeyID
	markError
	markAny
	markPointer
	markSlice
)

var special = map[reflect.Type]markKind{timeType: markTime, keyType: markKey, keyIDType: markKeyID, errorType: markError}

func kindOf(t reflect.Type) markKind {
	switch t.Kind() {
	case reflect.Bool, reflect.Int8, reflect.Uint8:
		return mark8
	case reflect.Int16, reflect.Uint16:
		return mark16
	case reflect.Int32, reflect.Uint32:
		return mark32
	case reflect.Int, reflect.Uint, reflect.Int64, reflect.Uint64, reflect.Float64:
		return mark64
	case reflect.String:
		return markString
	case reflect.Interface:
		return markAny
	}
	panic("explore: an engine has a " + t.String())
}

// meant is a mark of a field with a meaning; without it where the field does not
// count.
func (m mark) meant(means meaning) (mark, bool) {
	if means != value && m.kind <= mark64 {
		m.means = means
	}
	return m, means != words
}

// longPast is older than anything that an engine looks at: a day, and the age
// of a key that counts as old.
const longPast = 49 * time.Hour

// countMost is beyond what any pause doubles by.
const countMost = 12

// A digest tells worlds apart.
type digest struct {
	now  time.Time
	keys [32]crypt.KeyID
	met  int
	nums [16]uint64
	told int
	sum  uint64
}

func digestOf[T any](p *T, now time.Time) uint64 {
	d := digest{now: now, sum: 14695981039346656037}
	d.add(shapeOf(reflect.TypeFor[T]()), unsafe.Pointer(p))
	return d.sum
}

func (d *digest) mix(n uint64) {
	d.sum ^= n
	d.sum *= 0x9e3779b97f4a7c15
	d.sum ^= d.sum >> 29
}

func (d *digest) key(id crypt.KeyID) {
	if id == 0 {
		d.mix(0)
		return
	}
	for i := range min(d.met, len(d.keys)) {
		if d.keys[i] == id {
			d.mix(uint64(i + 1))
			return
		}
	}
	d.keys[d.met%len(d.keys)] = id
	d.met++
	d.mix(uint64(d.met))
}

// number is a number by when it was met first.
func (d *digest) number(n uint64) {
	if n == 0 {
		d.mix(0)
		return
	}
	for i := range min(d.told, len(d.nums)) {
		if d.nums[i] == n {
			d.mix(uint64(i + 100))
			return
		}
	}
	d.nums[d.told%len(d.nums)] = n
	d.told++
	d.mix(uint64(d.told + 99))
}

func (d *digest) plain(n uint64, means meaning) {
	switch means {
	case number:
		d.number(n)
	case count:
		d.mix(min(n, countMost))
	default:
		d.mix(n)
	}
}

func (d *digest) time(t time.Time) {
	if t.IsZero() {
		d.mix(1)
		return
	}
	d.mix(uint64(max(t.Sub(d.now), -longPast)) << 1)
}

func (d *digest) error(err error, typ unsafe.Pointer) {
	if e, ok := err.(*tgerr.Error); ok && e != nil {
		d.mix(uint64(e.Code))
		d.string(e.Type)
		d.mix(uint64(e.Argument))
		return
	}
	d.mix(uint64(uintptr(typ)))
}

var seed = maphash.MakeSeed()

func (d *digest) string(s string) { d.mix(maphash.String(seed, s)) }

func (d *digest) add(s *shape, p unsafe.Pointer) {
	for i := range s.marks {
		m := &s.marks[i]
		at := unsafe.Add(p, m.offset)
		switch m.kind {
		case mark8:
			d.plain(uint64(*(*uint8)(at)), m.means)
		case mark16:
			d.plain(uint64(*(*uint16)(at)), m.means)
		case mark32:
			d.plain(uint64(*(*uint32)(at)), m.means)
		case mark64:
			d.plain(*(*uint64)(at), m.means)
		case markString:
			d.string(*(*string)(at))
		case markTime:
			d.time(*(*time.Time)(at))
		case markKey:
			if k := *(**crypt.AuthKey)(at); k == nil {
				d.mix(2)
			} else {
				d.key(k.ID())
			}
		case markKeyID:
			d.key(*(*crypt.KeyID)(at))
		case markError:
			d.error(*(*error)(at), *(*unsafe.Pointer)(at))
		case markAny:
			d.mix(uint64(uintptr(*(*unsafe.Pointer)(at)))) // its type: values of it are worth no more
		case markPointer:
			to := *(*unsafe.Pointer)(at)
			if to == nil {
				d.mix(5)
				continue
			}
			d.mix(6)
			d.add(m.to, to)
		case markSlice:
			h := (*sliceHeader)(at)
			d.mix(uint64(h.len))
			for i := range h.len {
				d.add(m.to, unsafe.Add(h.data, uintptr(i)*m.to.typ.Size()))
			}
		default:
			panic(fmt.Sprint("explore: a mark of kind ", m.kind))
		}
	}
}
