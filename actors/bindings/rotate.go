package bindings

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/mtfleet/mtfleet/actors/binding"
)

// errNoBinding answers a rotation of an account without a DC.
var errNoBinding = errors.New("it has no DC")

// Rotate asks every binding for another temp key, but one for media that cannot
// reach its address. reply is called once, from any
// goroutine, when all have answered: with nil, or the first error.
func (s *All) Rotate(reply func(error)) {
	if len(s.all) == 0 {
		reply(errNoBinding)
		return
	}
	asked := slices.DeleteFunc(slices.Clone(s.all), func(p *Binding) bool { return p.media() && p.route.IsZero() })
	g := &gather{left: len(asked), reply: reply}
	for _, p := range asked {
		s.Tell(p, binding.Rotate{Reply: func(err error) { g.add(p, err) }})
	}
}

// gather waits for the answers of some bindings.
type gather struct {
	reply func(error)

	mu   sync.Mutex // guards left and err
	left int
	err  error
}

func (g *gather) add(p *Binding, err error) {
	g.mu.Lock()
	if err != nil && g.err == nil {
		g.err = fmt.Errorf("%v: %w", p.id.DC, err)
	}
	g.left--
	last, err := g.left == 0, g.err
	g.mu.Unlock()
	if last {
		g.reply(err)
	}
}
