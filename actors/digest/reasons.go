package digest

import (
	"slices"
	"strings"

	"github.com/mtfleet/mtfleet/mtproto/standing"
)

// lostWords begin what an account says of a lost connection; a line that says
// so already leaves them out.
const lostWords = "the connection was lost: "

func trim(why string) string { return strings.TrimPrefix(why, lostWords) }

// reasons counts reasons to find the most frequent one. Reasons that differ in
// their numbers alone (ports, times) are one.
type reasons struct {
	n     map[string]int
	words map[string]string
}

func (r *reasons) add(why string) {
	why = trim(why)
	if why == "" {
		return
	}
	key := withoutNumbers(why)
	if r.n == nil {
		r.n, r.words = map[string]int{}, map[string]string{}
	}
	if _, ok := r.n[key]; !ok {
		if len(r.n) == reasonsMost {
			return
		}
		r.words[key] = why
	} else if why < r.words[key] {
		r.words[key] = why // the same one, in whatever order they come
	}
	r.n[key]++
}

// most returns the most frequent reason, empty when there is none.
func (r *reasons) most() string {
	var best string
	for key, n := range r.n {
		if best == "" || n > r.n[best] || n == r.n[best] && key < best {
			best = key
		}
	}
	return r.words[best]
}

// withoutNumbers puts one mark in the place of each number.
func withoutNumbers(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < '0' || c > '9' {
			b.WriteByte(c)
		} else if i == 0 || s[i-1] < '0' || s[i-1] > '9' {
			b.WriteByte('#')
		}
	}
	return b.String()
}

// away reports whether an account is signed in and without its home DC.
func (a *Account) away() bool { return a.SignedIn && a.State == standing.Connecting }

// sortedDCs keeps DCs in order, so that the order of lines does not depend on
// a map's.
func sortedDCs(list []*dcWatch, number int) (int, bool) {
	return slices.BinarySearchFunc(list, number, func(d *dcWatch, n int) int { return d.dc - n })
}
