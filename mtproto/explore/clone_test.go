package explore

import (
	"hash/maphash"
	"reflect"
	"time"
	"unsafe"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/guest"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

// This file copies and compares worlds, the engines in them too, whose fields
// are their own. An engine is a value with one owner: what it points to is its
// own as well, but for what nobody changes.

var (
	timeType   = reflect.TypeFor[time.Time]()
	keyType    = reflect.TypeFor[*crypt.AuthKey]()
	keyIDType  = reflect.TypeFor[crypt.KeyID]()
	callIDType = reflect.TypeFor[guest.CallID]()
)

// A plan is what is known of a type: whether a copy of it shares something with
// the original, and of a struct its fields.
type plan struct {
	refers bool
	fields []fieldPlan
}

type fieldPlan struct {
	typ    reflect.Type
	offset uintptr
	plan   *plan
	means  meaning
}

var plans = map[reflect.Type]*plan{timeType: {}, keyType: {}}

func planOf(t reflect.Type) *plan {
	if known := plans[t]; known != nil {
		return known
	}
	p := &plan{}
	plans[t] = p // also of a type that holds itself
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		p.refers = true
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			means := meanings[f.Name]
			if f.Type == callIDType {
				means = number
			}
			p.fields = append(p.fields, fieldPlan{f.Type, f.Offset, planOf(f.Type), means})
			p.refers = p.refers || planOf(f.Type).refers
		}
	case reflect.Array:
		p.refers = planOf(t.Elem()).refers
	case reflect.Map, reflect.Chan:
		panic("explore: an engine has a " + t.String())
	}
	return p
}

// of is a field that may be read and set, whoever's it is.
func (f *fieldPlan) of(v reflect.Value) reflect.Value {
	return reflect.NewAt(f.typ, unsafe.Add(v.Addr().UnsafePointer(), f.offset)).Elem()
}

// clone returns a copy that shares nothing that changes.
func clone[T any](p *T) *T {
	c := *p
	part(reflect.ValueOf(&c).Elem())
	return &c
}

// part gives a shallow copy what its original has.
func part(v reflect.Value) {
	t := v.Type()
	plan := planOf(t)
	if !plan.refers {
		return
	}
	switch t.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			n := reflect.New(t.Elem())
			n.Elem().Set(v.Elem())
			part(n.Elem())
			v.Set(n)
		}
	case reflect.Slice:
		if v.IsNil() {
			return
		}
		n := reflect.MakeSlice(t, v.Len(), v.Len())
		reflect.Copy(n, v)
		if planOf(t.Elem()).refers {
			for i := range n.Len() {
				part(n.Index(i))
			}
		}
		v.Set(n)
	case reflect.Struct:
		for i := range plan.fields {
			if f := &plan.fields[i]; f.plan.refers {
				part(f.of(v))
			}
		}
	case reflect.Array:
		for i := range v.Len() {
			part(v.Index(i))
		}
	}
}

// A digest is what tells two worlds apart. Times count from now, what is long
// past is the same, keys are numbered as they are met, and words for people do
// not count.
type digest struct {
	now  time.Time
	keys [32]crypt.KeyID
	met  int
	nums [16]int64
	told int
	sum  uint64
}

// longPast is older than anything that an engine looks at: a day, and the age
// of a key that counts as old.
const longPast = 49 * time.Hour

// A meaning says how a field tells two worlds apart.
type meaning uint8

const (
	value  meaning = iota
	words          // for people: not at all
	number         // tells calls apart, and counts on for ever: by which are the same
	count          // of failures: as far as it makes a difference to a pause
)

// countMost is beyond what any pause doubles by.
const countMost = 12

var meanings = map[string]meaning{
	"why": words, "Why": words, "advice": words, "since": words, "Since": words, "spare": words, "Rand": words,
	"round": number, "Round": number,
	"failures": count, "tries": count, "runs": count,
}

func digestOf[T any](w *T, now time.Time) uint64 {
	d := digest{now: now, sum: 14695981039346656037}
	d.add(reflect.ValueOf(w).Elem())
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
	for i := range d.met {
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
func (d *digest) number(v reflect.Value) {
	var n int64
	if v.CanInt() {
		n = v.Int()
	} else {
		n = int64(v.Uint())
	}
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

var seed = maphash.MakeSeed()

func (d *digest) add(v reflect.Value) {
	t := v.Type()
	switch t {
	case timeType:
		at := v.Interface().(time.Time)
		if at.IsZero() {
			d.mix(1)
			return
		}
		d.mix(uint64(max(at.Sub(d.now), -longPast)) << 1)
		return
	case keyType:
		if k := v.Interface().(*crypt.AuthKey); k == nil {
			d.mix(2)
		} else {
			d.key(k.ID())
		}
		return
	case keyIDType:
		d.key(crypt.KeyID(v.Int()))
		return
	}
	switch t.Kind() {
	case reflect.Bool:
		if v.Bool() {
			d.mix(3)
		} else {
			d.mix(4)
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		d.mix(uint64(v.Int()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		d.mix(v.Uint())
	case reflect.Float64:
		d.mix(uint64(v.Float()))
	case reflect.String:
		d.mix(maphash.String(seed, v.String()))
	case reflect.Pointer:
		if v.IsNil() {
			d.mix(5)
			return
		}
		d.add(v.Elem())
	case reflect.Slice, reflect.Array:
		d.mix(uint64(v.Len()))
		for i := range v.Len() {
			d.add(v.Index(i))
		}
	case reflect.Struct:
		fields := planOf(t).fields
		for i := range fields {
			switch f := &fields[i]; f.means {
			case value:
				d.add(f.of(v))
			case number:
				d.number(f.of(v))
			case count:
				n := f.of(v)
				if n.CanInt() {
					d.mix(uint64(min(n.Int(), countMost)))
				} else {
					d.mix(min(n.Uint(), countMost))
				}
			}
		}
	case reflect.Interface:
		if v.IsNil() {
			d.mix(6)
		} else if e, ok := v.Interface().(*tgerr.Error); ok {
			d.mix(maphash.String(seed, e.Error()))
		} else {
			d.mix(maphash.String(seed, v.Elem().Type().String()))
		}
	case reflect.Func:
	default:
		panic("explore: an engine has a " + t.String())
	}
}
