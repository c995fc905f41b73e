import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { anomalyAt, caseCsv, writeFolder } from '../../evaluate/hand-made.ts'
import { exitGood, exitUsage } from '../command.ts'

const bin = fileURLToPath(new URL('../bin.js', import.meta.url))
let root: string
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'reelpulse-evaluate-'))
  const entry = (name: string) => `- data: ${name}\n  timestamp: ${anomalyAt}\n  cause: {'cdn':5}\n`
  writeFolder(join(root, 'good'), {
    'anomaly.yaml': entry('20200530_150338_1346609715') + entry('wrong'),
    '20200530_150338_1346609715.csv': caseCsv([{ cdn: '5' }]),
    'wrong.csv': caseCsv([{ p2p: '1' }]),
  })
  writeFolder(join(root, 'bad'), { 'anomaly.yaml': entry('x'), 'x.csv': 'min,value,cnt,cdn\n1,2,three,4\n' })
  writeFolder(join(root, 'unlabelled'), { 'x.csv': caseCsv([]) })
})
afterAll(() => rmSync(root, { recursive: true }))

const reelpulse = (...words: string[]) =>
  new Promise<{ code: number; out: string; err: string }>((resolve) => {
    const child = execFile(process.execPath, [bin, ...words], (_, out, err) => resolve({ code: child.exitCode ?? -1, out, err }))
  })
const figures = '{"cases":2,"top1":0.5,"top3":0.5,"top5":0.5,"microF1":0.5}\n'

test('one line of JSON, with --json or without it', async () => {
  expect(await reelpulse('evaluate', 'causes', join(root, 'good'))).toEqual({ code: exitGood, out: figures, err: '' })
  expect(await reelpulse('evaluate', 'causes', join(root, 'good'), '--json')).toEqual({ code: exitGood, out: figures, err: '' })
})

test('--cases tells each case, and why it is a miss', async () => {
  const { out } = await reelpulse('evaluate', 'causes', join(root, 'good'), '--cases', '--direction', 'rise')
  expect(out.split('\n').slice(0, 2)).toEqual([
    'right  20200530_150338_1346609715  found cdn=5',
    expect.stringMatching(/^wrong {2}wrong {2}found p2p=1 {2}true cdn=5, ranked /),
  ])
  expect(out.endsWith(figures)).toBe(true)
})

test.each<[string, (root: string) => string[], string]>([
  ['no folder', () => ['causes'], '<folder> is missing'],
  ['a folder that is not there', (at) => ['causes', join(at, 'nowhere')], 'there is no folder'],
  ['a file', (at) => ['causes', join(at, 'good', 'wrong.csv')], 'is no folder'],
  ['a folder without labels', (at) => ['causes', join(at, 'unlabelled')], 'no anomaly.yaml in'],
  ['a case that is malformed', (at) => ['causes', join(at, 'bad')], 'x.csv, line 2: cnt is "three", wants a number from 0'],
  ['something else', (at) => ['cause', at], 'cannot evaluate "cause" (did you mean causes?)'],
])('%s: exit 2, and why', async (_, words, why) => {
  const { code, out, err } = await reelpulse('evaluate', ...words(root))
  expect({ code, out }).toEqual({ code: exitUsage, out: '' })
  expect(err).toContain(why)
})
