// A case's CSV, by leaf and minute: what was normal before the anomaly's minute, and that minute.
import { parse } from 'csv-parse/sync'
import { baselineOf, type Bucket } from '../../operators/attribution/baseline.ts'
import type { Leaves } from '../../operators/attribution/leaves.ts'
import type { Read } from './labels.ts'

const [timeColumn, numeratorColumn, denominatorColumn] = ['min', 'value', 'cnt'] as const
/** Of one file, so many problems are told. */
const mostTold = 5

/** Minutes after `at` are not looked at: whoever is alerted does not have them. */
export function readCase(text: string, file: string, at: number): Read<Leaves> {
  let rows: { record: string[]; info: { lines: number } }[]
  try {
    rows = parse(text, { bom: true, skip_empty_lines: true, trim: true, relax_column_count: true, info: true }) as never
  } catch (error) {
    return wrong(`${file}: no CSV: ${error instanceof Error ? error.message : String(error)}`)
  }
  const [first, ...lines] = rows
  const header = first?.record
  if (header === undefined)
    return wrong(`${file}: is empty, wants a header with ${timeColumn}, ${numeratorColumn}, ${denominatorColumn} and dimensions`)
  const missing = [timeColumn, numeratorColumn, denominatorColumn].filter((name) => !header.includes(name))
  if (missing.length > 0) return wrong(`${file}: no column ${missing.join(', ')}; the header has ${header.join(', ')}`)
  const twice = header.find((name, i) => header.indexOf(name) !== i)
  if (twice !== undefined) return wrong(`${file}: column ${twice} is there twice`)
  const dimensions = header.filter((name) => name !== timeColumn && name !== numeratorColumn && name !== denominatorColumn)
  if (dimensions.length === 0) return wrong(`${file}: no dimension beside ${timeColumn}, ${numeratorColumn} and ${denominatorColumn}`)

  const position = (name: string) => header.indexOf(name)
  const places = dimensions.map(position)
  const dictionaries = dimensions.map(() => new Map<string, number>())
  const leafOf = new Map<string, number>()
  const leafCodes: number[][] = []
  const minutes = new Map<number, { leaf: number; numerator: number; denominator: number }[]>()
  const problems: string[] = []
  for (const { record: line, info } of lines) {
    const where = `${file}, line ${info.lines}`
    if (line.length !== header.length) {
      problems.push(`${where}: ${line.length} cells, the header has ${header.length}`)
      continue
    }
    const numberIn = (name: string) => {
      const written = line[position(name)]!
      const value = written === '' ? NaN : Number(written)
      if (!(value >= 0 && value < Infinity)) problems.push(`${where}: ${name} is "${written}", wants a number from 0`)
      return value
    }
    const minute = numberIn(timeColumn)
    const numerator = numberIn(numeratorColumn)
    const denominator = numberIn(denominatorColumn)
    if (minute > at) continue
    const codes = places.map((place, d) => codeIn(dictionaries[d]!, line[place]!))
    const name = codes.join()
    let leaf = leafOf.get(name)
    if (leaf === undefined) {
      leafOf.set(name, (leaf = leafCodes.length))
      leafCodes.push(codes)
    }
    const cells = minutes.get(minute) ?? []
    minutes.set(minute, cells)
    cells.push({ leaf, numerator, denominator })
  }
  if (problems.length > mostTold) problems.splice(mostTold, Infinity, `${file}: and ${problems.length - mostTold} more`)
  if (problems.length > 0) return { ok: false, problems }

  const bucketOf = (minute: number): Bucket & { denominator: Float64Array } => {
    const bucket = { numerator: new Float64Array(leafCodes.length), denominator: new Float64Array(leafCodes.length) }
    for (const { leaf, numerator, denominator } of minutes.get(minute)!) {
      bucket.numerator[leaf]! += numerator
      bucket.denominator[leaf]! += denominator
    }
    return bucket
  }
  if (!minutes.has(at)) return wrong(`${file}: no row of minute ${at}, which anomaly.yaml says it is about`)
  const before = [...minutes.keys()].filter((minute) => minute < at).toSorted((a, b) => a - b)
  const { taken: _, ...baseline } = baselineOf(before.map(bucketOf))
  if (baseline.baselineBuckets === 0)
    return wrong(`${file}: no minute before ${at} has a ${denominatorColumn} above 0: nothing to compare with`)
  const codes = dimensions.map((_, d) => Uint32Array.from(leafCodes, (leaf) => leaf[d]!))
  return { ok: true, value: { dimensions, values: dictionaries.map((values) => [...values.keys()]), codes, ...bucketOf(at), ...baseline } }
}

const wrong = (problem: string) => ({ ok: false, problems: [problem] }) as const

function codeIn(dictionary: Map<string, number>, value: string): number {
  let code = dictionary.get(value)
  if (code === undefined) dictionary.set(value, (code = dictionary.size))
  return code
}
