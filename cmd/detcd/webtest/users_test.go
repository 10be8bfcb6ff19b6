package webtest

import (
	"encoding/json"
	"strings"
	"testing"
)

// Both know users, and what they may do, by JSON as well: whoever asks shows a token in a header.
func TestBothKnowUsers(t *testing.T) {
	etcd, detcd := both(t, "--bcrypt-cost=4")
	bases, tokens := [...]string{etcd, detcd}, [2]map[string]string{}
	for _, line := range script(t, "testdata/users.txt") {
		who, request, named := strings.Cut(line, " ")
		if !strings.HasPrefix(who, "@") {
			same(t, etcd, detcd, line)
			continue
		}
		var answers [2]answer
		for i, base := range bases {
			if tokens[i] == nil {
				tokens[i] = map[string]string{
					"@u1": login(t, base, "u1", "pw1"), "@root": login(t, base, "root", "pw"), "@zzz": "zzz",
				}
			}
			answers[i] = ask(t, base, request, "Authorization: "+tokens[i][who])
		}
		if !named {
			t.Fatalf("no request in %q", line)
		}
		compare(t, request, []string{who}, answers[0], answers[1])
	}
}

// login gives the token that a server gives for a password.
func login(t *testing.T, base, name, password string) string {
	t.Helper()
	said := ask(t, base, `POST /v3/auth/authenticate {"name":"`+name+`","password":"`+password+`"}`)
	var response struct{ Token string }
	if err := json.Unmarshal([]byte(said.text), &response); err != nil || response.Token == "" {
		t.Fatalf("%s: %d %s", name, said.status, said.text)
	}
	return response.Token
}
