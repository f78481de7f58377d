package main

import (
	"strings"

	"github.com/mtfleet/mtfleet/tl/schema"
)

// initialisms are words that Go writes in one case.
var initialisms = map[string]string{
	"id": "ID", "ids": "IDs", "dc": "DC", "ip": "IP", "url": "URL", "api": "API", "srp": "SRP", "ttl": "TTL",
	"dh": "DH", "pq": "PQ", "rsa": "RSA", "json": "JSON", "rpc": "RPC", "http": "HTTP", "ipv6": "IPv6",
	"cdn": "CDN", "sms": "SMS",
}

// goName turns a TL name into an exported Go name: "auth.sentCode" into "AuthSentCode", "phone_code_hash" into
// "PhoneCodeHash", "help.getNearestDc" into "HelpGetNearestDC".
func goName(name string) string {
	var s strings.Builder
	for _, word := range splitWords(name) {
		if upper, ok := initialisms[strings.ToLower(word)]; ok {
			s.WriteString(upper)
			continue
		}
		s.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return s.String()
}

// splitWords splits a TL name at dots, underscores and before each capital that follows a small letter or a
// digit.
func splitWords(name string) []string {
	var words []string
	start := 0
	cut := func(end int) {
		if end > start {
			words = append(words, name[start:end])
		}
		start = end
	}
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c == '.' || c == '_':
			cut(i)
			start = i + 1
		case c >= 'A' && c <= 'Z' && i > 0 && (name[i-1] < 'A' || name[i-1] > 'Z'):
			cut(i)
		}
	}
	cut(len(name))
	return words
}

// idName is the Go name of the constant with the id of d: that of its struct and ID, or TypeID where the schema has
// another definition of that name (updateStory and updateStoryID).
func (m *model) idName(d *schema.Definition) string {
	name := structName(d)
	if !d.Function && m.names[name+"ID"] {
		return name + "TypeID"
	}
	return name + "ID"
}

// structName is the Go name of the definition's struct.
func structName(d *schema.Definition) string {
	if d.Function {
		return goName(d.Name) + "Request"
	}
	return goName(d.Name)
}

// namespace is the part of a TL name before the dot, "" if there is none.
func namespace(name string) string {
	before, _, ok := strings.Cut(name, ".")
	if !ok {
		return ""
	}
	return before
}
