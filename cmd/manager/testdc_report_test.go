package main

import (
	"strings"
	"testing"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
)

func TestViolationsAreToldWorstFirst(t *testing.T) {
	list := []dctest.Violation{
		{DC: 1, Rule: dctest.RuleOldForm, Severity: dctest.SeverityInfo, Text: "inner data without a DC"},
		{DC: 2, Rule: dctest.RuleSeqNo, Severity: dctest.SeverityNoted, Text: "odd seqno 3"},
		{DC: 2, Rule: dctest.RuleSeqNo, Severity: dctest.SeverityNoted, Text: "odd seqno 5"},
		{DC: 2, Rule: dctest.RuleSession, Severity: dctest.SeverityRefused, Text: "session id 0"},
		{DC: 3, Rule: dctest.RuleSeqNo, Severity: dctest.SeverityRefused, Text: "seqno 1, code 32"},
	}
	lines := violationLines(list)
	want := []string{
		"refused  session, once; the first at DC 2: session id 0; answered with -404",
		"refused  seqno, once; the first at DC 3: seqno 1, code 32; answered with bad_msg_notification 32, 33, 35; https://core.telegram.org/mtproto/",
		"noted    seqno, 2 times; the first at DC 2: odd seqno 3; https://core.telegram.org/mtproto/",
		"info     old_form, once; the first at DC 1: inner data without a DC; https://core.telegram.org/mtproto/auth_key",
	}
	if len(lines) != len(want) {
		t.Fatalf("%d lines: %q", len(lines), lines)
	}
	for i := range want {
		if !strings.HasPrefix(lines[i], want[i]) {
			t.Errorf("line %d is %q, want %q", i, lines[i], want[i])
		}
	}
	if lines := violationLines(nil); lines != nil {
		t.Errorf("of nothing: %q", lines)
	}
}
