package dctest_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
)

// Each rule says how severe a breach is and what the client gets; those that documents hold name the page.
func TestEveryRuleHasItsRuling(t *testing.T) {
	source, err := os.ReadFile("violation.go")
	if err != nil {
		t.Fatal(err)
	}
	rules := regexp.MustCompile(`Rule\w+\s+Rule = "(\w+)"`).FindAllSubmatch(source, -1)
	if len(rules) < 20 {
		t.Fatalf("%d rules found", len(rules))
	}
	for _, m := range rules {
		rule := dctest.Rule(m[1])
		switch rule.Severity() {
		case dctest.SeverityInfo, dctest.SeverityNoted, dctest.SeverityRefused:
		default:
			t.Errorf("%s has severity %q", rule, rule.Severity())
		}
		if rule.Answer() == "" {
			t.Errorf("%s: the client gets nothing", rule)
		}
	}
}
