package config

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// linesOf returns the line of each key and list entry of a YAML text, by paths
// such as "store.dir" and "dcs[2].addr".
func linesOf(text []byte) (map[string]int, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	lines := map[string]int{}
	for _, n := range doc.Content {
		if n.Kind != yaml.MappingNode && n.Tag != "!!null" {
			return nil, errNoSettings
		}
		collectLines(n, "", lines, 0)
	}
	return lines, nil
}

// maxDepth is far beyond the three levels of a valid file.
const maxDepth = 20

func collectLines(n *yaml.Node, at string, lines map[string]int, depth int) {
	if depth > maxDepth {
		return
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i].Value
			if at != "" {
				key = at + "." + key
			}
			lines[key] = n.Content[i].Line
			collectLines(n.Content[i+1], key, lines, depth+1)
		}
	case yaml.SequenceNode:
		for i, entry := range n.Content {
			key := fmt.Sprintf("%s[%d]", at, i)
			lines[key] = entry.Line
			collectLines(entry, key, lines, depth+1)
		}
	}
}

// errNoSettings is the error for YAML that is not a mapping. The parser's own
// would quote the text, which may be a secret.
var errNoSettings = errors.New("the file must consist of settings, such as \"api_id: 12345\"")

// yamlMessage is the parser's complaint without its name.
func yamlMessage(err error) string {
	if err == errNoSettings {
		return err.Error()
	}
	s := strings.TrimPrefix(err.Error(), "yaml: ")
	s = strings.TrimPrefix(s, "unmarshal errors:\n")
	return "the file is not YAML: " + strings.Join(strings.Fields(s), " ")
}
