package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// TestPages goes through all pages, on a desk and on a telephone, light and dark.
func TestPages(t *testing.T) {
	b := open(t)
	f := newFleet(t, 3)
	f.run("account", "pause", "bot-2")
	f.run("account", "label", "bot-1", "env=prod")
	b.enter(f)
	pages := []struct{ name, path, sees string }{
		{"fleet", "/", "bot-3"},
		{"account", "/accounts/bot-1", "temp key"},
		{"sign-in", "/sign-in", "Begin"},
		{"dcs", "/dcs", "directly"},
		{"store", "/store", "takes commits"},
		{"events", "/events", "online"},
		{"audit", "/audit", "AccountService/Pause"},
	}
	for _, p := range pages {
		b.wide()
		b.colours("light")
		b.open(f.url(p.path))
		b.sees(p.sees)
		b.picture(p.name)
		b.colours("dark")
		b.narrow()
		b.open(f.url(p.path))
		b.sees(p.sees)
		b.picture(p.name + "-narrow-dark")
		b.fits(p.name)
		b.silent(p.name)
	}
	// Every table has heads, and every field a name.
	for _, p := range pages {
		b.open(f.url(p.path))
		b.sees(p.sees)
		for what, expression := range map[string]string{
			"a field without a name":  `[...document.querySelectorAll("input:not([type=hidden]),select,textarea")].filter(e => !e.labels?.length && !e.ariaLabel).map(e => e.outerHTML).join("\n")`,
			"a table without heads":   `[...document.querySelectorAll("table")].filter(e => !e.querySelector("th[scope]")).map(e => e.outerHTML.slice(0, 80)).join("\n")`,
			"a picture without words": `[...document.querySelectorAll("img:not([alt]),svg:not([aria-labelledby]):not([aria-label])")].map(e => e.outerHTML.slice(0, 80)).join("\n")`,
		} {
			if found := b.text(expression); found != "" {
				t.Errorf("%s has %s: %s", p.name, what, found)
			}
		}
	}
}

// TestSignInByQR: an account that is signed in accepts the code that the page shows, after
// it was renewed once.
func TestSignInByQR(t *testing.T) {
	b := open(t)
	f := newFleet(t, 1)
	b.enter(f)
	b.open(f.url("/sign-in"))
	b.fill("#account", "carol")
	b.click("#flow-qr")
	b.click("form.stack button.main")
	b.shows("svg.qr")
	b.picture("sign-in-qr")
	first := b.text(`document.getElementById("qr-link").textContent`)
	b.holds(`(document.getElementById("qr-link")?.textContent ?? ` + "`" + first + "`" + `) !== ` + "`" + first + "`")
	f.ask("/scan", map[string]any{"token": b.text(`document.getElementById("qr-link").textContent`), "user_id": f.dc.Phones[1].UserID})
	b.sees("It is signed in.")
	b.picture("sign-in-done")
	b.silent("the sign-in")
	b.click("main a.button")
	b.sees("It is online.")
}

// TestSignInByPhone: code and password are typed, and stand nowhere afterwards.
func TestSignInByPhone(t *testing.T) {
	b := open(t)
	f := newFleet(t, 0)
	const password = " correct horse "
	f.ask("/password", map[string]any{"user_id": f.dc.Phones[0].UserID, "password": password, "hint": "a comic"})
	b.enter(f)
	b.open(f.url("/sign-in"))
	b.fill("#account", "alice")
	b.fill("input[name=phone]", "+"+f.dc.Phones[0].Phone)
	b.click("form.stack button.main")
	b.shows("#code")
	b.picture("sign-in-code")
	b.fill("#code", strings.Repeat("9", len(f.dc.Phones[0].Code))+kb.Enter)
	b.sees("Wrong so far")
	b.fill("#code", f.dc.Phones[0].Code+kb.Enter)
	b.shows("#password")
	b.sees("a comic")
	b.fill("#password", "wrong horse"+kb.Enter)
	b.sees("Wrong so far")
	b.picture("sign-in-password")
	if html := b.text(`document.documentElement.outerHTML + location.href`); strings.Contains(html, "wrong horse") {
		t.Error("the page has the password")
	}
	b.fill("#password", password+kb.Enter)
	b.sees("It is signed in.")
	b.silent("the sign-in")
}

