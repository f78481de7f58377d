package dashboard

import (
	"net/http"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

// auditMost are shown of the audit log, the newest.
const auditMost = 500

// auditPage shows who did what. It is read when it is asked for, and stands still.
func (s *Server) auditPage(w http.ResponseWriter, r *http.Request) {
	account := r.URL.Query().Get("account")
	list, err := control.Audit.Call(r.Context(), s.o.Service, control.AuditRequest{Limit: auditMost, Account: account})
	if err != nil {
		s.failed(w, r, err)
		return
	}
	s.show(w, r, http.StatusOK, "Audit", view{}, auditBody(account, list.Entries))
}
