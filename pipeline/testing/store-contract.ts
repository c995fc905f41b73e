// What every Store does, whatever engine is behind it: one suite, run on each (pipeline/adapters/store.test.ts).
import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTable, quoteName } from '../../schemas/ddl.ts'
import {
  bytes,
  enumeration,
  fieldTable,
  float64,
  instant,
  int32,
  int64,
  list,
  nullable,
  string,
  stringMap,
  uint16,
  uint32,
  uint64,
  uint8,
  uuid,
  word,
} from '../../schemas/field.ts'
import { encodeRows, rowBinaryWriter } from '../../schemas/row-binary.ts'
import { table, type Table } from '../../schemas/table.ts'
import { tables as allTables } from '../../schemas/tables/catalogue.ts'
import { StoreAway, StoreRefused, type Store } from '../ports/store.ts'

export type StoreBackend = {
  store(database: string): Store
  /** kill -9 of the engine, which something else starts again. Undefined where the engine is not the test's to kill. */
  kill: (() => Promise<void>) | undefined
  close(): Promise<void>
}

const wide = table({
  name: 'wide',
  record: fieldTable('Wide', {
    id: uint32(),
    text: string('it\'s a "doc" with \\ and `ticks`'),
    word: word(),
    bytes: bytes(),
    uuid: uuid(),
    choice: enumeration('Choice', ['a', "b's", 'c']),
    instant: instant(),
    u8: uint8(),
    u16: uint16(),
    i32: int32(),
    i64: int64(),
    u64: uint64(),
    f64: float64(),
    map: stringMap(),
    words: list(word()),
    floats: list(float64()),
    maybeText: nullable(string()),
    maybeWord: nullable(word()),
    maybeInstant: nullable(instant()),
    maybeInt: nullable(int64()),
  }),
  engine: { kind: 'append' },
  orderBy: ['id'],
  partitionBy: 'toYYYYMM(instant)',
})

const small = table({
  name: 'small',
  record: fieldTable('Small', { id: uint32(), text: bytes() }),
  engine: { kind: 'append' },
  orderBy: ['id'],
  partitionBy: 'intDiv(id, 1000000000)',
})
const smallColumns = ['id', 'text']

/** Rows of `small`, ids from `from`. */
function smallRows(from: number, count: number, text: (id: number) => Uint8Array = () => new Uint8Array([120])): Uint8Array {
  const out = rowBinaryWriter()
  for (let id = from; id < from + count; id++) {
    out.u32(id)
    const value = text(id)
    out.bytes(value, 0, value.length)
  }
  return out.buffer.slice(0, out.length)
}

