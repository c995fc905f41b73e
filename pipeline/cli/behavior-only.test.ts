import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { exitUsage } from './command.ts'

const bin = fileURLToPath(new URL('bin.js', import.meta.url))

test.each([
  ['of signals only ids are', 'repartition'],
  ['name that one', 'detect'],
  ['made of purchases', 'refit'],
  ['name that one', 'start'],
  ['name that one', 'serve'],
  ['come with npm start', 'simulate', '--events', '10'],
  ['events of behaviour', 'import', bin, '--mapping', bin],
])('“%s”: with a topic of customer signals %s is refused, and nothing is touched', async (why, ...words) => {
  const data = mkdtempSync(join(tmpdir(), 'reelpulse-signals-'))
  const outcome = await new Promise<{ code: unknown; err: string }>((resolve) => {
    execFile(process.execPath, [bin, ...words, '--data', data, '--topic', 'customer-signals'], (error, _, err) =>
      resolve({ code: error?.code ?? 0, err }),
    )
  })
  expect(outcome).toEqual({ code: exitUsage, err: expect.stringContaining(`customer signals, and ${words[0]} is for behaviour: `) })
  expect(outcome.err).toContain(why)
  expect(readdirSync(data)).toEqual([])
  rmSync(data, { recursive: true })
})
