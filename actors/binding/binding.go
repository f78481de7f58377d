package binding

import "github.com/mtfleet/mtfleet/actors/runtime"

// Spawn starts a binding below parent. The error is a
// *persistence.CorruptError when the perm key's record cannot be used.
func Spawn[P any](parent *runtime.Context[P], env *Env, cfg Config) (Handle, error) {
	b, err := newBinding(env, cfg)
	if err != nil {
		return Handle{}, err
	}
	return Handle{runtime.Spawn[Message](parent, b)}, nil
}

func newBinding(env *Env, cfg Config) (runtime.Actor[Message], error) { panic("not yet") }
