// What a mapping file says: how a file's columns become flushes. Checked whole, with every mistake named.
import { createHash } from 'node:crypto'
import { parse as parseYaml } from 'yaml'
import { z } from 'zod'
import { behaviors, platforms } from '../../schemas/behavior-batch.ts'
import { maxInstant, maxStringBytes } from '../../schemas/limits.ts'
import { isZone, timeUnits } from './instant.ts'
import type { Problem } from '../config/value.ts'

const short = z
  .string('text')
  .refine((text) => Buffer.byteLength(text) <= maxStringBytes && text.isWellFormed(), `text of at most ${maxStringBytes} bytes`)
const name = z.string('a name').regex(/^[A-Za-z0-9._-]{1,100}$/, 'at most 100 of the letters A-Z a-z 0-9 . _ -')
const column = z.string('the name of a column').min(1, 'the name of a column')
const behavior = z.enum(behaviors, `one of ${behaviors.join(', ')}`)
const unit = z.enum(timeUnits, `one of ${timeUnits.join(', ')}`)
const zoneName = z.string('a time zone').refine(isZone, 'a time zone such as Asia/Shanghai')
const factor = z.number('a number').positive('a number above 0').max(1e9, 'at most 1000000000')

type Source = { column?: unknown; constant?: unknown; [more: string]: unknown }

/** Exactly one of `column` and `constant`; whatever else is there belongs to a column. */
function eitherWay(source: Source, issues: z.core.$ZodRawIssue[]): void {
  const refuse = (message: string, path: string[] = []) => issues.push({ code: 'custom', message, path, input: source })
  if ((source.column === undefined) === (source.constant === undefined)) refuse('one of column and constant, not both')
  else if (source.constant !== undefined)
    for (const key of Object.keys(source)) if (key !== 'constant' && source[key] !== undefined) refuse(`nothing beside constant`, [key])
}

const words = <S extends z.ZodType<string>>(value: S) =>
  z
    .strictObject(
      {
        column: column.optional(),
        constant: value.optional(),
        /** What the file says → what is meant. Without it the column's text is taken as it is. */
        values: z.record(z.string(), value, 'a list of `what the file says: what is meant`').optional(),
        /** For what `values` does not list; without it such a row is bad. */
        otherwise: value.optional(),
      },
      'column or constant',
    )
    .check(({ value, issues }) => {
      eitherWay(value, issues)
      if (value.otherwise !== undefined && value.values === undefined)
        issues.push({ code: 'custom', message: 'nothing, where there are no values', path: ['otherwise'], input: value.otherwise })
    })

const whole = z.int('a whole number').min(0, 'at least 0')
const number = (constant: z.ZodType<number>) =>
  z
    .strictObject(
      {
        column: column.optional(),
        constant: constant.optional(),
        /** Multiplies the column: 100 for yuan to fen, 1000 for seconds to ms. */
        factor: factor.optional(),
      },
      'column or constant',
    )
    .check(({ value, issues }) => eitherWay(value, issues))

const instant = z
  .strictObject(
    {
      column: column.optional(),
      constant: z.int('whole milliseconds').min(-maxInstant, 'an instant').max(maxInstant, 'an instant').optional(),
      unit: unit.optional(),
      zone: zoneName.optional(),
    },
    'column or constant',
  )
  .check(({ value, issues }) => {
    eitherWay(value, issues)
    if (value.column !== undefined && value.unit === undefined)
      issues.push({ code: 'custom', message: `one of ${timeUnits.join(', ')}`, path: ['unit'], input: undefined })
  })

const text = words(short)
/** Fields of events: null where a mapping does not name them. */
const eventFields = z.strictObject(
  {
    session_id: text.optional(),
    content_id: text.optional(),
    creator_id: text.optional(),
    category: text.optional(),
    surface: text.optional(),
    published_at: instant.optional(),
    watch_ms: number(whole).optional(),
    duration_ms: number(whole).optional(),
    amount_minor: number(whole.min(1, 'at least 1')).optional(),
    currency: text.optional(),
    query: text.optional(),
  },
  'a list of fields',
)

const event = z.union([behavior, z.strictObject({ behavior, fields: eventFields.default({}) })], {
  error: `a behaviour (${behaviors.join(', ')}), or behavior and fields`,
})
const maxEventsPerRow = 20
const events = z
  .preprocess((value) => (value === null ? [] : Array.isArray(value) ? value : [value]), z.array(event))
  .refine((list) => list.length <= maxEventsPerRow, `at most ${maxEventsPerRow} events`)

