package tl

// Opt is an optional field: a value that is there or not. A zero Value with Set is sent and differs from an
// absent one.
type Opt[T any] struct {
	// Value is meaningful only if Set.
	Value T
	// Set says whether the field is present.
	Set bool
}

// Some is a present value.
func Some[T any](v T) Opt[T] { return Opt[T]{Value: v, Set: true} }

// Get returns the value and whether it is present.
func (o Opt[T]) Get() (T, bool) { return o.Value, o.Set }

// Or returns the value if present, else def.
func (o Opt[T]) Or(def T) T {
	if o.Set {
		return o.Value
	}
	return def
}
