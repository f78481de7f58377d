package timeline

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

// Sizes of a drawing, in CSS pixels.
const (
	rowHeight  = 20
	laneWidth  = 18
	laneLeft   = 180
	svgTop     = 44
	svgWidth   = 960
	svgPadding = 16
)

// A drawing has its own colours, for light and for dark; the lanes' are those of
// Okabe and Ito, which people with any colour vision tell apart.
const svgStyle = `<style>
svg{background:#fff;color:#1b1f24}
text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:currentColor}
.t{opacity:.65}.h{font-weight:bold}
line{stroke-width:1.5}.u{stroke-width:5}
.k0{stroke:#0072b2;fill:#0072b2}.k1{stroke:#d55e00;fill:#d55e00}.k2{stroke:#009e73;fill:#009e73}
.k3{stroke:#cc79a7;fill:#cc79a7}.k4{stroke:#b58900;fill:#b58900}.k5{stroke:#56b4e9;fill:#56b4e9}
@media(prefers-color-scheme:dark){svg{background:#0d1117;color:#e6edf3}.k0{stroke:#4aa8e0;fill:#4aa8e0}}
</style>
`

// SVG draws what Text writes, as one file that needs no other.
func SVG(w io.Writer, account string, list []Entry) error {
	rows, columns := rowsOf(list)
	height := svgTop + rowHeight*len(rows) + svgPadding
	out := &strings.Builder{}
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img">`+"\n", svgWidth, height, svgWidth, height)
	fmt.Fprintf(out, "<title>Timeline of account %s</title>\n%s", escape(account), svgStyle)
	title := fmt.Sprintf("account %s, %d entries, times in UTC", account, len(rows))
	fmt.Fprintf(out, `<text class="h" x="%d" y="24">%s</text>`+"\n", svgPadding, escape(title))
	for i, r := range rows {
		y := svgTop + i*rowHeight + rowHeight/2
		e := r.entry
		fmt.Fprintf(out, `<text class="t" x="%d" y="%d">%s</text>`+"\n", svgPadding, y+4, e.At.UTC().Format("2006-01-02 "+clock))
		for col, l := range r.lanes {
			drawLane(out, rows, i, col, l)
		}
		x := laneLeft + columns*laneWidth + laneWidth/2
		fmt.Fprintf(out, `<text x="%d" y="%d"><title>%s</title>%s</text>`+"\n",
			x, y+4, e.At.UTC().Format(time.RFC3339Nano), escape(e.String()))
	}
	out.WriteString("</svg>\n")
	_, err := io.WriteString(w, out.String())
	return err
}

// drawLane draws a lane beside one entry, from where it comes to where it goes.
func drawLane(out *strings.Builder, rows []row, i, col int, l lane) {
	if l.cell == cellNone {
		return
	}
	x, top := laneLeft+col*laneWidth+laneWidth/2, svgTop+i*rowHeight
	middle, bottom := top+rowHeight/2, top+rowHeight
	before := i > 0 && rows[i-1].lanes[col].key == l.key && rows[i-1].lanes[col].cell != cellEnd
	line := func(from, to int, used bool) {
		class := fmt.Sprintf("k%d", col)
		if used {
			class += " u"
		}
		fmt.Fprintf(out, `<line class="%s" x1="%d" y1="%d" x2="%d" y2="%d"/>`+"\n", class, x, from, x, to)
	}
	if before {
		line(top, middle, rows[i-1].lanes[col].used)
	}
	if l.cell != cellEnd {
		line(middle, bottom, l.used)
	}
	if l.cell == cellMark || l.cell == cellEnd {
		fmt.Fprintf(out, `<circle class="k%d" cx="%d" cy="%d" r="4"><title>%s</title></circle>`+"\n", col, x, middle, l.key)
	}
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes all
	return b.String()
}
