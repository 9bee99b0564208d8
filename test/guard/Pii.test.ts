import { assert, describe, it } from "@effect/vitest"
import { Guard } from "effigent"

const found = (text: string, options?: Parameters<typeof Guard.findPii>[1]) =>
  Guard.findPii(text, options).map(({ end, kind, start }) => `${kind}: ${text.slice(start, end)}`)

describe("findPii", () => {
  it("finds e-mail addresses, and ends them where they end", () => {
    assert.deepStrictEqual(found("Ask jane.doe+news@mail.example.co.uk, or <Jörg@münchen.de>."), [
      "email: jane.doe+news@mail.example.co.uk",
      "email: Jörg@münchen.de"
    ])
    assert.deepStrictEqual(found("a@b, @home, x @ y.com, user@localhost, 3@4.5"), [])
    assert.deepStrictEqual(found("a@b.io@c.io"), ["email: a@b.io"])
  })

  it("finds cards by their Luhn digit, grouped in any way", () => {
    for (const card of [
      "4111111111111111",
      "4111 1111 1111 1111",
      "4111-1111-1111-1111",
      "3782 822463 10005",
      "5555.5555.5555.4444",
      "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
      "4111\u00a01111\u00a01111\u00a01111"
    ]) {
      assert.deepStrictEqual(found(`Card ${card}, thanks`), [`card: ${card}`])
    }
    assert.deepStrictEqual(found("Card 4111 1111 1111 1112"), [])
    assert.deepStrictEqual(found("Order 41111111111111111111111"), [])
  })

  it("finds a card that stands among other groups of digits", () => {
    assert.deepStrictEqual(found("12 4111 1111 1111 1111 12/29", { kinds: ["card"] }), ["card: 4111 1111 1111 1111"])
    assert.deepStrictEqual(found("1234 5678 4111 1111 1111 1111", { kinds: ["card"] }), ["card: 4111 1111 1111 1111"])
  })

  it("finds IBANs by country length and check digits", () => {
    for (const iban of [
      "DE89370400440532013000",
      "DE89 3704 0044 0532 0130 00",
      "gb29 nwbk 6016 1331 9268 19",
      "NO93-8601-1117-947",
      "MT84 MALT 0110 0001 2345 MTLC AST0 01S"
    ]) {
      assert.deepStrictEqual(found(`Pay to ${iban} please`), [`iban: ${iban}`])
    }
    // A wrong check digit; a country that has none; a letter too many.
    assert.deepStrictEqual(found("DE88370400440532013000", { kinds: ["iban"] }), [])
    assert.deepStrictEqual(found("US89370400440532013000", { kinds: ["iban"] }), [])
    assert.deepStrictEqual(found("DE89370400440532013000X", { kinds: ["iban"] }), [])
  })

  it("finds phone numbers, and leaves dates, prices and versions alone", () => {
    for (const phone of [
      "+49 30 123456",
      "+49 (0)30 123456-78",
      "0044 20 7946 0958",
      "+1-555-234-5678",
      "(555) 234-5678",
      "555.234.5678",
      "030 1234567",
      "(030) 123 45-67",
      "0170/1234567",
      "01701234567"
    ]) {
      assert.deepStrictEqual(found(`Call ${phone} today`), [`phone: ${phone}`], phone)
    }
    const others =
      "2024-05-01 12:30:45, 01.05.2024, EUR 1,846.40, v10.20.30, 192.168.100.200, 3.14159265, 12345678, " +
      "1700000000000, #0012, 10-20-30, 0.125000"
    assert.deepStrictEqual(found(others), [])
  })

  it("is not deceived by characters of no width nor by full-width forms, and gives places in the text itself", () => {
    assert.deepStrictEqual(found("x 4111\u200b1111\u200b1111\u200b1111 y"), [
      "card: 4111\u200b1111\u200b1111\u200b1111"
    ])
    assert.deepStrictEqual(found("ja\u00adne@exam\u2060ple.com"), ["email: ja\u00adne@exam\u2060ple.com"])
    assert.deepStrictEqual(found("ｊａｎｅ＠ｅｘａｍｐｌｅ．ｃｏｍ"), ["email: ｊａｎｅ＠ｅｘａｍｐｌｅ．ｃｏｍ"])
    assert.deepStrictEqual(found("４１１１１１１１１１１１１１１１"), ["card: ４１１１１１１１１１１１１１１１"])
  })

  it("takes kinds away and patterns on, in the order of the text", () => {
    const text = "No. K-123456, mail a@b.io, K-654321"
    assert.deepStrictEqual(found(text, { kinds: [], patterns: { customer: /K-\d{6}/ } }), [
      "customer: K-123456",
      "customer: K-654321"
    ])
    assert.deepStrictEqual(found(text, { patterns: { customer: /K-\d{6}/g } }), [
      "customer: K-123456",
      "email: a@b.io",
      "customer: K-654321"
    ])
    assert.deepStrictEqual(found(text, { kinds: [], patterns: { nothing: /x*/ } }), [])
  })

  it("takes time in proportion to the text, whatever the text", () => {
    // Quadratic detectors would take minutes.
    for (const unit of [
      "a",
      "a@",
      "a.",
      "1 ",
      "1-",
      "12",
      "(0",
      "+4 ",
      "DE89 ",
      "a@b.io ",
      "０",
      "\u200b",
      "0 0",
      "@"
    ]) {
      const since = performance.now()
      Guard.findPii(unit.repeat(200_000))
      assert.isBelow(performance.now() - since, 3000, JSON.stringify(unit))
    }
  })
})
