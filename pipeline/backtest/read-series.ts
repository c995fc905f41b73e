// A labelled series out of a CSV: columns timestamp and value, and label where there is one.
import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { LabelledSeries } from '../../operators/detect/backtest.ts'

/** What cannot be read: the message names file and line. */
export class UnreadableSeries extends Error {
  override name = 'UnreadableSeries'
}

const leastStepS = 600
const weekS = 7 * 86_400
/** A series from one end of it to the other: more is a wrong date. */
const mostBuckets = 2_000_000

/** The files that are meant: of a folder its .csv, in order of their names. */
export async function seriesFiles(paths: readonly string[]): Promise<string[]> {
  const files: string[] = []
  for (const path of paths) {
    const found = await stat(path).catch(() => undefined)
    if (found === undefined) throw new UnreadableSeries(`${path}: no such file or folder`)
    if (!found.isDirectory()) files.push(path)
    else {
      const inside = (await readdir(path)).filter((name) => name.endsWith('.csv')).toSorted()
      if (inside.length === 0) throw new UnreadableSeries(`${path}: no .csv files in this folder`)
      files.push(...inside.map((name) => join(path, name)))
    }
  }
  const names = new Map<string, string>()
  for (const file of files) {
    const other = names.get(nameOf(file))
    if (other !== undefined) throw new UnreadableSeries(`${file}: ${other} has the same name; a series is known by its file's`)
    names.set(nameOf(file), file)
  }
  return files
}

export const nameOf = (file: string) => basename(file).replace(/\.csv$/, '')

export async function readSeries(file: string): Promise<LabelledSeries> {
  const rows = new Map<number, { value: number; label: number }>()
  let header: Header | undefined
  let line = 0
  const input = createReadStream(file)
  try {
    for await (const text of createInterface({ input, crlfDelay: Infinity })) {
      line++
      if (text.trim() === '') continue
      const cells = cellsOf(line === 1 ? text.replace(/^\uFEFF/, '') : text)
      if (header === undefined) header = headerOf(cells, file, line)
      else {
        const { at, value, label } = rowOf(cells, header, file, line)
        if (!rows.has(at)) rows.set(at, { value, label })
      }
    }
  } catch (error) {
    if (error instanceof UnreadableSeries) throw error
    throw new UnreadableSeries(`${file}: cannot be read: ${(error as Error).message}`)
  } finally {
    input.destroy()
  }
  if (header === undefined) throw new UnreadableSeries(`${file}: empty; the first line names the columns: timestamp,value,label`)
  if (rows.size < 2) throw new UnreadableSeries(`${file}: ${rows.size} row(s); a series has at least two`)
  return bucketed(nameOf(file), file, rows)
}

type Header = { readonly columns: number; readonly timestamp: number; readonly value: number; readonly label: number }

const cellsOf = (text: string) => text.split(',').map((cell) => cell.trim().replace(/^"(.*)"$/, '$1'))

function headerOf(cells: readonly string[], file: string, line: number): Header {
  const place = (name: string) => cells.findIndex((cell) => cell.toLowerCase() === name)
  const header = { columns: cells.length, timestamp: place('timestamp'), value: place('value'), label: place('label') }
  for (const name of ['timestamp', 'value'] as const)
    if (header[name] < 0)
      throw new UnreadableSeries(`${file}:${line}: no column "${name}"; the first line names the columns: timestamp,value,label`)
  return header
}

function rowOf(cells: readonly string[], header: Header, file: string, line: number) {
  const wrong = (what: string) => new UnreadableSeries(`${file}:${line}: ${what}`)
  if (cells.length !== header.columns) throw wrong(`${cells.length} columns, where the first line has ${header.columns}`)
  const [timestamp, valueText] = [cells[header.timestamp]!, cells[header.value]!]
  const labelText = header.label < 0 ? '' : cells[header.label]!
  const at = secondsOf(timestamp)
  if (at === undefined) throw wrong(`timestamp ${JSON.stringify(timestamp)} is no UTC time such as 2018-05-10 00:00:00 or 5/10/2018 0:00`)
  if (!number.test(valueText)) throw wrong(`value ${JSON.stringify(valueText)} is no number`)
  if (labelText !== '' && !number.test(labelText)) throw wrong(`label ${JSON.stringify(labelText)} is neither 0 nor 1`)
  return { at, value: Number(valueText), label: Math.trunc(Number(labelText)) === 0 ? 0 : 1 }
}

const number = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i
const yearFirst = /^(\d{4})-(\d{1,2})-(\d{1,2})[T ](\d{1,2}):(\d{1,2})(?::(\d{1,2}))?(?:Z|\+00(?::?00)?)?$/
const monthFirst = /^(\d{1,2})\/(\d{1,2})\/(\d{4}) (\d{1,2}):(\d{1,2})(?::(\d{1,2}))?$/

/** Seconds since the epoch; undefined where it is no time of the two formats. */
function secondsOf(text: string): number | undefined {
  const iso = yearFirst.exec(text)
  const american = iso === null ? monthFirst.exec(text) : null
  const [year, month, day] = iso !== null ? [iso[1], iso[2], iso[3]] : american !== null ? [american[3], american[1], american[2]] : []
  const [hour, minute, second] = (iso ?? american)?.slice(4, 7).map((part) => Number(part ?? 0)) ?? []
  if (year === undefined || hour === undefined || minute === undefined || second === undefined) return undefined
  if (hour > 23 || minute > 59 || second > 59) return undefined
  const ms = Date.UTC(Number(year), Number(month) - 1, Number(day), hour, minute, second)
  // 30 February comes out as a day of March.
  return new Date(ms).getUTCDate() === Number(day) && new Date(ms).getUTCMonth() === Number(month) - 1 ? ms / 1000 : undefined
}

function bucketed(name: string, file: string, rows: ReadonlyMap<number, { value: number; label: number }>): LabelledSeries {
  const times = Float64Array.from(rows.keys()).toSorted()
  const stepS = Math.max(commonestGap(times), leastStepS)
  if (stepS > weekS) throw new UnreadableSeries(`${file}: a row every ${stepS} s; a series has at least one a week`)
  const first = Math.floor(times[0]! / stepS)
  const length = Math.floor(times.at(-1)! / stepS) - first + 1
  if (length > mostBuckets) throw new UnreadableSeries(`${file}: ${length} buckets of ${stepS} s from first to last row: is a date wrong?`)
  const sums = new Float64Array(length)
  const counts = new Uint32Array(length)
  const labels = new Uint8Array(length)
  for (const at of times) {
    const { value, label } = rows.get(at)!
    const bucket = Math.floor(at / stepS) - first
    sums[bucket]! += value
    counts[bucket]!++
    labels[bucket]! |= label
  }
  return { name, stepMs: stepS * 1000, first, values: sums.map((sum, i) => (counts[i] === 0 ? NaN : sum / counts[i]!)), labels }
}

/** Of several that are equally common the shortest. */
function commonestGap(times: Float64Array): number {
  const counts = new Map<number, number>()
  for (let i = 1; i < times.length; i++) counts.set(times[i]! - times[i - 1]!, (counts.get(times[i]! - times[i - 1]!) ?? 0) + 1)
  return [...counts].toSorted(([a, m], [b, n]) => n - m || a - b)[0]![0]
}
