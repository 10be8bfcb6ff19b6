package access

import (
	"strings"
	"testing"
	"time"
)

// at is a call that was answered.
func at(ask Ask, call, done time.Duration) Operation {
	return Operation{Request: ask, Call: int64(call), Return: int64(done)}
}

// lost is a call that was not answered.
func lost(ask Ask, call time.Duration) Operation {
	return Operation{Request: ask, Call: int64(call), Unknown: true}
}

// denied is a use that was refused.
func denied(call, done time.Duration) Operation {
	return Operation{Request: Use, Call: int64(call), Return: int64(done), Error: "denied"}
}

func TestAPermissionIsThereFromItsGrantToItsRevocation(t *testing.T) {
	const s = time.Second
	for name, c := range map[string]struct {
		want    string // part of the sentence; empty: it holds
		history []Operation
	}{
		"nothing": {},
		"the story of a permission": {"", []Operation{
			denied(0, 1*s), at(Grant, 2*s, 4*s), at(Use, 5*s, 6*s), at(Revoke, 7*s, 9*s),
			denied(10*s, 11*s), at(Grant, 12*s, 13*s), at(Use, 14*s, 15*s)}},
		"a use while it is revoked may go either way": {"", []Operation{
			at(Grant, 0, 1*s), at(Revoke, 2*s, 8*s), at(Use, 3*s, 4*s), denied(5*s, 6*s)}},
		"a use that began before the revocation was acknowledged": {"", []Operation{
			at(Grant, 0, 1*s), at(Revoke, 2*s, 5*s), at(Use, 4*s, 30*s)}},
		"a use after a revocation that nobody acknowledged": {"", []Operation{
			at(Grant, 0, 1*s), lost(Revoke, 2*s), at(Use, 5*s, 6*s), denied(7*s, 8*s)}},
		"a grant that nobody acknowledged comes late": {"", []Operation{
			lost(Grant, 0), at(Revoke, 2*s, 3*s), denied(4*s, 5*s), at(Use, 6*s, 7*s)}},
		"never granted": {"never granted", []Operation{at(Use, 1*s, 2*s)}},
		"served after an acknowledged revocation": {"at 4s and answered at 5s was served",
			[]Operation{at(Grant, 0, 1*s), at(Revoke, 2*s, 3*s), at(Use, 4*s, 5*s)}},
		"served after a revocation, and granted again too late": {"acknowledged at 3s", []Operation{
			at(Grant, 0, 1*s), at(Revoke, 2*s, 3*s), at(Use, 4*s, 5*s), at(Grant, 6*s, 7*s)}},
		"refused though it was granted": {"refused in spite of the permission, whose grant",
			[]Operation{at(Grant, 0, 1*s), denied(2*s, 3*s)}},
		"served after it was refused while it was revoked": {"contradict each other", []Operation{
			at(Grant, 0, 1*s), at(Revoke, 2*s, 9*s), denied(3*s, 4*s), at(Use, 5*s, 6*s)}},
	} {
		got := Judge(c.history, 0)
		if c.want == "" && got != "" || c.want != "" && !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
