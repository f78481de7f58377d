package dctest_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/schema"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// dialect is the schema of one layer as the text files tell it: it writes queries and reads answers as a client of that
// layer does, without anything that the test DC uses.
type dialect struct {
	t      testing.TB
	layer  int
	byName map[string]*schema.Definition
	byID   map[uint32]*schema.Definition
	byType map[string][]*schema.Definition
}

var schemaTexts = sync.OnceValue(func() (texts struct {
	now    *schema.Schema
	layers []schema.Layer
}) {
	api, err := schema.Files.ReadFile("api.tl")
	if err != nil {
		panic(err)
	}
	older, err := schema.Files.ReadFile("layers.tl")
	if err != nil {
		panic(err)
	}
	if texts.now, err = schema.Parse(string(api)); err != nil {
		panic(err)
	}
	if texts.layers, err = schema.ParseLayers(string(older)); err != nil {
		panic(err)
	}
	return texts
})

func dialectOf(t testing.TB, layer int) *dialect {
	d := &dialect{t: t, layer: layer, byName: map[string]*schema.Definition{}, byID: map[uint32]*schema.Definition{}, byType: map[string][]*schema.Definition{}}
	texts := schemaTexts()
	for i := range texts.now.Definitions {
		d.byName[texts.now.Definitions[i].Name] = &texts.now.Definitions[i]
	}
	var own *schema.Layer
	for i := range texts.layers {
		if texts.layers[i].Number <= layer && layer < tg.Layer {
			own = &texts.layers[i] // the nearest older one
		}
	}
	if own != nil {
		for _, name := range own.Absent {
			delete(d.byName, name)
		}
		for i := range own.Definitions {
			d.byName[own.Definitions[i].Name] = &own.Definitions[i]
		}
	}
	for _, def := range d.byName {
		d.byID[def.WireID()] = def
		d.byType[def.Result.Name] = append(d.byType[def.Result.Name], def)
	}
	return d
}

// write makes a value by name; fields that are not given are absent, or zero where they have to be there.
func (d *dialect) write(name string, given map[string]any) []byte {
	d.t.Helper()
	def := d.byName[name]
	if def == nil {
		d.t.Fatalf("layer %d has no %s", d.layer, name)
	}
	b := tl.AppendUint32(nil, def.WireID())
	for _, f := range def.Fields {
		v, ok := given[f.Name]
		switch {
		case f.IsFlags():
			var bits uint32
			for _, o := range def.Fields {
				if _, there := given[o.Name]; there && o.Flags == f.Name {
					bits |= 1 << o.Bit
				}
			}
			b = tl.AppendUint32(b, bits)
		case f.Type.Name == "true" || f.Optional() && !ok:
		case ok:
			b = appendAny(b, v)
		default:
			b = append(b, d.zero(f.Type)...)
		}
	}
	return b
}

func appendAny(b []byte, v any) []byte {
	switch v := v.(type) {
	case int:
		return tl.AppendInt32(b, int32(v))
	case int64:
		return tl.AppendInt64(b, v)
	case string:
		return tl.AppendString(b, v)
	case []byte:
		return append(b, v...)
	}
	panic(fmt.Sprintf("a field of %T", v))
}

func (d *dialect) zero(typ schema.Type) []byte {
	switch typ.Name {
	case "int":
		return make([]byte, 4)
	case "long":
		return make([]byte, 8)
	case "string", "bytes":
		return tl.AppendString(nil, "")
	case "Bool":
		return tl.AppendBool(nil, false)
	case "Vector":
		return tl.AppendVectorHeader(nil, 0)
	}
	var simplest *schema.Definition
	for _, def := range d.byType[typ.Name] {
		if !def.Function && (simplest == nil || len(def.Fields) < len(simplest.Fields) || len(def.Fields) == len(simplest.Fields) && def.ID < simplest.ID) {
			simplest = def
		}
	}
	return d.write(simplest.Name, nil)
}

// value is what was read: a map of fields for a constructor, with its name under "_".
type fieldsOf = map[string]any

