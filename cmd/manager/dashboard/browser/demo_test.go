package browser

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// newDemo starts `demo --watch` with six accounts on two DCs, and returns the links to its
// page and to its dashboard.
func newDemo(t *testing.T) (page, board string) {
	t.Helper()
	tmp, err := os.MkdirTemp("", "demo") // a short path, for the socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(tmp) })
	cmd := exec.Command(program, "demo", "--watch", "--json", "--accounts", "6", "--dcs", "2")
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp, "HOME="+tmp)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the demo ended with %v", err)
		}
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	var at struct{ Page, Dashboard string }
	if err != nil || json.Unmarshal(line, &at) != nil {
		t.Fatalf("the demo printed %q (%v)", line, err)
	}
	return at.Page, at.Dashboard
}

// tab is another tab of a browser, with a page.
func (b *browser) tab(url string) *browser {
	b.t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	b.t.Cleanup(cancel)
	// This opens it, which outlives the limits of the steps.
	if err := chromedp.Listen(ctx, func(any) {}); err != nil {
		b.t.Fatal(err)
	}
	other := &browser{t: b.t, ctx: ctx}
	other.open(url)
	return other
}

// TestTheDemoIsBrokenAndMends presses every button of the demo's page, and sees in the
// dashboard beside it what becomes of the fleet.
func TestTheDemoIsBrokenAndMends(t *testing.T) {
	b := open(t)
	link, board := newDemo(t)
	b.wide()
	b.open(link)
	b.holds(`document.getElementById("online")?.textContent === "6 of 6"`)
	b.picture("demo")
	base := b.text(`location.origin`)
	fleet := b.tab(base + "/dashboard")
	// online waits until the fleet's page counts so many who are online.
	online := func(n int) {
		t.Helper()
		fleet.holds(fmt.Sprintf(`location.href === %q && document.querySelector("#counts [data-state=online] b")?.textContent === "%d"`, board, n))
	}
	online(6)
	b.silent("the page")

	b.click("#cut-2")
	b.holds(`document.getElementById("state-2").textContent === "down" && document.getElementById("online").textContent === "3 of 6"`)
	online(3)
	b.picture("demo-cut")
	fleet.picture("demo-cut-fleet")
	b.holds(`document.getElementById("cut-2").disabled && !document.getElementById("give-2").disabled`)
	b.click("#give-2")
	b.sees("0 new sign-ins, 0 perm keys and 0 temp keys made")
	online(6)

	b.click("#forget-1")
	b.sees("DC 1 restarts, and has lost its temp keys")
	b.sees("0 new sign-ins, 0 perm keys and 3 temp keys made")
	online(6)

	before := b.text(`document.getElementById("manager").textContent`)
	b.click("#kill")
	fleet.holds(`!document.getElementById("lost").hidden`)
	b.sees("was started again")
	b.holds(fmt.Sprintf(`/^process/.test(document.getElementById("manager").textContent) && document.getElementById("manager").textContent !== %q`, before))
	b.holds(`/^everybody is online again/.test(document.querySelector("#story td:last-child").textContent)`)
	b.holds(`document.getElementById("logins").textContent === "0" && document.getElementById("perm-keys").textContent === "0"`)
	b.picture("demo-back")
	// The manager has forgotten whom it let in; the page lets in again.
	fleet.sees("does not let this page follow")
	fleet.open(base + "/dashboard")
	online(6)

	// What cannot be done is said.
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#cut-1").form.elements.dc.value = "9"`))
	b.click("#cut-1")
	b.sees("there is no DC 9")
	b.forget() // a refusal is an error on the console

	b.narrow()
	b.open(base)
	b.sees("Break it")
	b.picture("demo-narrow")
	b.colours("dark")
	b.wide()
	b.open(base)
	b.sees("Break it")
	b.picture("demo-dark")
	b.narrow()
	b.open(base)
	b.sees("Break it")
	b.picture("demo-narrow-dark")
	b.do(chromedp.Evaluate[chromedp.Void](`document.getElementById("manager").scrollIntoView()`))
	b.picture("demo-narrow-dark-dcs")
	if wider := b.text(`String(document.documentElement.scrollWidth - document.documentElement.clientWidth)`); wider != "0" {
		t.Errorf("the page scrolls by %s px to the side at 375 px", wider)
	}
	// By keyboard alone; the focus goes on to what undoes it.
	b.tabTo("#cut-2")
	b.press(kb.Enter)
	b.holds(`document.activeElement.id === "give-2"`)
	b.press(kb.Enter)
	b.holds(`document.getElementById("state-2").textContent === "up"`)
	b.silent("the page")
}
