package binding

import "errors"

// Rotate asks for another temp key before its time. Reply is called once, from an
// actor, and must not wait: with nil when calls go under the new key, or with why
// there will be none, see Rotate of pfs. While the DC is down it is not
// called. Whoever sends it keeps the number of those under way small.
type Rotate struct{ Reply func(error) }

func (Rotate) bindingMessage() {}

// errClosed ends a rotation whose binding is closed, or failed.
var errClosed = errors.New("the connections to the DC were closed meanwhile")

func (b *binding) onRotate(c *ctx, m Rotate) {
	b.rotates = append(b.rotates, m)
	b.keys.Rotate(c.Now())
}

// endRotate answers everybody who asked for a rotation.
func (b *binding) endRotate(err error) {
	for _, m := range take(&b.rotates) {
		m.Reply(err)
	}
}
