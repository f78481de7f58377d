package protomap

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	mtfleetv1 "github.com/mtfleet/mtfleet/cmd/manager/api/mtfleet/v1"
)

// codec carries the value of one field. put is given no zero value.
type codec struct {
	put   func(v reflect.Value, to protoreflect.Message, fd protoreflect.FieldDescriptor) error
	take  func(from protoreflect.Message, fd protoreflect.FieldDescriptor, v reflect.Value) error
	inner *Map // of messages and lists of them
}

// one carries a value by itself: of a field, or of a list. fresh makes an empty message for it.
type one struct {
	put   func(v reflect.Value, fresh func() protoreflect.Value) (protoreflect.Value, error)
	take  func(p protoreflect.Value, v reflect.Value) error
	inner *Map
}

var (
	timeType   = reflect.TypeFor[time.Time]()
	rawType    = reflect.TypeFor[json.RawMessage]()
	textType   = reflect.TypeFor[encoding.TextMarshaler]()
	unTextType = reflect.TypeFor[encoding.TextUnmarshaler]()
	unJSONType = reflect.TypeFor[json.Unmarshaler]()
)

func codecOf(t reflect.Type, fd protoreflect.FieldDescriptor) (codec, error) {
	switch {
	case fd.IsMap():
		return mapCodec(t, fd)
	case fd.IsList():
		if t.Kind() != reflect.Slice {
			return codec{}, mismatch(t, fd)
		}
		o, err := oneOf(t.Elem(), fd)
		return listCodec(o), err
	case t.Kind() == reflect.Pointer:
		o, err := oneOf(t.Elem(), fd)
		if fd.Message() == nil && !fd.HasPresence() {
			return codec{}, fmt.Errorf("a pointer needs a field that may be absent, and %s is not one", fd.FullName())
		}
		return pointerCodec(o), err
	}
	o, err := oneOf(t, fd)
	return codec{
		put: func(v reflect.Value, to protoreflect.Message, fd protoreflect.FieldDescriptor) error {
			p, err := o.put(v, func() protoreflect.Value { return to.NewField(fd) })
			if err == nil {
				to.Set(fd, p)
			}
			return err
		},
		take: func(from protoreflect.Message, fd protoreflect.FieldDescriptor, v reflect.Value) error {
			return o.take(from.Get(fd), v)
		},
		inner: o.inner,
	}, err
}

func pointerCodec(o one) codec {
	return codec{
		put: func(v reflect.Value, to protoreflect.Message, fd protoreflect.FieldDescriptor) error {
			p, err := o.put(v.Elem(), func() protoreflect.Value { return to.NewField(fd) })
			if err == nil {
				to.Set(fd, p)
			}
			return err
		},
		take: func(from protoreflect.Message, fd protoreflect.FieldDescriptor, v reflect.Value) error {
			v.Set(reflect.New(v.Type().Elem()))
			return o.take(from.Get(fd), v.Elem())
		},
		inner: o.inner,
	}
}

func listCodec(o one) codec {
	return codec{
		put: func(v reflect.Value, to protoreflect.Message, fd protoreflect.FieldDescriptor) error {
			list := to.Mutable(fd).List()
			for i := range v.Len() {
				p, err := o.put(v.Index(i), list.NewElement)
				if err != nil {
					return err
				}
				list.Append(p)
			}
			return nil
		},
		take: func(from protoreflect.Message, fd protoreflect.FieldDescriptor, v reflect.Value) error {
			list := from.Get(fd).List()
			v.Set(reflect.MakeSlice(v.Type(), list.Len(), list.Len()))
			for i := range list.Len() {
				if err := o.take(list.Get(i), v.Index(i)); err != nil {
					return err
				}
			}
			return nil
		},
		inner: o.inner,
	}
}

// mapCodec is for map[string]string, and for types that are such an object in JSON.
func mapCodec(t reflect.Type, fd protoreflect.FieldDescriptor) (codec, error) {
	plain := t == reflect.TypeFor[map[string]string]()
	if fd.MapKey().Kind() != protoreflect.StringKind || fd.MapValue().Kind() != protoreflect.StringKind ||
		!plain && !reflect.PointerTo(t).Implements(unJSONType) {
		return codec{}, mismatch(t, fd)
	}
	return codec{
		put: func(v reflect.Value, to protoreflect.Message, fd protoreflect.FieldDescriptor) error {
			all, err := mapOf(v, plain)
			if err != nil {
				return err
			}
			entries := to.Mutable(fd).Map()
			for key, value := range all {
				entries.Set(protoreflect.ValueOfString(key).MapKey(), protoreflect.ValueOfString(value))
			}
			return nil
		},
		take: func(from protoreflect.Message, fd protoreflect.FieldDescriptor, v reflect.Value) error {
			all := map[string]string{}
			for key, value := range from.Get(fd).Map().Range {
				all[key.String()] = value.String()
			}
			if plain {
				v.Set(reflect.ValueOf(all))
				return nil
			}
			text, err := json.Marshal(all)
			if err != nil {
				return err
			}
			return json.Unmarshal(text, v.Addr().Interface())
		},
	}, nil
}

