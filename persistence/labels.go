package persistence

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
)

// Limits of labels: 32 of an account, each a key of 1 to 63 and a value of up to
// 63 characters, so that they take 4 KiB of its record at most.
const (
	MaxLabels     = 32
	MaxLabelChars = 63
)

// Labels are the words an operator puts on an account, as env=prod. The zero
// Labels are none. They are a value and can be compared.
type Labels struct {
	text string // key=value, sorted by key, joined with commas, which neither holds
}

// LabelError refuses a label.
type LabelError struct {
	Label  string
	Reason string
}

func (e *LabelError) Error() string { return fmt.Sprintf("the label %q %s", e.Label, e.Reason) }

// CheckLabel tells whether a label can be put on an account: a key of 1 to 63
// characters of a-z, 0-9, '.', '_', '/', '-', and a value of up to 63 of those,
// A-Z, ':', '+' and '@'. The error is a *LabelError.
func CheckLabel(key, value string) error {
	bad := func(reason string) error { return &LabelError{clipped(key + "=" + value), reason} }
	switch {
	case key == "":
		return bad("has no key: write key=value")
	case len(key) > MaxLabelChars || len(value) > MaxLabelChars:
		return bad(fmt.Sprintf("is too long: key and value have at most %d characters", MaxLabelChars))
	case strings.IndexFunc(key, func(c rune) bool { return !labelChar(c) }) >= 0:
		return bad("has a key of other characters than a-z, 0-9, '.', '_', '/' and '-'")
	case strings.HasSuffix(key, "-"):
		return bad("has a key that ends with '-', which takes a label away")
	case strings.IndexFunc(value, func(c rune) bool { return !labelChar(c) && (c < 'A' || c > 'Z') && !strings.ContainsRune(":+@", c) }) >= 0:
		return bad("has a value of other characters than letters, digits and ._/-:+@")
	}
	return nil
}

func clipped(s string) string {
	const most = 2*MaxLabelChars + 1
	return s[:min(len(s), most)]
}

func labelChar(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.ContainsRune("._/-", c)
}

// NewLabels makes labels of a map. The error is a *LabelError.
func NewLabels(m map[string]string) (Labels, error) {
	if len(m) > MaxLabels {
		return Labels{}, &LabelError{fmt.Sprintf("%d labels", len(m)), fmt.Sprintf("are too many: an account has at most %d", MaxLabels)}
	}
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if err := CheckLabel(key, m[key]); err != nil {
			return Labels{}, err
		}
		parts = append(parts, key+"="+m[key])
	}
	return Labels{strings.Join(parts, ",")}, nil
}

// All are the labels by key.
func (l Labels) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		if l.text == "" {
			return
		}
		for part := range strings.SplitSeq(l.text, ",") {
			if key, value, _ := strings.Cut(part, "="); !yield(key, value) {
				return
			}
		}
	}
}

// Map returns the labels as a map of its own.
func (l Labels) Map() map[string]string { return maps.Collect(l.All()) }

// Get returns the value of a label, and whether there is one.
func (l Labels) Get(key string) (value string, ok bool) {
	for k, v := range l.All() {
		if k == key {
			return v, true
		}
	}
	return "", false
}

// Change returns the labels with some put on and those keys taken away. The error
// is a *LabelError.
func (l Labels) Change(put map[string]string, remove []string) (Labels, error) {
	m := l.Map()
	for _, key := range remove {
		delete(m, key)
	}
	maps.Copy(m, put)
	return NewLabels(m)
}

// IsZero reports whether there is no label.
func (l Labels) IsZero() bool { return l.text == "" }

// Equal reports whether two have the same labels.
func (l Labels) Equal(other Labels) bool { return l == other }

// String returns "env=prod,team=a".
func (l Labels) String() string { return l.text }

// MarshalJSON writes an object.
func (l Labels) MarshalJSON() ([]byte, error) { return json.Marshal(l.Map()) }

// UnmarshalJSON reads an object.
func (l *Labels) UnmarshalJSON(b []byte) error {
	var m map[string]string
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	got, err := NewLabels(m)
	if err == nil {
		*l = got
	}
	return err
}

// labels reads what a record has of labels, which must be in their one form.
func (r *reader) labels() Labels {
	text := r.string()
	m := make(map[string]string)
	for k, v := range (Labels{text}).All() {
		m[k] = v
	}
	l, err := NewLabels(m)
	if err != nil || l.text != text {
		r.fail("its labels make no sense")
	}
	return l
}
