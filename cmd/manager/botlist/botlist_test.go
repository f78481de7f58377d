package botlist

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const token, other = "123456789:AAF0bcdefghijklmnopqrstuvwxyz012345", "987654321:AAF0bcdefghijklmnopqrstuvwxyz012345"

func TestAListIsReadWithTheLinesOfItsBots(t *testing.T) {
	bots, err := Read(strings.NewReader("\ufeffName, token, proxy, labels\n\nbot1," + token + ",,\n\"bot2\"," + other + ",socks5://h:1,env=prod team=a\n"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range bots {
		got = append(got, strings.Join([]string{b.String(), b.Token, b.Proxy, b.Labels.String()}, "|"))
	}
	want := []string{"bot bot1|" + token + "||", "bot bot2|" + other + "|socks5://h:1|env=prod,team=a"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if bots[0].Line != 3 || bots[1].Line != 4 || bots[1].UserID() != 987654321 {
		t.Errorf("%d, %d, %d", bots[0].Line, bots[1].Line, bots[1].UserID())
	}
}

func TestWhatIsWrongIsToldWithItsLineAndWithoutASecret(t *testing.T) {
	for _, c := range []struct {
		what, text string
		want       []string
	}{
		{"an empty file", "", []string{"line 1: the first line must name"}},
		{"no header", "bot1," + token + "\n", []string{"line 1: column 1 of the header is none"}},
		{"no token column", "name,labels\n", []string{"line 1: the first line must name"}},
		{"a column twice", "name,token,name\n", []string{"line 1: column 3"}},
		{"nobody", "name,token\n", []string{"line 1: there is no bot"}},
		{"several lines", "name,token,labels\nBOT," + token + ",\nb,12345,\nc," + other + ",x\nc," + other + ",a=b\nd," + token + ",,,\n",
			[]string{"line 2: the name is none", "line 3: the token is none", "line 4: labels are KEY=VALUE", "line 5: the name c is that of line 4", "line 5: the token is that of line 4", "line 6: there are 5 fields, and 3 columns"}},
		{"quotes", "name,token\na,\"" + token + "\nb," + other + "\n", []string{"the quotes are wrong"}},
		{"far too many problems", "name,token\n" + strings.Repeat("a,b\n", 30), []string{"line 2: ", "and "}},
	} {
		bots, err := Read(strings.NewReader(c.text))
		var bad *Error
		if !errors.As(err, &bad) || bots != nil {
			t.Errorf("%s: %v, %v", c.what, bots, err)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q is not in %v", c.what, want, err)
			}
		}
		if strings.Contains(err.Error(), "AAF0") || strings.Contains(err.Error(), "12345") {
			t.Errorf("%s: a token is in %v", c.what, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("name,token,labels,proxy\nbot1," + token + ",env=prod,\n")
	f.Add("name,token\n\"a\nb\"," + token)
	f.Fuzz(func(t *testing.T, text string) {
		bots, err := Read(strings.NewReader(text))
		if (err == nil) != (len(bots) > 0) {
			t.Fatalf("%v, %v", bots, err)
		}
		seen := map[string]bool{}
		for _, b := range bots {
			if b.Name == "" || b.Token == "" || b.Line < 2 || seen[b.Name] {
				t.Fatalf("%+v", b)
			}
			seen[b.Name] = true
		}
	})
}
