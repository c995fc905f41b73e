// `import`, `process` and `verify` as they are run: what they print, write and exit with.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { exitFinding, exitGood, exitUsage } from '../cli/command.ts'

const bin = fileURLToPath(new URL('../cli/bin.js', import.meta.url))
const example = fileURLToPath(new URL('../../docs/examples/shopping-log.mapping.yaml', import.meta.url))

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'reelpulse-import-command-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

async function run(...words: string[]) {
  const env = { ...process.env, REELPULSE_DATA: join(directory, 'data'), KAFKA_BROKERS: '', CLICKHOUSE_URL: '' }
  const child = spawn(process.execPath, [bin, ...words], { env })
  const [out, err]: [Buffer[], Buffer[]] = [[], []]
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  const text = Buffer.concat(out).toString()
  const lines = text.trim().split('\n')
  return {
    code,
    out: text,
    err: Buffer.concat(err).toString(),
    last: lines.at(-1)!,
    figures: () => JSON.parse(lines.at(-1)!) as Record<string, unknown>,
  }
}

function fileOf(name: string, text: string): string {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}

const importing = (file: string, ...more: string[]) => run('import', file, '--mapping', example, ...more)
const rows = '1,10,100,pv,1511848894\n2,11,100,buy,1511848890\n1,10,100,fav,1511848900\n'

test('a file is imported, processed and verified', async () => {
  const file = fileOf('good.csv', rows)
  const imported = await importing(file, '--topic', 'shop', '--json')
  expect(imported).toMatchObject({ code: exitGood })
  expect(imported.figures()).toMatchObject({
    topic: 'shop', state: 'imported', rows: 3, badRows: 0, events: 6, flushes: 3, users: 2, from: '2017-11-28T06:01:30.000Z', to: '2017-11-28T06:01:40.000Z',
  }) // prettier-ignore

  const again = await importing(file, '--topic', 'shop')
  expect([again.code, again.out]).toEqual([exitGood, 'shop: shopping-log is there already, all 3 rows of it; nothing was done\n'])

  const processed = await run('process', '--topic', 'shop', '--until-end', '--json')
  expect(processed).toMatchObject({ code: exitGood })
  expect(processed.figures()).toMatchObject({ events: 6, duplicates: 0, rejected: 0, rows: { events: 6, tier_changes: 2 } })
  expect((await run('process', '--topic', 'shop', '--until-end', '--json')).figures()).toMatchObject({
    events: 0,
    rows: { events: 6, tier_changes: 2 },
  })

  const verified = await run('verify', '--topic', 'shop')
  expect(verified.code).toBe(exitGood)
  expect(verified.last).toMatch(/^\d+ rows compared, 0 differ$/)
})

test('bad rows are a finding: told, counted, and written where --rejects says; the others come in', async () => {
  const bad = Array.from({ length: 30 }, (_, i) => `1,10,100,look,${1511848894 + i}\n`).join('')
  const rejects = join(directory, 'rejects.jsonl')
  const { code, err, figures } = await importing(fileOf('bad.csv', bad + rows), '--topic', 'bad', '--rejects', rejects, '--json')
  expect(code).toBe(exitFinding)
  expect(figures()).toMatchObject({ rows: 33, badRows: 30, events: 6 })
  expect(err.match(/bad\.csv, line \d+: behavior: "look" is none of pv, cart, fav, buy/g)).toHaveLength(20)
  expect(err).toContain('and 10 more bad rows')
  const told = readFileSync(rejects, 'utf8').trim().split('\n').map((line) => JSON.parse(line) as unknown) // prettier-ignore
  expect(told).toHaveLength(30)
  expect(told[29]).toEqual({ line: 30, reason: 'behavior: "look" is none of pv, cart, fav, buy' })
})

test('--dry-run looks and writes nothing', async () => {
  const { code, out } = await importing(fileOf('dry.csv', rows), '--topic', 'dry', '--dry-run')
  expect(code).toBe(exitGood)
  expect(out).toContain('not written: 3 rows, 0 of them bad; 6 events of 2 users in 3 flushes')
  expect((await run('process', '--topic', 'dry', '--until-end')).err).toContain('topic dry does not exist')
})

test('wrong usage says what is wrong and exits 2', async () => {
  const file = fileOf('usage.csv', rows)
  const wrong = fileOf('wrong.yaml', readFileSync(example, 'utf8').replace('cart: like', 'cart: liked'))
  const headed = fileOf('headed.yaml', readFileSync(example, 'utf8').replace(/csv:\n.*\n.*\n/, ''))
  const cases: [string[], string][] = [
    [[file, '--mapping', example], 'behavior-events is for live traffic'],
    [[file, '--mapping', wrong, '--topic', 'x'], 'wrong.yaml: behavior.values.cart: got "liked", wants a behaviour'],
    [[file, '--mapping', headed, '--topic', 'x'], 'usage.csv: the header lacks'],
    [[join(directory, 'none.csv'), '--mapping', example, '--topic', 'x'], 'none.csv is no file'],
    [[file, '--topic', 'x'], '--mapping'],
  ]
  for (const [words, says] of cases) {
    const { code, err } = await run('import', ...words)
    expect([code, err]).toEqual([exitUsage, expect.stringContaining(says)])
  }
})
