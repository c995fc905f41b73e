// Rows as ClickHouse sends them in JSON, as objects: 64-bit integers become numbers where they fit.

type Convert = (value: unknown) => unknown

/** The first two rows are the columns' names and types (JSONCompactEachRowWithNamesAndTypes, 64-bit integers quoted). */
export function rowsOf<T>(lines: readonly unknown[][]): T[] {
  const [names, types, ...rows] = lines as [string[]?, string[]?, ...unknown[][]]
  // Whatever stands between may answer in its name, and nothing must not be taken for no rows.
  if (names === undefined || types === undefined) throw new Error("the answer is not ClickHouse's: it has no names and types")
  const converters = types.map(converterOf)
  const changing = converters.flatMap((convert, column) => (convert === undefined ? [] : [{ column, convert }]))
  return rows.map((values) => {
    for (const { column, convert } of changing) values[column] = convert(values[column])
    const row: Record<string, unknown> = {}
    for (let column = 0; column < names.length; column++) row[names[column]!] = values[column]
    return row as T
  })
}

/** Undefined where values of the type stay as they are. */
export function converterOf(type: string): Convert | undefined {
  const { name, inner } = takeApart(type)
  switch (name) {
    case 'Int64':
    case 'UInt64':
      return whole
    case 'Nullable':
    case 'LowCardinality':
      return converterOf(inner[0]!)
    // The state's own type, behind the function's name.
    case 'SimpleAggregateFunction':
      return converterOf(inner[1]!)
    case 'Array': {
      const item = converterOf(inner[0]!)
      return item && ((value) => (value as unknown[]).map(item))
    }
    case 'Map': {
      const item = converterOf(inner[1]!)
      return item && ((value) => Object.fromEntries(Object.entries(value as object).map(([key, entry]) => [key, item(entry)])))
    }
    case 'Tuple': {
      const items = inner.map((element) => converterOf(elementType(element)))
      if (items.every((item) => item === undefined)) return undefined
      const convert = (entry: unknown, i: number): unknown => items[i]?.(entry) ?? entry
      return (value) =>
        Array.isArray(value)
          ? value.map(convert)
          : Object.fromEntries(Object.entries(value as object).map(([key, entry], i) => [key, convert(entry, i)]))
    }
    default:
      return undefined
  }
}

function whole(value: unknown): unknown {
  if (typeof value !== 'string') return value
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

/** `Map(String, Array(UInt64))` → Map, [String, Array(UInt64)]. Commas in quotes and in inner types do not part. */
function takeApart(type: string): { name: string; inner: string[] } {
  const open = type.indexOf('(')
  if (open < 0) return { name: type, inner: [] }
  const inner: string[] = []
  let depth = 0
  let start = open + 1
  let quote = ''
  for (let at = open; at < type.length; at++) {
    const sign = type[at]!
    if (quote !== '') {
      if (sign === '\\') at++
      else if (sign === quote) quote = ''
    } else if (sign === "'" || sign === '`') quote = sign
    else if (sign === '(') depth++
    else if (sign === ')') depth--
    if ((depth === 1 && sign === ',' && quote === '') || depth === 0) {
      inner.push(type.slice(start, at).trim())
      start = at + 1
      if (depth === 0) break
    }
  }
  return { name: type.slice(0, open), inner }
}

/** An element of a tuple may have a name before its type. */
function elementType(element: string): string {
  return /^(?:`(?:[^`\\]|\\.)*`|\w+)\s+(\S.*)$/s.exec(element)?.[1] ?? element
}