export function storeContract(name: string, open: () => Promise<StoreBackend>): void {
  describe(`a store (${name})`, () => {
    let backend: StoreBackend
    const opened: { database: string; store: Store }[] = []
    beforeAll(async () => {
      backend = await open()
    })
    afterAll(async () => {
      for (const { database, store } of opened) {
        await retried(() => store.command(`DROP DATABASE IF EXISTS ${quoteName(database)}`))
        await store.close()
      }
      await backend?.close()
    })

    /** A database of the test's own. */
    async function migrated(tables: readonly Table[] = [small]): Promise<{ store: Store; database: string }> {
      const database = `contract_${randomBytes(6).toString('hex')}`
      const store = backend.store(database)
      opened.push({ database, store })
      await store.migrate(tables, [])
      return { store, database }
    }

    describe('migrates', () => {
      test('all tables, twice, with views over them', async () => {
        const { store } = await migrated([])
        const views = [{ name: 'users', select: 'SELECT user_id, max(as_of) AS seen FROM user_features GROUP BY user_id' }]
        await store.migrate(allTables, views)
        await store.migrate(allTables, views)
        const found = await store.query<{ name: string }>('SELECT name FROM system.tables WHERE database = currentDatabase() ORDER BY name')
        expect(found.map(({ name }) => name)).toEqual([...allTables.map(({ name }) => name), 'schema_version', 'users'].toSorted())
        expect(await store.query('SELECT * FROM users')).toEqual([])
      })

      test('a view to its new form', async () => {
        const { store } = await migrated()
        await store.migrate([small], [{ name: 'v', select: 'SELECT 1 AS a' }])
        await store.migrate([small], [{ name: 'v', select: 'SELECT id, 2 AS b FROM small' }])
        expect(
          await store.query('SELECT name FROM system.columns WHERE database = currentDatabase() AND table = {t:String}', { t: 'v' }),
        ).toEqual([{ name: 'id' }, { name: 'b' }])
      })

      test('a table that lacks columns, and keeps its rows', async () => {
        const { store } = await migrated()
        await store.insert({ table: 'small', columns: smallColumns, rows: smallRows(1, 1), token: 'a' })
        const grown = table({
          ...small,
          record: fieldTable('Small', { ...small.record.fields, added: nullable(int64('new')), other: word() }),
        })
        await store.migrate([grown], [])
        expect(await store.query('SELECT id, added, other FROM small')).toEqual([{ id: 1, added: null, other: '' }])
      })

      test('an enumeration that gained a symbol', async () => {
        const of = (...symbols: string[]) =>
          table({
            ...small,
            record: fieldTable('Small', { ...small.record.fields, e: enumeration('E', symbols), n: nullable(enumeration('N', symbols)) }),
          })
        const { store } = await migrated([of('x')])
        await store.migrate([of('x', 'y')], [])
        await store.command("INSERT INTO small (id, e, n) VALUES (1, 'y', 'y')")
        expect(await store.query('SELECT e, n FROM small')).toEqual([{ e: 'y', n: 'y' }])
        await expect(store.migrate([of('y', 'x')], [])).rejects.toThrow(/column e of type Enum8/)
      })

      test.each([
        [
          'a column of another type',
          { ...small, record: fieldTable('Small', { id: uint32(), text: int64() }) },
          /column text of type String, not Int64/,
        ],
        ['another engine', { ...small, engine: { kind: 'latest', version: 'id' } as const }, /of engine MergeTree, not ReplacingMergeTree/],
        ['another order', { ...small, orderBy: ['id', 'text'] }, /ordered by \(.*id.*\), not \(id, text\)/],
      ])('never by force: %s is refused', async (_, other: Table, message) => {
        const { store } = await migrated()
        const refused = store.migrate([other], [])
        await expect(refused).rejects.toBeInstanceOf(StoreRefused)
        await expect(refused).rejects.toThrow(message)
      })

      test('no database of a newer program', async () => {
        const { store } = await migrated()
        await store.command('INSERT INTO schema_version (version) VALUES (1000000)')
        await expect(store.migrate([small], [])).rejects.toThrow(/schema version 1000000/)
      })
    })

    describe('inserts', () => {
      const count = async (store: Store): Promise<number> => (await store.query<{ n: number }>('SELECT count() AS n FROM small'))[0]!.n

      test('the same token twice leaves one copy', async () => {
        const { store } = await migrated()
        const block = { table: 'small', columns: smallColumns, rows: smallRows(0, 500), token: "log/topic's/0/1-2/small/0" }
        await store.insert(block)
        await store.insert(block)
        expect(await count(store)).toBe(500)
      })

      test('the same rows under another token are other rows', async () => {
        const { store } = await migrated()
        const rows = smallRows(0, 10)
        await store.insert({ table: 'small', columns: smallColumns, rows, token: 'a' })
        await store.insert({ table: 'small', columns: smallColumns, rows, token: 'b' })
        expect(await count(store)).toBe(20)
      })

      test('the same token twice leaves one copy behind a materialized view too', async () => {
        const { store, database } = await migrated()
        await store.command(createTable(database, { ...small, name: 'copy' }))
        await store.command('CREATE MATERIALIZED VIEW to_copy TO copy AS SELECT id, text FROM small')
        const block = { table: 'small', columns: smallColumns, rows: smallRows(0, 100), token: 'a' }
        await store.insert(block)
        await store.insert(block)
        expect(await store.query('SELECT count() AS n FROM copy')).toEqual([{ n: 100 }])
      })

      test('any bytes, blank lines and what looks like SQL among them', async () => {
        const { store } = await migrated()
        const every = Uint8Array.from({ length: 256 }, (_, byte) => byte)
        const texts = [
          every,
          Buffer.from('\n\n\n'),
          Buffer.from("'); DROP TABLE small; --"),
          Buffer.from(' \r\n\r\n '),
          new Uint8Array(0),
          every.toReversed(),
        ]
        const before = smallRows(0, texts.length, (id) => texts[id]!)
        const rows = before.slice()
        await store.insert({ table: 'small', columns: smallColumns, rows, token: 'a' })
        expect(Buffer.compare(rows, before)).toBe(0)
        const found = await store.query<{ text: string }>('SELECT hex(text) AS text FROM small ORDER BY id')
        expect(found.map(({ text }) => text)).toEqual(texts.map((text) => Buffer.from(text).toString('hex').toUpperCase()))
      })

      test('100,000 rows of 64 MiB as one part', async () => {
        const { store } = await migrated()
        const filler = new Uint8Array(660).fill(120)
        const rows = smallRows(0, 100_000, () => filler)
        expect(rows.length).toBeGreaterThan(63 * 2 ** 20)
        await store.insert({ table: 'small', columns: smallColumns, rows, token: 'a' })
        const parts = "SELECT rows, level FROM system.parts WHERE database = currentDatabase() AND table = 'small' AND active"
        expect(await store.query(parts)).toEqual([{ rows: 100_000, level: 0 }])
        await store.insert({ table: 'small', columns: smallColumns, rows, token: 'a' })
        expect(await store.query(parts)).toEqual([{ rows: 100_000, level: 0 }])
      })

      test('rows of one key uncollapsed: that is for merges', async () => {
        const { store } = await migrated([table({ ...small, engine: { kind: 'latest', version: 'id' }, orderBy: ['text'] })])
        await store.insert({ table: 'small', columns: smallColumns, rows: smallRows(1, 3), token: 'a' })
        expect(await count(store)).toBe(3)
      })

      test('nothing of what is refused', async () => {
        const { store } = await migrated()
        const rows = smallRows(0, 3)
        const cases = [
          { table: 'small', columns: smallColumns, rows: rows.subarray(0, rows.length - 1), token: 'a' },
          { table: 'small', columns: ['id', 'nothing'], rows, token: 'b' },
          { table: 'nothing', columns: smallColumns, rows, token: 'c' },
        ]
        for (const block of cases) await expect(store.insert(block)).rejects.toBeInstanceOf(StoreRefused)
        expect(await count(store)).toBe(0)
      })

      test('a refused block does not spend its token', async () => {
        const { store } = await migrated()
        const rows = smallRows(0, 3)
        await expect(store.insert({ table: 'small', columns: smallColumns, rows: rows.subarray(1), token: 'a' })).rejects.toThrow()
        await store.insert({ table: 'small', columns: smallColumns, rows, token: 'a' })
        expect(await count(store)).toBe(3)
      })

      test('many at once, each once', async () => {
        const { store } = await migrated()
        const blocks = Array.from({ length: 40 }, (_, i) => ({
          table: 'small',
          columns: smallColumns,
          rows: smallRows(i * 50, 50),
          token: `t${i % 20}`,
        }))
        await Promise.all(blocks.map((block) => store.insert(block)))
        expect(await store.query('SELECT count() AS n, count() = uniqExact(id) AS once FROM small')).toEqual([{ n: 1_000, once: 1 }])
      })

      test('every kind of field, as it was', async () => {
        const { store } = await migrated([wide])
        const rows = [
          {
            id: 1,
            text: 'háček 漢字 😀 "\'\\`\n\n\t\0',
            word: 'w',
            bytes: Uint8Array.of(0, 255, 10, 10, 39),
            uuid: Uint8Array.from({ length: 16 }, (_, i) => 0xf0 + i),
            choice: "b's" as const,
            instant: 1_700_000_000_123,
            u8: 255,
            u16: 65_535,
            i32: -(2 ** 31),
            i64: -(2 ** 53 - 1),
            u64: 2 ** 53 - 1,
            f64: 0.1 + 0.2,
            map: { k: 'v', "it's": '\n\n' },
            words: ['a', '', 'c'],
            floats: [1e-300, -0.5],
            maybeText: 't',
            maybeWord: 'w',
            maybeInstant: -1,
            maybeInt: -5,
          },
          {
            id: 2,
            text: '',
            word: '',
            bytes: new Uint8Array(0),
            uuid: new Uint8Array(16),
            choice: 'a' as const,
            instant: 1_700_000_000_000,
            u8: 0,
            u16: 0,
            i32: 0,
            i64: 0,
            u64: 0,
            f64: -1e300,
            map: {},
            words: [],
            floats: [],
            maybeText: null,
            maybeWord: null,
            maybeInstant: null,
            maybeInt: null,
          },
        ]
        await store.insert({ table: 'wide', columns: Object.keys(wide.record.fields), rows: encodeRows(wide.record, rows), token: 'a' })
        const found = await store.query(
          `SELECT * REPLACE (hex(bytes) AS bytes, toUnixTimestamp64Milli(instant) AS instant, toUnixTimestamp64Milli(maybeInstant) AS maybeInstant,
             hex(reinterpretAsFixedString(f64)) AS f64, lower(replaceAll(toString(uuid), '-', '')) AS uuid) FROM wide ORDER BY id`,
        )
        const hexOf = (value: Uint8Array) => Buffer.from(value).toString('hex')
        const hexOfFloat = (value: number) => hexOf(new Uint8Array(new Float64Array([value]).buffer)).toUpperCase()
        expect(found).toEqual(
          rows.map((row) => ({ ...row, bytes: hexOf(row.bytes).toUpperCase(), uuid: hexOf(row.uuid), f64: hexOfFloat(row.f64) })),
        )
      })
    })

    describe('answers', () => {
      test('parameters are values, never SQL', async () => {
        const { store } = await migrated()
        const text = "it's'; DROP TABLE small; -- \\ \t \n \0 \u{1F600} {a:String}"
        expect(
          await store.query('SELECT {a:String} AS a, {b:UInt64} AS b, {c:Array(String)} AS c, {d:Array(Int32)} AS d, {e:Bool} AS e', {
            a: text,
            b: 2 ** 40,
            c: [text, ''],
            d: [1, -2],
            e: true,
          }),
        ).toEqual([{ a: text, b: 2 ** 40, c: [text, ''], d: [1, -2], e: true }])
      })

      test('a parameter may be longer than a URL or a statement', async () => {
        const { store } = await migrated()
        const users = Array.from({ length: 100_000 }, (_, i) => `user-${i}`)
        expect(await store.query('SELECT length({users:Array(String)}) AS n, {users:Array(String)}[-1] AS last', { users })).toEqual([
          { n: 100_000, last: 'user-99999' },
        ])
      })

      test('a parameter of an earlier query is none of a later one', async () => {
        const { store } = await migrated()
        for (let i = 0; i < 8; i++) await store.query('SELECT {a:String} AS a', { a: 'x' })
        await expect(store.query('SELECT {a:String} AS a')).rejects.toBeInstanceOf(StoreRefused)
      })

      test('64-bit integers are numbers where they fit, wherever they stand', async () => {
        const { store } = await migrated()
        const [row] = await store.query(
          `SELECT toUInt64(1) AS a, toInt64(-9007199254740991) AS b, toUInt64(9007199254740992) AS c, toNullable(toInt64(5)) AS d,
             [toUInt64(1), 18446744073709551615] AS e, map('k', toInt64(-7)) AS f, tuple(toInt64(1), 'x') AS g,
             CAST(tuple(toUInt64(2), 'Int64'), 'Tuple(n UInt64, s String)') AS h, toUInt8(3) AS i, '7' AS j, 0.5 AS k, NULL AS l`,
        )
        expect(row).toEqual({
          a: 1,
          b: -9007199254740991,
          c: '9007199254740992',
          d: 5,
          e: [1, '18446744073709551615'],
          f: { k: -7 },
          g: [1, 'x'],
          h: { n: 2, s: 'Int64' },
          i: 3,
          j: '7',
          k: 0.5,
          l: null,
        })
      })

      test('a large result is whole', async () => {
        const { store } = await migrated()
        const rows = await store.query<{ n: number; s: string }>(
          "SELECT number AS n, concat('user-', toString(number)) AS s FROM numbers(300000) ORDER BY n",
        )
        expect(rows).toHaveLength(300_000)
        expect(rows.every(({ n, s }, i) => n === i && s === `user-${i}`)).toBe(true)
      })

      test('an error far into a large result is an error', async () => {
        const { store } = await migrated()
        const query = store.query("SELECT throwIf(number = 900000, 'far in') AS e, repeat('x', 50) AS s FROM numbers(1000000)")
        await expect(query).rejects.toThrow(/far in/)
        await expect(query).rejects.toBeInstanceOf(StoreRefused)
      })

      test.each(['SELECT FROM WHERE', 'SELECT nothing FROM small', 'SELECT * FROM nothing', 'SELECT 1; SELECT 2', 'DROP TABLE nothing'])(
        'what it does not understand it refuses: %s',
        async (sql) => {
          const { store } = await migrated()
          await expect(sql.startsWith('SELECT') ? store.query(sql) : store.command(sql)).rejects.toBeInstanceOf(StoreRefused)
        },
      )

      test('many queries at once, each with its own parameters', async () => {
        const { store } = await migrated()
        const found = await Promise.all(
          Array.from({ length: 60 }, (_, i) =>
            store.query<{ a: string; db: string }>('SELECT {a:String} AS a, sleep(0.01) AS s', { a: `p${i}` }),
          ),
        )
        expect(found.map(([row]) => row!.a)).toEqual(found.map((_, i) => `p${i}`))
      })

      test('that it is there', async () => {
        const { store } = await migrated()
        expect(await store.ping()).toBe(true)
      })
    })

    describe('is killed', () => {
      test('what was acknowledged is there afterwards, and its token is known', async (context) => {
        if (backend.kill === undefined) return context.skip('the engine is not the test to kill')
        const { store } = await migrated()
        const blocks = Array.from({ length: 5 }, (_, i) => ({
          table: 'small',
          columns: smallColumns,
          rows: smallRows(i * 100, 100),
          token: `t${i}`,
        }))
        for (const block of blocks) await store.insert(block)
        await backend.kill()
        for (const block of blocks) await retried(() => store.insert(block))
        expect(await store.query('SELECT count() AS n, uniqExact(id) AS ids FROM small')).toEqual([{ n: 500, ids: 500 }])
      })

      test('under inserts that are retried: each row is there once', async (context) => {
        if (backend.kill === undefined) return context.skip('the engine is not the test to kill')
        const { kill } = backend
        const { store } = await migrated()
        const inserts = 120
        let done = 0
        let kills = 0
        const killer = (async () => {
          for (; kills < 5; kills++) {
            // Somewhere in the next inserts, wherever those are.
            const until = done + 5 + kills * 3
            while (done < until && done < inserts) await pause(1)
            await kill()
          }
        })()
        const writer = async (lane: number): Promise<void> => {
          for (let i = lane; i < inserts; i += 3) {
            await retried(() => store.insert({ table: 'small', columns: smallColumns, rows: smallRows(i * 1_000, 1_000), token: `t${i}` }))
            done++
          }
        }
        await Promise.all([writer(0), writer(1), writer(2), killer])
        expect(kills).toBe(5)
        const found = await retried(() => store.query('SELECT count() AS n, uniqExact(id) AS ids FROM small'))
        expect(found).toEqual([{ n: inserts * 1_000, ids: inserts * 1_000 }])
      })

      test('in the middle of a query: it is away, then back', async (context) => {
        if (backend.kill === undefined) return context.skip('the engine is not the test to kill')
        const { store } = await migrated()
        const query = store.query('SELECT count() FROM numbers(20000000000) WHERE sipHash64(number) = 1')
        const outcome = query.then(
          () => 'answered',
          (error: unknown) => error,
        )
        await retried(async () => {
          const [running] = await store.query<{ n: number }>(
            "SELECT count() AS n FROM system.processes WHERE query LIKE '%sipHash64(number) = 1%'",
          )
          if (running!.n < 2) throw new StoreAway('not there yet')
        })
        await backend.kill()
        expect(await outcome).toBeInstanceOf(StoreAway)
        expect(await retried(() => store.query('SELECT 1 AS one'))).toEqual([{ one: 1 }])
      })
    })
  })
}

/** As the process role does: again and again while the store is away. */
async function retried<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof StoreAway)) throw error
      await pause(20)
    }
  }
}
