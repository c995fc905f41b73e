import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { readGroup, type Environment } from './group.ts'
import { storeSettings } from './groups.ts'
import type { Problem } from './value.ts'

const folder = mkdtempSync(join(tmpdir(), 'reelpulse-secret-'))
const file = join(folder, 'secret')
writeFileSync(file, 'pass word\n')
writeFileSync(join(folder, 'empty'), '\n')
afterAll(() => rmSync(folder, { recursive: true }))

const read = (env: Environment) => {
  const problems: Problem[] = []
  return { password: readGroup(storeSettings, env, new Map(), problems).password, problems }
}

test('a secret may lie in a file, without its last line break', () => {
  expect(read({ CLICKHOUSE_PASSWORD_FILE: file })).toEqual({ password: 'pass word', problems: [] })
  expect(read({ CLICKHOUSE_PASSWORD_FILE: '', CLICKHOUSE_PASSWORD: 'here' })).toEqual({ password: 'here', problems: [] })
  // As with a variable, empty is not set.
  expect(read({ CLICKHOUSE_PASSWORD_FILE: join(folder, 'empty') })).toEqual({ password: '', problems: [] })
})

test('a file that is not there, or a second place for the same secret, is told without the secret', () => {
  expect(read({ CLICKHOUSE_PASSWORD_FILE: join(folder, 'no') }).problems).toEqual([
    { where: 'CLICKHOUSE_PASSWORD_FILE', got: join(folder, 'no'), wants: 'a file that can be read (ENOENT)' },
  ])
  const { problems } = read({ CLICKHOUSE_PASSWORD_FILE: file, CLICKHOUSE_PASSWORD: 'hush' })
  expect(problems).toEqual([
    { where: 'CLICKHOUSE_PASSWORD_FILE', got: file, wants: 'no value beside CLICKHOUSE_PASSWORD: take one of them' },
  ])
  expect(JSON.stringify(problems)).not.toContain('hush')
})

test('only secrets come from files', () => {
  const problems: Problem[] = []
  expect(readGroup(storeSettings, { CLICKHOUSE_USER_FILE: file }, new Map(), problems).user).toBe('default')
})
