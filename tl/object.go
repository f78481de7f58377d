package tl

// Ids of the constructors that belong to TL itself rather than to a schema.
const (
	VectorID    uint32 = 0x1cb5c415
	BoolTrueID  uint32 = 0x997275b5
	BoolFalseID uint32 = 0xbc799737
)

// Object is a value of a generated type: a constructor or a function.
type Object interface {
	// TypeID is the constructor id.
	TypeID() uint32
	// TypeName is the name in the schema, "auth.sendCode".
	TypeName() string
	// Append appends the boxed value, id first, and returns the extended buffer. It panics with a *LimitError
	// or a *MissingError when the value has no TL form; use Marshal for values that are not the program's own.
	Append(b []byte) []byte
	// Parse reads the boxed value, replacing every field. Errors stay in the reader.
	Parse(r *Reader)
}

// Query is a TL function whose result has the Go type R.
type Query[R any] interface {
	Object
	// ParseResult reads the function's result. It means nothing when r.Err is not nil afterwards.
	ParseResult(r *Reader) R
	// AppendResult appends a result of the function: the server's half. It panics as Append does.
	AppendResult(b []byte, result R) []byte
}

// Marshal appends o to b. A value without a TL form is a *LimitError or a *MissingError, and b is
// returned as it was.
func Marshal(b []byte, o Object) (out []byte, err error) {
	defer func() {
		switch cause := recover().(type) {
		case nil:
		case *LimitError:
			out, err = b, cause
		case *MissingError:
			out, err = b, cause
		default:
			panic(cause)
		}
	}()
	return o.Append(b), nil
}

// Unmarshal parses b into o. All of b must be used.
func Unmarshal(b []byte, o Object) error {
	r := NewReader(b)
	o.Parse(r)
	return r.End()
}