func mapOf(v reflect.Value, plain bool) (all map[string]string, err error) {
	if plain {
		return v.Interface().(map[string]string), nil
	}
	text, err := json.Marshal(v.Interface())
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	return all, err
}

func oneOf(t reflect.Type, fd protoreflect.FieldDescriptor) (one, error) {
	kind := fd.Kind()
	isText := t.Implements(textType) && reflect.PointerTo(t).Implements(unTextType)
	switch {
	case kind == protoreflect.MessageKind:
		return messageOf(t, fd)
	case kind == protoreflect.EnumKind && (isText || t.Kind() == reflect.String):
		return enumOf(fd.Enum(), isText), nil
	case kind == protoreflect.StringKind && t == rawType:
		return one{
			put: func(v reflect.Value, _ func() protoreflect.Value) (protoreflect.Value, error) {
				return protoreflect.ValueOfString(string(v.Bytes())), nil
			},
			take: func(p protoreflect.Value, v reflect.Value) error { v.SetBytes([]byte(p.String())); return nil },
		}, nil
	case kind == protoreflect.StringKind && isText:
		return one{
			put: func(v reflect.Value, _ func() protoreflect.Value) (protoreflect.Value, error) {
				text, err := v.Interface().(encoding.TextMarshaler).MarshalText()
				return protoreflect.ValueOfString(string(text)), err
			},
			take: func(p protoreflect.Value, v reflect.Value) error {
				return v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(p.String()))
			},
		}, nil
	case kind == protoreflect.StringKind && t.Kind() == reflect.String:
		return one{
			put: func(v reflect.Value, _ func() protoreflect.Value) (protoreflect.Value, error) {
				return protoreflect.ValueOfString(strings.ToValidUTF8(v.String(), "\ufffd")), nil
			},
			take: func(p protoreflect.Value, v reflect.Value) error { v.SetString(p.String()); return nil },
		}, nil
	case kind == protoreflect.BytesKind && t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return one{
			put: func(v reflect.Value, _ func() protoreflect.Value) (protoreflect.Value, error) {
				return protoreflect.ValueOfBytes(v.Bytes()), nil
			},
			take: func(p protoreflect.Value, v reflect.Value) error { v.SetBytes(p.Bytes()); return nil },
		}, nil
	case kind == protoreflect.BoolKind && t.Kind() == reflect.Bool:
		return one{
			put: func(v reflect.Value, _ func() protoreflect.Value) (protoreflect.Value, error) {
				return protoreflect.ValueOfBool(v.Bool()), nil
			},
			take: func(p protoreflect.Value, v reflect.Value) error { v.SetBool(p.Bool()); return nil },
		}, nil
	case kind == protoreflect.DoubleKind && t.Kind() == reflect.Float64:
		return one{
			put: func(v reflect.Value, _ func() protoreflect.Value) (protoreflect.Value, error) {
				return protoreflect.ValueOfFloat64(v.Float()), nil
			},
			take: func(p protoreflect.Value, v reflect.Value) error { v.SetFloat(p.Float()); return nil },
		}, nil
	}
	return numberOf(t, fd)
}

// numberOf carries whole numbers. One that the message's field has no room for is refused, and one that the struct's has
// none for too.
func numberOf(t reflect.Type, fd protoreflect.FieldDescriptor) (one, error) {
	var (
		signed   = t.Kind() >= reflect.Int && t.Kind() <= reflect.Int64
		unsigned = t.Kind() >= reflect.Uint && t.Kind() <= reflect.Uint64
	)
	switch kind := fd.Kind(); {
	case signed && (kind == protoreflect.Int32Kind || kind == protoreflect.Int64Kind):
		return one{
			put: func(v reflect.Value, _ func() protoreflect.Value) (protoreflect.Value, error) {
				n := v.Int()
				if kind == protoreflect.Int64Kind {
					return protoreflect.ValueOfInt64(n), nil
				}
				if n < math.MinInt32 || n > math.MaxInt32 {
					return protoreflect.Value{}, fmt.Errorf("%d is out of range", n)
				}
				return protoreflect.ValueOfInt32(int32(n)), nil
			},
			take: func(p protoreflect.Value, v reflect.Value) error {
				if v.OverflowInt(p.Int()) {
					return fmt.Errorf("%d is out of range", p.Int())
				}
				v.SetInt(p.Int())
				return nil
			},
		}, nil
	case unsigned && (kind == protoreflect.Uint32Kind || kind == protoreflect.Uint64Kind):
		return one{
			put: func(v reflect.Value, _ func() protoreflect.Value) (protoreflect.Value, error) {
				n := v.Uint()
				if kind == protoreflect.Uint64Kind {
					return protoreflect.ValueOfUint64(n), nil
				}
				if n > math.MaxUint32 {
					return protoreflect.Value{}, fmt.Errorf("%d is out of range", n)
				}
				return protoreflect.ValueOfUint32(uint32(n)), nil
			},
			take: func(p protoreflect.Value, v reflect.Value) error {
				if v.OverflowUint(p.Uint()) {
					return fmt.Errorf("%d is out of range", p.Uint())
				}
				v.SetUint(p.Uint())
				return nil
			},
		}, nil
	}
	return one{}, mismatch(t, fd)
}

