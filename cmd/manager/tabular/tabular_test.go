package tabular

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func accounts() *Table {
	t := New(Column{Name: "NAME"}, Column{Name: "STATE"}, Column{Name: "KIND", Leaves: 2}, Column{Name: "PFS", Leaves: 1},
		Column{Name: "PROXY", Wide: true}, Column{Name: "WHY", Least: 10})
	t.Cells(Cell{Text: "alice"}, Cell{"online", Green}, Cell{Text: "person"}, Cell{Text: "bound"}, Cell{Text: "-"}, Cell{})
	t.Row("a-name-of-some-length", "revoked", "bot", "on", "socks5://10.0.0.1:1080", "the server has ended it: AUTH_KEY_UNREGISTERED")
	return t
}

func TestATableIsAsWideAsItMayBe(t *testing.T) {
	for _, c := range []struct {
		what string
		o    Options
		want string
	}{
		{"nobody's is not cut", Options{}, `
NAME                    STATE     KIND     PFS     WHY
alice                   online    person   bound   
a-name-of-some-length   revoked   bot      on      the server has ended it: AUTH_KEY_UNREGISTERED
`},
		{"wide has every column", Options{Wide: true}, `
NAME                    STATE     KIND     PFS     PROXY                    WHY
alice                   online    person   bound   -                        
a-name-of-some-length   revoked   bot      on      socks5://10.0.0.1:1080   the server has ended it: AUTH_KEY_UNREGISTERED
`},
		{"reasons are cut first", Options{Width: 80}, `
NAME                   STATE    KIND    PFS    WHY
alice                  online   person  bound  
a-name-of-some-length  revoked  bot     on     the server has ended it: AUTH_...
`},
		{"columns go before too little is left of a reason", Options{Width: 50}, `
NAME                   STATE    KIND    WHY
alice                  online   person  
a-name-of-some-length  revoked  bot     the ser...
`},
		{"in their order", Options{Width: 45}, `
NAME                   STATE    WHY
alice                  online   
a-name-of-some-length  revoked  the server...
`},
		{"then reasons are cut for good, and names never", Options{Width: 20}, `
NAME                   STATE    WHY
alice                  online   
a-name-of-some-length  revoked  t...
`},
	} {
		var out bytes.Buffer
		if err := accounts().Write(&out, c.o); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, "\n"+out.String()); diff != "" {
			t.Errorf("%s:\n%s", c.what, diff)
		}
	}
}

func TestColoursMoveNothing(t *testing.T) {
	var plain, coloured bytes.Buffer
	if err := accounts().Write(&plain, Options{}); err != nil {
		t.Fatal(err)
	}
	if err := accounts().Write(&coloured, Options{Color: true}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(coloured.String(), "\x1b[32monline\x1b[0m") {
		t.Errorf("nothing is coloured: %q", coloured.String())
	}
	if got := strings.NewReplacer("\x1b[32m", "", "\x1b[0m", "").Replace(coloured.String()); got != plain.String() {
		t.Errorf("%q, want %q", got, plain.String())
	}
}

func TestTheNamesAreTheFirstColumnOrTheirOwn(t *testing.T) {
	var out bytes.Buffer
	list := accounts()
	list.Row("user", "7", "-", "-", "-", "-")
	list.Name("user:7")
	if err := list.Names(&out); err != nil || out.String() != "alice\na-name-of-some-length\nuser:7\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

// Where nothing is cut it is what text/tabwriter prints, by which such tables were printed before.
func TestATableIsThatOfTabwriter(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	word := func() string { return strings.Repeat("é", r.IntN(12)) }
	for range 200 {
		var columns []Column
		for range 1 + r.IntN(5) {
			columns = append(columns, Column{Name: "H" + word(), Least: r.IntN(3), Leaves: r.IntN(3)})
		}
		table := New(columns...)
		var want, got bytes.Buffer
		w := tabwriter.NewWriter(&want, 0, 0, wideGap, ' ', 0)
		line := func(texts []string) { fmt.Fprintln(w, strings.Join(texts, "\t")) }
		var names []string
		for _, c := range columns {
			names = append(names, c.Name)
		}
		line(names)
		for range r.IntN(5) {
			row := make([]string, len(columns))
			for i := range row {
				row[i] = word()
			}
			table.Row(row...)
			line(row)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if err := table.Write(&got, Options{}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.String(), got.String()); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestCutKeepsTheLength(t *testing.T) {
	for n := range 12 {
		const text = "ü-und-mehr"
		if got := Cut(text, n); utf8.RuneCountInString(got) != min(n, 10) || n >= 10 && got != text {
			t.Errorf("%d: %q", n, got)
		}
	}
}

func TestRowsAreSortedByAName(t *testing.T) {
	order := Order[string]{"text": strings.Compare, "length": By(func(s string) int { return len(s) })}
	for by, want := range map[string][]string{
		"text": {"a", "bb", "c"}, "-text": {"c", "bb", "a"}, "length": {"c", "a", "bb"}, "-length": {"bb", "c", "a"},
	} {
		items := []string{"bb", "c", "a"}
		if !order.Sort(items, by) || !slices.Equal(items, want) {
			t.Errorf("%s: %v", by, items)
		}
	}
	if order.Sort(nil, "colour") || !slices.Equal(order.Names(), []string{"length", "text"}) {
		t.Error(order.Names())
	}
}

func TestATextIsBrokenBetweenWords(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  []string
	}{
		{"one two three", 0, []string{"one two three"}},
		{"one two three", 7, []string{"one two", "three"}},
		{"one twothreefour five", 6, []string{"one", "twothreefour", "five"}},
		{"", 6, []string{""}},
	} {
		if got := Wrap(c.text, c.width); !slices.Equal(got, c.want) {
			t.Errorf("%q at %d: %q", c.text, c.width, got)
		}
	}
}

func TestFactsGoOnBelowThemselves(t *testing.T) {
	var f Facts
	f.Add("account", "alice")
	f.Add("labels", "")
	f.Add("why", "the server has ended it: AUTH_KEY_UNREGISTERED")
	for width, want := range map[int]string{
		0:  "account  alice\nwhy      the server has ended it: AUTH_KEY_UNREGISTERED\n",
		30: "account  alice\nwhy      the server has ended\n         it:\n         AUTH_KEY_UNREGISTERED\n",
	} {
		var b bytes.Buffer
		if err := f.Write(&b, width); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Errorf("%d letters wide:\n%s", width, diff)
		}
	}
}
