package governor

// note takes in what a dial found out. Of a family that was reached and missed by
// it, it was reached.
func (d *record) note(t Tried) {
	missed := t.Missed &^ t.Reached
	d.tried.Reached = d.tried.Reached&^missed | t.Reached
	d.tried.Missed = d.tried.Missed&^t.Reached | missed
}
