package dctest

import (
	"fmt"
	"time"
)

// A Violation is one rule of the protocol that a client broke. The client got the real server's answer; the violation
// is for the test that owns the cluster.
type Violation struct {
	At      time.Time `json:"at"`
	DC      int       `json:"dc"`
	Conn    ConnID    `json:"conn"`
	Key     int64     `json:"key,string,omitempty"`
	Session int64     `json:"session,string,omitempty"`
	MsgID   int64     `json:"msg_id,string,omitempty"`
	Rule    Rule      `json:"rule"`
	Text    string    `json:"text"`
}

// String is one line for a test's failure message.
func (v Violation) String() string {
	return fmt.Sprintf("%s: %s (dc %d, conn %d, session %x, msg_id %x)", v.Rule, v.Text, v.DC, v.Conn, v.Session, v.MsgID)
}

// Rule names what a Violation broke.
type Rule string

// The rules (reference section 11).
const (
	RuleFrame        Rule = "frame"         // too short to be a packet, or not what its header says
	RuleKey          Rule = "key"           // a key id this DC does not know
	RuleMsgKey       Rule = "msg_key"       // the packet does not decrypt
	RuleLength       Rule = "length"        // inner length against packet length
	RulePadding      Rule = "padding"       // not 12..1024 bytes
	RuleSession      Rule = "session"       // session id 0
	RuleMsgID        Rule = "msg_id"        // parity or time window
	RuleOrder        Rule = "order"         // msg_id below an earlier one of the same connection
	RuleSeqNo        Rule = "seqno"         // 32..35
	RuleContainer    Rule = "container"     // limits, nesting, member ids
	RuleGzip         Rule = "gzip"          // does not unpack
	RuleIDList       Rule = "id_list"       // more than 8192 ids
	RuleTL           Rule = "tl"            // a body that does not parse
	RuleUnbound      Rule = "unbound"       // an API query on an unbound temp key
	RuleBind         Rule = "bind"          // a bind that is not what 7.3 says
	RuleInit         Rule = "init"          // a query before initConnection
	RuleHandshake    Rule = "handshake"     // a handshake step refused
	RuleTransportDC  Rule = "transport_dc"  // an obfuscated header that names another DC
	RuleDuplicate    Rule = "duplicate"     // a repeated msg_id with another body
	RuleUnknownQuery Rule = "unknown_query" // a constructor the API half does not know
)

func (c *Cluster) violate(v Violation) {
	c.violationCount++
	if len(c.violations) < maxViolations {
		c.violations = append(c.violations, v)
	}
}

// Violations returns what clients did wrong so far (the first 1000) and how often in all.
func (c *Cluster) Violations() (list []Violation, total int) {
	return append([]Violation(nil), c.violations...), c.violationCount
}