// TestADCIsCutAndBack is seen on the pages of the fleet and of the DCs without loading
// them again.
func TestADCIsCutAndBack(t *testing.T) {
	b := open(t)
	f := newFleet(t, 14) // of fewer it is not said that a DC is lost
	b.enter(f)
	// What the DCs' page has of a row of families, such as "1 directly IPv4 0.4 ms 0.4 ms 0 2 s ago reached".
	const families = `[...document.querySelectorAll("#families tbody tr")].map(r => [...r.cells].map(c => c.innerText.trim()).join(" "))`
	b.open(f.url("/dcs"))
	b.holds(families + `.filter(r => /^[12] directly IPv4 [0-9.]+ ms [0-9.]+ ms 0 .* ago reached$/.test(r)).length === 2`)
	b.picture("dcs-families")
	b.narrow()
	b.picture("dcs-families-narrow")
	b.fits("dcs")
	b.wide()
	b.open(f.url("/"))
	b.holds(`document.getElementById("grid")?.dataset.ready === "yes"`)
	for dc := 1; dc <= 2; dc++ {
		f.ask("/fault", map[string]any{"kind": "stop_dc", "dc": dc})
	}
	b.sees("connecting")
	b.sees("are without it")
	b.picture("fleet-outage")
	b.open(f.url("/dcs"))
	b.sees("down")
	b.holds(families + `.filter(r => / ms [1-9][0-9]* .* not reached$/.test(r)).length === 2`)
	b.picture("dcs-outage")
	for dc := 1; dc <= 2; dc++ {
		f.ask("/fault", map[string]any{"kind": "start_dc", "dc": dc})
	}
	b.holds(`document.querySelectorAll("#dcs .badge.bad").length === 0 && document.querySelectorAll("#dcs .badge.ok").length > 0`)
	b.open(f.url("/"))
	b.holds(`document.querySelectorAll("#rows .badge.ok").length === 14 && document.querySelectorAll("#outages .alarm").length === 0`)
	b.silent("an outage")
}

// TestByKeyboardAlone filters, selects, looks at what an action touches, and does it.
func TestByKeyboardAlone(t *testing.T) {
	b := open(t)
	f := newFleet(t, 3)
	b.enter(f)
	b.tabTo("a.skip")
	b.tabTo(`nav a[aria-current=page]`)
	b.tabTo("#search")
	b.press("bot-2")
	b.holds(`document.querySelectorAll("#rows tr[data-id]").length === 1`)
	b.tabTo("#choose-all")
	b.press(kb.Enter)
	b.tabTo("button[data-act=pause]")
	b.press(kb.Enter)
	b.sees("It touches 1:")
	b.holds(`document.activeElement.id === "act-go"`)
	b.picture("bulk-plan")
	b.press(kb.Enter)
	b.sees("1 done.")
	b.holds(`document.activeElement.id === "act-stop"`)
	b.press(kb.Enter)
	b.holds(`document.querySelector("#rows .badge").textContent === "paused"`)
	if out := f.run("account", "list"); !strings.Contains(out, "paused") {
		t.Errorf("the manager lists\n%s", out)
	}
	// From row to row, and into an account.
	b.tabTo("#grid")
	b.press(kb.ArrowDown)
	b.holds(`document.activeElement.textContent === "bot-2"`)
	b.press(kb.Enter)
	b.sees("It is paused: it keeps its keys")
	b.tabTo("#do-resume")
	b.press(kb.Enter)
	b.sees("It is online.")
	b.silent("the keyboard")
}

// TestAPageSaysThatItIsNotLet: links are good once, and who has signed out is out.
func TestAPageSaysThatItIsNotLet(t *testing.T) {
	b := open(t)
	f := newFleet(t, 0)
	b.open(f.url("/dcs"))
	b.sees("Nobody is signed in here.")
	b.forget() // of the status 401
	link := f.run("dashboard")
	b.open(link)
	b.holds(`location.pathname === "/"`)
	b.silent("the way in")
	b.open(link)
	b.sees("This link was used already")
	b.forget() // of the status 403
	b.open(f.url("/"))
	b.click("header form button")
	b.sees("You are signed out.")
	b.open(f.url("/"))
	b.sees("Nobody is signed in here.")
}
