package api

import (
	"maps"
	"slices"
	"strings"

	"github.com/mtfleet/mtfleet/tl/tg"
)

// ServedMethod is one method as a client's author wants to know it.
type ServedMethod struct {
	Name string `json:"name"`
	// Who may call it: anybody, people or bots. Needs is what the key must have: nothing, first factor (of a sign-in that
	// stops at the password) or user.
	Who   string `json:"who"`
	Needs string `json:"needs"`
	Home  bool   `json:"home,omitempty"` // guests are sent home: USER_MIGRATE_X
	// Errors are those documented for it, as DocumentedErrors names them.
	Errors []Error `json:"errors"`
}

// ServedMethods lists the methods that are answered, by name: those of the protocol half and of Register too. It reads
// the list of errors anew: a few milliseconds.
func (b *Backend) ServedMethods() ([]ServedMethod, error) {
	list, err := readErrors()
	if err != nil {
		return nil, err
	}
	lines := maps.Clone(methodIndex)
	maps.Copy(lines, b.custom)
	out := make([]ServedMethod, 0, len(lines))
	for _, m := range lines {
		if m.run != nil || m.id == tg.AuthBindTempAuthKeyRequestID || m.id == tg.AuthDropTempAuthKeysRequestID {
			out = append(out, ServedMethod{
				Name: m.name, Who: m.who.String(), Needs: m.needs.String(), Home: m.home, Errors: list.of(m.name),
			})
		}
	}
	slices.SortFunc(out, func(a, b ServedMethod) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func (w who) String() string { return [...]string{"anybody", "people", "bots"}[w] }

func (n need) String() string { return [...]string{"nothing", "first factor", "user"}[n] }