func messageOf(t reflect.Type, fd protoreflect.FieldDescriptor) (one, error) {
	switch fd.Message().FullName() {
	case "google.protobuf.Timestamp":
		if t != timeType {
			return one{}, mismatch(t, fd)
		}
		return one{
			put: func(v reflect.Value, _ func() protoreflect.Value) (protoreflect.Value, error) {
				return protoreflect.ValueOfMessage(timestamppb.New(v.Interface().(time.Time)).ProtoReflect()), nil
			},
			take: func(p protoreflect.Value, v reflect.Value) error {
				at := p.Message().Interface().(*timestamppb.Timestamp)
				if err := at.CheckValid(); err != nil {
					return fmt.Errorf("no time: %w", err)
				}
				v.Set(reflect.ValueOf(at.AsTime()))
				return nil
			},
		}, nil
	case "google.protobuf.Value":
		if t != rawType {
			return one{}, mismatch(t, fd)
		}
		return one{
			put: func(v reflect.Value, _ func() protoreflect.Value) (protoreflect.Value, error) {
				var value structpb.Value
				if err := protojson.Unmarshal(v.Bytes(), &value); err != nil {
					return protoreflect.Value{}, fmt.Errorf("no JSON")
				}
				return protoreflect.ValueOfMessage(value.ProtoReflect()), nil
			},
			take: func(p protoreflect.Value, v reflect.Value) error {
				var text bytes.Buffer
				out := json.NewEncoder(&text)
				out.SetEscapeHTML(false) // it is not for a page
				err := out.Encode(p.Message().Interface().(*structpb.Value).AsInterface())
				v.SetBytes(bytes.TrimSuffix(text.Bytes(), []byte("\n")))
				return err
			},
		}, nil
	}
	inner, err := New(t, fd.Message())
	return one{
		put: func(v reflect.Value, fresh func() protoreflect.Value) (protoreflect.Value, error) {
			p := fresh()
			return p, inner.put(v, p.Message())
		},
		take:  func(p protoreflect.Value, v reflect.Value) error { return inner.take(p.Message(), v) },
		inner: inner,
	}, err
}

// enumOf carries words. One that the schema does not know is an error, and a value of a newer schema no word.
func enumOf(ed protoreflect.EnumDescriptor, isText bool) one {
	numbers, words := map[string]protoreflect.EnumNumber{}, map[protoreflect.EnumNumber]string{}
	for i := range ed.Values().Len() {
		if value := ed.Values().Get(i); value.Number() != 0 {
			word := wordOf(value)
			numbers[word], words[value.Number()] = value.Number(), word
		}
	}
	return one{
		put: func(v reflect.Value, _ func() protoreflect.Value) (protoreflect.Value, error) {
			word := v.String()
			if isText {
				text, err := v.Interface().(encoding.TextMarshaler).MarshalText()
				if err != nil {
					return protoreflect.Value{}, err
				}
				word = string(text)
			}
			number, known := numbers[word]
			if !known {
				return protoreflect.Value{}, fmt.Errorf("is none of the words of %s", ed.FullName())
			}
			return protoreflect.ValueOfEnum(number), nil
		},
		take: func(p protoreflect.Value, v reflect.Value) error {
			switch word := words[p.Enum()]; {
			case word == "":
				return nil
			case !isText:
				v.SetString(word)
				return nil
			default:
				return v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(word))
			}
		},
	}
}

// wordOf is the word for a value of an enumeration: that of its option, or what follows its prefix.
func wordOf(value protoreflect.EnumValueDescriptor) string {
	if word := proto.GetExtension(value.Options(), mtfleetv1.E_Word).(string); word != "" {
		return word
	}
	var prefix strings.Builder // STEP_KIND_ of StepKind
	for i, c := range string(value.Parent().Name()) {
		if i > 0 && c >= 'A' && c <= 'Z' {
			prefix.WriteByte('_')
		}
		prefix.WriteRune(c)
	}
	return strings.ToLower(strings.TrimPrefix(string(value.Name()), strings.ToUpper(prefix.String())+"_"))
}

func mismatch(t reflect.Type, fd protoreflect.FieldDescriptor) error {
	return fmt.Errorf("%v and %s of kind %v are different things", t, fd.FullName(), fd.Kind())
}
