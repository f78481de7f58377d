package timeline

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// aDay is a sign-in, a rotation, a loss of the connection, a wait and a restart.
func aDay() []Entry {
	at := time.Date(2026, 3, 1, 22, 59, 58, 120e6, time.UTC)
	in := func(d time.Duration, e Entry) Entry {
		at = at.Add(d)
		e.At = at
		return e.tidy()
	}
	perm, t1, t2, t3, t4 := KeyOf(0x1a2b3c4d5e6f), KeyOf(0x7788), KeyOf(0x99aabbcc), KeyOf(0x12345678), KeyOf(0x5a5a5a5a)
	ms := time.Millisecond
	return []Entry{
		in(0, Entry{Kind: Started}),
		in(3*time.Second, Entry{Kind: Step, Word: "code"}),
		in(20*ms, Entry{Kind: Connected, DC: 2}),
		in(90*ms, Entry{Kind: PermMade, DC: 2, Key: perm}),
		in(60*ms, Entry{Kind: TempMade, DC: 2, Key: t1}),
		in(22*ms, Entry{Kind: Bound, DC: 2, Key: t1}),
		in(1*ms, Entry{Kind: Used, DC: 2, Key: t1}),
		in(10*time.Second, Entry{Kind: State, Word: "online"}),
		in(40*time.Minute, Entry{Kind: Disconnected, DC: 2, Key: t1, Why: "read tcp 127.0.0.1:40312->127.0.0.1:20001: read: connection reset by peer"}),
		in(0, Entry{Kind: State, Word: "connecting", Why: "the connection was lost: connection reset by peer"}),
		in(2*time.Second, Entry{Kind: Connected, DC: 2, Key: t1}),
		in(30*ms, Entry{Kind: State, Word: "online"}),
		in(time.Hour, Entry{Kind: TempMade, DC: 2, Key: t2}),
		in(20*ms, Entry{Kind: Bound, DC: 2, Key: t2}),
		in(0, Entry{Kind: Replaced, DC: 2, Key: t1}),
		in(0, Entry{Kind: Used, DC: 2, Key: t2}),
		in(2*time.Second, Entry{Kind: Closed, DC: 2, Key: t1}),
		in(5*ms, Entry{Kind: Dropped, DC: 2}),
		in(time.Second, Entry{Kind: Connected, DC: 2, Media: true}),
		in(90*ms, Entry{Kind: TempMade, DC: 2, Media: true, Key: t4}),
		in(20*ms, Entry{Kind: Bound, DC: 2, Media: true, Key: t4}),
		in(0, Entry{Kind: Used, DC: 2, Media: true, Key: t4}),
		in(time.Minute, Entry{Kind: Closed, DC: 2, Media: true, Key: t4}),
		in(time.Minute, Entry{Kind: Wait, Word: "messages.sendMessage", Why: "FLOOD_WAIT_30 (caused by messages.sendMessage)", Until: at.Add(90 * time.Second)}),
		in(time.Hour, Entry{Kind: Started}),
		in(10*ms, Entry{Kind: Connected, DC: 4}),
		in(70*ms, Entry{Kind: PermMade, DC: 4, Key: t3}),
		in(10*ms, Entry{Kind: Used, DC: 4, Key: t3}),
		in(time.Minute, Entry{Kind: Lost, DC: 2, Key: t2, Why: "the server does not know the key (-404)"}),
		in(time.Minute, Entry{Kind: Gone, DC: 2, Key: perm, Why: "AUTH_KEY_UNREGISTERED <&>"}),
		in(time.Second, Entry{Kind: State, Word: "revoked", Why: "the key is gone"}),
		in(time.Second, Entry{Kind: Forgotten, DC: 4}),
	}
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *rewrite {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s differs (%v); -rewrite writes it anew:\n%s", path, err, got)
	}
}

func TestATimelineAsTextHasALaneForEachKeyAndFitsATerminal(t *testing.T) {
	var out bytes.Buffer
	if err := Text(&out, "alice", aDay()); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	golden(t, "day.txt", out.Bytes())
}

func TestATimelineAsADrawingIsOneFileForLightAndDark(t *testing.T) {
	var out bytes.Buffer
	if err := SVG(&out, "alice", aDay()); err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(bytes.NewReader(out.Bytes())); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for _, leads := range []string{"href", "url(", "@import", "<script", "<image"} {
		if strings.Contains(out.String(), leads) {
			t.Errorf("it is not whole by itself: %s", leads)
		}
	}
	if !strings.Contains(out.String(), "prefers-color-scheme:dark") {
		t.Error("it has no colours for the dark")
	}
	golden(t, "day.svg", out.Bytes())
}

func TestNothingKnownIsSaid(t *testing.T) {
	var out bytes.Buffer
	if err := Text(&out, "alice", nil); err != nil || out.String() != "Nothing is known of what happened to account alice.\n" {
		t.Errorf("%v %q", err, out.String())
	}
	out.Reset()
	if err := SVG(&out, "alice", nil); err != nil || !strings.HasSuffix(out.String(), "</svg>\n") {
		t.Errorf("%v %q", err, out.String())
	}
}

func TestMoreKeysThanLanesTakeTheOneLongestNotHeardOf(t *testing.T) {
	var list []Entry
	for i := range 3 * lanesMost {
		list = append(list, Entry{Kind: TempMade, DC: 2, Key: KeyOf(int64(i + 1))})
	}
	rows, columns := rowsOf(list)
	last := rows[len(rows)-1].lanes
	if columns != lanesMost || last[lanesMost-1].key != list[len(list)-1].Key || last[0].key != list[2*lanesMost].Key {
		t.Errorf("%d columns, %v", columns, last)
	}
}
