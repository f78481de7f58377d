package schema

import (
	"fmt"
	"hash/crc32"
	"strings"
)

// Schema is a parsed .tl text.
type Schema struct {
	// Layer is the number in the comment "LAYER n", or 0.
	Layer int
	// Definitions are in the order of the text.
	Definitions []Definition
}

// Definition is one constructor or function.
type Definition struct {
	// Line is its line in the text, from 1.
	Line int
	// Name is the full name, "auth.sendCode".
	Name string
	// ID is the constructor id written after the #; HasID tells whether there is one.
	ID    uint32
	HasID bool
	// Function is set below ---functions---.
	Function bool
	// Builtin marks the line of a type that TL itself defines, "int ? = Int": one value without a field name.
	Builtin bool
	// Generic is the type variable of {X:Type}, "" for most.
	Generic string
	// Fields are the parameters in order.
	Fields []Field
	// Result is the type constructed or returned.
	Result Type
}

// Field is one parameter.
type Field struct {
	Name string
	// Flags names the word of flags that decides whether the field is present, "" if it always is; Bit is the
	// deciding bit, 0 to 31.
	Flags string
	Bit   int
	Type  Type
}

// Type is the type of a field or result.
type Type struct {
	// Name is "int", "InputPeer", "auth.SentCode", "#", "X"; for a vector "Vector" or, bare, "vector".
	Name string
	// Bare is a type marked with %: its values come without their id. Types with a lower-case name need no mark.
	Bare bool
	// Variable is a type variable used as !X: any function that returns X.
	Variable bool
	// Elem is the element type of a vector, else nil.
	Elem *Type
}

// Boxed reports whether values of the type start with a constructor id.
func (t Type) Boxed() bool {
	last := t.Name[strings.LastIndexByte(t.Name, '.')+1:]
	return !t.Bare && last[0] >= 'A' && last[0] <= 'Z'
}

// String gives the type in .tl notation.
func (t Type) String() string {
	switch {
	case t.Elem != nil:
		return t.Name + "<" + t.Elem.String() + ">"
	case t.Bare:
		return "%" + t.Name
	case t.Variable:
		return "!" + t.Name
	}
	return t.Name
}

// String gives the field in .tl notation, "timeout:flags.2?int".
func (f Field) String() string {
	if f.Flags == "" {
		return f.Name + ":" + f.Type.String()
	}
	return fmt.Sprintf("%s:%s.%d?%s", f.Name, f.Flags, f.Bit, f.Type)
}

// Optional reports whether the field may be absent.
func (f Field) Optional() bool { return f.Flags != "" }

// IsFlags reports whether the field is a word of flags.
func (f Field) IsFlags() bool { return f.Type.Name == "#" }

// String gives the definition as one line of .tl text without the semicolon.
func (d *Definition) String() string {
	var s strings.Builder
	s.WriteString(d.Name)
	if d.HasID {
		fmt.Fprintf(&s, "#%x", d.ID)
	}
	if d.Generic != "" {
		s.WriteString(" {" + d.Generic + ":Type}")
	}
	for _, f := range d.Fields {
		s.WriteString(" " + f.String())
	}
	if d.Builtin {
		s.WriteString(" ?")
	}
	s.WriteString(" = " + d.Result.String())
	return s.String()
}

// WireID is the id on the wire: the one written, else the computed one.
func (d *Definition) WireID() uint32 {
	if d.HasID {
		return d.ID
	}
	return d.CRC()
}

// CRC computes the constructor id: the CRC-32 (IEEE) of the definition without its id and semicolon, without
// fields of type true, with a field's bytes (but not those in a vector) written as string, and with all brackets and marks of types gone, so that
// Vector<long> reads "Vector long", {X:Type} "X:Type" and %message "message".
func (d *Definition) CRC() uint32 {
	var s strings.Builder
	s.WriteString(d.Name)
	if d.Generic != "" {
		s.WriteString(" " + d.Generic + ":Type")
	}
	for _, f := range d.Fields {
		if f.Type.Name == "true" {
			continue
		}
		s.WriteString(" " + f.Name + ":")
		if f.Optional() {
			fmt.Fprintf(&s, "%s.%d?", f.Flags, f.Bit)
		}
		if f.Type.Name == "bytes" {
			s.WriteString("string")
		} else {
			s.WriteString(f.Type.normal())
		}
	}
	if d.Builtin {
		s.WriteString(" ?")
	}
	s.WriteString(" = " + d.Result.normal())
	return crc32.ChecksumIEEE([]byte(s.String()))
}

// normal is the type as the constructor id sees it.
func (t Type) normal() string {
	switch {
	case t.Elem != nil:
		return t.Name + " " + t.Elem.normal()
	case t.Variable:
		return "!" + t.Name
	}
	return t.Name
}
