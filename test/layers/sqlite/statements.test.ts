import { assert, describe, it } from "@effect/vitest"
import { isOfConnection, isRead } from "../../../layers/sqlite/Statements.ts"

describe("which connection a statement goes to", () => {
  it("reads are what can only read, on any connection", () => {
    for (const sql of [
      "SELECT 1",
      " \n-- a\n/* b */ select * from t",
      "VALUES (1)",
      "WITH a AS (SELECT 1) SELECT * FROM a",
      "SELECT updated, deleted_at, temp FROM t"
    ]) {
      assert.isTrue(isRead(sql), sql)
    }
    for (const sql of [
      "INSERT INTO t VALUES (1)",
      "WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a",
      "WITH a AS (SELECT 1) DELETE FROM t",
      "/* SELECT */ UPDATE t SET x = 1",
      "-- SELECT\nREPLACE INTO t VALUES (1)",
      "SELECT changes()",
      "SELECT last_insert_rowid()",
      "PRAGMA user_version",
      "EXPLAIN SELECT 1",
      "BEGIN",
      "selection",
      ""
    ]) {
      assert.isFalse(isRead(sql), sql)
    }
  })

  it("what changes one connection alone keeps the reads there", () => {
    for (const sql of [
      "CREATE TEMP TABLE t (x)",
      "create temporary view v as select 1",
      "CREATE -- a\n /* b */ TEMP TRIGGER x",
      "PRAGMA case_sensitive_like(1)",
      "ATTACH 'x.db' AS x",
      "PRAGMA case_sensitive_like = ON",
      "CREATE TABLE t (x); PRAGMA reverse_unordered_selects=1"
    ]) {
      assert.isTrue(isOfConnection(sql), sql)
    }
    for (const sql of [
      "CREATE TABLE t (x)",
      "PRAGMA query_only = ON",
      "PRAGMA table_info(t)",
      "INSERT INTO t (temp) VALUES (1)",
      "SELECT a = 1 FROM t"
    ]) {
      assert.isFalse(isOfConnection(sql), sql)
    }
  })
})
