// The labels of a folder of cases: anomaly.yaml, in each of the shapes in which a true cause is written.
import { parseDocument } from 'yaml'
import type { Cell } from '../../operators/attribution/leaves.ts'

export type Label = {
  /** The case's name: its file is <name>.csv. */
  readonly name: string
  /** Epoch seconds of the anomaly's minute. */
  readonly at: number
  /** Cells; one without dimensions is "everything". */
  readonly causes: readonly Cell[]
}

export type Read<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problems: readonly string[] }

const shape = 'a list of entries with data, timestamp and cause'

/** Every scalar is taken as it is written: names such as 20200530_150338_1346609715 and values such as 0500 are no numbers. */
export function readLabels(text: string, file: string): Read<Label[]> {
  const document = parseDocument(text, { schema: 'failsafe' })
  if (document.errors.length > 0)
    return { ok: false, problems: document.errors.map(({ message }) => `${file}: no YAML: ${message.split('\n')[0]}`) }
  let entries: unknown
  try {
    entries = document.toJS()
  } catch (error) {
    return { ok: false, problems: [`${file}: no YAML: ${error instanceof Error ? error.message : String(error)}`] }
  }
  if (!Array.isArray(entries) || entries.length === 0) return { ok: false, problems: [`${file}: wants ${shape}`] }
  const problems: string[] = []
  const labels: Label[] = []
  const names = new Set<string>()
  for (const [i, entry] of entries.entries()) {
    const where = `${file}, entry ${i + 1}`
    if (!isMap(entry)) {
      problems.push(`${where}: wants data, timestamp and cause`)
      continue
    }
    const { data, timestamp } = entry
    const name = typeof data === 'string' ? data.trim().replace(/\.csv$/, '') : ''
    if (name === '') problems.push(`${where}: data is missing: the case's name, of the file <name>.csv`)
    else if (names.has(name)) problems.push(`${where}: case ${name} is there twice`)
    names.add(name)
    const at = typeof timestamp === 'string' && /^\d+$/.test(timestamp.trim()) ? Number(timestamp) : undefined
    if (at === undefined) problems.push(`${where} (${name}): timestamp is ${tell(timestamp)}, wants epoch seconds`)
    const causes = 'cause' in entry ? causesOf(entry['cause']) : 'is missing'
    if (typeof causes === 'string') problems.push(`${where} (${name}): cause ${causes}`)
    else if (name !== '' && at !== undefined) labels.push({ name, at, causes })
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, value: labels }
}

/** Says what is wrong where it is no cause. */
function causesOf(written: unknown): Cell[] | string {
  if (typeof written === 'string') return fromText(written)
  const parts: readonly unknown[] = Array.isArray(written) ? written : [written]
  if (parts.length === 0) return 'is an empty list'
  const cells: Cell[] = []
  for (const part of parts) {
    const read = isMap(part) ? fromMap(part) : typeof part === 'string' ? fromText(part) : `has ${tell(part)}, wants a cell`
    if (typeof read === 'string') return read
    cells.push(...read)
  }
  const seen = new Set<string>()
  return cells.filter((cell) => !seen.has(cellKey(cell)) && seen.add(cellKey(cell)))
}

/** cdn=5&p2p=0; several cells with ; between them. */
function fromText(text: string): Cell[] | string {
  const cells: Cell[] = []
  for (const part of text.split(';').filter((part) => part.trim() !== '')) {
    const pairs = part.split(/[&,]/).map((pair) => pair.split('='))
    if (pairs.some((pair) => pair.length !== 2 || pair[0]!.trim() === ''))
      return `is "${text}", wants dimension: value, a list of such, or dimension=value&…`
    const read = fromMap(Object.fromEntries(pairs.map(([dimension, value]) => [dimension!.trim(), value!.trim()])))
    if (typeof read === 'string') return read
    cells.push(...read)
  }
  return cells.length > 0 ? cells : 'is empty'
}

/** A list of values is a cell for each. */
function fromMap(map: Readonly<Record<string, unknown>>): Cell[] | string {
  let cells: Cell[] = [{}]
  for (const [dimension, written] of Object.entries(map)) {
    const values: readonly unknown[] = Array.isArray(written) ? written : [written]
    if (values.length === 0 || !values.every((value) => typeof value === 'string'))
      return `has ${dimension}: ${tell(written)}, wants a value`
    cells = cells.flatMap((cell) => values.map((value) => (isWildcard(value) ? cell : { ...cell, [dimension]: value.trim() })))
  }
  return cells
}

/** As if the dimension were not there. */
const isWildcard = (value: string) => ['', '*', '~', 'null'].includes(value.trim().toLowerCase())

const isMap = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)

const tell = (value: unknown) => (value === undefined ? 'missing' : JSON.stringify(value).slice(0, 60))

/** The same for cells that are equal: in whatever order, 5 for 5.0. */
export function cellKey(cell: Cell): string {
  const pairs = Object.entries(cell).map(([dimension, value]) => [dimension, plain(value)] as const)
  return JSON.stringify(pairs.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

const plain = (value: string) => (/^-?\d{1,15}(\.\d+)?$/.test(value) ? String(Number(value)) : value)
