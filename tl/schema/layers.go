package schema

import (
	"strconv"
	"strings"
)

// Layer says how an older layer of the API differs from api.tl on the sign-in path.
type Layer struct {
	// Number is the layer.
	Number int
	// Definitions replace those of the same name in api.tl.
	Definitions []Definition
	// Absent names the constructors and functions of api.tl that the layer does not have.
	Absent []string
}

// ParseLayers reads the text of layers.tl: sections that start with "// LAYER n", each with definitions and one
// comment "// absent: name, name". Errors are *SyntaxError.
func ParseLayers(text string) ([]Layer, error) {
	var layers []Layer
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		number, isLayer := strings.CutPrefix(line, "// LAYER ")
		absent, isAbsent := strings.CutPrefix(line, "// absent: ")
		switch {
		case isLayer:
			n, err := strconv.ParseUint(number, 10, 16)
			if err != nil {
				return nil, &SyntaxError{Line: i + 1, Reason: "the layer is not a number"}
			}
			layers = append(layers, Layer{Number: int(n)})
			continue
		case line == "" || !isAbsent && strings.HasPrefix(line, "//"):
			continue
		case len(layers) == 0:
			return nil, &SyntaxError{Line: i + 1, Reason: "it belongs to no layer"}
		}
		layer := &layers[len(layers)-1]
		if isAbsent {
			for _, name := range strings.Split(absent, ", ") {
				if !isName(name) {
					return nil, &SyntaxError{Line: i + 1, Reason: strconv.Quote(name) + " is not a name"}
				}
				layer.Absent = append(layer.Absent, name)
			}
			continue
		}
		d, err := parseDefinition(line)
		if err != nil {
			return nil, &SyntaxError{Line: i + 1, Reason: err.Error()}
		}
		d.Line = i + 1
		layer.Definitions = append(layer.Definitions, d)
	}
	return layers, nil
}
