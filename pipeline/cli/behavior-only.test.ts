import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { exitUsage } from './command.ts'

const bin = fileURLToPath(new URL('bin.js', import.meta.url))

test.each([
  ['replay'],
  ['repartition'],
  ['skip'],
  ['peek', 'ann'],
  ['doctor'],
  ['detect'],
  ['refit'],
  ['start'],
  ['simulate', '--events', '10'],
  ['import', bin, '--mapping', bin],
])('%s of a topic of customer signals is refused, and nothing is touched', async (...words) => {
  const data = mkdtempSync(join(tmpdir(), 'reelpulse-signals-'))
  const outcome = await new Promise<{ code: unknown; err: string }>((resolve) => {
    execFile(process.execPath, [bin, ...words, '--data', data, '--topic', 'customer-signals'], (error, _, err) =>
      resolve({ code: error?.code ?? 0, err }),
    )
  })
  expect(outcome).toEqual({ code: exitUsage, err: expect.stringContaining(`customer signals, and ${words[0]} is for behaviour`) })
  expect(readdirSync(data)).toEqual([])
  rmSync(data, { recursive: true })
})
