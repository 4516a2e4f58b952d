// Package tap writes the Test Anything Protocol, version 13. It has the part of the interface of
// github.com/mndrix/tap-go that the validation programs of OCI runtime-tools use; Debian has no package of it.
package tap

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// T is the report of one program: the lines go to Writer.
type T struct {
	Writer io.Writer

	written *int
	isTodo  bool
}

// New returns a report that is written to standard output.
func New() *T {
	return &T{Writer: os.Stdout, written: new(int)}
}

// Header writes the version of the protocol, and how many assertions will follow unless that is 0.
func (t *T) Header(planned int) {
	t.line("TAP version 13")
	if planned > 0 {
		t.line("1..%d", planned)
	}
}

// AutoPlan writes how many assertions there were.
func (t *T) AutoPlan() {
	t.line("1..%d", *t.written)
}

// Ok writes an assertion.
func (t *T) Ok(isTrue bool, description string) {
	*t.written++
	verdict, directive := "ok", ""
	if !isTrue {
		verdict = "not ok"
	}
	if t.isTodo {
		directive = " # TODO"
	}
	t.line("%s %d - %s%s", verdict, *t.written, description, directive)
}

// Pass writes an assertion that holds.
func (t *T) Pass(description string) { t.Ok(true, description) }

// Fail writes an assertion that does not.
func (t *T) Fail(description string) { t.Ok(false, description) }

// Skip writes a number of assertions that were not made.
func (t *T) Skip(number int, reason string) {
	for ; number > 0; number-- {
		t.Pass("# SKIP " + reason)
	}
}

// Todo returns the same report for assertions that need not hold yet.
func (t *T) Todo() *T {
	return &T{Writer: t.Writer, written: t.written, isTodo: true}
}

// Diagnostic writes a comment, of one line or more.
func (t *T) Diagnostic(text string) {
	for _, line := range strings.Split(text, "\n") {
		t.line("# %s", line)
	}
}

// Diagnosticf is Diagnostic with a format.
func (t *T) Diagnosticf(format string, values ...interface{}) {
	t.Diagnostic(fmt.Sprintf(format, values...))
}

// YAML writes details of the assertion before, as JSON, which is YAML.
func (t *T) YAML(details interface{}) error {
	text, err := json.MarshalIndent(details, "  ", "  ")
	if err != nil {
		return err
	}
	t.line("  ---\n  %s\n  ...", text)
	return nil
}

func (t *T) line(format string, values ...interface{}) {
	fmt.Fprintf(t.Writer, format+"\n", values...)
}