const mappingSchema = z
  .strictObject(
    {
      /** Of the import: ids of events follow from it, so two imports of one name are one. */
      name,
      format: z.enum(['csv', 'jsonl'], 'csv or jsonl'),
      csv: z
        .strictObject({
          header: z.boolean('true or false').default(true),
          /** By position, for a file without a header. */
          columns: z.array(column, 'a list of names').min(1, 'at least one').optional(),
          delimiter: z
            .string('one character')
            .refine((text) => text.length === 1 && !'"\r\n'.includes(text), 'one character')
            .default(','),
        })
        .optional(),
      /** When it happened. */
      time: z.strictObject({ column, unit, zone: zoneName.optional() }, 'column and unit'),
      behavior: z
        .strictObject(
          {
            column: column.optional(),
            /** What the file says → the events that it stands for; an empty list: none. */
            values: z.record(z.string(), events, 'a list of `what the file says: behaviours`').optional(),
            /** The events of every row. */
            constant: events.optional(),
          },
          'column and values, or constant',
        )
        .check(({ value, issues }) => {
          eitherWay({ column: value.column, constant: value.constant }, issues)
          if (value.column !== undefined && value.values === undefined)
            issues.push({ code: 'custom', message: 'a list of `what the file says: behaviours`', path: ['values'], input: undefined })
          if (value.constant !== undefined && value.values !== undefined)
            issues.push({ code: 'custom', message: 'nothing beside constant', path: ['values'], input: value.values })
        }),
      /** What a user's first row by time stands for besides. */
      first_row: z.literal('register', 'register').optional(),
      /** Rows of one user within so many seconds make one flush; 0: those of one instant. */
      flush_s: z.number('a number').min(0, 'at least 0').max(3_600, 'at most 3600').default(0),
      fields: eventFields.extend({
        user_id: z.strictObject({ column }, 'column'),
        /** The user's id, where it is not named. */
        device_id: text.optional(),
        platform: words(z.enum(platforms, `one of ${platforms.join(', ')}`)),
        app_version: text,
        channel: text,
        region: text,
      }),
    },
    'a list of names and values',
  )
  .check(({ value, issues }) => {
    const refuse = (message: string, path: string[], input?: unknown) => issues.push({ code: 'custom', message, path, input })
    if (value.format === 'jsonl' && value.csv !== undefined) refuse('nothing, where format is jsonl', ['csv'], value.csv)
    const { header = true, columns } = value.csv ?? {}
    if (value.format === 'csv' && !header && columns === undefined)
      refuse('the names of the columns, where the file has no header', ['csv', 'columns'])
    if (header && columns !== undefined) refuse('nothing, where the file has a header (say header: false)', ['csv', 'columns'], columns)
    if (columns !== undefined) {
      if (new Set(columns).size < columns.length) refuse('each name once', ['csv', 'columns'], columns)
      for (const [path, name] of columnsOf(value)) if (!columns.includes(name)) refuse(`one of ${columns.join(', ')}`, path, name)
    }
  })

export type Mapping = z.infer<typeof mappingSchema>
export type EventMapping = z.infer<typeof event>
export type EventFields = z.infer<typeof eventFields>
export type TextSource = z.infer<typeof text>
export type NumberSource = { column?: string | undefined; constant?: number | undefined; factor?: number | undefined }
export type InstantSource = z.infer<typeof instant>

/** Every column that a mapping names, and where. */
export function columnsOf(mapping: unknown, path: string[] = []): (readonly [path: string[], column: string])[] {
  if (typeof mapping !== 'object' || mapping === null) return []
  return Object.entries(mapping).flatMap(([key, value]) =>
    key === 'column' && typeof value === 'string' ? [[[...path, key], value] as const] : columnsOf(value, [...path, key]),
  )
}

/** `file` only names the mapping in messages. */
export function readMapping(source: string, file: string): { ok: true; mapping: Mapping } | { ok: false; problems: Problem[] } {
  let raw: unknown
  try {
    // JSON is YAML.
    raw = parseYaml(source)
  } catch (error) {
    const [first] = (error as Error).message.split('\n')
    return { ok: false, problems: [{ where: file, got: '', wants: `YAML or JSON (${first})` }] }
  }
  const parsed = mappingSchema.safeParse(raw)
  if (parsed.success) return { ok: true, mapping: parsed.data }
  return { ok: false, problems: parsed.error.issues.flatMap((issue) => problemsOf(issue, raw, file)) }
}

function problemsOf(issue: z.core.$ZodIssue, raw: unknown, file: string): Problem[] {
  const path = asWritten(raw, issue.path)
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({
      where: place(file, [...path, key]),
      got: show(at(raw, [...path, key])),
      wants: 'nothing: no such name is known here',
    }))
  if (issue.code === 'invalid_union') {
    // The branch that the value was meant for says more than the union does.
    const value = at(raw, path)
    const meant = typeof value === 'object' && value !== null ? issue.errors[1] : undefined
    if (meant !== undefined && meant.length > 0)
      return meant.flatMap((inner) => problemsOf({ ...inner, path: [...issue.path, ...inner.path] }, raw, file))
  }
  return [{ where: place(file, path), got: show(at(raw, path)), wants: issue.message }]
}

const place = (file: string, path: readonly PropertyKey[]) => (path.length === 0 ? file : `${file}: ${path.map(String).join('.')}`)

/** A value that stands where a list may is read as a list of one: the 0 in its path is not in the file. */
function asWritten(raw: unknown, path: readonly PropertyKey[]): PropertyKey[] {
  let value = raw
  return path.filter((key) => {
    if (typeof key === 'number' && !Array.isArray(value)) return false
    value = typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined
    return true
  })
}

const at = (raw: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>(
    (value, key) => (typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined),
    raw,
  )

function show(value: unknown): string {
  if (value === undefined) return ''
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}

/** What decides which events come of a file; comments and the order of names do not. */
export function mappingDigest(mapping: Mapping, currency: string): string {
  return createHash('sha256')
    .update(canonical({ form: 1, mapping, currency }))
    .digest('hex')
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined)
  return `{${entries
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`)
    .join()}}`
}