// read takes a value of a type, failing the test where a client would fail.
func (d *dialect) read(r *tl.Reader, typ schema.Type) any {
	switch typ.Name {
	case "int":
		return r.Int32()
	case "long", "double":
		return r.Int64()
	case "string", "bytes":
		return r.String()
	case "Bool":
		return r.Bool()
	case "Vector":
		var list []any
		for range r.VectorLen(4) {
			list = append(list, d.read(r, *typ.Elem))
		}
		return list
	}
	id := r.ID()
	def := d.byID[id]
	if def == nil || def.Result.Name != typ.Name || def.Function {
		d.t.Fatalf("a client of layer %d finds %08x (%v) where %s is expected", d.layer, id, def, typ.Name)
	}
	v := fieldsOf{"_": def.Name}
	flags, known := map[string]uint32{}, map[string]uint32{}
	for _, f := range def.Fields {
		if f.IsFlags() {
			flags[f.Name] = r.Uint32()
			continue
		}
		if f.Optional() {
			known[f.Flags] |= 1 << f.Bit
			if flags[f.Flags]&(1<<f.Bit) == 0 || f.Type.Name == "true" {
				continue
			}
		}
		v[f.Name] = d.read(r, f.Type)
	}
	for word, bits := range flags {
		if bits&^known[word] != 0 {
			d.t.Fatalf("a client of layer %d finds unknown bits %#x in %s of %s", d.layer, bits&^known[word], word, def.Name)
		}
	}
	return v
}

// whole reads bytes that are one value of a type, and no more.
func (d *dialect) whole(b []byte, typ schema.Type) any {
	d.t.Helper()
	r := tl.NewReader(b)
	v := d.read(r, typ)
	if err := r.End(); err != nil {
		d.t.Fatalf("a client of layer %d reads %s: %v", d.layer, typ, err)
	}
	return v
}

// layered is a peer that speaks as its layer does.
type layered struct {
	*peer
	*dialect
	plain bool // initConnection was sent
}

// ask sends a query and reads its answer; an rpc_error comes back as its text.
func (l *layered) ask(name string, given map[string]any) (any, string) {
	l.t.Helper()
	body := l.write(name, given)
	if !l.plain {
		body = append(wrapHead(l.layer, l.w), body...)
		l.plain = true
	}
	m := l.Message(l.w.now, body, true)
	l.send(m)
	answer := l.result(m.ID)
	if answer == nil {
		l.t.Fatalf("layer %d: no answer to %s", l.layer, name)
	}
	if text := errorText(answer); text != "" {
		return nil, text
	}
	return l.whole(answer, l.byName[name].Result), ""
}

// must is ask for what has to succeed.
func (l *layered) must(name string, given map[string]any) any {
	l.t.Helper()
	v, text := l.ask(name, given)
	if text != "" {
		l.t.Fatalf("layer %d: %s answers %s", l.layer, name, text)
	}
	return v
}

// contentMethods are asked by clients that have just signed in.
var contentMethods = []string{
	"help.acceptTermsOfService", "help.getTermsOfServiceUpdate", "help.getPeerColors", "help.getPeerProfileColors",
	"help.getPromoData", "help.getCountriesList", "help.getCdnConfig", "help.getAppConfig", "langpack.getLangPack",
	"langpack.getLanguages", "langpack.getDifference", "account.getContentSettings", "account.getNotifySettings",
	"account.getReactionsNotifySettings", "account.getWebBrowserSettings", "account.getChatThemes",
	"account.getSavedMusicIds", "aicompose.getTones", "contacts.getTopPeers", "contacts.getContacts",
	"messages.getDialogs", "messages.getPinnedDialogs", "messages.getPeerDialogs", "messages.getDialogFilters",
	"messages.getAttachMenuBots", "messages.getAvailableEffects", "messages.getAvailableReactions",
	"upload.saveFilePart", "upload.saveBigFilePart",
}

// layersToTry are the listed ones and some between them.
func layersToTry() []int {
	list := append(tg.ListedLayers(), 147, 151, 182, 201, 224)
	slices.Sort(list)
	return list
}
