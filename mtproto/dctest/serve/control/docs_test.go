package control_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// example is a curl command of docs/testdc.md and the answer below it.
var example = regexp.MustCompile("(?s)```sh\ncurl -s (-X [A-Z]+ )?\"?\\$DC(/[^ \"\n]*)\"?(?: -d '([^\n]*)')?\n```\n(?:```json\n(.*?)```)?")

// TestThePageShowsWhatIsPrinted finds every answer of docs/testdc.md in the contract.
func TestThePageShowsWhatIsPrinted(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/testdc.md")
	if err != nil {
		t.Fatal(err)
	}
	contract, err := os.ReadFile("testdata/contract.txt")
	if err != nil {
		t.Fatal(err)
	}
	found := example.FindAllStringSubmatch(string(page), -1)
	if n := strings.Count(string(page), "```sh\ncurl "); len(found) != n || n < 10 {
		t.Fatalf("%d of %d examples are understood", len(found), n)
	}
	for _, m := range found {
		method := strings.TrimSpace(strings.TrimPrefix(m[1], "-X "))
		switch {
		case method != "":
		case m[3] != "":
			method = "POST"
		default:
			method = "GET"
		}
		request := strings.TrimSpace("> " + method + " " + m[2] + " " + m[3])
		if m[4] == "" {
			continue // an example without its answer, with words for what differs
		}
		_, after, ok := strings.Cut(string(contract), "\n"+request+"\n")
		if !ok {
			t.Errorf("the contract does not have %s", request)
			continue
		}
		_, after, _ = strings.Cut(after, "\n") // the status
		answer, _, _ := strings.Cut(after, "\n\n")
		if !matches(strings.Split(strings.TrimSpace(m[4]), "\n"), strings.Split(strings.TrimSpace(answer), "\n")) {
			t.Errorf("%s prints\n%s\nand the page shows\n%s", request, answer, m[4])
		}
	}
}

// matches compares lines; "..." stands for any number of them.
func matches(shown, printed []string) bool {
	if len(shown) == 0 {
		return len(printed) == 0
	}
	if shown[0] == "..." {
		for i := range len(printed) + 1 {
			if matches(shown[1:], printed[i:]) {
				return true
			}
		}
		return false
	}
	return len(printed) > 0 && shown[0] == printed[0] && matches(shown[1:], printed[1:])
}
