package browser

import (
	"bufio"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
)

// TestTenThousandAccounts: the page of a large fleet is soon there, and quick to filter. It
// prints what it measured. The bounds are far above that, for machines that have other
// work.
func TestTenThousandAccounts(t *testing.T) {
	b := open(t)
	cmd := exec.Command(program, "bench", "dashboard", "--accounts", "10000", "--in-memory", "--seeded", "--open")
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait() // which says that it was interrupted
	}()
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("it printed no link")
	}
	b.open(lines.Text())
	b.holds(`location.pathname === "/" && document.getElementById("grid")?.dataset.ready === "yes"`)
	number := func(expression string) float64 {
		t.Helper()
		n, err := strconv.ParseFloat(b.text("String("+expression+")"), 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	// From the beginning of the navigation until the rows are drawn and answer.
	var ready float64
	for range 3 {
		b.open(b.text(`location.href`))
		b.holds(`document.getElementById("grid").dataset.ready === "yes"`)
		took := number(`performance.getEntriesByName("ready")[0].startTime`)
		t.Logf("10,000 accounts: interactive after %.0f ms", took)
		if ready == 0 || took < ready {
			ready = took
		}
	}
	if ready > 5000 {
		t.Errorf("the page was interactive after %.0f ms", ready)
	}
	if n := number(`document.querySelectorAll("#rows tr[data-id]").length`); n < 10 || n > 100 {
		t.Errorf("%.0f rows are drawn", n)
	}
	filtering := number(`(() => { const at = performance.now(); document.getElementById("search").value = "99"; document.getElementById("search").dispatchEvent(new Event("input")); return performance.now() - at; })()`)
	t.Logf("a search took %.1f ms", filtering)
	if filtering > 500 {
		t.Errorf("a search took %.1f ms", filtering)
	}
	b.sees("of 10000 shown")
	b.text(`document.getElementById("search").value = "", document.getElementById("search").dispatchEvent(new Event("input")), ""`)
	b.holds(`document.getElementById("shown").textContent === ""`)
	b.tabTo("#grid")
	begun := time.Now()
	b.press(kb.End)
	b.holds(`document.activeElement.textContent === "bot-10000"`)
	t.Logf("the last row was there after %v", time.Since(begun).Round(time.Millisecond))
	b.picture("fleet-10000")
	b.silent("a large fleet")
}
