package page

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// Sizes of a picture, in the units of its view box.
const (
	width, height = 760.0, 260.0
	left, right   = 64.0, 16.0 // beside the plot
	top, bottom   = 12.0, 40.0
	plotW, plotH  = width - left - right, height - top - bottom
)

// canvas gathers SVG.
type canvas struct{ strings.Builder }

func newCanvas(h float64) *canvas {
	c := &canvas{}
	c.addf(`<svg viewBox="0 0 %g %g" role="img">`, width, h)
	return c
}

func (c *canvas) addf(format string, args ...any) { fmt.Fprintf(&c.Builder, format, args...) }

func (c *canvas) end() string {
	c.addf("</svg>")
	return c.String()
}

// text writes words at a place; anchor is start, middle or end.
func (c *canvas) text(x, y float64, anchor, class, words string) {
	c.addf(`<text x="%.1f" y="%.1f" text-anchor="%s" class="%s">%s</text>`, x, y, anchor, class, html.EscapeString(words))
}

func (c *canvas) axes() {
	c.addf(`<path class="axis" d="M%g %gV%gH%g"/>`, left, top, top+plotH, left+plotW)
}

// steps of an axis from 0 to max: at most six of them, at round numbers.
func steps(max float64) (at []float64) {
	if max <= 0 || math.IsInf(max, 0) || math.IsNaN(max) {
		return []float64{0}
	}
	size := math.Pow(10, math.Floor(math.Log10(max)))
	for _, times := range []float64{0.2, 0.5, 1, 2} {
		if max/(size*times) <= 5 {
			size *= times
			break
		}
	}
	for v := 0.0; v <= max*1.0001; v += size {
		at = append(at, v)
	}
	return at
}

// decades are the round numbers of a logarithmic axis from 10^low to 10^high: 1, 2 and
// 5 of each power of ten, or its 1 alone where the axis is long.
func decades(low, high float64) (at []float64) {
	for power := math.Floor(low); power <= high; power++ {
		for _, times := range []float64{1, 2, 5} {
			v := times * math.Pow(10, power)
			if long := high-low > 3; long && times > 1 {
				continue
			}
			if log := math.Log10(v); log >= low-1e-9 && log <= high+1e-9 {
				at = append(at, v)
			}
		}
	}
	return at
}

// number is a figure in as few digits as it takes.
func number(v float64) string {
	switch {
	case v >= 10_000_000:
		return fmt.Sprintf("%.4gM", v/1e6)
	case v >= 10_000:
		return fmt.Sprintf("%.4gk", v/1e3)
	}
	return fmt.Sprintf("%.4g", v)
}

// up draws the vertical axis, from 0 to max.
func (c *canvas) up(max float64, what string) {
	for _, v := range steps(max) {
		y := top + plotH - v/max*plotH
		if max <= 0 {
			y = top + plotH
		}
		c.text(left-8, y+4, "end", "", number(v))
	}
	c.text(left+6, top+10, "start", "", what)
}

// Bar is a column: how many there are from one value to another.
type Bar struct{ From, To, Count float64 }

// Bars is a distribution: values to the right, on a logarithmic axis, and how many
// there are of them upwards.
type Bars struct {
	Title, X, Y string
	Bars        []Bar // their values are positive
}

func (b Bars) title() string { return b.Title }

// columns is how many columns a distribution is gathered into.
const columns = 60

