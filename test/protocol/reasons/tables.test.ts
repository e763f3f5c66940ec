import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import test from "node:test"
import { EVENTS, HTTP_ERRORS, httpStatusOf, isHttpErrorCode, isReasonCode, REASONS } from "#protocol"
import { codesMarkdown } from "../../../protocol/reasons/markdown.ts"

test("behavior: every reason names its subject, a sentence and a rule of the protocol", () => {
  for (const [code, { subject, rule, text }] of Object.entries(REASONS)) {
    assert.match(code, new RegExp(`^${subject.toUpperCase()}_[A-Z0-9_]+$`))
    assert.match(rule, /^R([1-9]|[12][0-9]|3[01]|24a)$/)
    assert.match(text, /^[A-Z].*\.$/, `${code} is no sentence`)
  }
})

test("behavior: every event names a rule and a sentence, and no event is a state under another text", () => {
  for (const [code, { rule, text }] of Object.entries(EVENTS)) {
    assert.match(rule, /^R([1-9]|[12][0-9]|3[01]|24a)$/, code)
    assert.match(text, /^[A-Z].*\.$/, `${code} is no sentence`)
    assert.equal(isReasonCode(code), false, code)
  }
})

test("behavior: every error has a status of refusal and says what to do", () => {
  for (const [code, { status, remedy }] of Object.entries(HTTP_ERRORS)) {
    assert.match(code, /^E_[A-Z0-9_]+$/)
    assert.ok(status >= 400 && status < 600, code)
    assert.match(remedy, /^\S.*\.$/, code)
    assert.equal(httpStatusOf(code), status)
  }
})

test("args: an unknown code is nobody's: 500, and no member of either table", () => {
  assert.equal(httpStatusOf("E_NO_SUCH"), 500)
  for (const code of ["toString", "__proto__", "", "E_NO_SUCH"]) {
    assert.equal(isHttpErrorCode(code), false)
    assert.equal(isReasonCode(code), false)
  }
})

test("behavior: docs/codes.md lists exactly these codes", () => {
  const page = readFileSync(new URL("../../../docs/codes.md", import.meta.url), "utf8")
  assert.equal(page, codesMarkdown(), "run: node protocol/reasons/generate.ts")
})
