package dctest

import (
	"fmt"
	"time"
)

// A Violation is something a client did that documents or servers do not want, or that is worth a line. The client got
// the real server's answer; the violation is for the test that owns the cluster.
type Violation struct {
	At       time.Time `json:"at"`
	DC       int       `json:"dc"`
	Conn     ConnID    `json:"conn"`
	Key      int64     `json:"key,string,omitempty"`
	Session  int64     `json:"session,string,omitempty"`
	MsgID    int64     `json:"msg_id,string,omitempty"`
	Rule     Rule      `json:"rule"`
	Severity Severity  `json:"severity"`
	Text     string    `json:"text"`
}

// String is one line for a test's failure message.
func (v Violation) String() string {
	return fmt.Sprintf("%s (%s): %s (dc %d, conn %d, session %x, msg_id %x)", v.Rule, v.Severity, v.Text, v.DC, v.Conn, v.Session, v.MsgID)
}

// Severity says what became of a violation. A client that does nothing wrong has none above SeverityInfo.
type Severity string

const (
	// SeverityInfo is nobody's fault or no fault: an old form that is served to this day, a query that this cluster does
	// not know, a packet under a key that the server itself took away.
	SeverityInfo Severity = "info"
	// SeverityNoted is against the documents, and answered all the same, here and by the real servers.
	SeverityNoted Severity = "noted"
	// SeverityRefused was refused, as the real servers do.
	SeverityRefused Severity = "refused"
)

// Rule names what a Violation is about.
type Rule string

// The rules. Pages are at https://core.telegram.org.
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
	RuleOldForm      Rule = "old_form"      // a form of the handshake that documents no longer describe
	RuleTransportDC  Rule = "transport_dc"  // an obfuscated header that names another DC
	RuleDuplicate    Rule = "duplicate"     // a repeated msg_id with another body
	RuleUnknownQuery Rule = "unknown_query" // a constructor the API half does not know
	RuleLayer        Rule = "layer"         // a layer that never was
)

// ruling is how severe a breach of a rule is, if the place that found it does not know better.
type ruling struct {
	severity Severity
	answer   string // what the client gets
	page     string // where that is written, under https://core.telegram.org; "" where only servers tell
}

// Severity is what becomes of a breach of the rule, unless the Violation says otherwise.
func (r Rule) Severity() Severity { return rulings[r].severity }

// Answer is what the client gets for it, in words.
func (r Rule) Answer() string { return rulings[r].answer }

// Page is where the rule is written; "" where only servers tell.
func (r Rule) Page() string {
	if page := rulings[r].page; page != "" {
		return "https://core.telegram.org" + page
	}
	return ""
}

var rulings = map[Rule]ruling{
	RuleFrame:     {SeverityRefused, "-404 or a close", "/mtproto/mtproto-transports#transport-errors"},
	RuleKey:       {SeverityRefused, "-404", "/mtproto/mtproto-transports#transport-errors"},
	RuleMsgKey:    {SeverityRefused, "a close", "/mtproto/security_guidelines#checking-sha256-hash-value-of-msg-key"},
	RuleLength:    {SeverityRefused, "a close", "/mtproto/security_guidelines#checking-message-length"},
	RulePadding:   {SeverityRefused, "a close", "/mtproto/security_guidelines#checking-message-length"},
	RuleSession:   {SeverityRefused, "-404", ""},
	RuleMsgID:     {SeverityRefused, "bad_msg_notification 16, 17, 18", "/mtproto/service_messages_about_messages#notice-of-ignored-error-message"},
	RuleOrder:     {SeverityNoted, "served", "/mtproto/description#message-identifier-msg-id"},
	RuleSeqNo:     {SeverityRefused, "bad_msg_notification 32, 33, 35", "/mtproto/service_messages_about_messages#notice-of-ignored-error-message"},
	RuleContainer: {SeverityRefused, "bad_msg_notification 64", "/mtproto/service_messages_about_messages#notice-of-ignored-error-message"},
	RuleGzip:      {SeverityRefused, "bad_msg_notification 64", "/mtproto/service_messages#packed-object"},
	RuleIDList:    {SeverityRefused, "-429", "/mtproto/mtproto-transports#transport-errors"},
	RuleTL:        {SeverityRefused, "INPUT_FETCH_ERROR", "/api/errors"},
	RuleUnbound:   {SeverityRefused, "AUTH_KEY_PERM_EMPTY", "/api/errors"},
	RuleBind:      {SeverityRefused, "ENCRYPTED_MESSAGE_INVALID and others", "/method/auth.bindTempAuthKey#possible-errors"},
	RuleInit:      {SeverityRefused, "CONNECTION_NOT_INITED", "/api/errors"},
	RuleHandshake: {SeverityRefused, "-404 or -444", "/mtproto/mtproto-transports#transport-errors"},
	RuleOldForm:   {SeverityInfo, "served", "/mtproto/auth_key"},
	// A direct connection is to the DC it reaches; only a proxy reads the field.
	RuleTransportDC:  {SeverityInfo, "served", "/mtproto/mtproto-transports#transport-obfuscation"},
	RuleDuplicate:    {SeverityNoted, "the first answer again", ""},
	RuleUnknownQuery: {SeverityInfo, "INPUT_METHOD_INVALID", "/api/errors"},
	RuleLayer:        {SeverityRefused, "CONNECTION_LAYER_INVALID", "/api/invoking#layers"},
}

// violate writes a violation down. Without a severity it gets its rule's.
func (c *Cluster) violate(v Violation) {
	if v.Severity == "" {
		v.Severity = v.Rule.Severity()
	}
	c.violationCount++
	switch v.Severity {
	case SeverityRefused:
		c.refusedCount++
	case SeverityNoted:
		c.notedCount++
	}
	if c.violationsKept == nil {
		c.violationsKept = make(map[Severity]int, 3)
	}
	if c.violationsKept[v.Severity] < maxViolations {
		c.violationsKept[v.Severity]++
		c.violations = append(c.violations, v)
	}
}

// Violations returns what was written down so far, the first 1000 of each severity, and how much in all.
func (c *Cluster) Violations() (list []Violation, total int) {
	return append([]Violation(nil), c.violations...), c.violationCount
}
