// Package tabular lays out rows under a header, for a terminal of some width or for nobody's.
//
// It measures and cuts in letters, colours cells without moving them, and leaves columns out where a line has no room for
// all. It knows nothing of what the columns mean.
package tabular

import (
	"cmp"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Column is the head of one, and what may be done to it where lines are too long. What comes first is that cells are cut.
type Column struct {
	Name string
	// Least is how short its cells may be cut as long as another column can be left out instead; 0: they are never cut.
	Least int
	// Leaves is when the column is left out, the lowest first; 0: it stays.
	Leaves int
	// Wide columns are shown with Options.Wide alone.
	Wide bool
}

// A Color is how a cell is shown at a terminal.
type Color string

// The colours, as parameters of "select graphic rendition"; the zero Color is none.
const (
	Red    Color = "31"
	Green  Color = "32"
	Yellow Color = "33"
	Faint  Color = "2"
)

// Paint puts a text in the colour.
func (c Color) Paint(text string) string {
	if c == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// A Cell is one text of a row.
type Cell struct {
	Text  string
	Color Color
}

// A Table is rows under a header. The first cell names the row, unless it has a name of its own.
type Table struct {
	columns []Column
	rows    [][]Cell
	names   []string // by row
}

// Options are how a table is printed.
type Options struct {
	// Width bounds lines, in letters; 0: they are as long as they are. What is never cut may be longer.
	Width int
	// Wide shows all columns.
	Wide bool
	// Color shows colours.
	Color bool
}

// New makes a table without rows.
func New(columns ...Column) *Table { return &Table{columns: columns} }

// Row adds a row of texts, one for each column.
func (t *Table) Row(texts ...string) {
	cells := make([]Cell, len(texts))
	for i, text := range texts {
		cells[i].Text = text
	}
	t.Cells(cells...)
}

// Cells adds a row of cells, one for each column.
func (t *Table) Cells(cells ...Cell) {
	if len(cells) != len(t.columns) {
		panic("tabular: a row has other cells than the table has columns")
	}
	t.rows, t.names = append(t.rows, cells), append(t.names, cells[0].Text)
}

// Name names the row that was added last.
func (t *Table) Name(name string) { t.names[len(t.names)-1] = name }

// Len is how many rows there are.
func (t *Table) Len() int { return len(t.rows) }

// Names writes the name of each row, one a line.
func (t *Table) Names(w io.Writer) error {
	var b strings.Builder
	for _, name := range t.names {
		b.WriteString(name + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Write writes the header and the rows.
func (t *Table) Write(w io.Writer, o Options) error {
	_, err := t.Follow(w, o)
	return err
}

// Follow writes the header and the rows, and returns what writes further rows below them.
func (t *Table) Follow(w io.Writer, o Options) (more func(...Cell) error, err error) {
	l := t.lay(o)
	var b strings.Builder
	header := make([]Cell, len(t.columns))
	for i, c := range t.columns {
		header[i].Text = c.Name
	}
	t.line(&b, &l, header, false)
	for _, row := range t.rows {
		t.line(&b, &l, row, o.Color)
	}
	_, err = io.WriteString(w, b.String())
	return func(cells ...Cell) error {
		var b strings.Builder
		t.line(&b, &l, cells, o.Color)
		_, err := io.WriteString(w, b.String())
		return err
	}, err
}

// layout is which columns are shown, and how wide each is.
type layout struct {
	shown  []int
	widths []int // by shown
	gap    int
	cut    bool // there is a bound
}

const (
	// wideGap is between columns, narrowGap where a line is too long for that.
	wideGap, narrowGap = 3, 2
	// least is what is left of a cell in the worst case: a letter and that there was more.
	least = 4
)

func (t *Table) lay(o Options) layout {
	l := layout{gap: wideGap}
	for i, c := range t.columns {
		if !c.Wide || o.Wide {
			l.shown = append(l.shown, i)
		}
	}
	t.measure(&l)
	l.cut = o.Width > 0
	if !l.cut || l.over(o.Width) <= 0 {
		return l
	}
	l.gap = narrowGap
	for {
		t.measure(&l)
		t.cut(&l, o.Width, func(c Column) int { return c.Least })
		if l.over(o.Width) <= 0 || !t.leave(&l) {
			break
		}
	}
	t.cut(&l, o.Width, func(c Column) int { return min(c.Least, least) })
	return l
}

// measure makes each column as wide as its widest cell.
func (t *Table) measure(l *layout) {
	l.widths = make([]int, len(l.shown))
	for at, i := range l.shown {
		l.widths[at] = utf8.RuneCountInString(t.columns[i].Name)
		for _, row := range t.rows {
			l.widths[at] = max(l.widths[at], utf8.RuneCountInString(row[i].Text))
		}
	}
}

// over is how many letters a line has too many.
func (l *layout) over(width int) int {
	n := l.gap * (len(l.widths) - 1)
	for _, w := range l.widths {
		n += w
	}
	return n - width
}

// cut makes columns that may be cut narrower, the first of them first, as far as it takes and floor says.
func (t *Table) cut(l *layout, width int, floor func(Column) int) {
	for at, i := range l.shown {
		if least := floor(t.columns[i]); least > 0 {
			l.widths[at] -= min(max(l.over(width), 0), max(l.widths[at]-least, 0))
		}
	}
}

// leave leaves one column out, and reports whether there was one to be.
func (t *Table) leave(l *layout) bool {
	at := -1
	for k, i := range l.shown {
		if order := t.columns[i].Leaves; order > 0 && (at < 0 || order < t.columns[l.shown[at]].Leaves) {
			at = k
		}
	}
	if at >= 0 {
		l.shown = slices.Delete(l.shown, at, at+1)
	}
	return at >= 0
}

// line writes one row. What is never cut takes the room it needs.
func (t *Table) line(b *strings.Builder, l *layout, row []Cell, colors bool) {
	for at, i := range l.shown {
		text := row[i].Text
		if l.cut && t.columns[i].Least > 0 {
			text = Cut(text, l.widths[at])
		}
		pad := max(l.widths[at]-utf8.RuneCountInString(text), 0) + l.gap
		if colors {
			text = row[i].Color.Paint(text)
		}
		b.WriteString(text)
		if at < len(l.shown)-1 {
			b.WriteString(strings.Repeat(" ", pad))
		}
	}
	b.WriteByte('\n')
}

// Cut shortens a text to n letters, of which the last three say that there was more.
func Cut(text string, n int) string {
	r := []rune(text)
	if len(r) <= n {
		return text
	}
	const more = "..."
	return string(r[:max(n-len(more), 0)]) + more[:min(n, len(more))]
}

// Facts are names with what belongs to each, one below the other.
type Facts struct{ rows [][2]string }

// Add adds a fact, unless its text is empty.
func (f *Facts) Add(name, text string) {
	if text != "" {
		f.rows = append(f.rows, [2]string{name, text})
	}
}

// Write writes them in lines of at most width letters; 0: as long as they are. A text that is longer goes on below itself.
func (f *Facts) Write(w io.Writer, width int) error {
	names := 0
	for _, row := range f.rows {
		names = max(names, utf8.RuneCountInString(row[0]))
	}
	names += narrowGap
	if width > 0 {
		width = max(width-names, 1)
	}
	var b strings.Builder
	for _, row := range f.rows {
		name := row[0]
		for _, line := range Wrap(row[1], width) {
			b.WriteString(name + strings.Repeat(" ", names-utf8.RuneCountInString(name)) + line + "\n")
			name = ""
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// An Order is by what rows may be sorted: a comparison of each name.
type Order[T any] map[string]func(a, b T) int

// Names are what may be sorted by, in order.
func (o Order[T]) Names() []string {
	names := make([]string, 0, len(o))
	for name := range o {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Sort sorts by a name, or backwards by a name with a "-" in front; what is equal stays in its order. It reports whether
// there is such a name.
func (o Order[T]) Sort(items []T, by string) bool {
	name, back := strings.CutPrefix(by, "-")
	compare, ok := o[name]
	if !ok {
		return false
	}
	slices.SortStableFunc(items, func(a, b T) int {
		if back {
			a, b = b, a
		}
		return compare(a, b)
	})
	return true
}

// By compares by a key.
func By[T any, K cmp.Ordered](key func(T) K) func(a, b T) int {
	return func(a, b T) int { return cmp.Compare(key(a), key(b)) }
}

// Wrap breaks a text into lines of at most width letters, between words; one that is longer has a line of its own. With
// width 0 it is one line.
func Wrap(text string, width int) []string {
	if width <= 0 {
		return []string{text}
	}
	lines, n := []string{""}, 0
	for i, word := range strings.Fields(text) {
		long := utf8.RuneCountInString(word)
		last := len(lines) - 1
		switch {
		case i == 0:
			lines[0], n = word, long
		case n+1+long > width:
			lines, n = append(lines, word), long
		default:
			lines[last], n = lines[last]+" "+word, n+1+long
		}
	}
	return lines
}