func (b Bars) draw() string {
	c := newCanvas(height)
	c.axes()
	low, high := math.Inf(1), 0.0
	for _, bar := range b.Bars {
		if bar.To > 0 && bar.Count > 0 {
			low, high = min(low, bar.To), max(high, bar.To)
		}
	}
	if high == 0 {
		c.text(left+plotW/2, top+plotH/2, "middle", "", "nothing was measured")
		return c.end()
	}
	low, high = math.Floor(math.Log10(low)*2)/2, math.Ceil(math.Log10(high)*2+0.001)/2 // half decades
	counts, most := make([]float64, columns), 0.0
	for _, bar := range b.Bars {
		if bar.To > 0 && bar.Count > 0 {
			i := min(int((math.Log10(bar.To)-low)/(high-low)*columns), columns-1)
			counts[i] += bar.Count
			most = max(most, counts[i])
		}
	}
	for i, n := range counts {
		if n > 0 {
			h := max(n/most*plotH, 1) // what is there is seen
			c.addf(`<rect class="s0" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`,
				left+float64(i)*plotW/columns+0.5, top+plotH-h, plotW/columns-1, h)
		}
	}
	c.up(most, b.Y)
	for _, v := range decades(low, high) {
		c.text(left+(math.Log10(v)-low)/(high-low)*plotW, top+plotH+16, "middle", "", number(v))
	}
	c.text(left+plotW, height-6, "end", "", b.X)
	return c.end()
}

// Point is a place in a chart.
type Point struct{ X, Y float64 }

// Steps is a number that changes over time: it keeps each value until the next point.
type Steps struct {
	Title, X, Y string
	Points      []Point // from left to right, neither below 0
	// Most is how high the axis goes; 0: as high as the points.
	Most float64
}

func (s Steps) title() string { return s.Title }

func (s Steps) draw() string {
	c := newCanvas(height)
	c.axes()
	most, last := s.Most, 0.0
	for _, p := range s.Points {
		most, last = max(most, p.Y), max(last, p.X)
	}
	if len(s.Points) == 0 || most == 0 {
		c.text(left+plotW/2, top+plotH/2, "middle", "", "nothing was measured")
		return c.end()
	}
	last = max(last*1.05, 0.001)
	x := func(v float64) float64 { return left + v/last*plotW }
	y := func(v float64) float64 { return top + plotH - v/most*plotH }
	c.addf(`<path class="curve" d="M%.1f %.1f`, x(s.Points[0].X), y(s.Points[0].Y))
	for _, p := range s.Points[1:] {
		c.addf(`H%.1fV%.1f`, x(p.X), y(p.Y))
	}
	c.addf(`H%.1f"/>`, left+plotW)
	c.up(most, s.Y)
	for _, v := range steps(last) {
		c.text(x(v), top+plotH+16, "middle", "", number(v))
	}
	c.text(left+plotW, height-6, "end", "", s.X)
	return c.end()
}

// Share is a part of a sum.
type Share struct {
	What  string
	Value float64 // a negative one is drawn as nothing
}

// Row is a sum and its parts.
type Row struct {
	What   string
	Shares []Share
}

// Shares are sums made of parts, one below the other on one scale.
type Shares struct {
	Title, Unit string
	Rows        []Row
}

func (s Shares) title() string { return s.Title }

// colours is how many the layout has.
const colours = 4

func (s Shares) draw() string {
	const rowH = 58.0
	c := newCanvas(float64(len(s.Rows))*rowH + 4)
	most := 0.0
	for _, row := range s.Rows {
		sum := 0.0
		for _, p := range row.Shares {
			sum += max(p.Value, 0)
		}
		most = max(most, sum)
	}
	for i, row := range s.Rows {
		y, x := float64(i)*rowH, 0.0
		c.text(0, y+14, "start", "word", row.What)
		var words []string
		for j, p := range row.Shares {
			if most > 0 {
				w := max(p.Value, 0) / most * width
				c.addf(`<rect class="s%d" x="%.1f" y="%.1f" width="%.1f" height="18"/>`, j%colours, x, y+20, w)
				x += w
			}
			words = append(words, fmt.Sprintf("%s %s %s", p.What, number(p.Value), s.Unit))
		}
		x = 0
		for j, word := range words { // the legend, in the order of the parts
			c.addf(`<rect class="s%d" x="%.1f" y="%.1f" width="8" height="8"/>`, j%colours, x, y+43)
			c.text(x+12, y+51, "start", "", word)
			x += 22 + float64(len(word))*6.4
		}
	}
	return c.end()
}
