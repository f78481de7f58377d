package transport

import "encoding/binary"

// opening is what the first bytes of a client say.
type opening struct {
	kind       Kind // 0 when obfuscated: the header decides
	obfuscated bool
	skip       int // bytes of the opening that belong to no frame
}

// detect looks at a client's first bytes. When they do not suffice it returns
// how many it has to see first; nothing is decided by fewer bytes than needed.
// The order is safe because obfuscated headers avoid all the other openings
// (see allowedInit).
func detect(b []byte) (o opening, need int, err error) {
	if len(b) < 1 {
		return o, 1, nil
	}
	if b[0] == 0xef {
		return opening{kind: Abridged, skip: 1}, 0, nil
	}
	if len(b) < 4 {
		return o, 4, nil
	}
	switch binary.LittleEndian.Uint32(b) {
	case Intermediate.tag():
		return opening{kind: Intermediate, skip: 4}, 0, nil
	case Padded.tag():
		return opening{kind: Padded, skip: 4}, 0, nil
	case wordHEAD, wordPOST, wordGET, wordOPTI, wordTLS:
		return o, 0, &FrameError{Err: ErrPreamble}
	}
	if len(b) < 8 {
		return o, 8, nil
	}
	if binary.LittleEndian.Uint32(b[4:]) == 0 {
		return opening{kind: Full}, 0, nil // sequence number 0
	}
	if len(b) < initLen {
		return o, initLen, nil
	}
	return opening{obfuscated: true, skip: initLen}, 0, nil
}

// detectBuffered decides the framing from the buffered bytes and consumes the
// opening. It returns how many bytes it has to see first, 0 when it is done.
func (c *Codec) detectBuffered() (need int, err error) {
	d := &c.in
	o, need, err := detect(d.buffered())
	if err != nil || need != 0 {
		return need, err
	}
	kind := o.kind
	if o.obfuscated {
		var dc int16
		header := d.buffered()[:initLen]
		if kind, dc, c.enc, d.dec = deobfuscate(header, c.secret); kind == 0 {
			return 0, &FrameError{Err: ErrPreamble}
		}
		c.dc = int(dc)
	} else if c.secret != nil {
		return 0, &FrameError{Err: ErrPreamble} // a secret is only proven inside obfuscation
	}
	c.kind = kind
	d.consume(o.skip)
	d.decrypt(d.buffered()) // what follows the header was read as it came
	return 0, nil
}
