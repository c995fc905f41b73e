import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { lineReader, maxLineBytes } from './lines.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'reelpulse-lines-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

async function read(content: string | Buffer) {
  const path = join(directory, 'file')
  writeFileSync(path, content)
  const reader = lineReader(path)
  const lines: [number, string, boolean][] = []
  for await (const chunk of reader.chunks()) for (const { number, bytes, tooLong } of chunk) lines.push([number, bytes.toString(), tooLong])
  expect(reader.digest()).toBe(createHash('sha256').update(content).digest('hex'))
  return lines
}

test('lines end in LF or CR LF, the last one in nothing too; a byte order mark is no part of the first', async () => {
  expect(await read('\uFEFFa\r\n\nb\rc\nd')).toEqual([[1, 'a', false], [2, '', false], [3, 'b\rc', false], [4, 'd', false]]) // prettier-ignore
  expect(await read('')).toEqual([])
})

test('lines are whole where the chunks in which the file is read cut them', async () => {
  const text = Array.from({ length: 60_000 }, (_, i) => `line ${i} ${'x'.repeat(i % 91)}`)
  const lines = await read(`${text.join('\n')}\n`)
  expect(lines.map(([, line]) => line)).toEqual(text)
  expect(lines.at(-1)![0]).toBe(60_000)
})

test('of a line without end only the beginning is kept', async () => {
  const lines = await read(Buffer.concat([Buffer.alloc(5_000_000, 'x'), Buffer.from('\nshort\n')]))
  expect(lines.map(([number, line, tooLong]) => [number, line.length, tooLong])).toEqual([[1, maxLineBytes, true], [2, 5, false]]) // prettier-ignore
})
